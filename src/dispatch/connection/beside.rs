//! A console with a program beside it that has to live as long, and to be listened to: what nobody
//! reads from its terminal would make it stop.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{Connection, Incoming};
use crate::dispatch::error::Error;

/// Two connections, of which only the first is the console.
pub struct Beside {
    console: Box<dyn Connection>,
    /// `None` when it has ended: the console will tell what that means.
    other: Option<Box<dyn Connection>>,
}

impl Beside {
    pub fn new(console: Box<dyn Connection>, other: Box<dyn Connection>) -> Self {
        Self { console, other: Some(other) }
    }
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Beside a connection that is open: {}", self.other.is_some())
    }
}

impl Connection for Beside {
    fn next(&mut self) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(async {
            loop {
                let Some(other) = &mut self.other else { return self.console.next().await };
                tokio::select! {
                    incoming = self.console.next() => return incoming,
                    heard = other.next() => if heard.is_err() {
                        self.other = None;
                    }
                }
            }
        })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        self.console.write(bytes)
    }

    fn end_beside(&mut self) {
        self.other = None;
        self.console.end_beside();
    }

    fn share(&mut self, shared: bool) -> BoxFuture<'_, Result<(), Error>> {
        self.console.share(shared)
    }
}
