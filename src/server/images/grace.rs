//! For how long nobody has wanted something.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Since when things are known to be unwanted, by the clock that nobody sets. Who begins anew, as the next server
/// does, gives everything its time again.
#[derive(Debug, Default)]
pub(super) struct Grace(HashMap<String, Instant>);

impl Grace {
    /// It is wanted.
    pub(super) fn renew(&mut self, what: &str) {
        self.0.remove(what);
    }

    /// Whether it has been unwanted for so long; from the first look on.
    pub(super) fn is_over(&mut self, what: &str, grace: Duration, now: Instant) -> bool {
        let since = self.0.entry(what.to_owned()).or_insert(now);
        now.saturating_duration_since(*since) >= grace
    }

    /// Forgets what is not there any more.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.0.retain(|what, _| is_there(what));
    }
}
