//! Failed logins, counted by where they come from, or by that and what was shown.
//!
//! Nobody guesses a token or a key; what is kept from growing here is the log, and the work that is done for
//! strangers.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// So many sources are remembered.
const SOURCES: usize = 1024;
/// So many failures of a source are answered and logged each …
const TRIES: u32 = 10;
/// … and of all sources together are logged …
const LOGGED: u32 = 100;
/// … in this time.
const WINDOW: Duration = Duration::from_secs(60);

/// The failed logins of the last minute.
#[derive(Debug)]
pub(in crate::front) struct Attempts<Source = IpAddr> {
    sources: HashMap<Source, Tries>,
    all: Option<Tries>,
}

/// What is to be said of a failed login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::front) enum Verdict {
    Wrong { told: bool },
    TooMany { told: bool },
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    count: u32,
    since: Instant,
}

impl Verdict {
    /// Whether the log is to tell of it.
    pub(in crate::front) fn is_told(self) -> bool {
        let (Self::Wrong { told } | Self::TooMany { told }) = self;
        told
    }
}

impl<Source> Default for Attempts<Source> {
    fn default() -> Self {
        Self { sources: HashMap::new(), all: None }
    }
}

impl<Source: Clone + Eq + Hash> Attempts<Source> {
    /// Counts a failed login. Addresses are those of a [`network`].
    pub(in crate::front) fn failed(&mut self, from: Source, now: Instant) -> Verdict {
        if !self.sources.contains_key(&from) {
            self.make_room(now);
        }
        let count = self.sources.entry(from).or_insert(Tries::new(now)).add(now);
        let told = count <= TRIES && self.all.get_or_insert(Tries::new(now)).add(now) <= LOGGED;
        if count <= TRIES { Verdict::Wrong { told } } else { Verdict::TooMany { told } }
    }

    /// Whether a source has failed so often of late that it need not be listened to at present.
    pub(in crate::front) fn is_barred(&self, from: &Source, now: Instant) -> bool {
        self.sources
            .get(from)
            .is_some_and(|tries| tries.count > TRIES && now.duration_since(tries.since) < WINDOW)
    }

    /// Forgets those that have been quiet, and if there are none, the one that began first.
    fn make_room(&mut self, now: Instant) {
        if self.sources.len() < SOURCES {
            return;
        }
        self.sources.retain(|_, tries| now.duration_since(tries.since) < WINDOW);
        if self.sources.len() >= SOURCES {
            let oldest = self.sources.iter().min_by_key(|(_, tries)| tries.since);
            if let Some(from) = oldest.map(|(from, _)| from.clone()) {
                self.sources.remove(&from);
            }
        }
    }
}

impl Tries {
    fn new(now: Instant) -> Self {
        Self { count: 0, since: now }
    }

    fn add(&mut self, now: Instant) -> u32 {
        if now.duration_since(self.since) >= WINDOW {
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// Of IPv6 addresses everybody has 2^64.
pub(in crate::front) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ten_failures_in_a_minute_an_address_is_refused_and_not_logged() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        let from: IpAddr = "192.0.2.7".parse().unwrap();
        for _ in 0..TRIES {
            assert_eq!(attempts.failed(from, now), Verdict::Wrong { told: true });
        }
        assert!(!attempts.is_barred(&from, now));
        assert_eq!(attempts.failed(from, now), Verdict::TooMany { told: false });
        assert!(attempts.is_barred(&from, now) && !attempts.is_barred(&from, now + WINDOW));
        let other = "192.0.2.8".parse().unwrap();
        assert_eq!(attempts.failed(other, now), Verdict::Wrong { told: true });
        assert_eq!(attempts.failed(from, now + WINDOW), Verdict::Wrong { told: true });
    }

    #[test]
    fn any_number_of_addresses_costs_as_much_as_a_thousand() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        let mut told = 0;
        for number in 0..5_000_u32 {
            told += u32::from(attempts.failed(IpAddr::V4(number.into()), now).is_told());
        }
        assert_eq!(attempts.sources.len(), SOURCES);
        assert_eq!(told, LOGGED);
        let (one, two) = ("2001:db8::1".parse().unwrap(), "2001:db8::ffff".parse().unwrap());
        assert_eq!(network(one), network(two));
    }
}
