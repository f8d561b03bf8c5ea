//! A console with further ones beside it that are only listened to: what they say is in the log under their names,
//! and nobody waits for it.

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, select_all};

use super::{Connection, Incoming};
use crate::dispatch::error::Error;
use crate::dispatch::log::{Log, MAX_LINE};

/// The console that is talked to, and the others for as long as they are there.
pub struct Feedbacks {
    console: Box<dyn Connection>,
    others: Vec<Other>,
    log: Log,
}

/// One that is listened to.
struct Other {
    name: String,
    connection: Box<dyn Connection>,
    /// What has come of its last line.
    line: Vec<u8>,
}

impl Feedbacks {
    /// The others come with their names.
    pub fn new(
        console: Box<dyn Connection>,
        others: Vec<(String, Box<dyn Connection>)>,
        log: Log,
    ) -> Self {
        let other = |(name, connection)| Other { name, connection, line: Vec::new() };
        Self { console, others: others.into_iter().map(other).collect(), log }
    }

    fn hear(&mut self, index: usize, heard: Result<Incoming, Error>) {
        let log = self.log.clone();
        match heard {
            Ok(Incoming::Bytes { bytes, .. }) => self.others[index].take(&bytes, &log),
            Ok(_) => {}
            Err(error) => {
                let mut other = self.others.swap_remove(index);
                other.end(&log);
                log.debug(format!("{}: {error}", other.name));
            }
        }
    }
}

impl Other {
    fn take(&mut self, bytes: &[u8], log: &Log) {
        for byte in bytes {
            match byte {
                b'\n' => self.end(log),
                byte => self.line.push(*byte),
            }
            if self.line.len() >= MAX_LINE {
                self.end(log);
            }
        }
    }

    fn end(&mut self, log: &Log) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        if !line.is_empty() {
            log.feedback(&self.name, line);
        }
    }
}

impl Drop for Feedbacks {
    fn drop(&mut self) {
        let log = self.log.clone();
        self.others.iter_mut().for_each(|other| other.end(&log));
    }
}

impl std::fmt::Debug for Feedbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Feedbacks of {} consoles", self.others.len())
    }
}

impl Connection for Feedbacks {
    fn next(&mut self) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(async {
            loop {
                if self.others.is_empty() {
                    return self.console.next().await;
                }
                let others = self.others.iter_mut().map(|other| other.connection.next());
                let heard = select_all(others).map(|(heard, index, _)| (index, heard));
                let (index, heard) = tokio::select! {
                    incoming = self.console.next() => return incoming,
                    heard = heard => heard,
                };
                self.hear(index, heard);
            }
        })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        self.console.write(bytes)
    }

    fn share(&mut self, shared: bool) -> BoxFuture<'_, Result<(), Error>> {
        self.console.share(shared)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::dispatch::connection::Script;
    use crate::dispatch::progress::Silent;

    #[tokio::test(start_paused = true)]
    async fn the_others_are_in_the_log_by_their_lines_and_only_the_console_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = Log::create(&path, &[], Arc::new(Silent)).unwrap();
        let (console, mut board) = Script::new();
        let (other, mut model) = Script::new();
        let others: Vec<(String, Box<dyn Connection>)> = vec![("uart1".into(), Box::new(other))];
        let mut both = Feedbacks::new(Box::new(console), others, log.clone());
        model.say("secure world\r\nhalf a").await;
        model.say(" line\r\nthe end").await;
        drop(model);
        // The console itself has not said anything.
        assert!(timeout(Duration::from_secs(1), both.next()).await.is_err());
        board.say("# ").await;
        let heard = both.next().await.unwrap();
        assert!(matches!(heard, Incoming::Bytes { bytes, .. } if bytes == "# "));
        log.finish().await.unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        for line in ["secure world", "half a line", "the end"] {
            assert!(text.contains(&format!("\"lvl\":\"feedback\",\"msg\":{line:?}")), "{text}");
        }
        assert!(text.contains("\"ns\":\"uart1\""), "{text}");
    }
}
