//! What a server knows at a moment.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::resolve::{Index, Place};
use crate::model::{
    Announcement, BoardDescription, BoardHealth, BoardInfo, BoardLease, BoardState, DaemonKind,
    Lease, Name, RequestInfo, RequestState, units,
};
use crate::sched::{self, BoardIx, Lab, Seconds, Traits};
use crate::store::RequestRow;

/// The group of the scheduler's that everybody is of who may have every board.
pub(super) const EVERYBODY: &str = "*";

#[derive(Debug, Default)]
pub(super) struct State {
    /// What decisions are made from. It has the boards, the requests that wait, and leases.
    pub(super) lab: Lab,
    pub(super) boards: BTreeMap<Name, Board>,
    /// By their URLs.
    pub(super) daemons: BTreeMap<String, Daemon>,
    /// Those that have not ended.
    pub(super) requests: BTreeMap<u64, Record>,
    /// Which lease has which board.
    pub(super) leased: BTreeMap<Name, u64>,
    pub(super) last_id: u64,
    /// What outlets were told, and not yet told to be over, by board.
    pub(super) told: BTreeMap<Name, Told>,
    /// What an outlet's daemon has said when it was told last and did not take it, by board.
    pub(super) refused: BTreeMap<Name, String>,
    /// The daemons, or what is described of boards, have changed since it was looked which can be used.
    pub(super) unlooked: bool,
    /// When the scheduler has forgotten last what no longer matters.
    pub(super) forgotten: Seconds,
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
}

#[derive(Debug, Clone)]
pub(super) struct Daemon {
    pub(super) announcement: Announcement,
    /// By our clock.
    pub(super) seen_us: u64,
    pub(super) live: bool,
}

/// A request as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) info: RequestInfo,
    /// The boards that its user may have, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) audience: Option<BTreeSet<Name>>,
    /// When anything was heard of its holder last.
    #[serde(skip)]
    pub(super) heard_us: u64,
}

/// A lease that an outlet has been told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The outlet's URL.
    pub(super) outlet: String,
    /// Whose it is, and with whom they share it.
    pub(super) holders: Vec<String>,
    pub(super) until_us: u64,
}

impl State {
    /// Looks anew where the boards' parts are, and which boards can be used.
    pub(super) fn look(&mut self) {
        let index = Index::new(&self.daemons);
        for (name, board) in &mut self.boards {
            let find = |kind, part: &Option<String>| {
                part.as_ref().map(|part| index.find(kind, part)).transpose()
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
            let told = self.told.contains_key(name);
            let foreign = outlet.as_ref().ok().and_then(|place| place.as_ref()?.lease.as_ref());
            let foreign = foreign.filter(|lease| !told && lease.until_us > units::now_us());
            let foreign = foreign.map(|lease| {
                let until = units::time_text(lease.until_us);
                format!("{} has leased it at its outlet until {until}", lease.holder)
            });
            // Where it was found last is kept.
            board.console = console.unwrap_or_else(|_| board.console.take());
            board.outlet = outlet.unwrap_or_else(|_| board.outlet.take());
            board.away = gone.or(foreign);
            self.lab.set_usable(board.ix, board.health.is_usable() && board.away.is_none());
        }
        self.unlooked = false;
    }

    /// Tells the scheduler of a board.
    pub(super) fn schedule(&mut self, name: &Name, description: &BoardDescription) -> BoardIx {
        let BoardDescription { kind, tags, attributes, .. } = description;
        let (name, kind) = (name.clone(), kind.clone());
        let groups = self.groups_of(&name);
        let traits = Traits { name, kind, tags: tags.clone(), attributes: attributes.clone() };
        self.lab.put(sched::Board { traits, groups, usable: false })
    }

    /// Whoever may have a board: everybody, and those few who may have only some, of which it is one.
    fn groups_of(&self, board: &Name) -> BTreeSet<String> {
        let some = self.requests.values().filter_map(|record| record.audience.as_ref());
        let some = some.filter(|audience| audience.contains(board)).map(group_of);
        some.chain([EVERYBODY.to_owned()]).collect()
    }

    /// Has the boards know an audience that no request has had so far.
    pub(super) fn admit(&mut self, audience: &BTreeSet<Name>) {
        let group = group_of(audience);
        for name in audience {
            let Some(board) = self.boards.get(name) else { continue };
            let mut known = self.lab.board(board.ix).clone();
            if known.groups.insert(group.clone()) {
                self.lab.put(known);
            }
        }
    }

    pub(super) fn info(&self, name: &Name, board: &Board) -> BoardInfo {
        let Board { description, health, reason, console, outlet, away, .. } = board.clone();
        let BoardDescription { kind, tags, attributes, console: at_console, outlet: at_outlet } =
            description;
        let lease = self.lease_of(name);
        BoardInfo {
            name: name.clone(),
            kind,
            tags,
            attributes,
            state: if lease.is_some() { BoardState::Reserved } else { BoardState::Idle },
            health,
            reason,
            away,
            console: at_console,
            outlet: at_outlet,
            console_url: console.map(|place| place.url),
            outlet_url: outlet.map(|place| place.url),
            lease: lease.map(|info| BoardLease { id: info.id, lease: lease_text(info) }),
        }
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

/// The group of the scheduler's for those who may have these boards.
pub(super) fn group_of(audience: &BTreeSet<Name>) -> String {
    let names: Vec<&str> = audience.iter().map(Name::as_str).collect();
    names.join(" ")
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

    pub(super) fn group(&self) -> String {
        self.audience.as_ref().map_or_else(|| EVERYBODY.to_owned(), group_of)
    }

    /// From when on nothing was heard of its holder for too long, in seconds; if that matters.
    pub(super) fn silent_at(&self) -> Option<Seconds> {
        let waits = self.info.state == RequestState::Waiting;
        let patience = self.info.patience_s.filter(|_| waits);
        Some(self.heard_us / 1_000_000 + patience.into_iter().chain(self.info.heartbeat_s).min()?)
    }
}
