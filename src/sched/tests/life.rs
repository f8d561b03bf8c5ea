//! What holds whatever happens: random labs that live for random times.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What happens in a lab.
#[derive(Debug, Clone)]
enum Happens {
    Asks {
        user: usize,
        priority: u8,
        length: Seconds,
        specs: Vec<usize>,
        start: Option<Seconds>,
    },
    /// Time goes by, and there is a pass.
    Passes(Seconds),
    /// The clock is set back, and there is a pass.
    SetBack(Seconds),
    Ends(usize),
    Extends(usize, Seconds),
    /// A lease cannot be ended in time, whoever has booked its boards.
    Overruns(usize, Seconds),
    /// A job's time begins only now.
    Prolongs(usize, Seconds),
    /// A lease is somebody else's from now on.
    Given(usize, usize),
    /// The clock is set by so much, and everybody has what they had.
    ClockSet(i64),
    /// A board is taken out of the lab, or is there again.
    There(usize, bool),
    Usable(usize, bool),
    Window(usize, Seconds, Seconds),
    Forgets,
}

const USERS: [&str; 4] = ["alice", "bob/kernel", "carol/kernel", "dave"];
const SPECS: [&str; 5] = ["panda", "panda tag=hdmi", "ram>=1GB", "name=panda01", "beagle"];

fn shelf() -> Shelf {
    let mut shelf = Shelf::new(&[
        "panda01 panda ram=1GB",
        "panda02 panda ram=1GB hdmi",
        "panda03 panda ram=2GB",
    ]);
    shelf.board("beagle01 beagle ram=512MB", &[]);
    shelf.board("beagle02 beagle ram=1GB hdmi", &["kernel"]);
    shelf
}

fn happens() -> impl Strategy<Value = Happens> {
    let specs = prop::collection::vec(0..SPECS.len(), 1..4);
    let start = prop::option::weighted(0.2, 0..200_u64);
    prop_oneof![
        4 => (0..USERS.len(), 0..=100_u8, 1..100_u64, specs, start).prop_map(
            |(user, priority, length, specs, start)| Happens::Asks { user, priority, length, specs, start }
        ),
        4 => (0..60_u64).prop_map(Happens::Passes),
        1 => (0..300_u64).prop_map(Happens::SetBack),
        1 => Just(Happens::Forgets),
        1 => (0..20_usize).prop_map(Happens::Ends),
        1 => (0..20_usize, 1..200_u64).prop_map(|(which, more)| Happens::Extends(which, more)),
        1 => (0..20_usize, 1..200_u64).prop_map(|(which, more)| Happens::Overruns(which, more)),
        1 => (0..20_usize, 1..200_u64).prop_map(|(which, more)| Happens::Prolongs(which, more)),
        1 => (0..20_usize, 0..USERS.len()).prop_map(|(which, user)| Happens::Given(which, user)),
        1 => (-300..300_i64).prop_map(Happens::ClockSet),
        1 => (0..5_usize, any::<bool>()).prop_map(|(board, there)| Happens::There(board, there)),
        1 => (0..5_usize, any::<bool>()).prop_map(|(board, usable)| Happens::Usable(board, usable)),
        1 => (0..5_usize, 0..100_u64, 1..50_u64).prop_map(|(board, from, length)| Happens::Window(board, from, length)),
    ]
}

/// A lab with a book of its own of who has had which board.
struct Witness {
    shelf: Shelf,
    now: Seconds,
    asked: Vec<RequestId>,
    holds: BTreeMap<BoardIx, RequestId>,
    windows: BTreeMap<BoardIx, (Seconds, Seconds)>,
}

impl Witness {
    fn sees(&mut self, happens: Happens) -> Result<(), TestCaseError> {
        match happens {
            Happens::Asks { user, priority, length, specs, start } => {
                let specs: Vec<_> = specs.into_iter().map(|spec| SPECS[spec]).collect();
                let start = start.map(|start| self.now + start);
                let id = self.shelf.ask_as(USERS[user], priority, length, &specs, self.now, start);
                self.asked.push(id);
            }
            Happens::Passes(time) => {
                self.now += time;
                self.pass()?;
            }
            Happens::SetBack(time) => {
                self.now -= time.min(self.now);
                self.pass()?;
            }
            Happens::Ends(which) => {
                if let Some(id) = self.asked.get(which).copied()
                    && self.shelf.lab.end(id, self.now).is_ok()
                {
                    self.holds.retain(|_, holder| *holder != id);
                }
            }
            Happens::Extends(which, until) => {
                let until = self.now + until;
                if let Some(id) = self.asked.get(which).copied()
                    && self.shelf.lab.extend(id, until, self.now).is_ok()
                {
                    prop_assert_eq!(self.shelf.lab.lease(id).unwrap().until, until);
                }
            }
            Happens::Overruns(which, more) => {
                if let Some(id) = self.asked.get(which).copied()
                    && let Some(until) = self.shelf.lab.lease(id).map(|lease| lease.until + more)
                {
                    self.shelf.lab.overrun(id, until, self.now).unwrap();
                }
            }
            Happens::Prolongs(which, more) => {
                let until = self.now + more;
                if let Some(id) = self.asked.get(which).copied()
                    && self.shelf.lab.prolong(id, until, self.now).is_ok()
                {
                    prop_assert_eq!(self.shelf.lab.lease(id).unwrap().until, until);
                }
            }
            Happens::Given(which, user) => {
                if let Some(id) = self.asked.get(which).copied() {
                    let (user, group) =
                        USERS[user].split_once('/').map_or((USERS[user], None), |(user, group)| {
                            (user, Some(group.to_owned()))
                        });
                    self.shelf.lab.hand_over(id, user, group, self.now);
                }
            }
            Happens::ClockSet(by) => {
                let left = self.left();
                self.shelf.lab.clock_set(by.max(-self.now.cast_signed()), |_| true, |_| true);
                self.now = self.now.saturating_add_signed(by);
                prop_assert_eq!(self.left(), left, "everybody has what they had");
            }
            Happens::There(board, true) => {
                let board = self.shelf.lab.board(BoardIx(board)).clone();
                self.shelf.lab.put(board);
            }
            Happens::There(board, false) => self.shelf.lab.take_out(BoardIx(board)),
            Happens::Forgets => {
                self.shelf.lab.forget(self.now);
                // A maintenance that is over stays so, whatever becomes of the clock.
                self.windows.retain(|_, (_, until)| self.now < *until);
            }
            Happens::Usable(board, usable) => self.shelf.lab.set_usable(BoardIx(board), usable),
            Happens::Window(board, from, length) => {
                let window = (self.now + from, self.now + from + length);
                if self.shelf.lab.set_windows(BoardIx(board), &[window], self.now).is_ok() {
                    self.windows.insert(BoardIx(board), window);
                }
            }
        }
        Ok(())
    }

    fn pass(&mut self) -> Result<(), TestCaseError> {
        for id in self.shelf.lab.over(self.now) {
            self.shelf.lab.end(id, self.now).unwrap();
            self.holds.retain(|_, holder| *holder != id);
        }
        let pass = self.shelf.lab.pass(self.now);
        prop_assert_eq!(&pass, &self.shelf.lab.pass(self.now), "the same lab decides the same");
        let order = self.order();
        for decision in &pass.decisions {
            let wanted = self.wanted(decision.request());
            self.shelf
                .lab
                .apply(decision, self.now)
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            let (boards, from, until) = decision.slot(self.now);
            prop_assert_eq!(boards.len(), wanted.len(), "all or none");
            for (board, (spec, group)) in boards.iter().zip(wanted) {
                let there = self.shelf.lab.board(*board);
                prop_assert!(spec.parse::<Spec>().unwrap().answers(&there.traits));
                prop_assert!(
                    there.groups.is_empty()
                        || group.is_some_and(|group| there.groups.contains(group))
                );
                let usable = self.shelf.lab.boards[board.0].usable();
                prop_assert!(usable, "only what is there and can be used is given");
                let window = self.windows.get(board).copied().unwrap_or_default();
                prop_assert!(until <= window.0 || window.1 <= from, "not in maintenance");
                if matches!(decision, Decision::Lease { .. }) {
                    let holder = self.holds.insert(*board, decision.request());
                    prop_assert_eq!(holder, None, "nobody has it");
                }
            }
        }
        // Who comes first is not put off by what the others were given, unless their use of it puts
        // somebody else first.
        let again = self.shelf.lab.pass(self.now);
        if let (Some(first), Some(now)) = (pass.planned.first(), again.planned.first())
            && first.request == now.request
            && self.before(first.request) == before_of(&order, first.request)
        {
            prop_assert!(now.at <= first.at, "{:?} is put off: {:?}", first, now);
        }
        Ok(())
    }

    /// How long each lease goes on.
    fn left(&self) -> Vec<(RequestId, Seconds)> {
        let leases = self.shelf.lab.leases.values();
        leases.map(|lease| (lease.request.id, lease.until.saturating_sub(self.now))).collect()
    }

    /// From now on all boards are there, and well.
    fn repair(&mut self) {
        for board in (0..5).map(BoardIx) {
            let there = self.shelf.lab.board(board).clone();
            self.shelf.lab.put(Board { usable: true, ..there });
        }
    }

    /// Who comes first of those who can be served at all.
    fn first(&self) -> Option<RequestId> {
        let never = |id: &RequestId| {
            let because = self.shelf.lab.why(*id, self.now).unwrap().because;
            matches!(because, Because::NoBoard { .. } | Because::TooFew { .. })
        };
        self.order().into_iter().find(|id| !never(id))
    }

    fn order(&self) -> Vec<RequestId> {
        self.shelf.lab.order(self.now).into_iter().map(|(_, request)| request.id).collect()
    }

    fn before(&self, id: RequestId) -> Vec<RequestId> {
        before_of(&self.order(), id)
    }

    /// What a request asks for: a description for each board, and in whose name.
    fn wanted(&self, id: RequestId) -> Vec<(String, Option<&'static str>)> {
        let lab = &self.shelf.lab;
        let request = lab.waiting.get(&id).or_else(|| Some(&lab.booking(id)?.request)).unwrap();
        let group = USERS.iter().filter_map(|user| user.split_once('/')).map(|(_, group)| group);
        let group = group.clone().find(|group| request.group.as_deref() == Some(group));
        request.wants.iter().map(|class| (lab.classes[class.0].spec.to_string(), group)).collect()
    }
}

/// Those before one in a queue.
fn before_of(order: &[RequestId], id: RequestId) -> Vec<RequestId> {
    order.iter().copied().take_while(|other| *other != id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..Default::default() })]

    #[test]
    fn no_board_has_two_holders_and_everybody_gets_what_they_asked_for(
        all in prop::collection::vec(happens(), 1..60)
    ) {
        let mut witness =
            Witness { shelf: shelf(), now: 1000, asked: Vec::new(), holds: BTreeMap::new(), windows: BTreeMap::new() };
        for what in all {
            witness.sees(what)?;
        }
        // When nobody asks any more and all boards are well, all who can be served are: no deadlock.
        witness.repair();
        for _ in 0..500 {
            if witness.shelf.lab.waiting().len() == 0 {
                break;
            }
            witness.now += 60;
            witness.pass()?;
        }
        let left: Vec<_> = witness.shelf.lab.waiting().map(|request| request.id).collect();
        for id in left {
            let because = witness.shelf.lab.why(id, witness.now).unwrap().because;
            let never = matches!(because, Because::NoBoard { .. } | Because::TooFew { .. });
            prop_assert!(never, "{id} still waits: {because:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..Default::default() })]

    #[test]
    fn who_comes_first_is_served_when_what_is_known_now_is_over_whoever_comes(
        all in prop::collection::vec(happens(), 1..60),
        crowd in prop::collection::vec((1..100_u64, 0..SPECS.len()), 30),
    ) {
        let mut witness =
            Witness { shelf: shelf(), now: 1000, asked: Vec::new(), holds: BTreeMap::new(), windows: BTreeMap::new() };
        for what in all {
            witness.sees(what)?;
        }
        witness.repair();
        witness.pass()?;
        let lab = &witness.shelf.lab;
        let starts = |id: &RequestId| lab.waiting[id].start.is_none_or(|at| at <= witness.now);
        if let Some(first) = witness.first().filter(starts) {
            let leases = lab.leases.values().chain(lab.bookings.values()).map(|lease| lease.until);
            let windows = witness.windows.values().map(|(_, until)| *until);
            let over = leases.chain(windows).max().unwrap_or(0).max(witness.now);
            // Each of the crowd a user of their own, without any priority.
            for (number, (length, spec)) in crowd.iter().cycle().enumerate() {
                if witness.first() != Some(first) {
                    break;
                }
                prop_assert!(witness.now <= over, "{first} waits, and all was over at {over}");
                let user = format!("newcomer{number}");
                witness.shelf.ask(&user, *length, &[SPECS[*spec]], witness.now);
                witness.now += 20;
                // Another one may have come first in the pass itself, and be gone from the queue after it.
                if witness.first() != Some(first) {
                    break;
                }
                witness.pass()?;
            }
        }
    }
}

#[test]
fn nobody_starves() {
    // One who wants all the boards at once with no priority, against a crowd that always wants more than there
    // is, with the highest, each a user of their own.
    let mut shelf = shelf();
    let patient =
        shelf.ask("alice/kernel", HOUR, &["panda", "panda", "panda", "beagle", "beagle"], 0);
    let mut now = 0;
    while shelf.has(patient).is_empty() {
        shelf.ask_as(&format!("user{now}"), 100, 35 * MINUTE, &["ram>=1GB"], now, None);
        shelf.pass(now);
        now += 10 * MINUTE;
        assert!(now < 3 * DAY, "starved");
    }
    assert!(now > DAY / 2, "the crowd went before");
    assert!(shelf.lab.waiting().len() > 10, "there was a crowd");
}
