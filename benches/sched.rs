//! The scheduler's core, measured: `cargo bench --bench sched`.
//!
//! A pass over 10,000 boards and 100,000 requests that wait; then a year (`SCHED_DAYS`, 365 when it is not
//! set) of 3,000 boards and 10,000 requests a day, with boards that fail and come back, leases that end
//! early, requests for several boards and bookings. Every lease is checked against a book of its own: no
//! board has two holders. How long people wait, at worst, too, is told, and nothing is asserted of it: that who
//! comes first is served as soon as its boards are free is a property of `src/sched/tests/life.rs`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that prints a table")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use lavamux::sched::{Board, BoardIx, Decision, Lab, Request, RequestId, Seconds, Spec, Traits};

const HOUR: Seconds = 3600;
const DAY: Seconds = 24 * HOUR;
/// A server looks when something has happened, and not more often than this.
const LOOK: Seconds = 30;

/// Device types, how many of 100 boards are of it, and what a request asks for instead of the type.
const KINDS: [(&str, u64, &str); 8] = [
    ("panda", 25, "arch=armv7 ram>=1GB"),
    ("beagle", 20, "arch=armv7 tag=sdmux"),
    ("rpi4", 20, "arch=arm64 ram>=4GB"),
    ("juno", 5, "arch=arm64 tag=pcie"),
    ("x86", 15, "arch=x86_64 cpus>=8"),
    ("riscv", 5, "arch=riscv64"),
    ("qemu", 8, "tag=virtual"),
    ("rock5", 2, "arch=arm64 ram>=8GB cpus>=8"),
];

fn main() {
    println!("| what | figure |\n|---|---|");
    one_pass();
    let days = std::env::var("SCHED_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(365);
    year(days);
}

/// A pass where nearly all boards are taken and nearly all requests wait.
fn one_pass() {
    let mut random = Random(7);
    let mut lab = lab(10_000, &mut random);
    for id in 0..110_000 {
        let request = random.request(&mut lab, id, id);
        lab.submit(request).unwrap();
    }
    let now = 200_000;
    let begin = Instant::now();
    let first = lab.pass(now);
    let filled = begin.elapsed();
    for decision in &first.decisions {
        lab.apply(decision, now).unwrap();
    }
    let mut passes: Vec<_> = (1..=9)
        .map(|at| {
            let begin = Instant::now();
            let pass = lab.pass(now + at);
            (begin.elapsed(), pass.planned.len())
        })
        .collect();
    passes.sort();
    let (median, planned) = passes[4];
    println!(
        "| the pass that fills 10,000 boards from 110,000 requests ({} leases) | {filled:.1?} |",
        first.decisions.len()
    );
    println!(
        "| a pass with 10,000 boards and {} waiting ({planned} planned) | {median:.1?} |",
        lab.waiting().len()
    );
    let last = lab.waiting().last().unwrap().id;
    let begin = Instant::now();
    lab.why(last, now).unwrap();
    println!("| why the last of them waits | {:.1?} |", begin.elapsed());
    all_who_wait(&lab, now);
}

/// What a server does after each change: a look, from which a thousand who wait are told why.
fn all_who_wait(lab: &Lab, now: Seconds) {
    let asking: Vec<_> = lab.waiting().map(|request| request.id).take(1000).collect();
    let begin = Instant::now();
    let view = lab.view(now);
    let looked = begin.elapsed();
    println!("| a look for all of them, the pass included | {looked:.1?} |");
    let begin = Instant::now();
    let told = asking.iter().filter(|id| lab.why_in(&view, **id).is_some()).count();
    println!(
        "| … and to tell {told} of them why they wait, from that look | {:.1?} |",
        begin.elapsed()
    );
    let begin = Instant::now();
    let each = asking.iter().take(10).filter(|id| lab.why(**id, now).is_some()).count();
    let once = begin.elapsed() / u32::try_from(each).unwrap();
    println!("| … and one of them, with a look of its own | {once:.1?} |");
}

/// Months of a busy lab.
fn year(days: u64) {
    let mut random = Random(11);
    let mut lab = lab(3_000, &mut random);
    let mut seen = Seen::default();
    // When leases end, which is mostly before they have to; and when boards are well again.
    let mut ends: BinaryHeap<Reverse<(Seconds, RequestId)>> = BinaryHeap::new();
    let mut back: BinaryHeap<Reverse<(Seconds, BoardIx)>> = BinaryHeap::new();
    let (begin, mut next, mut asked) = (Instant::now(), 0, 0);
    let mut now = 0;
    while now < days * DAY {
        let before = (asked, ends.len(), back.len());
        while next <= now {
            let request = random.request(&mut lab, asked, now);
            lab.submit(request).unwrap();
            asked += 1;
            // Every 8.5 s: a few more than 10,000 a day.
            next += random.below(16) + 1;
        }
        while ends.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, id))) = ends.pop() else { break };
            seen.ended(lab.end(id, now).unwrap().unwrap().boards.len() as u64, id, now);
        }
        if random.below(DAY / LOOK / 20) == 0 {
            let board = lab.find(&format!("board{:05}", random.below(3_000))).unwrap();
            lab.set_usable(board, false);
            back.push(Reverse((now + HOUR + random.below(DAY), board)));
        }
        while back.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, board))) = back.pop() else { break };
            lab.set_usable(board, true);
        }
        if before != (asked, ends.len(), back.len()) {
            let looked = Instant::now();
            let pass = lab.pass(now);
            seen.passes.push(looked.elapsed());
            for decision in &pass.decisions {
                seen.decided(&lab, decision, now);
                lab.apply(decision, now).unwrap();
                if let Decision::Lease { request, until, .. } = decision {
                    let early = random.below(3) > 0;
                    let length = until - now;
                    let end = if early {
                        now + length / 10 + random.below(length) * 9 / 10
                    } else {
                        *until
                    };
                    ends.push(Reverse((end, *request)));
                }
            }
        }
        if now % HOUR == 0 {
            // Bookings that nobody could be found a board for.
            let missed = lab.over(now).into_iter().filter(|id| lab.booking(*id).is_some());
            for id in missed.collect::<Vec<_>>() {
                lab.end(id, now).unwrap();
                seen.missed += 1;
            }
            lab.forget(now);
        }
        now += LOOK;
    }
    seen.tell(days, asked, lab.waiting().len(), begin.elapsed());
}

/// The bench's own book of the year.
#[derive(Default)]
struct Seen {
    holds: BTreeMap<BoardIx, RequestId>,
    waits: Vec<Seconds>,
    several: Vec<Seconds>,
    passes: Vec<Duration>,
    board_seconds: u64,
    began: BTreeMap<RequestId, Seconds>,
    missed: u64,
}

impl Seen {
    fn decided(&mut self, lab: &Lab, decision: &Decision, now: Seconds) {
        let Decision::Lease { request, boards, .. } = decision else { return };
        for board in boards {
            let other = self.holds.insert(*board, *request);
            assert!(other.is_none(), "{board:?} has two holders: {other:?} and {request}");
        }
        self.began.insert(*request, now);
        let asked =
            lab.waiting().find(|other| other.id == *request).map(|request| request.submitted);
        if let Some(asked) = asked {
            self.waits.push(now - asked);
            if boards.len() > 1 {
                self.several.push(now - asked);
            }
        }
    }

    fn ended(&mut self, boards: u64, id: RequestId, now: Seconds) {
        self.holds.retain(|_, holder| *holder != id);
        let began = self.began.remove(&id).unwrap_or(now);
        self.board_seconds += boards * (now - began);
    }

    fn tell(mut self, days: u64, asked: u64, left: usize, took: Duration) {
        let percentile = |all: &mut Vec<Seconds>, of: usize| {
            all.sort_unstable();
            all.get(all.len().saturating_sub(1) * of / 100).copied().unwrap_or(0)
        };
        self.passes.sort();
        let used = self.board_seconds * 100 / (3_000 * days * DAY);
        println!(
            "| {days} days, 3,000 boards, {asked} requests: the whole simulation | {took:.0?} |"
        );
        println!("| boards in use | {used} % |");
        let (median, worst) = (percentile(&mut self.waits, 50), percentile(&mut self.waits, 99));
        println!(
            "| wait for a board, p50 / p99 / worst | {median} s / {worst} s / {} s |",
            percentile(&mut self.waits, 100)
        );
        let (median, worst) =
            (percentile(&mut self.several, 50), percentile(&mut self.several, 99));
        println!(
            "| wait for two to four at once, p50 / p99 / worst | {median} s / {worst} s / {} s |",
            percentile(&mut self.several, 100)
        );
        println!("| still waiting at the end; bookings missed | {left}; {} |", self.missed);
        let at = |of: usize| self.passes[(self.passes.len() - 1) * of / 100];
        println!("| {} passes, p50 / p99 | {:.1?} / {:.1?} |", self.passes.len(), at(50), at(99));
    }
}

/// A lab of so many boards, a few kinds of them.
fn lab(boards: u64, random: &mut Random) -> Lab {
    let mut lab = Lab::default();
    for number in 0..boards {
        let (kind, _, asked) = random.kind();
        let mut attributes = BTreeMap::from([("rack".to_owned(), (number / 32).to_string())]);
        let mut tags = std::collections::BTreeSet::new();
        for word in asked.split(' ') {
            match word.replace(">=", "=").split_once('=') {
                Some(("tag", tag)) => drop(tags.insert(tag.to_owned())),
                Some((key, value)) => drop(attributes.insert(key.to_owned(), value.to_owned())),
                None => {}
            }
        }
        // One in ten asks for it. With no more boards than that, chance leaves some kinds with fewer than are asked
        // for all day, and then who waits for them waits longer each day, whatever the queue does.
        if random.below(20) < 3 {
            tags.insert("hdmi".to_owned());
        }
        let name = format!("board{number:05}").parse().unwrap();
        let traits = Traits { name, kind: kind.parse().unwrap(), tags, attributes };
        lab.put(Board { traits, groups: Default::default(), usable: true, only: None });
    }
    lab
}

/// The same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }

    fn kind(&mut self) -> (&'static str, u64, &'static str) {
        let mut of = self.below(100);
        let found = KINDS.iter().find(|(_, share, _)| {
            let here = of < *share;
            of = of.saturating_sub(*share);
            here
        });
        *found.unwrap_or(&KINDS[0])
    }

    /// Mostly one board for an hour or two; one in twenty for several, one in fifty booked in advance.
    fn request(&mut self, lab: &mut Lab, id: RequestId, now: Seconds) -> Request {
        let several = if self.below(20) == 0 { 2 + self.below(3) } else { 1 };
        let wants = (0..several)
            .map(|_| {
                let (kind, _, asked) = self.kind();
                let spec: Spec = match self.below(10) {
                    0 => format!("{kind} tag=hdmi").parse().unwrap(),
                    1..=3 => asked.parse().unwrap(),
                    _ => kind.parse().unwrap(),
                };
                lab.class(&spec, None)
            })
            .collect();
        let start = (self.below(50) == 0).then(|| now + HOUR + self.below(DAY));
        Request {
            id,
            user: format!("user{}", self.below(200)),
            group: None,
            priority: [0, 50, 50, 50, 100][self.below(5) as usize],
            submitted: now,
            start,
            length: 10 * 60 + self.below(16 * HOUR),
            wants,
        }
    }
}
