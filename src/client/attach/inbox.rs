//! What has been received and not yet been given out, in order.

use std::collections::VecDeque;

use super::Item;

/// So many items or bytes are enough: the rest is left in the socket, and with the daemon.
const MAX_ITEMS: usize = 1024;
const MAX_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    items: VecDeque<Item>,
    /// The bytes of all items together.
    bytes: usize,
}

impl Inbox {
    pub(super) fn push(&mut self, item: Item) {
        self.bytes += size(&item);
        self.items.push_back(item);
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        self.remove(0)
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<Item> {
        let item = self.items.remove(at)?;
        self.bytes -= size(&item);
        Some(item)
    }

    /// The items after the first `seen`.
    pub(super) fn after(&self, seen: usize) -> impl Iterator<Item = &Item> {
        self.items.iter().skip(seen)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= MAX_ITEMS || self.bytes >= MAX_BYTES
    }
}

fn size(item: &Item) -> usize {
    match item {
        Item::Bytes(frame) => frame.bytes.len(),
        Item::Screen(screen) => screen.draw.len(),
        _ => 0,
    }
}
