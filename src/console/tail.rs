//! The newest bytes of a console, for those who want to know what it is at.

use std::io;
use std::sync::Arc;

use super::Console;
use crate::capture::{Read, Reader};

impl Console {
    /// The newest bytes, at most `most` of them: from memory where a whole line of them is there.
    ///
    /// # Errors
    /// When reading was interrupted by a panic.
    pub async fn tail(&self, most: usize) -> io::Result<Vec<u8>> {
        let (newest, head) = {
            let state = self.state();
            (state.ring.tail(most), self.head())
        };
        let begin = head.saturating_sub(most as u64).max(self.store.first().unwrap_or(head));
        let line = newest.trim_ascii_end().contains(&b'\n');
        if line || newest.len() as u64 >= head.saturating_sub(begin) {
            return Ok(newest);
        }
        let store = Arc::clone(&self.store);
        let read = tokio::task::spawn_blocking(move || {
            let (mut reader, mut at, mut bytes) = (Reader::new(store), begin, Vec::new());
            while at < head {
                match reader.read(at, head, most) {
                    Read::Pieces(pieces) => {
                        for piece in pieces {
                            bytes.extend_from_slice(&piece.bytes);
                            at = piece.end();
                        }
                    }
                    Read::Gap { to } => {
                        bytes.clear();
                        at = to;
                    }
                }
            }
            bytes
        });
        read.await.map_err(io::Error::other)
    }
}
