//! Which boards people may have, now: looked at anew when rights or boards change, for all that has not ended.
//!
//! The front lets people in, and says here what everybody may by their names ([`LetIn`]). What a request may be given
//! hangs on its [`Claim`]. A request of somebody who is not let in any more ends, whatever it has; a lease of a board
//! that its holder may not have any more ends as it would when somebody took it by force. What waits, or is booked,
//! waits on for the boards that are left, and for those that have come.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::audience::Audience;
use super::jobs::infrastructure;
use super::lease::needed;
use super::state::{Record, State};
use super::{Asker, Basis, Server, ServerError, US};
use crate::model::{Ending, JobHealth, Name, RequestState, Right, Rights, units};

/// Who is let in, and what they may by all that lets them in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LetIn {
    /// Nobody has said it yet.
    #[default]
    Unknown,
    /// Nobody has to log in.
    Everybody,
    Those {
        names: BTreeMap<Name, Rights>,
        /// Users of this host, of whatever name.
        local: Option<Rights>,
    },
}

/// What the boards hang on that a request may be given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Claim {
    /// On what its user may now; where they asked by something that lets them do less, no more than that.
    Name {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<Rights>,
    },
    /// On what another one has said who has asked for somebody that is not known here.
    Said(Rights),
    /// On nobody having to log in; afterwards on what is let in by that name, if anything is.
    Open,
}

/// Whose boards are to be looked at anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    Boards(BTreeSet<Name>),
    Rights,
}

/// What a claim comes to.
#[derive(Debug)]
enum Comes {
    /// What all of these let do; without any, everything.
    To(Vec<Rights>),
    /// To what it was.
    ToTheSame,
    /// To nothing: they are not let in.
    ToNothing,
}

impl LetIn {
    /// What somebody of a name may, who may have called themselves something behind it; `None` when nothing lets them in.
    fn rights_of(&self, user: &str) -> Option<&Rights> {
        let Self::Those { names, local } = self else { return None };
        let proved = user.split_once(" (").map_or(user, |(proved, _)| proved);
        names.get(proved).or(local.as_ref())
    }
}

impl Server {
    /// From now on these are let in.
    pub async fn let_in(&self, now: LetIn) {
        let mut state = self.0.state.lock().await;
        if state.let_in != now {
            state.let_in = now;
            state.changed = Some(Changed::Rights);
            self.changed();
        }
    }

    /// Looks anew who may have what, if rights or boards have changed.
    ///
    /// # Errors
    /// When something cannot be written: then it is done again.
    pub(super) async fn heed_rights(&self, state: &mut State) -> Result<(), ServerError> {
        let Some(changed) = state.changed.clone() else { return Ok(()) };
        let all: Vec<Arc<Record>> = state.requests.values().cloned().collect();
        // Of many requests there are few claims.
        let mut known = HashMap::new();
        let (mut moved, mut barred) = (Vec::new(), Vec::new());
        for record in &all {
            let Some(claim) = &record.claim else { continue };
            let (info, right) = (&record.info, needed(record.info.priority));
            let before = record.audience.as_ref().map(Audience::place);
            let (comes, audience) = known
                .entry((&info.user, claim, right, before))
                .or_insert_with(|| (state.comes(&info.user, claim), None));
            let rights = match comes {
                Comes::To(rights) => rights,
                Comes::ToTheSame => continue,
                Comes::ToNothing => {
                    barred.push((record, format!("{} is not let in any more", info.user)));
                    continue;
                }
            };
            let lacks = |board: &&Name| state.right_on(rights, board) < Some(Right::Write);
            let lacking = info.boards.iter().find(lacks);
            if let (RequestState::Leased, Some(board)) = (info.state, lacking) {
                let why = format!("{} may not have {board} any more", info.user);
                barred.push((record, why));
                continue;
            }
            let waits = info.state == RequestState::Waiting || lacking.is_some();
            if waits && rights.iter().map(Rights::most).min().is_some_and(|most| most < Some(right))
            {
                barred.push((record, format!("{} may have no board any more", info.user)));
                continue;
            }
            let before = record.audience.as_ref();
            let anew = || state.audience_from(rights, right, before, &changed);
            let audience = audience.get_or_insert_with(anew);
            if *audience != record.audience || lacking.is_some() {
                let mut new = Record::clone(record);
                new.audience.clone_from(audience);
                if lacking.is_some() {
                    new.wait_again();
                }
                moved.push(new);
            }
        }
        for (record, why) in barred {
            self.bar(state, record, &why).await?;
        }
        self.move_to(state, moved).await?;
        if changed == Changed::Rights {
            self.bar_scripts(state).await?;
        }
        state.changed = None;
        Ok(())
    }

    /// Ends the runs of scripts of those who are not let in any more.
    async fn bar_scripts(&self, state: &mut State) -> Result<(), ServerError> {
        if !matches!(state.let_in, LetIn::Those { .. }) {
            return Ok(());
        }
        let let_in = |user: &str| state.let_in.rights_of(user).is_some();
        let barred = state.jobs.scripts_by_name().filter(|job| !let_in(&job.info.user));
        for job in barred.cloned().collect::<Vec<_>>() {
            let why = format!("{} is not let in any more", job.info.user);
            if job.info.worker.is_some() {
                self.wind_up(state, job.info.id, None, &why).await?;
                continue;
            }
            let health = job.ended(JobHealth::Incomplete);
            self.finish_job(state, job, health, Some(infrastructure(why))).await?;
        }
        Ok(())
    }

    /// Has requests be for the boards of other audiences; those that have booked others wait again. An audience by itself is
    /// not written: each start makes it anew.
    async fn move_to(&self, state: &mut State, mut moved: Vec<Record>) -> Result<(), ServerError> {
        let waits = |state: &State, record: &Record| {
            let before = state.requests.get(&record.info.id);
            before.is_some_and(|before| before.info.state != record.info.state)
        };
        let rows = moved.iter().filter(|record| waits(state, record)).map(Record::row);
        self.0.store.put_requests(&rows.collect::<Vec<_>>(), &[]).await?;
        for record in &mut moved {
            record.audience = record.audience.take().map(|audience| state.admit(audience));
            let id = record.info.id;
            let request = state.scheduled(record)?;
            if waits(state, record) {
                state.lab.end(id, units::now_us() / 1_000_000)?;
                state.lab.submit(request)?;
                // Its time to be heard of begins again.
                self.0.holders.say(id, ());
            } else {
                state.lab.ask_anew(id, request.wants);
            }
            let before = state.requests.insert(id, Arc::new(record.clone()));
            let audience = before.and_then(|before| before.audience.clone());
            audience.iter().for_each(|audience| state.dismiss(audience));
        }
        if !moved.is_empty() {
            self.changed();
        }
        Ok(())
    }

    /// Ends what somebody may not have any more, as it would end if it was taken by force: what a job runs on when the
    /// job has ended, which it is told to.
    async fn bar(&self, state: &mut State, record: &Record, why: &str) -> Result<(), ServerError> {
        let (id, who) = (record.info.id, format!("{US} ({why})"));
        if let Some(job) = state.in_hand(id) {
            return self.wind_up(state, job, None, why).await;
        }
        let job = record.info.job.and_then(|job| state.jobs.live.get(&job));
        if let Some(job) = job.filter(|job| job.info.request == id).cloned() {
            let health = job.ended(JobHealth::Incomplete);
            self.finish_job(state, job, health, Some(infrastructure(why.to_owned()))).await?;
        }
        if !state.requests.contains_key(&id)
            || self.end_after_boot(state, id, Ending::Taken, &who).await?
        {
            return Ok(());
        }
        self.end(state, id, Ending::Taken, &who).await.map(drop)
    }
}

impl State {
    /// A board has come, gone, or is another one.
    pub(super) fn note_board(&mut self, name: &Name) {
        match self.changed.get_or_insert_with(|| Changed::Boards(BTreeSet::new())) {
            Changed::Boards(boards) => drop(boards.insert(name.clone())),
            Changed::Rights => {}
        }
    }

    /// What somebody's request hangs on who may have these boards now; `None` when on nothing that can change.
    pub(super) fn claim(
        &self,
        asker: &Asker,
        audience: Option<&Audience>,
        right: Right,
    ) -> Option<Claim> {
        if asker.basis == Basis::Given {
            return None;
        }
        let same = |rights: &Rights| {
            let rights = std::slice::from_ref(rights);
            self.audience_from(rights, right, None, &Changed::Rights).as_ref() == audience
        };
        let asked = || match audience {
            _ if same(&asker.rights) => asker.rights.clone(),
            // What two may has no patterns.
            Some(audience) => {
                let mut rights = Rights::default();
                let names = audience.iter().filter_map(|name| name.as_str().parse().ok());
                names.for_each(|name| rights.grant(name, right));
                rights
            }
            None => "*".parse().map(|all| Rights::of(all, right)).unwrap_or_default(),
        };
        match &self.let_in {
            LetIn::Unknown => None,
            LetIn::Everybody => Some(Claim::Open),
            known => Some(match known.rights_of(&asker.user) {
                // Whoever asks for them may know more of them than we do.
                Some(now) if !asker.spoken_for || self.lets(now, right, audience) => {
                    Claim::Name { within: (!same(now)).then(asked) }
                }
                _ => Claim::Said(asked()),
            }),
        }
    }

    /// Whether rights let have all boards of an audience.
    fn lets(&self, rights: &Rights, right: Right, audience: Option<&Audience>) -> bool {
        let one = std::slice::from_ref(rights);
        match audience {
            None => rights.on_all() >= Some(right),
            Some(audience) => audience.iter().all(|name| self.right_on(one, name) >= Some(right)),
        }
    }

    /// The boards of a claim, if not all.
    ///
    /// # Errors
    /// When there can be none.
    pub(super) fn claimed(
        &self,
        user: &str,
        claim: &Claim,
        right: Right,
        before: Option<Audience>,
    ) -> Result<Option<Audience>, ServerError> {
        match self.comes(user, claim) {
            Comes::To(rights) if rights.iter().all(|rights| rights.most() >= Some(right)) => {
                Ok(self.audience_from(&rights, right, None, &Changed::Rights))
            }
            Comes::ToTheSame => Ok(before),
            Comes::To(_) | Comes::ToNothing => Err(ServerError::NoRights),
        }
    }

    fn comes(&self, user: &str, claim: &Claim) -> Comes {
        let now = || self.let_in.rights_of(user).cloned();
        match (claim, &self.let_in) {
            (Claim::Said(rights), _) => Comes::To(vec![rights.clone()]),
            (_, LetIn::Unknown) => Comes::ToTheSame,
            (_, LetIn::Everybody) => Comes::To(Vec::new()),
            (Claim::Name { within }, _) => now().map_or(Comes::ToNothing, |now| {
                Comes::To(std::iter::once(now).chain(within.clone()).collect())
            }),
            (Claim::Open, _) => now().map_or(Comes::ToTheSame, |now| Comes::To(vec![now])),
        }
    }

    /// What all of these let do on a board.
    fn right_on(&self, rights: &[Rights], board: &Name) -> Option<Right> {
        let kind = self.boards.get(board).map(|board| board.description.kind.as_str());
        let each = rights.iter().map(|rights| rights.on_board(board.as_str(), kind));
        each.min().unwrap_or(Some(Right::Control))
    }

    /// The boards that all of these let have; `None` is all. Where only boards have changed the others are as before.
    fn audience_from(
        &self,
        rights: &[Rights],
        right: Right,
        before: Option<&Audience>,
        changed: &Changed,
    ) -> Option<Audience> {
        if rights.iter().all(|rights| rights.on_all() >= Some(right)) {
            return None;
        }
        let may = |name: &&Name| {
            self.boards.contains_key(*name) && self.right_on(rights, name) >= Some(right)
        };
        let boards: BTreeSet<Name> = match (before, changed) {
            (Some(before), Changed::Boards(boards)) => {
                if boards.iter().all(|name| before.contains(name) == may(&name)) {
                    return Some(before.clone());
                }
                let others = before.iter().filter(|name| !boards.contains(*name));
                others.chain(boards.iter().filter(may)).cloned().collect()
            }
            _ => self.boards.keys().filter(may).cloned().collect(),
        };
        Some(boards.into())
    }
}
