//! How many strangers are at the door: connections of which it is not known yet whose they are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::front::attempts::{Attempts, Verdict, network};

/// So many connections may be open altogether …
const CONNECTIONS: usize = 1024;
/// … and so many whose users have not logged in …
const STRANGERS: usize = 256;
/// … of which so many from one address.
const STRANGERS_OF_ONE: usize = 128;

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    strangers: usize,
    of_one: HashMap<IpAddr, usize>,
    attempts: Attempts,
}

/// The connections, counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Doors(Arc<Mutex<Counts>>);

/// One connection's place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Inside {
    doors: Doors,
    /// Where it is from, until it is known whose it is.
    stranger: Mutex<Option<IpAddr>>,
}

/// Why somebody is not even listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Turned {
    #[error("too many logins from there have failed; try again in a minute")]
    Barred,
    #[error("too many connections are open; try again later")]
    Full,
}

impl Doors {
    /// Lets a connection in to say who it is.
    pub(super) fn enter(&self, from: IpAddr, now: Instant) -> Result<Inside, Turned> {
        let from = network(from);
        let mut counts = self.counts();
        if counts.attempts.is_barred(from, now) {
            return Err(Turned::Barred);
        }
        let of_one = counts.of_one.get(&from).copied().unwrap_or_default();
        if counts.connections >= CONNECTIONS
            || counts.strangers >= STRANGERS
            || of_one >= STRANGERS_OF_ONE
        {
            return Err(Turned::Full);
        }
        counts.connections += 1;
        counts.strangers += 1;
        counts.of_one.insert(from, of_one + 1);
        Ok(Inside { doors: self.clone(), stranger: Mutex::new(Some(from)) })
    }

    /// Counts a connection that left without having been let in; says whether the log is to tell of it.
    pub(super) fn failed(&self, from: IpAddr, now: Instant) -> Verdict {
        self.counts().attempts.failed(from, now)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// It is known whose it is.
    pub(super) fn known(&self) {
        let stranger = self.stranger.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(from) = stranger else { return };
        let mut counts = self.doors.counts();
        counts.strangers -= 1;
        if let Some(of_one) = counts.of_one.get_mut(&from) {
            *of_one -= 1;
            if *of_one == 0 {
                counts.of_one.remove(&from);
            }
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.known();
        self.doors.counts().connections -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places_and_those_who_are_known_take_none() {
        let (doors, now) = (Doors::default(), Instant::now());
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut inside: Vec<Inside> =
            (0..STRANGERS_OF_ONE).map(|_| doors.enter(address(1), now).unwrap()).collect();
        assert_eq!(doors.enter(address(1), now).unwrap_err(), Turned::Full);
        inside.push(doors.enter(address(2), now).unwrap());
        inside[0].known();
        inside[0].known();
        inside.push(doors.enter(address(1), now).unwrap());
        drop(inside);
        let counts = doors.counts();
        assert_eq!((counts.connections, counts.strangers, counts.of_one.len()), (0, 0, 0));
    }

    #[test]
    fn who_fails_too_often_is_not_listened_to_for_a_while() {
        let (doors, now) = (Doors::default(), Instant::now());
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        while !matches!(doors.failed(one, now), Verdict::TooMany { .. }) {}
        assert_eq!(doors.enter(one, now).unwrap_err(), Turned::Barred);
        assert!(doors.enter(other, now).is_ok());
    }
}
