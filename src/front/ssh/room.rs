//! How much a connection's client has sent that nobody has taken yet: whether more of it is read.
//!
//! The library gives a channel's window back as soon as it has the bytes, so that a client is never held up
//! by one channel alone. What holds it up is that its connection is not read any more ([`super::line`]),
//! while all else goes on: the library writes, and channels end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;

/// So many bytes of a client's may wait before its connection is not read any more: more than one that waits
/// for answers ever sends.
const ENOUGH: usize = 1024 * 1024;
/// So many may wait where it is read on all the same ([`Room::press`]).
const TOO_MUCH: usize = 8 * 1024 * 1024;
/// What a piece costs beside its bytes.
const PIECE: usize = 128;

/// One connection's; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Room(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    level: watch::Sender<Level>,
}

#[derive(Default)]
struct State {
    waiting: usize,
    /// How many need to have it read on.
    pressing: usize,
    over: bool,
    reader: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Level {
    /// More is read.
    #[default]
    Open,
    /// No more is read at present.
    Held,
    /// No more is read, though somebody presses.
    Overfull,
    /// The connection is over.
    Over,
}

/// Has a connection read on, while it lives.
pub(super) struct Press<'a>(&'a Room);

impl Room {
    /// A piece of so many bytes waits.
    pub(super) fn fill(&self, length: usize) {
        self.change(|state| state.waiting += length + PIECE);
    }

    /// So many bytes of a piece have been taken; `whole` when they were the last.
    pub(super) fn free(&self, length: usize, whole: bool) {
        let piece = if whole { PIECE } else { 0 };
        self.change(|state| state.waiting = state.waiting.saturating_sub(length + piece));
    }

    /// Whether more is to be read, when that is so; false when the connection is over.
    pub(super) fn poll_reads(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state();
        if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            state.reader = Some(cx.waker().clone());
        }
        match state.level() {
            Level::Open => Poll::Ready(true),
            Level::Over => Poll::Ready(false),
            Level::Held | Level::Overfull => Poll::Pending,
        }
    }

    /// Nothing more is read or written.
    pub(super) fn end(&self) {
        self.change(|state| state.over = true);
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().over
    }

    /// Waits until no more is read.
    pub(super) async fn held(&self) {
        self.reached(|level| matches!(level, Level::Held | Level::Overfull)).await;
    }

    /// Has it read on, though enough waits.
    pub(super) fn press(&self) -> Press<'_> {
        self.change(|state| state.pressing += 1);
        Press(self)
    }

    async fn reached(&self, wanted: impl Fn(Level) -> bool) {
        // It fails only without the sender, which is here.
        let _ = self.0.level.subscribe().wait_for(|level| wanted(*level)).await;
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let level = state.level();
        let changed = self.0.level.send_if_modified(|now| std::mem::replace(now, level) != level);
        let reader = if changed { state.reader.take() } else { None };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn level(&self) -> Level {
        match self.waiting {
            _ if self.over => Level::Over,
            TOO_MUCH.. => Level::Overfull,
            ENOUGH.. if self.pressing == 0 => Level::Held,
            _ => Level::Open,
        }
    }
}

impl Press<'_> {
    /// Waits until too much waits for reading on.
    pub(super) async fn overfull(&self) {
        self.0.reached(|level| level == Level::Overfull).await;
    }
}

impl Drop for Press<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.pressing -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(room: &Room) -> Poll<bool> {
        room.poll_reads(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_client_is_read_until_enough_of_it_waits_and_further_only_for_who_presses() {
        let room = Room::default();
        assert_eq!(reads(&room), Poll::Ready(true));
        room.fill(ENOUGH);
        assert!(reads(&room).is_pending());
        let press = room.press();
        assert_eq!(reads(&room), Poll::Ready(true));
        room.fill(TOO_MUCH - ENOUGH);
        assert!(reads(&room).is_pending());
        drop(press);
        room.free(ENOUGH, true);
        assert!(reads(&room).is_pending());
        room.free(TOO_MUCH - ENOUGH, true);
        assert_eq!(reads(&room), Poll::Ready(true));
        // Empty pieces cost something, too.
        (0..ENOUGH / PIECE).for_each(|_| room.fill(0));
        assert!(reads(&room).is_pending());
        room.end();
        assert_eq!(reads(&room), Poll::Ready(false));
    }
}
