//! Why a request waits, and when it may be served.

use super::calendar::By;
use super::score::Score;
use super::{BoardIx, Decision, Lab, Request, RequestId, Seconds, View};

/// What a waiting request is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    pub score: Score,
    /// So many others who come before it want a board that it wants, too, and get none now.
    pub ahead: usize,
    pub because: Because,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Because {
    /// No board that the user may have answers to the description of this wish (from 0). These words of it
    /// hold for no board at all; if there are none, no board has all of them together.
    NoBoard { wish: usize, unheard: Vec<String> },
    /// Boards answer, but not one for each wish.
    TooFew { wanted: usize, boards: Vec<BoardIx> },
    /// Boards answer, but these, which it needs, are not usable now.
    Away { boards: Vec<BoardIx> },
    /// It gets its boards with the next pass.
    Now,
    /// It is to start later, and can be booked, or is.
    Later { start: Seconds, booked: bool },
    /// Boards are kept for it. Who has them, if somebody does, and until when.
    Planned { at: Seconds, boards: Vec<(BoardIx, Option<(RequestId, Seconds)>)> },
    /// Every board is kept for somebody who comes before it. When it may be its turn, roughly: as long as
    /// the others before it take on the boards there are.
    Behind { about: Seconds },
}

impl Lab {
    /// Why a request waits; none if there is no such request that waits or is booked.
    pub fn why(&self, id: RequestId, now: Seconds) -> Option<Why> {
        if !self.waiting.contains_key(&id) {
            return self.why_in(&View::default(), id);
        }
        self.why_in(&self.view(now), id)
    }

    /// The same, as it was at one look.
    pub fn why_in(&self, view: &View, id: RequestId) -> Option<Why> {
        if let Some(booking) = self.bookings.get(&id) {
            let score =
                Score { priority: f64::from(booking.request.priority), waited: 0.0, used: 0.0 };
            let because = Because::Later { start: booking.from, booked: true };
            return Some(Why { score, ahead: 0, because });
        }
        let (request, place) = (self.waiting.get(&id)?, view.in_line(id)?);
        let because = self.cannot_ever(request).unwrap_or_else(|| self.not_yet(request, view));
        Some(Why { score: place.score, ahead: place.ahead, because })
    }

    /// Why it cannot be served with the boards as they are.
    fn cannot_ever(&self, request: &Request) -> Option<Because> {
        let kinds: Vec<_> = request.wants.iter().map(|class| &self.classes[class.0]).collect();
        if let Some(wish) = kinds.iter().position(|kind| kind.boards.is_empty()) {
            let all: Vec<_> = self.boards.iter().map(|place| &place.board.traits).collect();
            return Some(Because::NoBoard { wish, unheard: kinds[wish].spec.unheard(&all) });
        }
        let all = |wish: usize| kinds[wish].boards.iter().copied();
        let mut boards: Vec<_> =
            kinds.iter().flat_map(|kind| kind.boards.iter().copied()).collect();
        boards.sort_unstable();
        boards.dedup();
        if super::seats::seat(kinds.len(), all).is_none() {
            return Some(Because::TooFew { wanted: kinds.len(), boards });
        }
        let groups: Vec<_> = kinds.iter().map(|kind| kind.group.as_ref()).collect();
        let usable = |board: &BoardIx| {
            let place = &self.boards[board.0];
            place.usable() && groups.iter().any(|group| place.is_left_to(*group))
        };
        if super::seats::seat(kinds.len(), |wish| all(wish).filter(usable)).is_none() {
            boards.retain(|board| !usable(board));
            return Some(Because::Away { boards });
        }
        None
    }

    fn not_yet(&self, request: &Request, view: &View) -> Because {
        let now = view.at;
        let decision = view.decision(request.id);
        if matches!(decision, Some(Decision::Lease { .. })) {
            return Because::Now;
        }
        if let Some(start) = request.start.filter(|start| *start > now) {
            return Because::Later { start, booked: decision.is_some() };
        }
        if let Some(plan) = view.plan(request.id) {
            let boards =
                plan.boards.iter().map(|board| (*board, self.holder(*board, now))).collect();
            return Because::Planned { at: plan.at, boards };
        }
        let mut boards: Vec<_> =
            request.wants.iter().flat_map(|class| self.classes[class.0].boards.iter()).collect();
        boards.sort_unstable();
        boards.dedup();
        let held = boards
            .iter()
            .filter_map(|board| self.holder(**board, now))
            .map(|(_, until)| until - now);
        let work = view.in_line(request.id).map_or(0, |place| place.work);
        let all = held.fold(work, Seconds::saturating_add);
        Because::Behind { about: now.saturating_add(all / boards.len().max(1) as u64) }
    }

    /// Whose a board is at this moment, and until when.
    fn holder(&self, board: BoardIx, now: Seconds) -> Option<(RequestId, Seconds)> {
        let taken = self.boards[board.0].calendar.at(now)?;
        match taken.by {
            By::Lease(id) | By::Booking(id) => Some((id, taken.until)),
            By::Window => None,
        }
    }
}
