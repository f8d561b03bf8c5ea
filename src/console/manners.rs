//! How a console treats its board and its clients, as configured; it can change at any time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Console;
use crate::config::Manners;
use crate::model::Name;

/// Typed bytes go to the port in messages of at most this length, which bounds its queue.
const MAX_PIECE: usize = 1024;
/// And of about this time at most, so that nobody waits long behind somebody else's.
const PIECE_TIME: Duration = Duration::from_millis(250);

impl Console {
    /// Treats board and clients like this from now on.
    pub fn set_manners(&self, manners: Manners) {
        self.manners.send_replace(Arc::new(manners));
    }

    pub(super) fn manners(&self) -> Arc<Manners> {
        self.manners.borrow().clone()
    }

    /// For a look at them.
    pub(super) fn with_manners<T>(&self, look: impl FnOnce(&Manners) -> T) -> T {
        look(&self.manners.borrow())
    }

    pub(super) fn watch_manners(&self) -> watch::Receiver<Arc<Manners>> {
        self.manners.subscribe()
    }

    /// Has every session see whether it is over.
    pub(super) fn wake_sessions(&self) {
        self.manners.send_modify(|_| {});
    }

    /// The break sequences: name, and what is sent.
    pub fn sequences(&self) -> BTreeMap<Name, String> {
        self.with_manners(|manners| {
            let breaks = manners.breaks.iter();
            breaks.map(|(name, keys)| (name.clone(), keys.to_string())).collect()
        })
    }

    /// How many typed bytes go to the port in one piece.
    pub(super) fn piece(&self) -> usize {
        // Ten bits a byte.
        let mut byte = Duration::from_secs(10) / self.baud();
        byte = byte.max(self.with_manners(|manners| manners.pace.byte.time()));
        let count = PIECE_TIME.as_nanos() / byte.as_nanos().max(1);
        usize::try_from(count).unwrap_or(MAX_PIECE).clamp(1, MAX_PIECE)
    }

    /// Bits per second; never 0.
    pub(super) fn baud(&self) -> u32 {
        self.line.borrow().settings.framing.baud.max(1)
    }
}
