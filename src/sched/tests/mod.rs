//! The scheduler as its users meet it: small labs told as stories, and large ones by properties.

mod life;
mod stories;

use super::*;

/// A lab made of words: boards as `panda01 panda ram=1GB`, requests as `2h alice panda`.
#[derive(Debug, Default, Clone)]
pub(super) struct Shelf {
    pub(super) lab: Lab,
    last: RequestId,
}

pub(super) const MINUTE: Seconds = 60;
pub(super) const HOUR: Seconds = 3600;
pub(super) const DAY: Seconds = 24 * HOUR;

impl Shelf {
    pub(super) fn new(boards: &[&str]) -> Self {
        let mut shelf = Self::default();
        boards.iter().for_each(|words| shelf.board(words, &[]));
        shelf
    }

    /// `NAME TYPE ATTRIBUTE=VALUE… tag…`, and whose it is.
    pub(super) fn board(&mut self, words: &str, groups: &[&str]) {
        let mut words = words.split(' ');
        let mut name = || words.next().unwrap().parse().unwrap();
        let (name, kind) = (name(), name());
        let (attributes, tags): (Vec<_>, Vec<_>) = words.partition(|word| word.contains('='));
        let pair = |word: &str| {
            word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
        };
        let traits = Traits {
            name,
            kind,
            tags: tags.into_iter().map(str::to_owned).collect(),
            attributes: attributes.into_iter().filter_map(pair).collect(),
        };
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        self.lab.put(Board { traits, groups, usable: true, only: None });
    }

    /// Somebody asks for boards, a description for each.
    pub(super) fn ask(
        &mut self,
        user: &str,
        length: Seconds,
        specs: &[&str],
        now: Seconds,
    ) -> RequestId {
        self.ask_as(user, 0, length, specs, now, None)
    }

    pub(super) fn ask_as(
        &mut self,
        user: &str,
        priority: u8,
        length: Seconds,
        specs: &[&str],
        now: Seconds,
        start: Option<Seconds>,
    ) -> RequestId {
        self.last += 1;
        let (user, group) =
            user.split_once('/').map_or((user, None), |(user, group)| (user, Some(group)));
        let wants =
            specs.iter().map(|spec| self.lab.class(&spec.parse().unwrap(), group)).collect();
        let request = Request {
            id: self.last,
            user: user.to_owned(),
            group: group.map(str::to_owned),
            priority,
            submitted: now,
            start,
            length,
            wants,
        };
        self.lab.submit(request).unwrap();
        self.last
    }

    /// What is over ends, and what can begin begins.
    pub(super) fn pass(&mut self, now: Seconds) -> Pass {
        for id in self.lab.over(now) {
            self.lab.end(id, now).unwrap();
        }
        let pass = self.lab.pass(now);
        for decision in &pass.decisions {
            self.lab.apply(decision, now).unwrap();
        }
        pass
    }

    /// The boards that a request has.
    pub(super) fn has(&self, id: RequestId) -> Vec<&str> {
        let boards = self.lab.lease(id).map_or(&[][..], |lease| &lease.boards);
        boards.iter().map(|board| self.lab.board(*board).traits.name.as_str()).collect()
    }
}
