//! What a server knows at a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::US;
use super::audience::{Audience, Audiences};
use super::claim::{Changed, Claim, LetIn};
use super::clock::Clock;
use super::clock_set::{Behind, Seen};
use super::jobs::Jobs;
use super::registry::event;
use super::resolve::{Index, Place, is_at};
use crate::model::{
    Announcement, BoardDescription, BoardHealth, BoardInfo, BoardLease, BoardState, DaemonKind,
    Lease, Name, RequestInfo, RequestState, units,
};
use crate::sched::{self, BoardIx, Lab, Seconds, Traits, View};
use crate::store::{EventRow, RequestRow};

/// The group of the scheduler's that everybody is of who may have every board.
pub(super) const EVERYBODY: &str = "*";
/// … and the one of health checks, which are given boards that nobody else is.
pub(super) const CHECKS: &str = "checks";

#[derive(Debug, Default)]
pub(super) struct State {
    /// What decisions are made from. It has the boards, the requests that wait, and leases.
    pub(super) lab: Lab,
    pub(super) boards: BTreeMap<Name, Board>,
    /// The device types of which there is a template, as it was looked last.
    pub(super) types: BTreeSet<Name>,
    /// By their URLs.
    pub(super) daemons: BTreeMap<String, Daemon>,
    /// Those that have not ended.
    pub(super) requests: BTreeMap<u64, Arc<Record>>,
    pub(super) audiences: Audiences,
    /// Who is let in, …
    pub(super) let_in: LetIn,
    /// … and what has changed since it was looked who may have what.
    pub(super) changed: Option<Changed>,
    /// Which lease has which board.
    pub(super) leased: BTreeMap<Name, u64>,
    /// … and which one each had last since the start.
    pub(super) last_lease: BTreeMap<Name, u64>,
    /// The leases that have not been ready yet.
    pub(super) fresh: BTreeSet<u64>,
    /// The boards that somebody has past us: until when that is believed, and what was told of it.
    pub(super) busy: BTreeMap<Name, (Instant, String)>,
    pub(super) last_id: u64,
    pub(super) jobs: Jobs,
    /// What is still to be written of boards whose daemons have gone, or are back.
    pub(super) turns: Vec<EventRow>,
    /// What daemons were told of leases, or were to be told, and have not confirmed to be over.
    pub(super) told: BTreeMap<Part, Told>,
    /// What a daemon has said when it was told last and did not take it.
    pub(super) refused: BTreeMap<Part, String>,
    /// What the daemons serve; `None` when that has changed.
    pub(super) index: Option<Index>,
    /// The daemons have changed since it was looked which boards can be used.
    pub(super) unlooked: bool,
    /// The queue as it was looked at last.
    pub(super) view: View,
    /// When that was.
    pub(super) looked: Option<Instant>,
    /// How the clocks stood at the last look at them, …
    pub(super) clocks: Option<Seen>,
    /// … whether they were behind what is in the store when we began, …
    pub(super) behind: Option<Behind>,
    /// … the leases whose ends were said by it then, …
    pub(super) ends_by_it: BTreeSet<u64>,
    /// … and whether what is old may be removed by them.
    pub(super) clock: Option<Clock>,
    /// When the scheduler has forgotten last what no longer matters.
    pub(super) forgotten: Seconds,
    /// When the store has.
    pub(super) cleared: Seconds,
}

#[derive(Debug, Clone)]
pub(super) struct Board {
    pub(super) description: BoardDescription,
    pub(super) health: BoardHealth,
    pub(super) reason: String,
    /// When it is in maintenance, from and until.
    pub(super) windows: Vec<(Seconds, Seconds)>,
    pub(super) ix: BoardIx,
    /// Where its parts are, as it was looked last.
    pub(super) console: Option<Place>,
    pub(super) outlet: Option<Place>,
    pub(super) away: Option<String>,
    /// Whether its daemons are there, once they were.
    pub(super) there: Option<bool>,
}

#[derive(Debug, Clone)]
pub(super) struct Daemon {
    pub(super) announcement: Announcement,
    pub(super) live: bool,
    /// It was heard of since we have begun.
    pub(super) heard: bool,
}

/// A request as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) info: RequestInfo,
    /// The boards that its user may have, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) audience: Option<Audience>,
    /// What that hangs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) claim: Option<Claim>,
    /// A job's dispatcher is to run on its boards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) dispatched: bool,
    /// The group of its user's whose share of the lab it counts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<String>,
}

/// A board's console or its outlet.
pub(super) type Part = (Name, DaemonKind);

/// A lease that a part's daemon knows of, or may know of: it is written down before the daemon is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) url: String,
    /// Whose it is, and with whom they share it.
    pub(super) holders: Vec<String>,
    pub(super) until_us: u64,
    /// The daemon has said that it knows.
    pub(super) confirmed: bool,
}

/// What the scheduler knows as an attribute of boards of which there is a device dictionary: jobs are for these alone.
pub(super) const HAS_DICTIONARY: (&str, &str) = ("dictionary", "yes");

impl State {
    /// Looks anew where all boards' parts are, and which boards can be used.
    pub(super) fn look(&mut self) {
        let names: Vec<Name> = self.boards.keys().cloned().collect();
        names.iter().for_each(|name| self.look_at(name));
        self.unlooked = false;
    }

    /// The same of one board.
    pub(super) fn look_at(&mut self, name: &Name) {
        self.indexed();
        let missed = self.boards.get(name).and_then(|it| self.missed(name, &it.description));
        let (Some(index), Some(board)) = (&self.index, self.boards.get_mut(name)) else { return };
        let find = |kind, part: &Option<String>| {
            part.as_ref().map(|part| index.find(&self.daemons, kind, part)).transpose()
        };
        let console = find(DaemonKind::Serial, &board.description.console);
        let outlet = find(DaemonKind::Power, &board.description.outlet);
        let gone = [&console, &outlet].into_iter().find_map(|found| match found {
            Err(why) => Some(why.clone()),
            Ok(Some(place)) if !place.live => {
                Some(format!("nothing is heard of {} any more", place.daemon))
            }
            Ok(_) => None,
        });
        let gone = missed.or(gone);
        let told = self.told.get(&(name.clone(), DaemonKind::Power));
        let ours = |lease: &Lease| told.is_some_and(|told| told.is_of(&lease.holder));
        let foreign = outlet.as_ref().ok().and_then(|place| place.as_ref()?.lease.as_ref());
        let foreign = foreign.filter(|lease| !ours(lease) && lease.until_us > units::now_us());
        let foreign = foreign.map(|lease| {
            let until = units::time_text(lease.until_us);
            format!("{} has leased it at its outlet until {until}", lease.holder)
        });
        // After a start each daemon counts as live until it was silent for too long.
        let heard = [&console, &outlet].into_iter().flatten().flatten().all(|place| place.heard);
        let turn = match (board.there, &gone) {
            (Some(true), Some(why)) => Some(("away", why.as_str())),
            (Some(false), None) if heard => Some(("back", "")),
            _ => None,
        };
        board.there = match (board.there, &gone) {
            (Some(false), None) if !heard => Some(false),
            // One that was not there yet has not gone.
            (None, Some(_)) => None,
            _ => Some(gone.is_none()),
        };
        self.turns.extend(turn.map(|(what, why)| event(name, US, what, why)));
        // Where it was found last is kept.
        board.console = console.unwrap_or_else(|_| board.console.take());
        board.outlet = outlet.unwrap_or_else(|_| board.outlet.take());
        let busy = self.busy.get(name).filter(|(until, _)| *until > Instant::now());
        board.away = gone.or(foreign).or_else(|| busy.map(|(_, why)| why.clone()));
        let loops = board.health == BoardHealth::Looping;
        let usable = (board.health.is_usable() || loops) && board.away.is_none();
        self.lab.set_usable(board.ix, usable);
        self.lab.leave_to(board.ix, loops.then(|| CHECKS.to_owned()));
    }

    /// What is announced, by its names; made when it was not.
    pub(super) fn indexed(&mut self) -> &Index {
        self.index.get_or_insert_with(|| Index::new(&self.daemons))
    }

    /// The boards with a part at a daemon.
    pub(super) fn boards_at(&self, url: &str) -> Vec<Name> {
        let here = |board: &Board| {
            [&board.console, &board.outlet].into_iter().flatten().any(|it| is_at(&it.url, url))
        };
        let boards = self.boards.iter().filter(|(_, board)| here(board));
        boards.map(|(name, _)| name.clone()).collect()
    }

    /// From now on these are the device types of which there is a template.
    pub(super) fn set_types(&mut self, types: BTreeSet<Name>) {
        let before = std::mem::replace(&mut self.types, types);
        let other = |kind: &Name| before.contains(kind) != self.types.contains(kind);
        let boards = self.boards.iter().map(|(name, board)| (name, &board.description));
        let changed: Vec<(Name, BoardDescription)> = boards
            .filter(|(_, it)| it.dictionary.is_none() && other(&it.kind))
            .map(|(name, it)| (name.clone(), it.clone()))
            .collect();
        for (name, description) in changed {
            self.schedule(&name, &description);
            self.look_at(&name);
        }
    }

    /// Tells the scheduler of a board.
    pub(super) fn schedule(&mut self, name: &Name, description: &BoardDescription) -> BoardIx {
        let BoardDescription { kind, tags, attributes, .. } = description;
        let mut attributes = attributes.clone();
        if description.dictionary.is_some() || self.types.contains(kind) {
            let (key, value) = HAS_DICTIONARY;
            attributes.insert(key.to_owned(), value.to_owned());
        }
        let (name, kind) = (name.clone(), kind.clone());
        let groups = self.groups_of(&name);
        let traits = Traits { name, kind, tags: tags.clone(), attributes };
        self.lab.put(sched::Board { traits, groups, usable: false, only: None })
    }

    pub(super) fn info(&self, name: &Name, board: &Board) -> BoardInfo {
        let Board { description, health, reason, windows, console, outlet, away, .. } = board;
        let now = units::now_us() / 1_000_000;
        let BoardDescription { kind, tags, attributes, dictionary, .. } = description;
        let BoardDescription { worker, offered, health_check, mac, identity, .. } = description;
        let lease = self.lease_of(name);
        let job = lease.and_then(|info| info.job).filter(|job| self.jobs.is_running(*job));
        let leased = if lease.is_some() { BoardState::Reserved } else { BoardState::Idle };
        BoardInfo {
            name: name.clone(),
            kind: kind.clone(),
            tags: tags.clone(),
            attributes: attributes.clone(),
            state: if job.is_some() { BoardState::Running } else { leased },
            health: *health,
            reason: reason.clone(),
            away: away.clone(),
            console: description.console.clone(),
            outlet: description.outlet.clone(),
            console_url: console.as_ref().map(|place| place.url.clone()),
            outlet_url: outlet.as_ref().map(|place| place.url.clone()),
            dictionary: dictionary.clone(),
            worker: worker.clone(),
            offered: *offered,
            health_check: health_check.clone(),
            mac: mac.clone(),
            identity: identity.clone(),
            maintenance: windows.iter().filter(|(_, until)| now < *until).copied().collect(),
            job,
            lease: lease.map(|info| BoardLease { id: info.id, lease: lease_text(info) }),
        }
    }

    /// Where a part of a board is, as it was looked last.
    pub(super) fn place(&self, (board, kind): &Part) -> Option<&Place> {
        let board = self.boards.get(board)?;
        match kind {
            DaemonKind::Serial => board.console.as_ref(),
            DaemonKind::Power => board.outlet.as_ref(),
        }
    }

    /// Whether a job runs on a board.
    pub(super) fn runs_job(&self, name: &Name) -> bool {
        let job = self.lease_of(name).and_then(|info| info.job);
        job.is_some_and(|job| self.jobs.is_running(job))
    }

    /// The lease that a board is part of.
    pub(super) fn lease_of(&self, name: &Name) -> Option<&RequestInfo> {
        Some(&self.requests.get(self.leased.get(name)?)?.info)
    }
}

/// As `lava-power` has it, too.
pub(super) fn lease_text(info: &RequestInfo) -> Lease {
    Lease {
        holder: info.user.clone(),
        shared_with: info.shared_with.clone(),
        since_us: info.since_us.unwrap_or(0),
        until_us: info.until_us.unwrap_or(0),
        reason: info.reason.clone(),
    }
}

impl Record {
    /// As the store has it.
    pub(super) fn row(&self) -> RequestRow {
        RequestRow {
            id: self.info.id,
            state: self.info.state.as_str().to_owned(),
            ended_us: self.info.ended_us.unwrap_or(0),
            // Plain texts and numbers: that cannot fail.
            document: serde_json::to_string(self).unwrap_or_default(),
        }
    }

    /// It has, or has booked, nothing any more, and is in the queue as before.
    pub(super) fn wait_again(&mut self) {
        let info = &mut self.info;
        info.state = RequestState::Waiting;
        info.boards.clear();
        (info.since_us, info.until_us) = (None, None);
    }

    /// Its lease ends when none of its boards is used for so long; if that matters.
    pub(super) fn idle(&self) -> Option<(Duration, &[Name])> {
        let leased = self.info.state == RequestState::Leased;
        let idle = self.info.idle_s.filter(|_| leased)?;
        Some((Duration::from_secs(idle), &self.info.boards))
    }

    /// It ends when nothing is heard of its holder for so long; if that matters.
    pub(super) fn patience(&self) -> Option<Duration> {
        let waits = self.info.state == RequestState::Waiting;
        let patience = self.info.patience_s.filter(|_| waits);
        patience.into_iter().chain(self.info.heartbeat_s).min().map(Duration::from_secs)
    }
}
