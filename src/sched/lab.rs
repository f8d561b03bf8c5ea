//! What there is: boards, leases, bookings, and requests that wait.

use std::collections::{BTreeMap, BTreeSet};

use super::calendar::{By, Calendar, Taken};
use super::classes::Kind;
use super::score::{self, Score, Usage};
use super::{Decision, Seconds, Spec, Traits};
use crate::model::Name;

/// A request asks for so many boards at a time at most.
pub const MAX_BOARDS: usize = 64;
/// A lease is no longer than this at once; it can be extended.
pub const MAX_LENGTH: Seconds = 31 * 24 * 3600;

/// A board's place in its [`Lab`], which stays its own while the lab lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoardIx(pub(super) usize);

/// A kind of board that some people may have: a description and a group. Requests of one class compete for
/// the same boards, which are found once and not for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(pub(super) usize);

/// A request's number, which is its lease's number, too.
pub type RequestId = u64;

/// A board as its admin sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    pub traits: Traits,
    /// Who may have it; nobody in particular if there is none.
    pub groups: BTreeSet<String>,
    /// It is healthy, and what it needs is there. It keeps its lease when it is not.
    pub usable: bool,
    /// While there is one, nobody but this group is given it.
    pub only: Option<String>,
}

/// Boards like these, for so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub id: RequestId,
    pub user: String,
    /// In whose name: what it has had of the lab counts for this group, too.
    pub group: Option<String>,
    /// LAVA's: 0 (low) to 100 (high).
    pub priority: u8,
    pub submitted: Seconds,
    /// Not before this; a slot for it is booked in advance.
    pub start: Option<Seconds>,
    pub length: Seconds,
    /// A board for each, all at once.
    pub wants: Vec<Class>,
}

/// Boards that somebody has, or will have from `from` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub request: Request,
    pub boards: Vec<BoardIx>,
    pub from: Seconds,
    pub until: Seconds,
    /// When its user was charged for it.
    charged: Seconds,
}

/// Why something cannot be. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabError {
    #[error("there is a request {0} already")]
    Known(RequestId),
    #[error("there is no request {0}")]
    Unknown(RequestId),
    #[error("a request is for 1 to {MAX_BOARDS} boards, not for {0}")]
    Boards(usize),
    #[error("a lease is for 1 s to 31 days, not for {0} s")]
    Length(Seconds),
    #[error("{board} is not free then: {}", what(*.by))]
    Taken { board: Name, by: Option<RequestId>, from: Seconds },
}

fn what(by: Option<RequestId>) -> String {
    by.map_or_else(|| "maintenance".to_owned(), |id| format!("request {id}"))
}

/// The whole state that decisions are made from.
#[derive(Debug, Clone, Default)]
pub struct Lab {
    pub(super) boards: Vec<Place>,
    by_name: BTreeMap<Name, BoardIx>,
    pub(super) classes: Vec<Kind>,
    pub(super) by_kind: BTreeMap<(Spec, Option<String>), Class>,
    pub(super) waiting: BTreeMap<RequestId, Request>,
    pub(super) leases: BTreeMap<RequestId, Lease>,
    pub(super) bookings: BTreeMap<RequestId, Lease>,
    usage: Usage,
}

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) board: Board,
    pub(super) calendar: Calendar,
    /// It is in the lab; a board that was taken out keeps its place.
    pub(super) there: bool,
}

impl Place {
    pub(super) fn usable(&self) -> bool {
        self.there && self.board.usable
    }

    /// Whether a group may be given it now, if it may at all.
    pub(super) fn is_left_to(&self, group: Option<&String>) -> bool {
        self.board.only.as_ref().is_none_or(|only| Some(only) == group)
    }
}

impl Lease {
    /// Board-seconds.
    fn cost(&self) -> f64 {
        (self.until.saturating_sub(self.from) * self.boards.len() as u64) as f64
    }
}

impl Request {
    /// Each class that it wants once.
    pub(super) fn classes(&self) -> Vec<Class> {
        let mut classes = self.wants.clone();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

impl Lab {
    /// Adds a board, or says anew what it is like. Its leases stay.
    pub fn put(&mut self, board: Board) -> BoardIx {
        let name = board.traits.name.clone();
        let ix = match self.by_name.get(&name) {
            Some(ix) => {
                let place = &mut self.boards[ix.0];
                (place.board, place.there) = (board, true);
                *ix
            }
            None => {
                let ix = BoardIx(self.boards.len());
                self.boards.push(Place { board, calendar: Calendar::default(), there: true });
                self.by_name.insert(name, ix);
                ix
            }
        };
        self.sort_in(ix);
        ix
    }

    /// Takes a board out of the lab. Whoever has it keeps it until the lease ends.
    pub fn take_out(&mut self, board: BoardIx) {
        self.boards[board.0].there = false;
        self.sort_in(board);
    }

    pub fn set_usable(&mut self, board: BoardIx, usable: bool) {
        self.boards[board.0].board.usable = usable;
    }

    /// Leaves a board to one group, or to all that may have it.
    pub fn leave_to(&mut self, board: BoardIx, only: Option<String>) {
        self.boards[board.0].board.only = only;
    }

    /// Sets when a board is in maintenance, in place of what was set before. What is over by now is not heeded.
    ///
    /// # Errors
    /// When it is leased or booked then; the windows are then as they were.
    pub fn set_windows(
        &mut self,
        board: BoardIx,
        windows: &[(Seconds, Seconds)],
        now: Seconds,
    ) -> Result<(), LabError> {
        let mut calendar = self.boards[board.0].calendar.clone();
        calendar.clear_windows();
        for (from, until) in windows.iter().filter(|(_, until)| now < *until) {
            if !calendar.take(Taken { from: *from, until: *until, by: By::Window }) {
                return Err(self.taken(board, *from, *until));
            }
        }
        self.boards[board.0].calendar = calendar;
        Ok(())
    }

    /// The same for what was set before a restart, whatever has come into it since: a lease may reach into a
    /// maintenance when the clock is set, or a job is not ended in time.
    pub fn restore_windows(
        &mut self,
        board: BoardIx,
        windows: &[(Seconds, Seconds)],
        now: Seconds,
    ) {
        let calendar = &mut self.boards[board.0].calendar;
        calendar.clear_windows();
        for (from, until) in windows.iter().filter(|(_, until)| now < *until) {
            calendar.put(Taken { from: *from, until: *until, by: By::Window });
        }
    }

    pub fn board(&self, board: BoardIx) -> &Board {
        &self.boards[board.0].board
    }

    pub fn find(&self, name: &str) -> Option<BoardIx> {
        self.by_name.get(name).copied()
    }

    /// # Errors
    /// When its number is taken, or it asks for too many boards or too long a time, or for none.
    pub fn submit(&mut self, request: Request) -> Result<(), LabError> {
        let id = request.id;
        if [&self.leases, &self.bookings].iter().any(|leases| leases.contains_key(&id))
            || self.waiting.contains_key(&id)
        {
            return Err(LabError::Known(id));
        }
        if !(1..=MAX_BOARDS).contains(&request.wants.len()) {
            return Err(LabError::Boards(request.wants.len()));
        }
        if !(1..=MAX_LENGTH).contains(&request.length) {
            return Err(LabError::Length(request.length));
        }
        self.waiting.insert(id, request);
        Ok(())
    }

    /// Boards of other classes are asked for from now on; those that one has, or has booked, stay.
    pub fn ask_anew(&mut self, id: RequestId, wants: Vec<Class>) {
        let waiting = self.waiting.get_mut(&id);
        let request = waiting.or_else(|| Some(&mut self.bookings.get_mut(&id)?.request));
        if let Some(request) = request.or_else(|| Some(&mut self.leases.get_mut(&id)?.request)) {
            request.wants = wants;
        }
    }

    /// Does what a pass has decided.
    ///
    /// # Errors
    /// When things have changed since, so that it cannot be done any more.
    pub fn apply(&mut self, decision: &Decision, now: Seconds) -> Result<(), LabError> {
        let id = decision.request();
        self.asked(id)?;
        let (boards, from, until) = decision.slot(now);
        for board in boards {
            let mut calendar = self.boards[board.0].calendar.clone();
            calendar.free(By::Booking(id));
            if !calendar.is_free(from, until) {
                return Err(self.taken(*board, from, until));
            }
        }
        self.settle(decision, now)
    }

    /// Does what was decided before a restart. A lease may reach into bookings, which stay, as it did then.
    ///
    /// # Errors
    /// When there is no such request, or a board is leased to somebody else.
    pub fn restore(&mut self, decision: &Decision, now: Seconds) -> Result<(), LabError> {
        if let Decision::Lease { boards, until, .. } = decision {
            let leased = |ix: &&BoardIx| self.boards[ix.0].calendar.is_leased();
            if let Some(board) = boards.iter().find(leased) {
                return Err(self.taken(*board, now, (*until).max(now + 1)));
            }
        }
        self.settle(decision, now)
    }

    /// A request that waits, or has booked.
    fn asked(&self, id: RequestId) -> Result<&Request, LabError> {
        let request = self.waiting.get(&id).or_else(|| Some(&self.bookings.get(&id)?.request));
        request.ok_or(LabError::Unknown(id))
    }

    fn settle(&mut self, decision: &Decision, now: Seconds) -> Result<(), LabError> {
        let (id, by) = match decision {
            Decision::Lease { request, .. } => (*request, By::Lease(*request)),
            Decision::Book { request, .. } => (*request, By::Booking(*request)),
        };
        let request = self.asked(id)?.clone();
        let (boards, from, until) = decision.slot(now);
        self.waiting.remove(&id);
        if let Some(booking) = self.bookings.remove(&id) {
            self.cancel(&booking, now);
        }
        for board in boards {
            self.boards[board.0].calendar.put(Taken { from, until, by });
        }
        let lease = Lease { request, boards: boards.to_vec(), from, until, charged: now };
        self.usage.charge(&lease.request.user, lease.request.group.as_deref(), lease.cost(), now);
        match decision {
            Decision::Lease { .. } => self.leases.insert(id, lease),
            Decision::Book { .. } => self.bookings.insert(id, lease),
        };
        Ok(())
    }

    /// Gives boards back, or ends waiting for them: what a request had then.
    ///
    /// # Errors
    /// When there is no such request.
    pub fn end(&mut self, id: RequestId, now: Seconds) -> Result<Option<Lease>, LabError> {
        if self.waiting.remove(&id).is_some() {
            return Ok(None);
        }
        if let Some(booking) = self.bookings.remove(&id) {
            self.cancel(&booking, now);
            return Ok(Some(booking));
        }
        let lease = self.leases.remove(&id).ok_or(LabError::Unknown(id))?;
        self.free(&lease.boards, By::Lease(id));
        // Nothing is given back that was never charged, also when the clock was set back since.
        let unused = lease.until.saturating_sub(now.max(lease.from));
        let unused = (unused * lease.boards.len() as u64) as f64;
        self.usage.charge(&lease.request.user, lease.request.group.as_deref(), -unused, now);
        Ok(Some(lease))
    }

    /// A lease is somebody else's from now on: what is left of it is charged to them.
    pub fn hand_over(&mut self, id: RequestId, user: &str, group: Option<String>, now: Seconds) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        let left = lease.until.saturating_sub(now.max(lease.from)) * lease.boards.len() as u64;
        let request = &mut lease.request;
        self.usage.charge(&request.user, request.group.as_deref(), -(left as f64), now);
        (request.user, request.group) = (user.to_owned(), group);
        self.usage.charge(&request.user, request.group.as_deref(), left as f64, now);
    }

    /// Lets a lease end later, or sooner.
    ///
    /// # Errors
    /// When a board is booked or in maintenance then, or when somebody waits for it who is to have it
    /// when the lease ends; says who.
    pub fn extend(&mut self, id: RequestId, until: Seconds, now: Seconds) -> Result<(), LabError> {
        let lease = self.is_free_until(id, until, now)?;
        let (boards, was) = (&lease.boards, lease.until);
        if until > was {
            let planned = self.pass(now).planned;
            let plan = planned
                .iter()
                .find(|plan| plan.at < until && plan.boards.iter().any(|ix| boards.contains(ix)));
            if let Some((plan, board)) = plan
                .and_then(|plan| Some((plan, plan.boards.iter().find(|ix| boards.contains(ix))?)))
            {
                let board = self.board(*board).traits.name.clone();
                return Err(LabError::Taken { board, by: Some(plan.request), from: plan.at });
            }
        }
        self.overrun(id, until, now)
    }

    /// The same, whoever waits: what is planned for them is no promise.
    ///
    /// # Errors
    /// When a board is booked or in maintenance then.
    pub fn prolong(&mut self, id: RequestId, until: Seconds, now: Seconds) -> Result<(), LabError> {
        self.is_free_until(id, until, now)?;
        self.overrun(id, until, now)
    }

    /// The same, whatever is to come: somebody has the boards and cannot be made to let go of them at once. Who has
    /// booked one of them gets it when it is given back, or another one.
    ///
    /// # Errors
    /// When there is no such lease.
    pub fn overrun(&mut self, id: RequestId, until: Seconds, now: Seconds) -> Result<(), LabError> {
        let lease = self.leases.get_mut(&id).ok_or(LabError::Unknown(id))?;
        for board in &lease.boards {
            self.boards[board.0].calendar.set_end(By::Lease(id), until);
        }
        let more = (until as f64 - lease.until as f64) * lease.boards.len() as f64;
        let Request { user, group, .. } = &lease.request;
        self.usage.charge(user, group.as_deref(), more, now);
        lease.until = until;
        Ok(())
    }

    fn is_free_until(
        &self,
        id: RequestId,
        until: Seconds,
        now: Seconds,
    ) -> Result<&Lease, LabError> {
        let lease = self.leases.get(&id).ok_or(LabError::Unknown(id))?;
        if !(1..=MAX_LENGTH).contains(&until.saturating_sub(now)) {
            return Err(LabError::Length(until.saturating_sub(now)));
        }
        let taken = |ix: &&BoardIx| !self.boards[ix.0].calendar.is_free(lease.until, until);
        match lease.boards.iter().filter(|_| until > lease.until).find(taken) {
            Some(board) => Err(self.taken(*board, lease.until, until)),
            None => Ok(lease),
        }
    }

    /// The clock was set by so many seconds: who waits has waited for as long as before, and who has a board has it for as
    /// long from now. Only what was told by this clock moves with it, the ends of some leases of before (`end_is`), too. What is
    /// booked, and maintenance, goes by the clock; a lease may reach into it now.
    pub fn clock_set(
        &mut self,
        by: i64,
        is_of_it: impl Fn(Seconds) -> bool,
        end_is: impl Fn(RequestId) -> bool,
    ) {
        let move_one = |at: &mut Seconds| {
            if is_of_it(*at) {
                *at = at.saturating_add_signed(by);
            }
        };
        for request in self.waiting.values_mut() {
            move_one(&mut request.submitted);
        }
        for lease in self.leases.values_mut() {
            let Lease { request, boards, from, until, charged } = lease;
            if is_of_it(*from) || end_is(request.id) {
                *until = until.saturating_add_signed(by);
            }
            [&mut request.submitted, from, charged].into_iter().for_each(move_one);
            for board in boards {
                self.boards[board.0].calendar.set_end(By::Lease(request.id), *until);
            }
        }
        for Lease { request, charged, .. } in self.bookings.values_mut() {
            [&mut request.submitted, charged].into_iter().for_each(move_one);
        }
        self.usage.clock_set(by, is_of_it);
    }

    /// The leases whose time is over, and the bookings that nobody could be given boards for.
    pub fn over(&self, now: Seconds) -> Vec<RequestId> {
        let all = self.leases.values().chain(self.bookings.values());
        all.filter(|lease| lease.until <= now).map(|lease| lease.request.id).collect()
    }

    /// Forgets what no longer matters at this time, so that a lab of years is no larger than one of days.
    /// A [`Class`] that no request has is gone after it.
    pub fn forget(&mut self, now: Seconds) {
        self.boards.iter_mut().for_each(|place| place.calendar.forget_windows(now));
        self.usage.forget(now);
        let kinds = std::mem::take(&mut self.classes);
        let mut kept = vec![None; kinds.len()];
        let leases = self
            .leases
            .values_mut()
            .chain(self.bookings.values_mut())
            .map(|lease| &mut lease.request);
        for class in self.waiting.values_mut().chain(leases).flat_map(|request| &mut request.wants)
        {
            let at = kept[class.0].get_or_insert_with(|| {
                self.classes.push(kinds[class.0].clone());
                self.classes.len() - 1
            });
            *class = Class(*at);
        }
        let by_kind = std::mem::take(&mut self.by_kind).into_iter();
        self.by_kind =
            by_kind.filter_map(|(kind, class)| Some((kind, Class(kept[class.0]?)))).collect();
    }

    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &Request> {
        self.waiting.values()
    }

    /// Those who wait, who comes first first.
    pub fn queue(&self, now: Seconds) -> Vec<(RequestId, Score)> {
        self.order(now).into_iter().map(|(score, request)| (request.id, score)).collect()
    }

    pub fn lease(&self, id: RequestId) -> Option<&Lease> {
        self.leases.get(&id)
    }

    pub fn booking(&self, id: RequestId) -> Option<&Lease> {
        self.bookings.get(&id)
    }

    /// Those who wait, who comes first first, with what of their score comes from where.
    pub(super) fn order(&self, now: Seconds) -> Vec<(Score, &Request)> {
        let used = self.usage.at(now);
        let score = |request: &Request| Score {
            priority: f64::from(request.priority),
            waited: score::waited(request.start.unwrap_or(0).max(request.submitted), now),
            used: used.points(&request.user, request.group.as_deref()),
        };
        let mut order: Vec<_> =
            self.waiting.values().map(|request| (score(request), request)).collect();
        let place =
            |(score, request): &(Score, &Request)| (score.points(), request.submitted, request.id);
        order.sort_by(|a, b| {
            let ((more, since, id), (other, other_since, other_id)) = (place(a), place(b));
            other.total_cmp(&more).then((since, id).cmp(&(other_since, other_id)))
        });
        order
    }

    /// Frees what a booking takes. What is left of what it was charged with is given back.
    fn cancel(&mut self, booking: &Lease, now: Seconds) {
        let Request { id, user, group, .. } = &booking.request;
        self.free(&booking.boards, By::Booking(*id));
        let left = score::left(booking.cost(), booking.charged, now);
        self.usage.charge(user, group.as_deref(), -left, now);
    }

    fn free(&mut self, boards: &[BoardIx], by: By) {
        for board in boards {
            self.boards[board.0].calendar.free(by);
        }
    }

    fn taken(&self, board: BoardIx, from: Seconds, until: Seconds) -> LabError {
        let place = &self.boards[board.0];
        let taken = place.calendar.last_between(from, until);
        let by = taken.and_then(|taken| match taken.by {
            By::Lease(id) | By::Booking(id) => Some(id),
            By::Window => None,
        });
        let from = taken.map_or(from, |taken| taken.from);
        LabError::Taken { board: place.board.traits.name.clone(), by, from }
    }
}
