//! A console that is a WebSocket of somebody else's service.
//!
//! There are no offsets, and the times are ours.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{Connection, Incoming};
use crate::client::ByteSocket;
use crate::config::Secret;
use crate::dispatch::error::Error;
use crate::model::units::now_us;

#[derive(Debug)]
pub struct WebSocket(ByteSocket);

impl WebSocket {
    /// Opens it. Its URL may have a key in it, and is told to nobody.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] when it cannot be opened.
    pub async fn open(url: &Secret) -> Result<Self, Error> {
        let opened = ByteSocket::open(url.expose()).await;
        opened.map(Self).map_err(|why| Error::Infrastructure(format!("the console: {why}")))
    }
}

impl Connection for WebSocket {
    fn next(&mut self) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(async {
            let bytes = self.0.next().await.map_err(Error::Infrastructure)?;
            Ok(Incoming::Bytes { offset: None, time_us: now_us(), bytes })
        })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { self.0.send(bytes).await.map_err(Error::Infrastructure) })
    }
}
