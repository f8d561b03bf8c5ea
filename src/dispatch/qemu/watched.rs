//! A console, and an eye on the QEMU behind it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Ended;
use crate::dispatch::connection::{Connection, Incoming};
use crate::dispatch::error::Error;

/// What QEMU has printed has come to us by way of the console this long after its end.
const LAST_BYTES: Duration = Duration::from_millis(200);

/// A connection that fails when the QEMU behind it ends by itself: nobody waits for a dead board.
pub(super) struct Watched {
    inner: Box<dyn Connection>,
    ended: watch::Receiver<Option<Ended>>,
    /// The end was told.
    told: bool,
    /// What QEMU said on standard error is in this file.
    words: std::path::PathBuf,
}

impl Watched {
    pub(super) fn new(
        inner: Box<dyn Connection>,
        ended: watch::Receiver<Option<Ended>>,
        words: std::path::PathBuf,
    ) -> Self {
        Self { inner, ended, told: false, words }
    }
}

impl Connection for Watched {
    fn next(&mut self) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(async move {
            if self.ended.borrow().is_none() {
                self.told = false;
            }
            let ended = tokio::select! {
                biased;
                incoming = self.inner.next() => return incoming,
                ended = ended(&mut self.ended), if !self.told => ended,
            };
            match timeout(LAST_BYTES, self.inner.next()).await {
                Ok(incoming) => incoming,
                Err(_) => {
                    self.told = true;
                    Err(ended.error(&self.words))
                }
            }
        })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.write(bytes)
    }

    fn share(&mut self, shared: bool) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.share(shared)
    }
}

async fn ended(watch: &mut watch::Receiver<Option<Ended>>) -> Ended {
    match watch.wait_for(Option::is_some).await.map(|ended| *ended) {
        Ok(Some(ended)) => ended,
        // The line is gone, and so is whoever could tell.
        _ => std::future::pending().await,
    }
}
