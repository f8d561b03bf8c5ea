//! Power: the boards of a lab, switched by name.
//!
//! [`Power`] knows the boards, and [`Power::request`] is the one way to switch one, whoever asks by
//! whatever interface. What becomes of a request is in [`order`]: it waits until it has the board
//! ([`board`]) for itself, is checked ([`interlock`], [`budget`]) and written down ([`journal`]), and then
//! its outlets are switched ([`operation`]), through PDUs that are asked one thing at a time ([`pdu`]). What
//! is open after that is the board's [`duty`], and is seen to until it is over ([`keeper`]).

mod board;
mod budget;
mod consoles;
mod duty;
mod error;
mod interlock;
mod journal;
mod keeper;
mod leases;
mod leasing;
mod meter;
mod metering;
mod operation;
mod order;
mod pdu;
mod tally;
#[cfg(test)]
mod tests;

pub use budget::Overdrawn;
pub use consoles::{Consoles, Holder, Note, Typist, Usage};
pub use error::PowerError;
pub use interlock::Hold;
pub use journal::Chronicle;
pub use leases::{LeaseError, LeaseFiles, Leases};
pub use meter::Metered;
pub use operation::OperationError;
pub use tally::{CLASSES, Figures, Requests};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::power::{BoardConfig, InterlockConfig, PduConfig, PowerConfig};
use crate::model::{Feed, LeftOff, Name, OutletInfo, PowerRecord, Reading, Report, Verb, units};
use board::{Board, Fault, Whole};
use budget::Ledger;
use duty::Duty;
use interlock::Witnesses;
use journal::Journal;
use order::Order;
use pdu::Seat;
use tally::Tally;

/// Every board of the process by the name of its outlet.
#[derive(Debug)]
pub struct Power(Arc<Common>);

/// Who asks for an operation, and why.
#[derive(Debug, Clone)]
pub struct Asked {
    pub who: String,
    pub reason: Option<String>,
    /// Also when somebody else uses the board, or a budget is spent.
    pub force: bool,
    /// How long a cycle keeps the power off, instead of the outlet's own time. A PDU that cycles by
    /// itself keeps to its own.
    pub off_time: Option<Duration>,
}

impl Asked {
    /// Somebody who gives no reason and has no wishes.
    pub fn by(who: impl Into<String>) -> Self {
        Self { who: who.into(), reason: None, force: false, off_time: None }
    }
}

/// What power needs of the process it is in.
#[derive(Debug)]
pub struct Surroundings {
    pub consoles: Arc<dyn Consoles>,
    pub leases: Arc<dyn Leases>,
    /// Where operations run. They finish what they are doing in [`order::GRACE`] of `ending`.
    pub tasks: TaskTracker,
    pub ending: CancellationToken,
}

/// What all operations have in common.
#[derive(Debug)]
struct Common {
    entries: BTreeMap<Name, Arc<Entry>>,
    interlock: InterlockConfig,
    ledger: Ledger,
    tally: Arc<Tally>,
    surroundings: Surroundings,
}

/// A board, and what is known of it.
#[derive(Debug)]
struct Entry {
    info: OutletInfo,
    board: Board,
    journal: Arc<Journal>,
    duty: Duty,
    /// What its console was told last of what flows.
    told: Mutex<Option<Reading>>,
}

impl Power {
    /// Makes the PDUs' outlets, and asks none of them, but for boards that were being switched when the
    /// last process ended: those are brought to an end.
    pub fn start(config: &PowerConfig, surroundings: Surroundings) -> Self {
        Self::start_with(config, surroundings, Seat::of)
    }

    /// `open` makes a PDU's outlets.
    fn start_with(
        config: &PowerConfig,
        surroundings: Surroundings,
        open: impl Fn(&PduConfig, &Arc<Tally>) -> Vec<Arc<Seat>>,
    ) -> Self {
        let tally = Arc::new(Tally::default());
        let mut seats = BTreeMap::new();
        let mut metered = Vec::new();
        for pdu in &config.pdus {
            let of_pdu = open(pdu, &tally);
            if let Some(seat) = of_pdu.first().filter(|seat| seat.rests()) {
                let ending = surroundings.ending.clone();
                surroundings.tasks.spawn(seat.clone().rest_in_between(ending));
            }
            metered.push((of_pdu.clone(), pdu.meter_every));
            for seat in of_pdu {
                let key = (pdu.name.clone(), seat.port.clone());
                seats.insert(key, (seats.len(), seat));
            }
        }
        let folder = &config.folders.state;
        if let Err(error) = journal::make_folder(folder) {
            let folder = folder.display();
            tracing::error!(%folder, %error, "there can be no journals; a crash in the middle of a cycle leaves its board off");
        }
        let known = |name: &Name| config.boards.iter().any(|board| board.name == *name);
        for (board, cycle) in journal::forgotten(folder, known) {
            let (who, since) = (cycle.who, units::time_text(cycle.begin_us));
            tracing::error!(%board, who, since, "A CYCLE HAS LEFT IT OFF, and no [[outlet]] has its name any more: nobody switches it on");
        }
        let entries = config.boards.iter().filter_map(|board| {
            let journal = Arc::new(Journal::open(folder, &board.name, tally.clone()));
            let entry = Entry::new(board, &config.boards, &seats, journal)?;
            Some((board.name.clone(), Arc::new(entry)))
        });
        let entries = entries.collect();
        let ledger = Ledger::new(config.budgets.clone());
        let interlock = config.interlock;
        let power = Self(Arc::new(Common { entries, interlock, ledger, tally, surroundings }));
        power.remember();
        for (seats, every) in metered {
            let common = power.0.clone();
            common.surroundings.tasks.spawn(metering::meter(common.clone(), seats, every));
        }
        power
    }

    /// All boards in the order of their names.
    pub fn outlets(&self) -> impl Iterator<Item = &OutletInfo> {
        self.0.entries.values().map(|entry| &entry.info)
    }

    /// The board of a name.
    pub fn outlet(&self, name: &str) -> Option<&OutletInfo> {
        self.0.entries.get(name).map(|entry| &entry.info)
    }

    /// Whether a cycle has switched a board off and could not switch it on again.
    pub fn left_off(&self, outlet: &Name) -> Option<LeftOff> {
        self.0.entries.get(outlet)?.duty.left_off()
    }

    /// What was done to a board, the oldest first, as far as it is kept.
    ///
    /// # Errors
    /// [`PowerError::UnknownOutlet`].
    pub fn history(&self, outlet: &str) -> Result<Vec<PowerRecord>, PowerError> {
        Ok(self.0.find(outlet)?.journal.records())
    }

    /// What to say of an outlet that is not there.
    pub fn unknown(&self, outlet: &str) -> PowerError {
        self.0.unknown(outlet)
    }

    /// Waits until nobody else switches the board and carries out one operation, if nobody else uses it
    /// and there is a budget for it.
    ///
    /// # Errors
    /// When there is no such outlet, too many operations wait, the board is used, a budget is spent, or
    /// the operation failed. Dropped before the operation's turn it is not carried out; dropped later it
    /// goes on to its end.
    pub async fn request(
        &self,
        outlet: &str,
        verb: Verb,
        asked: Asked,
    ) -> Result<Report, PowerError> {
        let entry = self.0.find(outlet)?;
        let full = |what: &str| PowerError::Busy { what: what.into() };
        let Surroundings { tasks, ending, .. } = &self.0.surroundings;
        if ending.is_cancelled() {
            return Err(PowerError::Ending);
        }
        if verb == Verb::Status {
            let _room = entry.board.room_to_look().map_err(|seat| full(&seat.pdu.label))?;
            return order::look(&self.0, entry, &asked).await;
        }
        let room = entry.board.room().ok_or_else(|| full(outlet))?;
        let (answer, answered) = oneshot::channel();
        let order = Order { entry: entry.clone(), verb, asked, answer, room };
        tasks.spawn(order.carry_out(self.0.clone()));
        answered.await.unwrap_or(Err(PowerError::Ending))
    }

    /// What was read last at an outlet. `None` until it was, of one that is not measured, and when it was
    /// too long ago.
    pub fn metered(&self, outlet: &str) -> Option<Metered> {
        self.0.entries.get(outlet)?.metered()
    }

    /// What happened so far.
    pub fn tally(&self) -> Figures {
        self.0.tally.figures()
    }

    /// Takes up what the journals tell.
    fn remember(&self) {
        for entry in self.0.entries.values() {
            let affected = self.0.affected(entry);
            let names: Vec<&Name> = affected.iter().map(|entry| &entry.board.name).collect();
            for record in entry.journal.booked() {
                self.0.ledger.restore(&names, &record.who, record.begin_us);
            }
            for record in entry.journal.records().iter().filter(|r| r.verb == Verb::Off) {
                let off_us = record.end_us.unwrap_or(record.begin_us);
                names.iter().for_each(|name| self.0.ledger.went_off(name, off_us));
            }
            duty::take_up(&self.0, entry);
        }
    }
}

impl Common {
    fn find(&self, outlet: &str) -> Result<&Arc<Entry>, PowerError> {
        self.entries.get(outlet).ok_or_else(|| self.unknown(outlet))
    }

    fn unknown(&self, outlet: &str) -> PowerError {
        let near = Name::nearest(outlet, self.entries.keys().map(Name::as_str));
        PowerError::UnknownOutlet { name: outlet.to_owned(), near: near.map(str::to_owned) }
    }

    /// A board, and those that lose their power with it.
    fn affected<'a>(&'a self, entry: &'a Entry) -> Vec<&'a Entry> {
        let others = entry.info.shared_with.iter().filter_map(|name| self.entries.get(name));
        [entry].into_iter().chain(others.map(Arc::as_ref)).collect()
    }

    fn witnesses(&self) -> Witnesses<'_> {
        let Surroundings { consoles, leases, .. } = &self.surroundings;
        let config = self.interlock;
        Witnesses { consoles: consoles.as_ref(), leases: leases.as_ref(), config }
    }
}

impl Entry {
    fn new(
        config: &BoardConfig,
        all: &[BoardConfig],
        seats: &BTreeMap<(Name, String), (usize, Arc<Seat>)>,
        journal: Arc<Journal>,
    ) -> Option<Self> {
        let mut feeds = Vec::new();
        let mut in_lock_order = BTreeMap::new();
        for feed in &config.feeds {
            let (number, seat) = seats.get(&(feed.pdu.clone(), feed.port.clone()))?;
            in_lock_order.insert(*number, seat.clone());
            feeds.push(board::Feed { seat: seat.clone(), delay: feed.delay });
        }
        let shares = |other: &&BoardConfig| {
            let on = |seat: &&Arc<Seat>| {
                let is = |f: &crate::config::power::FeedConfig| {
                    f.pdu == seat.pdu.name && f.port == seat.port
                };
                other.feeds.iter().any(is)
            };
            other.name != config.name && in_lock_order.values().any(|seat| on(&seat))
        };
        let shared_with = all.iter().filter(shares).map(|other| other.name.clone()).collect();
        let of = |feed: &board::Feed| Feed {
            pdu: feed.seat.pdu.name.clone(),
            port: feed.seat.port.clone(),
        };
        let first = of(feeds.first()?);
        let info = OutletInfo {
            name: config.name.clone(),
            pdu: first.pdu,
            port: first.port,
            feeds: if feeds.len() > 1 { feeds.iter().map(of).collect() } else { Vec::new() },
            shared_with,
            console: config.console.clone(),
            left_off: None,
            lease: None,
        };
        let board = Board {
            name: config.name.clone(),
            console: config.console.clone(),
            off_time: config.off_time,
            feeds,
            off_order: config.off_order,
            in_lock_order: in_lock_order.into_values().collect(),
            queue: Arc::new(Semaphore::new(board::QUEUE)),
        };
        Some(Self { info, board, journal, duty: Duty::default(), told: Mutex::default() })
    }

    fn report(&self, verb: Verb, whole: &Whole, started: Instant) -> Report {
        Report {
            outlet: self.board.name.clone(),
            verb,
            state: whole.state,
            verified: whole.verified,
            took_ms: started.elapsed().as_millis() as u64,
            feeds: self.board.feed_reports(whole),
        }
    }

    fn error(&self, Fault { seat, error, .. }: Fault) -> PowerError {
        let silent = error.is_silence().then_some(seat.pdu.when_silent).flatten();
        let deaf = error.is_deafness().then_some(seat.pdu.when_deaf).flatten();
        PowerError::Operation {
            outlet: self.board.name.clone(),
            pdu: self.board.place(&seat),
            hint: silent.or(deaf),
            error,
        }
    }
}
