//! The boards: what is known of each, and which are shown in which order.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use crate::client::lab::Board;
use crate::client::{ConsoleRef, OutletRef, Resource};
use crate::config::top::Sort;
use crate::model::{Lease, Mismatch, Name, State, units};
use crate::wire::attach::PortState;
use crate::wire::feed::{self, Told};

/// A board's name; of several that have it, all but the first have a number behind it. It stays a board's for
/// as long as that is listed.
pub(in super::super) type Id = String;

/// A board, and what is known of it.
#[derive(Debug, Clone)]
pub(in super::super) struct Row {
    pub(in super::super) id: Id,
    pub(in super::super) name: Name,
    pub(in super::super) console: Option<ConsoleRef>,
    pub(in super::super) outlet: Option<OutletRef>,
    /// What its daemon told last.
    pub(in super::super) told: Option<feed::Row>,
    /// Why nothing is told of its console now.
    pub(in super::super) away: Option<String>,
    pub(in super::super) power: Option<State>,
    pub(in super::super) lease: Option<Lease>,
}

/// How a board is, in a word or a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Grade {
    Good,
    /// Not known.
    Away,
    Odd,
    Bad,
}

/// All boards, and the list of those that are shown.
#[derive(Debug)]
pub(in super::super) struct Boards {
    rows: Vec<Row>,
    /// Why boards cannot be looked up.
    pub(in super::super) trouble: Option<String>,
    pub(in super::super) filter: String,
    pub(in super::super) sort: Sort,
    pub(in super::super) reverse: bool,
    pub(in super::super) marked: BTreeSet<Id>,
    selected: Option<Id>,
    /// Those that pass the filter, in order: places in `rows`.
    shown: Vec<usize>,
    /// The first one on the screen.
    pub(in super::super) top: usize,
}

impl Row {
    fn new(id: Id, board: &Board) -> Self {
        Self {
            id,
            name: board.name.clone(),
            console: board.console.clone(),
            outlet: board.outlet.clone(),
            told: None,
            away: None,
            power: None,
            lease: None,
        }
    }

    /// Whether a daemon serves its console.
    pub(in super::super) fn is_at(&self, daemon: &Resource) -> bool {
        self.console.as_ref().is_some_and(|console| same_daemon(console, daemon))
    }

    /// Who has it: by a lease, or its console.
    pub(in super::super) fn holder(&self) -> Option<&str> {
        let leased = self.lease.as_ref().filter(|lease| lease.until_us > units::now_us());
        let holder = self.told.as_ref().and_then(|told| told.holder.as_deref());
        leased.map(|lease| lease.holder.as_str()).or(holder)
    }

    pub(in super::super) fn heard_us(&self) -> Option<u64> {
        self.told.as_ref()?.heard_us
    }

    /// How it is, and the word for it.
    pub(in super::super) fn health(&self, now_us: u64) -> (Grade, String) {
        if let Some(why) = &self.away {
            return (Grade::Away, format!("away: {why}"));
        }
        let Some(told) = &self.told else {
            return match self.console {
                Some(_) => (Grade::Away, "not known yet".into()),
                None => (Grade::Good, "no console".into()),
            };
        };
        if let PortState::Closed { reason } = &told.port {
            return (Grade::Bad, format!("port closed: {reason}"));
        }
        if let Some(trouble) = &told.trouble {
            return (Grade::Bad, trouble.ago(now_us));
        }
        if let Some(error) = &told.capture_error {
            return (Grade::Bad, format!("not recorded: {error}"));
        }
        match told.mismatch {
            Some(Mismatch::PrintsWhileOff) => return (Grade::Odd, "prints while off".into()),
            Some(Mismatch::SilentWhileOn) => return (Grade::Odd, "silent while on".into()),
            None => {}
        }
        let boot = told.boot.as_ref().map(|boot| {
            format!("up {}", units::time_span(now_us.saturating_sub(boot.time_us) / 1_000_000))
        });
        (Grade::Good, boot.unwrap_or_else(|| "ok".into()))
    }
}

impl Boards {
    pub(in super::super) fn new(sort: Sort) -> Self {
        Self {
            rows: Vec::new(),
            trouble: None,
            filter: String::new(),
            sort,
            reverse: false,
            marked: BTreeSet::new(),
            selected: None,
            shown: Vec::new(),
            top: 0,
        }
    }

    /// These are the boards now. What is known of those that stay is kept, and so are their ids: by the
    /// same console and outlet, else by one of them, else by the name.
    pub(in super::super) fn set(&mut self, boards: Vec<Board>) {
        let place = self.place();
        self.shown.clear();
        let mut known: BTreeMap<Name, Vec<Row>> = BTreeMap::new();
        for row in std::mem::take(&mut self.rows) {
            known.entry(row.name.clone()).or_default().push(row);
        }
        let mut kept: Vec<Option<Row>> = boards.iter().map(|_| None).collect();
        let rules: [fn(&Row, &Board) -> bool; 3] = [is_same, has_a_part_of, |_, _| true];
        for rule in rules {
            for (board, kept) in boards.iter().zip(&mut kept).filter(|(_, kept)| kept.is_none()) {
                let Some(rows) = known.get_mut(&board.name) else { continue };
                let at = rows.iter().position(|row| rule(row, board));
                *kept = at.map(|at| rows.remove(at));
            }
        }
        let mut ids: BTreeSet<Id> = kept.iter().flatten().map(|row| row.id.clone()).collect();
        for (board, kept) in boards.into_iter().zip(kept) {
            let mut row = kept.unwrap_or_else(|| Row::new(free_id(&board.name, &mut ids), &board));
            if row.console != board.console {
                (row.console, row.told, row.away) = (board.console, None, None);
            }
            if row.outlet != board.outlet {
                (row.outlet, row.power, row.lease) = (board.outlet, None, None);
            }
            self.rows.push(row);
        }
        self.marked.retain(|id| ids.contains(id));
        self.trouble = None;
        self.arrange_near(place);
    }

    /// A daemon tells of a console. Gives the board if something was done to its power.
    pub(in super::super) fn told(&mut self, daemon: &Resource, told: Told) -> Option<&Row> {
        let (name, told) = match told {
            Told::Console(row) => (row.console.clone(), Some(*row)),
            Told::Gone { console } => (console, None),
        };
        let ours = |row: &&mut Row| {
            row.is_at(daemon) && row.console.as_ref().is_some_and(|c| c.name() == name.as_str())
        };
        let row = self.rows.iter_mut().find(ours)?;
        let power = |told: &Option<feed::Row>| told.as_ref().map(|told| told.power);
        let switched = row.told.is_some() && power(&told) != power(&row.told);
        row.away = told.is_none().then(|| "not served any more".into());
        if let Some(told) = told {
            row.told = Some(told);
        }
        Some(row).filter(|_| switched).map(|row| &*row)
    }

    /// A daemon does not answer any more.
    pub(in super::super) fn away(&mut self, daemon: &Resource, why: &str) {
        for row in self.rows.iter_mut().filter(|row| row.is_at(daemon)) {
            row.away = Some(why.to_owned());
        }
    }

    pub(in super::super) fn power(&mut self, outlet: &OutletRef, state: Option<State>) {
        for row in self.rows.iter_mut().filter(|row| row.outlet.as_ref() == Some(outlet)) {
            row.power = state;
        }
    }

    /// `None` when the daemon does not answer: then nothing is known of its outlets.
    pub(in super::super) fn leases(
        &mut self,
        daemon: &Resource,
        leases: Option<&BTreeMap<Name, Lease>>,
    ) {
        for row in &mut self.rows {
            if let Some(outlet) = row.outlet.as_ref().filter(|outlet| same_daemon(outlet, daemon)) {
                row.lease = leases.and_then(|leases| leases.get(outlet.name())).cloned();
                row.power = row.power.filter(|_| leases.is_some());
            }
        }
    }

    pub(in super::super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(in super::super) fn get(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Those that are shown, in order.
    pub(in super::super) fn shown(&self) -> impl ExactSizeIterator<Item = &Row> {
        self.shown.iter().map(|at| &self.rows[*at])
    }

    pub(in super::super) fn selected(&self) -> Option<&Row> {
        self.selected.as_ref().and_then(|id| self.get(id))
    }

    /// The place of the selected one among those shown.
    pub(in super::super) fn place(&self) -> usize {
        let at = self.shown().position(|row| Some(&row.id) == self.selected.as_ref());
        at.unwrap_or(0)
    }

    pub(in super::super) fn select(&mut self, place: usize) {
        let place = place.min(self.shown.len().saturating_sub(1));
        let row = self.shown.get(place).map(|at| &self.rows[*at]);
        self.selected = row.map(|row| row.id.clone());
    }

    /// Sorts and filters anew.
    pub(in super::super) fn arrange(&mut self) {
        self.arrange_near(self.place());
    }

    /// When the selected one is not there any more, the one at this place is.
    fn arrange_near(&mut self, before: usize) {
        let now_us = units::now_us();
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let mut shown: Vec<usize> =
            (0..self.rows.len()).filter(|at| passes(&self.rows[*at], &words, now_us)).collect();
        shown.sort_by(|a, b| {
            let (a, b) = (&self.rows[*a], &self.rows[*b]);
            let order = compare(a, b, self.sort, now_us);
            let order = if self.reverse { order.reverse() } else { order };
            order.then_with(|| a.id.cmp(&b.id))
        });
        self.shown = shown;
        let there = self.shown().any(|row| Some(&row.id) == self.selected.as_ref());
        if !there {
            self.select(before);
        }
    }
}

/// Whether two things are at one daemon.
pub(in super::super) fn same_daemon(one: &Resource, other: &Resource) -> bool {
    one.endpoint == other.endpoint && one.login == other.login
}

fn is_same(row: &Row, board: &Board) -> bool {
    row.console == board.console && row.outlet == board.outlet
}

fn has_a_part_of(row: &Row, board: &Board) -> bool {
    let same = |one: &Option<Resource>, other| one.is_some() && one == other;
    same(&row.console, &board.console) || same(&row.outlet, &board.outlet)
}

/// `panda01`, or `panda01#2` and so on while there are others of the name.
fn free_id(name: &Name, ids: &mut BTreeSet<Id>) -> Id {
    let numbered = (2..).map(|number| format!("{name}#{number}"));
    let id = std::iter::once(name.to_string()).chain(numbered).find(|id| !ids.contains(id));
    let id = id.unwrap_or_default();
    ids.insert(id.clone());
    id
}

fn passes(row: &Row, words: &[String], now_us: u64) -> bool {
    words.iter().all(|word| {
        let has = |text: &str| text.to_lowercase().contains(word);
        has(row.name.as_str())
            || row.holder().is_some_and(has)
            || row.power.is_some_and(|power| power.as_str() == word)
            || row.told.as_ref().is_some_and(|told| told.last_line.as_deref().is_some_and(has))
            || has(&row.health(now_us).1)
    })
}

fn compare(a: &Row, b: &Row, sort: Sort, now_us: u64) -> Ordering {
    let power = |row: &Row| match row.power {
        Some(State::On) => 0,
        Some(State::Partly) => 1,
        Some(State::Off) => 2,
        Some(State::Unknown) => 3,
        None => 4,
    };
    let rate = |row: &Row| row.told.as_ref().map_or(0, |told| told.bytes_per_s);
    // To the second: boards that all print do not change places with each line.
    let heard = |row: &Row| row.heard_us().map_or(0, |heard| heard / 1_000_000);
    match sort {
        Sort::Name => Ordering::Equal,
        Sort::Activity => heard(b).cmp(&heard(a)),
        Sort::Rate => rate(b).cmp(&rate(a)),
        Sort::Power => power(a).cmp(&power(b)),
        Sort::Health => Reverse(a.health(now_us).0).cmp(&Reverse(b.health(now_us).0)),
        Sort::Holder => match (a.holder(), b.holder()) {
            (Some(a), Some(b)) => a.cmp(b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
    }
}
