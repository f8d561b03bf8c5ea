//! When something was heard of whom last. It has a lock of its own, which nobody holds for long: who stands in line
//! for the lab's state, behind a database that is slow, is heard all the same.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Moments by the clock that nobody sets, with what was said, unless that counts no more.
#[derive(Debug)]
pub(super) struct Heard<K, V = ()>(Mutex<HashMap<K, (Option<V>, Instant)>>);

impl<K, V> Default for Heard<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone, V: PartialEq> Heard<K, V> {
    pub(super) fn say(&self, who: K, what: V) {
        self.all().insert(who, (Some(what), Instant::now()));
    }

    /// Whether somebody has said the same before; they are heard then.
    pub(super) fn again(&self, who: &K, what: &V) -> bool {
        let mut all = self.all();
        match all.get_mut(who) {
            Some((Some(said), at)) if said == what => {
                *at = Instant::now();
                true
            }
            _ => false,
        }
    }

    /// For how long nothing was heard of somebody; nothing ever is no silence.
    pub(super) fn silence(&self, who: &K) -> Duration {
        self.all().get(who).map_or(Duration::ZERO, |(_, at)| at.elapsed())
    }

    /// What somebody has said is not so any more; they were not heard for that.
    pub(super) fn amend(&self, who: &K, what: V) {
        if let Some((Some(said), _)) = self.all().get_mut(who) {
            *said = what;
        }
    }

    /// What somebody says next is news, whatever it is.
    pub(super) fn unsay(&self, who: &K) {
        if let Some((said, _)) = self.all().get_mut(who) {
            *said = None;
        }
    }

    pub(super) fn forget(&self, who: &K) {
        self.all().remove(who);
    }

    /// Forgets all but those.
    pub(super) fn keep(&self, those: impl Fn(&K) -> bool) {
        self.all().retain(|who, _| those(who));
    }

    /// We were away ourselves for so long, in which nobody could be heard.
    pub(super) fn forgive(&self, away: Duration) {
        let now = Instant::now();
        for (_, at) in self.all().values_mut() {
            *at = (*at + away).min(now);
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<K, (Option<V>, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl<K: Eq + Hash + Clone, V: PartialEq> Heard<K, V> {
    /// Nothing was heard of anybody for so long.
    pub(super) fn quiet_for(&self, time: Duration) {
        let then = Instant::now().checked_sub(time).unwrap();
        self.all().values_mut().for_each(|(_, at)| *at = then);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_somebody_was_heard_last_outlives_what_they_said() {
        let heard: Heard<u64, &str> = Heard::default();
        heard.say(7, "here");
        assert!(heard.again(&7, &"here"));
        heard.quiet_for(Duration::from_secs(100));
        heard.unsay(&7);
        assert!(heard.silence(&7) >= Duration::from_secs(100));
        heard.amend(&7, "there");
        assert!(!heard.again(&7, &"here") && !heard.again(&7, &"there"), "all of it is news");
    }

    #[test]
    fn a_silence_in_which_nobody_listened_is_none() {
        let heard: Heard<u64> = Heard::default();
        assert!(!heard.again(&7, &()), "of whom nothing was ever heard");
        heard.say(7, ());
        heard.quiet_for(Duration::from_secs(100));
        assert!(heard.silence(&7) >= Duration::from_secs(100));
        heard.forgive(Duration::from_secs(60));
        let left = heard.silence(&7);
        assert!(left >= Duration::from_secs(40) && left < Duration::from_secs(100), "{left:?}");
        heard.forgive(Duration::from_secs(600));
        assert!(heard.silence(&7) < Duration::from_secs(40), "nobody is heard of in the future");
    }
}
