//! Why a request waits, and when it may be served.

use super::calendar::By;
use super::score::Score;
use super::{BoardIx, Decision, Lab, Request, RequestId, Seconds};

/// What a waiting request is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    pub score: Score,
    /// So many others who come before it want a board that it wants, too.
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
        if let Some(booking) = self.bookings.get(&id) {
            let score =
                Score { priority: f64::from(booking.request.priority), waited: 0.0, used: 0.0 };
            let because = Because::Later { start: booking.from, booked: true };
            return Some(Why { score, ahead: 0, because });
        }
        let order = self.order(now);
        let at = order.iter().position(|(_, request)| request.id == id)?;
        let (score, request) = order[at];
        let before = order[..at].iter().map(|(_, other)| *other);
        let before: Vec<_> = before.filter(|other| self.compete(other, request)).collect();
        let because =
            self.cannot_ever(request).unwrap_or_else(|| self.not_yet(request, &before, now));
        Some(Why { score, ahead: before.len(), because })
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
        let usable = |board: &BoardIx| self.boards[board.0].usable();
        if super::seats::seat(kinds.len(), |wish| all(wish).filter(usable)).is_none() {
            boards.retain(|board| !usable(board));
            return Some(Because::Away { boards });
        }
        None
    }

    fn not_yet(&self, request: &Request, before: &[&Request], now: Seconds) -> Because {
        let pass = self.pass(now);
        let decided = |decision: &&Decision| decision.request() == request.id;
        if pass
            .decisions
            .iter()
            .any(|decision| decided(&decision) && matches!(decision, Decision::Lease { .. }))
        {
            return Because::Now;
        }
        if let Some(start) = request.start.filter(|start| *start > now) {
            let booked = pass.decisions.iter().any(|decision| decided(&decision));
            return Because::Later { start, booked };
        }
        if let Some(plan) = pass.planned.iter().find(|plan| plan.request == request.id) {
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
        let to_come = before.iter().map(|other| other.length * other.wants.len() as u64);
        Because::Behind {
            about: now + (held.sum::<u64>() + to_come.sum::<u64>()) / boards.len().max(1) as u64,
        }
    }

    /// Whose a board is at this moment, and until when.
    fn holder(&self, board: BoardIx, now: Seconds) -> Option<(RequestId, Seconds)> {
        let taken = self.boards[board.0].calendar.at(now)?;
        match taken.by {
            By::Lease(id) | By::Booking(id) => Some((id, taken.until)),
            By::Window => None,
        }
    }

    /// Whether they want a board of one kind.
    fn compete(&self, one: &Request, other: &Request) -> bool {
        let boards = |class: &super::Class| &self.classes[class.0].boards;
        one.wants.iter().any(|class| {
            other.wants.iter().any(|wanted| {
                class == wanted || boards(class).iter().any(|board| boards(wanted).contains(board))
            })
        })
    }
}
