//! Where a client stands in a console's stream, across connections.

use std::collections::VecDeque;

use super::inbox::Inbox;
use super::{Hello, Item};
use crate::model::Event;
use crate::wire::frame::Frame;

/// So many events at the current offset are remembered, to know them again after a reconnection.
const REMEMBERED_EVENTS: usize = 64;

/// Delivers each byte and each event once, however often a daemon sends it.
#[derive(Debug)]
pub(super) struct Cursor {
    /// The offset of the next byte to deliver. All before it were delivered or reported as a gap.
    next: u64,
    /// The events that were delivered since the last byte, the newest last.
    recent: VecDeque<Event>,
}

impl Cursor {
    pub(super) fn new(hello: &Hello) -> Self {
        Self { next: hello.from, recent: VecDeque::new() }
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// A new connection, asked to go on at [`Self::next`], begins with this Hello.
    pub(super) fn resume(&mut self, hello: &Hello, out: &mut Inbox) {
        out.push(Item::Resumed(hello.clone()));
        if hello.head < self.next {
            // The daemon has forgotten bytes that it had shown: its numbers start anew.
            self.recent.clear();
            self.next = hello.from;
            out.push(Item::Renumbered { from: hello.from });
        } else {
            self.skip_to(hello.from, out);
        }
    }

    /// The screen stands for all bytes before its offset.
    pub(super) fn screen(&mut self, offset: u64) {
        self.next = self.next.max(offset);
    }

    pub(super) fn frame(&mut self, mut frame: Frame, out: &mut Inbox) {
        self.skip_to(frame.offset, out);
        let known = self.next - frame.offset;
        if known >= frame.bytes.len() as u64 {
            return;
        }
        let _ = frame.bytes.split_to(known as usize);
        frame.offset = self.next;
        self.next = frame.end();
        self.recent.clear();
        out.push(Item::Bytes(frame));
    }

    pub(super) fn event(&mut self, event: Event, out: &mut Inbox) {
        if self.recent.contains(&event) {
            return;
        }
        if self.recent.len() == REMEMBERED_EVENTS {
            self.recent.pop_front();
        }
        self.recent.push_back(event.clone());
        out.push(Item::Event(event));
    }

    /// Reports the bytes between here and `to` as a gap, if `to` is ahead.
    pub(super) fn skip_to(&mut self, to: u64, out: &mut Inbox) {
        if to > self.next {
            out.push(Item::Gap { from: self.next, to });
            self.next = to;
            self.recent.clear();
        }
    }
}
