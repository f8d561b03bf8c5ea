//! The boards that some people may have. There are few such sets and many requests: each set is kept once, and the
//! scheduler knows it by a short name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::{CHECKS, EVERYBODY, State};
use crate::model::Name;
use crate::sched::BoardIx;

/// The boards that somebody may have, if not all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "BTreeSet<Name>", into = "BTreeSet<Name>")]
pub(super) struct Audience(Arc<BTreeSet<Name>>);

/// All that requests have which have not ended.
#[derive(Debug, Default)]
pub(super) struct Audiences {
    known: BTreeMap<Audience, Known>,
    /// How many there were so far: no name is given twice.
    count: u64,
}

#[derive(Debug)]
struct Known {
    /// The scheduler's group.
    group: String,
    /// So many requests have it.
    requests: usize,
}

impl Audience {
    /// Where it is kept: audiences of one place are the same one.
    pub(super) fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(super) fn contains(&self, board: &Name) -> bool {
        self.0.contains(board)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Name> {
        self.0.iter()
    }
}

impl From<BTreeSet<Name>> for Audience {
    fn from(boards: BTreeSet<Name>) -> Self {
        Self(Arc::new(boards))
    }
}

impl From<Audience> for BTreeSet<Name> {
    fn from(audience: Audience) -> Self {
        Arc::unwrap_or_clone(audience.0)
    }
}

impl State {
    /// A request has this audience from now on: the one that others have, too, if it is the same.
    pub(super) fn admit(&mut self, audience: Audience) -> Audience {
        let Audiences { known, count } = &mut self.audiences;
        if let Some((shared, _)) = known.get_key_value(&audience) {
            let shared = shared.clone();
            known.entry(shared.clone()).and_modify(|known| known.requests += 1);
            return shared;
        }
        *count += 1;
        let group = format!("some{count}");
        let boards = audience.iter().filter_map(|name| Some(self.boards.get(name)?.ix));
        let boards: Vec<BoardIx> = boards.collect();
        self.lab.admit(&group, &boards);
        known.insert(audience.clone(), Known { group, requests: 1 });
        audience
    }

    /// A request has it no more.
    pub(super) fn dismiss(&mut self, audience: &Audience) {
        let Some(known) = self.audiences.known.get_mut(audience) else { return };
        known.requests -= 1;
        if known.requests == 0 {
            let boards = audience.iter().filter_map(|name| Some(self.boards.get(name)?.ix));
            let boards: Vec<BoardIx> = boards.collect();
            self.lab.dismiss(&known.group, &boards);
            self.audiences.known.remove(audience);
        }
    }

    /// The scheduler's group of an audience; of one that no request has which has not ended, everybody's.
    pub(super) fn group_of(&self, audience: Option<&Audience>) -> &str {
        let known = audience.and_then(|audience| self.audiences.known.get(audience));
        known.map_or(EVERYBODY, |known| &known.group)
    }

    /// Whoever may have a board: everybody, health checks, and those few who may have only some, of which it is one.
    pub(super) fn groups_of(&self, board: &Name) -> BTreeSet<String> {
        let some = self.audiences.known.iter().filter(|(audience, _)| audience.0.contains(board));
        let some = some.map(|(_, known)| known.group.clone());
        some.chain([EVERYBODY, CHECKS].map(str::to_owned)).collect()
    }
}
