//! One look at the whole queue: the order, the pass, and how many go before each. What everybody who waits is told is
//! read from it, so that a thousand who wait cost one look.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::score::Score;
use super::{Class, Decision, Lab, Pass, Planned, Request, RequestId, Seconds};

/// The queue at a moment.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub(super) at: Seconds,
    pub(super) pass: Pass,
    /// Who comes first first.
    order: Vec<InLine>,
    place: HashMap<RequestId, usize>,
    plans: HashMap<RequestId, usize>,
    decided: HashMap<RequestId, usize>,
}

/// A request's place in the queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InLine {
    pub id: RequestId,
    pub score: Score,
    /// So many others who come before it want a board that it wants, too, and get none now.
    pub ahead: usize,
    /// The board-seconds that these want.
    pub(super) work: Seconds,
}

/// Requests that want the same classes, and what was seen of them.
#[derive(Debug, Default)]
struct Crowd {
    /// The crowds that want a board which this one wants; it is one of them.
    rivals: Vec<usize>,
    count: usize,
    work: Seconds,
}

impl View {
    pub fn pass(&self) -> &Pass {
        &self.pass
    }

    /// Those who wait, who comes first first.
    pub fn order(&self) -> &[InLine] {
        &self.order
    }

    pub fn in_line(&self, id: RequestId) -> Option<&InLine> {
        self.order.get(*self.place.get(&id)?)
    }

    pub fn plan(&self, id: RequestId) -> Option<&Planned> {
        self.pass.planned.get(*self.plans.get(&id)?)
    }

    pub(super) fn decision(&self, id: RequestId) -> Option<&Decision> {
        self.pass.decisions.get(*self.decided.get(&id)?)
    }
}

impl Lab {
    /// Looks at everything once. The same lab at the same time looks the same.
    pub fn view(&self, now: Seconds) -> View {
        let order = self.order(now);
        let pass = self.pass_in(&order, now);
        let plans = pass.planned.iter().enumerate().map(|(at, plan)| (plan.request, at)).collect();
        let decided = pass.decisions.iter().enumerate().map(|(at, it)| (it.request(), at));
        let decided: HashMap<_, _> = decided.collect();
        let leased = |id| {
            let decision = decided.get(&id).map(|at| &pass.decisions[*at]);
            matches!(decision, Some(Decision::Lease { .. }))
        };
        let (crowd_of, mut crowds) = self.crowds(order.iter().map(|(_, request)| *request));
        let order: Vec<_> = order
            .iter()
            .map(|(score, request)| {
                let own = crowd_of[request.classes().as_slice()];
                let rivals = crowds[own].rivals.iter().map(|rival| &crowds[*rival]);
                let (ahead, work) = rivals.fold((0, 0), |(count, work): (usize, u64), rival| {
                    (count + rival.count, work.saturating_add(rival.work))
                });
                if !leased(request.id) {
                    crowds[own].count += 1;
                    let work = request.length.saturating_mul(request.wants.len() as u64);
                    crowds[own].work = crowds[own].work.saturating_add(work);
                }
                InLine { id: request.id, score: *score, ahead, work }
            })
            .collect();
        let place = order.iter().enumerate().map(|(at, it)| (it.id, at)).collect();
        View { at: now, pass, order, place, plans, decided }
    }

    /// Who wants the same, and who wants some of it, too.
    fn crowds<'a>(
        &self,
        all: impl Iterator<Item = &'a Request>,
    ) -> (HashMap<Vec<Class>, usize>, Vec<Crowd>) {
        let mut crowd_of: HashMap<Vec<Class>, usize> = HashMap::new();
        for request in all {
            let next = crowd_of.len();
            crowd_of.entry(request.classes()).or_insert(next);
        }
        let mut on_board: Vec<Vec<usize>> = vec![Vec::new(); self.boards.len()];
        for (classes, crowd) in &crowd_of {
            for board in classes.iter().flat_map(|class| &self.classes[class.0].boards) {
                let here = &mut on_board[board.0];
                if here.last() != Some(crowd) {
                    here.push(*crowd);
                }
            }
        }
        // Boards of one kind are wanted by the same crowds.
        let groups: HashSet<Vec<usize>> = on_board.into_iter().collect();
        let mut rivals: Vec<BTreeSet<usize>> =
            (0..crowd_of.len()).map(|own| BTreeSet::from([own])).collect();
        for group in &groups {
            for crowd in group {
                rivals[*crowd].extend(group);
            }
        }
        let crowd = |rivals: BTreeSet<usize>| Crowd {
            rivals: rivals.into_iter().collect(),
            ..Crowd::default()
        };
        (crowd_of, rivals.into_iter().map(crowd).collect())
    }
}
