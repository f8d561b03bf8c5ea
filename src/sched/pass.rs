//! One look at the lab: who gets boards now, who is booked for later, and who is planned where.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::score::Score;
use super::seats::seat;
use super::{BoardIx, Class, Lab, Lease, Request, RequestId, Seconds};

/// The first time at which several boards are free together is looked for at so many times.
const MOST_TIMES: usize = 256;

/// What a pass has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pass {
    pub decisions: Vec<Decision>,
    /// For whom boards are kept, who comes first first. A plan is no promise: the next pass plans anew.
    pub planned: Vec<Planned>,
}

/// Something to be done: see [`Lab::apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// These boards are the request's, from now on.
    Lease { request: RequestId, boards: Vec<BoardIx>, until: Seconds },
    /// They will be.
    Book { request: RequestId, boards: Vec<BoardIx>, from: Seconds, until: Seconds },
}

/// When and where a request that waits is to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub request: RequestId,
    pub boards: Vec<BoardIx>,
    pub at: Seconds,
}

impl Decision {
    pub fn request(&self) -> RequestId {
        match self {
            Self::Lease { request, .. } | Self::Book { request, .. } => *request,
        }
    }

    /// Which boards, from when until when.
    pub(super) fn slot(&self, now: Seconds) -> (&[BoardIx], Seconds, Seconds) {
        match self {
            Self::Lease { boards, until, .. } => (boards, now, *until),
            Self::Book { boards, from, until, .. } => (boards, *from, *until),
        }
    }
}

impl Lab {
    /// Decides. The same lab at the same time gives the same decisions.
    pub fn pass(&self, now: Seconds) -> Pass {
        self.pass_in(&self.order(now), now)
    }

    /// The same, when it is known who comes first.
    pub(super) fn pass_in(&self, order: &[(Score, &Request)], now: Seconds) -> Pass {
        let mut look = Look {
            lab: self,
            now,
            boards: vec![Overlay::default(); self.boards.len()],
            classes: vec![Demand::default(); self.classes.len()],
            found: Pass::default(),
        };
        for booking in
            self.bookings.values().filter(|booking| booking.from <= now && now < booking.until)
        {
            look.honour(booking);
        }
        for (_, request) in order {
            look.serve(request);
        }
        look.found
    }
}

/// A pass under way.
struct Look<'a> {
    lab: &'a Lab,
    now: Seconds,
    boards: Vec<Overlay>,
    classes: Vec<Demand>,
    found: Pass,
}

/// What this pass has given a board to, beside what its calendar has.
#[derive(Debug, Clone, Default)]
struct Overlay {
    /// Leased now, until then.
    leased: Seconds,
    /// Booked or kept for the one who is planned on it.
    kept: Vec<(Seconds, Seconds)>,
    planned: bool,
}

/// What this pass knows of a class.
#[derive(Debug, Clone, Default)]
struct Demand {
    /// Nothing of it is free now for so long or longer.
    none_for: Option<Seconds>,
    /// Its boards that nobody is planned on, by when they may be free; made when first needed.
    free_at: Option<BinaryHeap<Reverse<(Seconds, BoardIx)>>>,
}

impl Look<'_> {
    /// A booking's time has come: its boards are leased, or others in place of those that are away.
    fn honour(&mut self, booking: &Lease) {
        let (request, until) = (booking.request.id, booking.until);
        let own = |board: &BoardIx| booking.boards.contains(board);
        let left = |board: &BoardIx| {
            let mut groups =
                booking.request.wants.iter().map(|class| &self.lab.classes[class.0].group);
            groups.any(|group| self.lab.boards[board.0].is_left_to(group.as_ref()))
        };
        let ready = |board: &BoardIx| {
            let place = &self.lab.boards[board.0];
            let own = own(board) && !place.calendar.is_leased();
            place.usable() && (own || self.is_free(*board, self.now, until))
        };
        let boards = if booking.boards.iter().all(|board| ready(board) && left(board)) {
            Some(booking.boards.clone())
        } else {
            let wants = &booking.request.wants;
            seat(wants.len(), |wish| self.of(wants[wish]).filter(ready))
        };
        if let Some(boards) = boards {
            self.lease(request, boards, until);
        }
    }

    fn serve(&mut self, request: &Request) {
        match request.start {
            Some(start) if start > self.now => self.book(request, start),
            _ => match self.seat_at(request, self.now) {
                Some(boards) => self.lease(request.id, boards, self.now + request.length),
                None => self.plan(request),
            },
        }
    }

    fn book(&mut self, request: &Request, from: Seconds) {
        let until = from.saturating_add(request.length);
        let wants = &request.wants;
        let free = |board: &BoardIx| {
            self.lab.boards[board.0].usable() && self.is_free(*board, from, until)
        };
        let Some(boards) = seat(wants.len(), |wish| self.of(wants[wish]).filter(free)) else {
            return;
        };
        for board in &boards {
            self.boards[board.0].kept.push((from, until));
        }
        self.found.decisions.push(Decision::Book { request: request.id, boards, from, until });
    }

    /// Boards that are free from now on for as long as the request wants them.
    fn seat_at(&mut self, request: &Request, now: Seconds) -> Option<Vec<BoardIx>> {
        let hopeless = |class: &Class| {
            self.classes[class.0].none_for.is_some_and(|length| length <= request.length)
        };
        if request.wants.iter().any(hopeless) {
            return None;
        }
        let until = now.saturating_add(request.length);
        let free =
            |board: &BoardIx| self.lab.boards[board.0].usable() && self.is_free(*board, now, until);
        let boards = seat(request.wants.len(), |wish| self.of(request.wants[wish]).filter(free));
        if let ([class], None) = (request.wants.as_slice(), &boards) {
            self.classes[class.0].none_for = Some(request.length);
        }
        boards
    }

    /// Keeps the boards on which a request can be served first.
    fn plan(&mut self, request: &Request) {
        let found = match request.wants.as_slice() {
            [class] => self.first_of(*class, request.length).map(|(at, board)| (at, vec![board])),
            _ => self.first_together(request),
        };
        let Some((at, boards)) = found else { return };
        for board in &boards {
            let overlay = &mut self.boards[board.0];
            overlay.kept.push((at, at.saturating_add(request.length)));
            overlay.planned = true;
        }
        self.found.planned.push(Planned { request: request.id, boards, at });
    }

    /// The board of a class that is first free for so long, of those that nobody is planned on.
    fn first_of(&mut self, class: Class, length: Seconds) -> Option<(Seconds, BoardIx)> {
        let mut heap = self.classes[class.0].free_at.take().unwrap_or_else(|| {
            let usable = self.of(class).filter(|board| self.lab.boards[board.0].usable());
            usable.map(|board| Reverse((self.first_free(board, 1), board))).collect()
        });
        let mut best: Option<(Seconds, BoardIx)> = None;
        let mut aside = Vec::new();
        while let Some(entry) = heap.pop() {
            let Reverse((bound, board)) = entry;
            if best.is_some_and(|(at, _)| at <= bound) {
                heap.push(entry);
                break;
            }
            if self.boards[board.0].planned {
                continue;
            }
            let at = self.first_free(board, length);
            if best.is_none_or(|best| (at, board) < best) {
                best = Some((at, board));
            }
            aside.push(entry);
        }
        heap.extend(aside);
        self.classes[class.0].free_at = Some(heap);
        best
    }

    /// The first time at which all that a request wants is free together.
    fn first_together(&self, request: &Request) -> Option<(Seconds, Vec<BoardIx>)> {
        let wants = &request.wants;
        let unplanned =
            |board: &BoardIx| self.lab.boards[board.0].usable() && !self.boards[board.0].planned;
        let classes = request.classes();
        let mut all: Vec<_> =
            classes.iter().flat_map(|class| self.of(*class)).filter(unplanned).collect();
        all.sort_unstable();
        all.dedup();
        let first = all.into_iter().map(|board| self.first_free(board, request.length));
        let mut times: Vec<_> = first.collect();
        times.sort_unstable();
        // Before so many boards have been free once, so many are not free together.
        let enough = *times.get(wants.len() - 1)?;
        times.retain(|at| enough <= *at);
        times.dedup();
        times.into_iter().take(MOST_TIMES).find_map(|at| {
            let until = at.saturating_add(request.length);
            let free = |board: &BoardIx| unplanned(board) && self.is_free(*board, at, until);
            Some((at, seat(wants.len(), |wish| self.of(wants[wish]).filter(free))?))
        })
    }

    fn lease(&mut self, request: RequestId, boards: Vec<BoardIx>, until: Seconds) {
        for board in &boards {
            self.boards[board.0].leased = until;
        }
        self.found.decisions.push(Decision::Lease { request, boards, until });
    }

    /// The boards of a class, but those that are left to others.
    fn of(&self, class: Class) -> impl Iterator<Item = BoardIx> {
        let kind = &self.lab.classes[class.0];
        let boards = kind.boards.iter().copied();
        boards.filter(|board| self.lab.boards[board.0].is_left_to(kind.group.as_ref()))
    }

    fn is_free(&self, board: BoardIx, from: Seconds, until: Seconds) -> bool {
        let overlay = &self.boards[board.0];
        overlay.leased <= from
            && overlay.kept.iter().all(|(begin, end)| *end <= from || until <= *begin)
            && self.lab.boards[board.0].calendar.is_free(from, until)
    }

    /// The first moment at which a board is free for so long.
    fn first_free(&self, board: BoardIx, length: Seconds) -> Seconds {
        let overlay = &self.boards[board.0];
        let mut at = self.now.max(overlay.leased);
        loop {
            at = self.lab.boards[board.0].calendar.first_free(at, length);
            let until = at.saturating_add(length);
            match overlay.kept.iter().find(|(begin, end)| *begin < until && at < *end) {
                Some((_, end)) => at = *end,
                None => return at,
            }
        }
    }
}
