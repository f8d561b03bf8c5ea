//! The power operation that was asked for here, as its person sees it: first that it was
//! initiated, then one result.
//!
//! Everyone on the console is told by events. Whoever asked gets an answer besides, and the two
//! come by different ways, in any order.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::event::Phase;
use crate::model::{Event, Name, Verb, What, calls_oneself};

/// How long after the answer its events may still come.
const LATE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct OwnPower {
    who: String,
    verb: Verb,
    /// Whether the event of its begin, or of its end, has come.
    begun: bool,
    ended: bool,
    answered: Option<Instant>,
}

impl OwnPower {
    pub(super) fn new(who: &str, verb: Verb) -> Self {
        Self { who: who.to_owned(), verb, begun: false, ended: false, answered: None }
    }

    /// Whether an event is not to be shown, because the person knows it, or will from the answer.
    pub(super) fn hides(&mut self, event: &Event) -> bool {
        let What::Power { verb, phase, .. } = &event.what else { return false };
        let own = event.who.as_deref().is_some_and(|who| calls_oneself(who, &self.who));
        let ours = own && verb == self.verb.as_str();
        if !ours || self.answered.is_some_and(|at| at.elapsed() > LATE) {
            return false;
        }
        match phase {
            Phase::Begin => !std::mem::replace(&mut self.begun, true) && self.answered.is_some(),
            Phase::Done | Phase::Failed => !std::mem::replace(&mut self.ended, true),
        }
    }

    /// The operation was carried out, and its result is shown next: gives what has to be shown
    /// before it, if that has not come yet.
    pub(super) fn done(&mut self, outlet: &Name) -> Option<Event> {
        self.answered = Some(Instant::now());
        let (verb, outlet) = (self.verb.to_string(), outlet.clone());
        let what = What::Power { outlet, verb, phase: Phase::Begin, detail: None };
        (!self.begun).then(|| Event { offset: 0, time_us: 0, who: Some(self.who.clone()), what })
    }

    /// The operation failed, which is shown next.
    pub(super) fn failed(&mut self) {
        self.answered = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(who: &str, verb: &str, phase: Phase) -> Event {
        let what = What::Power {
            outlet: "panda01".parse().unwrap(),
            verb: verb.into(),
            phase,
            detail: None,
        };
        Event { offset: 0, time_us: 0, who: Some(who.into()), what }
    }

    /// `begin`, `end` and `answer` in some order, and what is shown of them.
    fn shown(order: &[&str]) -> Vec<&'static str> {
        let mut own = OwnPower::new("alice", Verb::On);
        let mut shown = Vec::new();
        for thing in order {
            match *thing {
                "begin" if own.hides(&event("alice", "on", Phase::Begin)) => {}
                "begin" => shown.push("initiated"),
                "end" if own.hides(&event("alice", "on", Phase::Done)) => {}
                "end" => shown.push("end"),
                _ => {
                    let before = own.done(&"panda01".parse().unwrap());
                    shown.extend(before.map(|_| "initiated"));
                    shown.push("result");
                }
            }
        }
        shown
    }

    #[test]
    fn in_whatever_order_it_comes_the_person_sees_it_once_and_in_order() {
        for order in
            [["begin", "end", "answer"], ["begin", "answer", "end"], ["answer", "begin", "end"]]
        {
            assert_eq!(shown(&order), ["initiated", "result"], "{order:?}");
        }
        // The next one is somebody else's, or from another window.
        let again = shown(&["begin", "answer", "end", "begin", "end"]);
        assert_eq!(again, ["initiated", "result", "initiated", "end"]);
    }

    #[test]
    fn what_others_do_is_shown() {
        let mut own = OwnPower::new("alice", Verb::On);
        assert!(!own.hides(&event("bob", "on", Phase::Done)));
        assert!(!own.hides(&event("alice", "off", Phase::Done)));
    }
}
