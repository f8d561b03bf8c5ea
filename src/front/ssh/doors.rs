//! How many are at the door: connections of which it is not known yet whose they are, and everybody's.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::files::OPEN_BY_ONE;
use crate::front::attempts::{Attempts, network};
use crate::model::Name;

/// So many connections may be open altogether …
const CONNECTIONS: usize = 1024;
/// … so many of one user …
const OF_ONE_USER: usize = 256;
/// … and so many whose users have not logged in …
const STRANGERS: usize = 256;
/// … of which so many from one address. Whoever comes then takes the place of who has been at it longest.
const STRANGERS_OF_ONE: usize = 128;
/// With so many at the door, addresses are not listened to from which too many logins have failed.
const CROWD: usize = 128;
/// How often the log tells that people are turned away.
const TOLD: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    /// By the order in which they came.
    strangers: BTreeMap<u64, Stranger>,
    last: u64,
    of_user: HashMap<Name, OfUser>,
    /// Where logins have failed, and with which keys.
    addresses: Attempts,
    keys: Attempts<(IpAddr, String)>,
    told: Option<Instant>,
}

/// What one user has.
#[derive(Debug)]
struct OfUser {
    connections: usize,
    /// Places for open files.
    files: Arc<Semaphore>,
}

#[derive(Debug)]
struct Stranger {
    from: IpAddr,
    leave: CancellationToken,
}

/// The connections, counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Doors(Arc<Mutex<Counts>>);

/// One connection's place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Inside {
    doors: Doors,
    number: u64,
    /// Whose it is, once that is known.
    user: Mutex<Option<(Name, Arc<Semaphore>)>>,
    leave: CancellationToken,
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
    /// Lets a connection in to say who it is; another stranger may have to leave for it.
    pub(super) fn enter(&self, from: IpAddr, now: Instant) -> Result<Inside, Turned> {
        let from = network(from);
        let mut counts = self.counts();
        if counts.connections >= CONNECTIONS {
            return Err(Turned::Full);
        }
        if counts.strangers.len() >= CROWD && counts.addresses.is_barred(&from, now) {
            return Err(Turned::Barred);
        }
        if let Some(crowd) = counts.crowd(from) {
            counts.send_away(crowd);
        }
        counts.connections += 1;
        counts.last += 1;
        let (number, leave) = (counts.last, CancellationToken::new());
        counts.strangers.insert(number, Stranger { from, leave: leave.clone() });
        Ok(Inside { doors: self.clone(), number, user: Mutex::default(), leave })
    }

    /// Counts a connection that left without having been let in, with the key that it showed last; says
    /// whether the log is to tell of it.
    pub(super) fn failed(&self, from: IpAddr, key: Option<&str>, now: Instant) -> bool {
        let (from, mut counts) = (network(from), self.counts());
        counts.addresses.failed(from, now);
        key.is_some_and(|key| counts.keys.failed((from, key.to_owned()), now).is_told())
    }

    /// Whether a key that lets in nobody was shown so often that its next answer may take its time.
    pub(super) fn is_tiresome(&self, from: IpAddr, key: &str, now: Instant) -> bool {
        self.counts().keys.is_barred(&(network(from), key.to_owned()), now)
    }

    /// Whether the log is to tell now that people are turned away.
    pub(super) fn tells(&self, now: Instant) -> bool {
        let mut counts = self.counts();
        let tells = counts.told.is_none_or(|told| now.duration_since(told) >= TOLD);
        if tells {
            counts.told = Some(now);
        }
        tells
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// The address of which one has to leave, if a stranger comes from this one.
    fn crowd(&self, from: IpAddr) -> Option<IpAddr> {
        let mut of_one: HashMap<IpAddr, usize> = HashMap::new();
        for stranger in self.strangers.values() {
            *of_one.entry(stranger.from).or_default() += 1;
        }
        if of_one.get(&from).is_some_and(|count| *count >= STRANGERS_OF_ONE) {
            return Some(from);
        }
        let most = of_one.into_iter().max_by_key(|(_, count)| *count);
        most.filter(|_| self.strangers.len() >= STRANGERS).map(|(from, _)| from)
    }

    fn send_away(&mut self, from: IpAddr) {
        let oldest = self.strangers.iter().find(|(_, stranger)| stranger.from == from);
        if let Some(stranger) = oldest.map(|(at, _)| *at).and_then(|at| self.strangers.remove(&at))
        {
            stranger.leave.cancel();
        }
    }
}

impl Default for OfUser {
    fn default() -> Self {
        Self { connections: 0, files: Arc::new(Semaphore::new(OPEN_BY_ONE)) }
    }
}

impl Inside {
    /// It is known whose it is; false when they have too many connections already.
    pub(super) fn known(&self, name: &Name) -> bool {
        let mut counts = self.doors.counts();
        counts.strangers.remove(&self.number);
        let mut user = self.user();
        if user.is_none() {
            let of_user = counts.of_user.entry(name.clone()).or_default();
            if of_user.connections >= OF_ONE_USER {
                return false;
            }
            of_user.connections += 1;
            *user = Some((name.clone(), of_user.files.clone()));
        }
        true
    }

    /// Places for files that whoever it is may open, on all their connections.
    pub(super) fn files(&self) -> Arc<Semaphore> {
        let files = self.user().as_ref().map(|(_, files)| files.clone());
        files.unwrap_or_else(|| Arc::new(Semaphore::new(0)))
    }

    /// Cancelled when it has to leave for somebody else.
    pub(super) fn leave(&self) -> CancellationToken {
        self.leave.clone()
    }

    fn user(&self) -> MutexGuard<'_, Option<(Name, Arc<Semaphore>)>> {
        self.user.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut counts = self.doors.counts();
        counts.connections -= 1;
        counts.strangers.remove(&self.number);
        if let Some((name, _)) = self.user().take()
            && let Some(of_user) = counts.of_user.get_mut(&name)
        {
            of_user.connections -= 1;
            if of_user.connections == 0 {
                counts.of_user.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn however_many_sit_at_the_door_the_next_one_is_listened_to() {
        let (doors, now) = (Doors::default(), Instant::now());
        let mut inside: Vec<Inside> =
            (0..STRANGERS).map(|at| doors.enter(address((at % 2) as u8), now).unwrap()).collect();
        let left = |inside: &[Inside]| -> Vec<usize> {
            (0..inside.len()).filter(|at| inside[*at].leave.is_cancelled()).collect()
        };
        assert!(left(&inside).is_empty());
        // Of one address the oldest leaves; and so it is for others, of the address with most.
        inside.push(doors.enter(address(1), now).unwrap());
        assert_eq!(left(&inside), [1]);
        inside.push(doors.enter(address(7), now).unwrap());
        assert_eq!(left(&inside).len(), 2);
        drop(inside);
        let counts = doors.counts();
        assert_eq!((counts.connections, counts.strangers.len()), (0, 0));
    }

    #[test]
    fn users_have_so_many_connections_and_then_no_more() {
        let (doors, now) = (Doors::default(), Instant::now());
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let mut inside: Vec<Inside> = (0..=OF_ONE_USER)
            .map(|_| {
                let inside = doors.enter(address(1), now).unwrap();
                inside.known(&alice);
                inside
            })
            .collect();
        assert!(inside[0].known(&alice) && !inside[OF_ONE_USER].known(&alice));
        assert!(inside[OF_ONE_USER].known(&bob));
        inside.truncate(1);
        let counts = doors.counts();
        assert_eq!((counts.of_user.len(), counts.of_user[&alice].connections), (1, 1));
    }

    #[test]
    fn an_old_key_costs_its_owner_time_and_nobody_behind_the_same_address_anything() {
        let (doors, now) = (Doors::default(), Instant::now());
        let told = (0..12).filter(|_| doors.failed(address(1), Some("old"), now)).count();
        assert_eq!(told, 10);
        assert!(doors.is_tiresome(address(1), "old", now));
        assert!(!doors.is_tiresome(address(1), "new", now));
        let _inside = doors.enter(address(1), now).unwrap();
        // Only in a crowd.
        let _crowd: Vec<Inside> =
            (0..CROWD).map(|at| doors.enter(address(100 + at as u8), now).unwrap()).collect();
        assert_eq!(doors.enter(address(1), now).unwrap_err(), Turned::Barred);
        assert!(doors.enter(address(2), now).is_ok());
    }
}
