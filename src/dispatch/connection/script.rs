//! A console that a test plays.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::{Connection, Incoming};
use crate::dispatch::error::Error;

/// How many pieces may wait in either direction.
const QUEUE: usize = 256;

/// The dispatcher's side of a console in memory.
#[derive(Debug)]
pub struct Script {
    incoming: mpsc::Receiver<Incoming>,
    typed: mpsc::Sender<Bytes>,
}

/// The board's side of a console in memory.
#[derive(Debug)]
pub struct ScriptHandle {
    pub says: mpsc::Sender<Incoming>,
    pub hears: mpsc::Receiver<Bytes>,
    offset: u64,
}

impl Script {
    pub fn new() -> (Self, ScriptHandle) {
        let (says, incoming) = mpsc::channel(QUEUE);
        let (typed, hears) = mpsc::channel(QUEUE);
        (Self { incoming, typed }, ScriptHandle { says, hears, offset: 0 })
    }
}

impl ScriptHandle {
    /// The board says this. False when nobody listens any more.
    pub async fn say(&mut self, text: &str) -> bool {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let piece =
            Incoming::Bytes { offset: Some(self.offset), time_us: self.offset + 1_000_000, bytes };
        self.offset += text.len() as u64;
        self.says.send(piece).await.is_ok()
    }

    /// The next line that was typed, without its end; `None` when nobody types any more.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.push_str(&String::from_utf8_lossy(&self.hears.recv().await?));
            if let Some(whole) = line.strip_suffix('\n') {
                return Some(whole.to_owned());
            }
        }
    }
}

impl Connection for Script {
    fn next(&mut self) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(async {
            let closed = || Error::Infrastructure("the console was closed".into());
            self.incoming.recv().await.ok_or_else(closed)
        })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            let closed = |_| Error::Infrastructure("the console was closed".into());
            self.typed.send(bytes).await.map_err(closed)
        })
    }
}
