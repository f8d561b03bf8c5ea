//! A console's screen as it is shown to one client: drawn when the client has taken what was drawn before,
//! and not more often than anybody can see.

use std::num::NonZeroU16;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::websocket::Message;
use super::attach::text;
use crate::console::{Item, REPLAY, Stream, Terminal};
use crate::front::cli::notice;
use crate::model::Name;
use crate::wire::attach::FromServer;
use crate::wire::view::{Draw, MAX_SIZE, SetSize, ToPage};

/// The time from one drawing to the next, at least.
const FRAME: Duration = Duration::from_millis(33);
/// The most bytes between two drawings. A client that is further behind than is replayed goes on at the
/// head.
const MOST: u64 = REPLAY;
/// After so many bytes others have their turn.
const TURN: usize = 16 * 1024;

/// Rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) NonZeroU16, pub(super) NonZeroU16);

impl From<SetSize> for Size {
    /// At most the largest there is.
    fn from(SetSize::Size { rows, cols }: SetSize) -> Self {
        let most = |size: NonZeroU16, most| NonZeroU16::new(most).map_or(size, |m| size.min(m));
        Self(most(rows, MAX_SIZE.0), most(cols, MAX_SIZE.1))
    }
}

/// A client's screen.
#[derive(Debug)]
pub(super) struct Drawing {
    /// Of the console.
    name: Name,
    terminal: Terminal,
    asked: watch::Sender<Size>,
    size: watch::Receiver<Size>,
    /// It is not as the client has it.
    changed: bool,
    /// When it may be drawn again.
    due: Instant,
    /// How many bytes it has taken since it was drawn.
    taken: u64,
}

/// What comes next of a drawing.
#[derive(Debug)]
pub(super) enum Next {
    Drawn(Draw),
    Resized,
}

/// Waits for it; for ever without one. Cancel safe.
pub(super) async fn next(drawing: &mut Option<Drawing>) -> Next {
    match drawing {
        Some(drawing) => drawing.next().await,
        None => std::future::pending().await,
    }
}

impl Drawing {
    pub(super) fn new(name: Name, terminal: Terminal, size: Size) -> Self {
        let (asked, size) = watch::channel(size);
        Self { name, terminal, asked, size, changed: true, due: Instant::now(), taken: 0 }
    }

    /// Takes the size that is asked for.
    pub(super) fn size(&self) -> watch::Sender<Size> {
        self.asked.clone()
    }

    /// Whether it takes more before it is drawn.
    pub(super) fn has_room(&self) -> bool {
        self.taken < MOST
    }

    async fn next(&mut self) -> Next {
        tokio::select! {
            // It has a sender of its own, so that it does not end.
            _ = self.size.changed() => Next::Resized,
            () = tokio::time::sleep_until(self.due), if self.changed => {
                self.changed = false;
                self.taken = 0;
                self.due = Instant::now() + FRAME;
                Next::Drawn(self.terminal.draw())
            }
        }
    }

    /// Has it in the size that was asked for, and not far behind the head.
    pub(super) async fn keep_up(&mut self, out: &mut Stream) {
        let Size(rows, cols) = *self.size.borrow_and_update();
        let late = out.behind() > REPLAY;
        if late {
            out.skip_to_head();
        }
        if !late && self.terminal.size() == (rows, cols) {
            return;
        }
        match out.session().console().terminal(rows, cols, out.offset()).await {
            Ok(terminal) => self.terminal = terminal,
            Err(error) => {
                tracing::error!(%error, "a screen cannot be drawn");
                self.terminal.restart(rows, cols, out.offset());
            }
        }
        self.changed = true;
    }

    /// Takes what comes next, and gives what is to be told at once. Not cancel safe.
    pub(super) async fn take(&mut self, item: Item) -> Option<Message> {
        match item {
            Item::Pieces(pieces) => {
                let mut turn = 0;
                for bytes in pieces.iter().flat_map(|piece| piece.bytes.chunks(TURN)) {
                    if turn + bytes.len() > TURN {
                        tokio::task::yield_now().await;
                        turn = 0;
                    }
                    turn += bytes.len();
                    self.terminal.process(bytes);
                    self.taken += bytes.len() as u64;
                }
                self.changed = true;
                None
            }
            Item::Event(event) => {
                let said = notice::event(&self.name, &event);
                Some(text(&ToPage::Told { event, text: said }))
            }
            Item::Gap { from, to } => {
                let Size(rows, cols) = *self.size.borrow();
                self.terminal.restart(rows, cols, to);
                self.changed = true;
                Some(text(&FromServer::Gap { from, to }))
            }
            Item::Mode { mode, by, holder } => Some(text(&FromServer::Mode { mode, by, holder })),
        }
    }
}
