//! The screen of a console as a terminal would show it now.

use std::io;
use std::num::NonZeroU16;

use super::{Console, PastError, REPLAY};
use crate::capture::{Read, Reader};

/// The largest screen that is drawn, in rows and in columns.
const MAX_SCREEN: u16 = 500;

/// What is on the screen at an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    pub offset: u64,
    pub rows: NonZeroU16,
    pub cols: NonZeroU16,
    /// What draws it, cursor and attributes included, on a cleared terminal.
    pub draw: String,
}

impl Console {
    /// Draws the screen at the head by replaying the newest part of the stream, so that a console
    /// nobody looks at costs nothing.
    ///
    /// # Errors
    /// When the screen is larger than [`MAX_SCREEN`].
    pub async fn screen(&self, rows: NonZeroU16, cols: NonZeroU16) -> Result<Screen, PastError> {
        if rows.get().max(cols.get()) > MAX_SCREEN {
            return Err(PastError::Screen { rows, cols, most: (MAX_SCREEN, MAX_SCREEN) });
        }
        let head = self.head();
        let from = head.saturating_sub(REPLAY);
        let mut reader = Reader::new(self.store.clone());
        let drawn = tokio::task::spawn_blocking(move || {
            let mut terminal = vt100::Parser::new(rows, cols, 0);
            let mut at = from;
            while at < head {
                match reader.read(at, head, REPLAY as usize) {
                    Read::Pieces(pieces) => {
                        for piece in pieces {
                            terminal.process(&piece.bytes);
                            at = piece.end();
                        }
                    }
                    // What was drawn before a hole is not what is on the screen now.
                    Read::Gap { to } => {
                        terminal = vt100::Parser::new(rows, cols, 0);
                        at = to;
                    }
                }
            }
            terminal.screen().state_formatted()
        });
        let draw = drawn.await.map_err(io::Error::other)?;
        Ok(Screen { offset: head, rows, cols, draw })
    }
}
