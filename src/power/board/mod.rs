//! A board: the outlets that feed it, switched together.

mod cycle;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::operation::{OperationError, Outcome};
use super::pdu::Seat;
use crate::config::power::OffOrder;
use crate::model::{FeedReport, Name, State, Verified};
use crate::outlet::Switch;
pub(super) use cycle::{OffTime, Seen};

/// How many operations may be under way or wait for one board.
pub(super) const QUEUE: usize = 32;

/// A board and where its power comes from.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) name: Name,
    pub(super) console: Option<String>,
    /// How long a cycle keeps it without power.
    pub(super) off_time: Duration,
    /// In the order in which they are switched on. Not empty.
    pub(super) feeds: Vec<Feed>,
    pub(super) off_order: OffOrder,
    /// The same outlets in an order that all boards agree on: who holds one waits only for later ones,
    /// so no two boards wait for each other.
    pub(super) in_lock_order: Vec<Arc<Seat>>,
    /// A place for each operation that is under way or waits.
    pub(super) queue: Arc<Semaphore>,
}

#[derive(Debug)]
pub(super) struct Feed {
    pub(super) seat: Arc<Seat>,
    /// Between the feed before it and this one, both ways.
    pub(super) delay: Duration,
}

/// What an operation on a board came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) state: State,
    /// What is true of all of the feeds.
    pub(super) verified: Verified,
    pub(super) feeds: Vec<Outcome>,
    /// A request that was not answered may yet be carried out.
    pub(super) late: bool,
}

/// What went wrong, and where.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) seat: Arc<Seat>,
    pub(super) error: OperationError,
    /// A request that was not answered, or not clearly, may yet be carried out.
    pub(super) late: bool,
    /// A cycle failed, and the board is on.
    pub(super) is_on: bool,
}

/// Nobody else switches any outlet of a board as long as this is there.
#[derive(Debug)]
pub(super) struct Held(#[expect(dead_code, reason = "held")] Vec<OwnedMutexGuard<()>>);

/// A place for one more operation on a board, or for one more look at each of its PDUs.
#[derive(Debug)]
pub(super) struct Room(#[expect(dead_code, reason = "held")] Vec<OwnedSemaphorePermit>);

impl Board {
    /// Has the board, and all that shares an outlet with it, for oneself. Cancel safe.
    pub(super) async fn hold(&self) -> Held {
        let mut held = Vec::with_capacity(self.in_lock_order.len());
        for seat in &self.in_lock_order {
            held.push(seat.hold().await);
        }
        Held(held)
    }

    /// A place among those who switch the board; `None` when too many wait.
    pub(super) fn room(&self) -> Option<Room> {
        let place = self.queue.clone().try_acquire_owned();
        place.ok().map(|place| Room(vec![place]))
    }

    /// # Errors
    /// The outlet at whose PDU too many look.
    pub(super) fn room_to_look(&self) -> Result<Room, &Seat> {
        let mut room = Vec::with_capacity(self.feeds.len());
        for (at, Feed { seat, .. }) in self.feeds.iter().enumerate() {
            let same = |other: &Feed| Arc::ptr_eq(&other.seat.pdu, &seat.pdu);
            if !self.feeds[..at].iter().any(same) {
                room.push(seat.pdu.room().ok_or(&**seat)?);
            }
        }
        Ok(Room(room))
    }

    /// What each outlet is, and so the board. One that cannot be read is unknown, unless it is all of
    /// them.
    pub(super) async fn status(&self) -> Result<Whole, Fault> {
        let mut outcomes = Vec::with_capacity(self.feeds.len());
        let mut first = None;
        for Feed { seat, .. } in &self.feeds {
            outcomes.push(match seat.status().await {
                Ok(outcome) => outcome,
                Err(error) => {
                    first.get_or_insert(Fault::new(seat, error));
                    Outcome::unknown()
                }
            });
        }
        match first {
            Some(fault) if outcomes.iter().all(|outcome| outcome.state == State::Unknown) => {
                Err(fault)
            }
            _ => Ok(Whole::of(outcomes)),
        }
    }

    /// Switches all outlets on that can be, one after the other; the first failure is told in the end.
    pub(super) async fn on(&self, ending: &CancellationToken) -> Result<Whole, Fault> {
        let feeds: Vec<&Feed> = self.feeds.iter().collect();
        self.switch_on(&feeds, ending).await
    }

    /// … some of its outlets. One whose PDU is dead keeps no other one off. The delays between them are
    /// left out when the daemon is to end.
    pub(super) async fn switch_on(
        &self,
        feeds: &[&Feed],
        ending: &CancellationToken,
    ) -> Result<Whole, Fault> {
        let mut outcomes = Vec::with_capacity(feeds.len());
        let mut failed = None;
        for (at, feed) in feeds.iter().enumerate() {
            if at > 0 {
                cycle::pause(feed.delay, ending).await;
            }
            match feed.switch(Switch::On).await {
                Ok(outcome) => outcomes.push(outcome),
                // That a PDU does not say what came of it is the least of what can be told.
                Err(fault) if failed.as_ref().is_none_or(|f: &Fault| f.error.is_taken()) => {
                    failed = Some(fault);
                }
                Err(_) => {}
            }
        }
        failed.map_or_else(|| Ok(Whole::of(outcomes)), Err)
    }

    /// Switches all outlets off that can be; the first failure is told in the end.
    pub(super) async fn off(&self) -> Result<Whole, Fault> {
        let mut outcomes = vec![None; self.feeds.len()];
        let mut failed = None;
        for (at, pause) in self.off_order() {
            sleep(pause).await;
            match self.feeds[at].switch(Switch::Off).await {
                Ok(outcome) => outcomes[at] = Some(outcome),
                Err(fault) => drop(failed.get_or_insert(fault)),
            }
        }
        match failed {
            None => Ok(Whole::of(outcomes.into_iter().flatten().collect())),
            Some(fault) => Err(fault),
        }
    }

    /// The feeds in the order in which they are switched off, and how long each waits before.
    fn off_order(&self) -> Vec<(usize, Duration)> {
        let last = self.feeds.len() - 1;
        let order = (0..=last).map(|step| match self.off_order {
            OffOrder::Same if step == 0 => (0, Duration::ZERO),
            OffOrder::Same => (step, self.feeds[step].delay),
            OffOrder::Reverse if step == 0 => (last, Duration::ZERO),
            OffOrder::Reverse => (last - step, self.feeds[last - step + 1].delay),
        });
        order.collect()
    }

    /// What each feed came to, as others see it: nothing where there is only one.
    pub(super) fn feed_reports(&self, whole: &Whole) -> Vec<FeedReport> {
        if self.feeds.len() < 2 {
            return Vec::new();
        }
        let report = |(feed, outcome): (&Feed, &Outcome)| FeedReport {
            pdu: feed.seat.pdu.name.clone(),
            port: feed.seat.port.clone(),
            state: outcome.state,
            verified: outcome.verified,
        };
        self.feeds.iter().zip(&whole.feeds).map(report).collect()
    }

    /// Whether this outlet feeds it.
    pub(super) fn has(&self, seat: &Arc<Seat>) -> bool {
        self.feeds.iter().any(|feed| Arc::ptr_eq(&feed.seat, seat))
    }

    /// The longest that one of its PDUs may take to answer.
    pub(super) fn timeout(&self) -> Duration {
        self.feeds.iter().map(|feed| feed.seat.pdu.timeout).max().unwrap_or_default()
    }

    /// The names of its PDUs, each once.
    pub(super) fn pdus(&self) -> String {
        let mut names: Vec<&str> = self.feeds.iter().map(|f| f.seat.pdu.name.as_str()).collect();
        names.dedup();
        names.join(",")
    }

    /// Where one of its outlets is, for messages.
    pub(super) fn place(&self, seat: &Seat) -> Arc<str> {
        match &self.feeds[..] {
            [_] => seat.pdu.label.clone(),
            _ => format!("{} port {}", seat.pdu.label, seat.port).into(),
        }
    }
}

impl Feed {
    async fn switch(&self, to: Switch) -> Result<Outcome, Fault> {
        let switched = self.seat.switch(to).await;
        switched.map_err(|error| Fault::new(&self.seat, error))
    }
}

impl Fault {
    pub(super) fn new(seat: &Arc<Seat>, error: OperationError) -> Self {
        let late = error.is_unclear();
        Self { seat: seat.clone(), error, late, is_on: false }
    }
}

impl Whole {
    pub(super) fn of(feeds: Vec<Outcome>) -> Self {
        let is = |state| feeds.iter().any(|outcome| outcome.state == state);
        let state = match (is(State::On), is(State::Off)) {
            (true, true) => State::Partly,
            _ if is(State::Unknown) || is(State::Partly) => State::Unknown,
            (true, false) => State::On,
            (false, _) => State::Off,
        };
        let has = |verified| feeds.iter().any(|outcome| outcome.verified == verified);
        let verified = if has(Verified::Unknown) {
            Verified::Unknown
        } else if has(Verified::Accepted) {
            Verified::Accepted
        } else {
            Verified::Verified
        };
        let late = feeds.iter().any(|outcome| outcome.late);
        Self { state, verified, feeds, late }
    }
}
