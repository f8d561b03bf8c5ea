//! The screen of a console as a terminal would show it now.

use std::num::NonZeroU16;

use super::{Console, PastError};

/// How far back the stream is replayed to draw the screen. A screen that was drawn before that and
/// not touched since comes out incomplete.
const REPLAY: u64 = 256 * 1024;

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
    /// When the capture cannot be read.
    pub async fn screen(&self, rows: NonZeroU16, cols: NonZeroU16) -> Result<Screen, PastError> {
        let head = self.head();
        let first = self.store.first().unwrap_or(head);
        let mut terminal = vt100::Parser::new(rows, cols, 0);
        let mut past = self.past(head.saturating_sub(REPLAY).max(first), Some(head))?;
        while let Some(pieces) = past.next().await? {
            for piece in pieces {
                terminal.process(&piece.bytes);
            }
        }
        Ok(Screen { offset: head, rows, cols, draw: terminal.screen().state_formatted() })
    }
}
