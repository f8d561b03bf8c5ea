//! Where a request stands, in words.

use std::collections::HashMap;

use super::state::{Record, State};
use crate::model::{Points, RequestInfo, RequestState, Waiting, units};
use crate::sched::score::Score;
use crate::sched::{Because, BoardIx, RequestId, Seconds, Why};

/// So many boards are named in a sentence.
const NAMED: usize = 4;

impl State {
    /// A request that has not ended, and what it waits for.
    pub(super) fn standing(&self, id: u64) -> Option<RequestInfo> {
        let info = self.plain_standing(self.requests.get(&id)?);
        let now = units::now_us() / 1_000_000;
        let waiting = self.lab.why(id, now).map(|why| self.waiting(&why));
        Some(RequestInfo { waiting, ..info })
    }

    /// All that have not ended: who waits, who comes first first, then bookings and leases. What those
    /// wait for is told shortly: to find it out for each of many takes long.
    pub(super) fn standings(&self) -> Vec<RequestInfo> {
        let now = units::now_us() / 1_000_000;
        let queue = self.lab.queue(now);
        let planned = if queue.is_empty() { Vec::new() } else { self.lab.pass(now).planned };
        let planned: HashMap<RequestId, Seconds> =
            planned.into_iter().map(|plan| (plan.request, plan.at)).collect();
        let waiting = queue.iter().enumerate().filter_map(|(at, (id, score))| {
            let info = self.plain_standing(self.requests.get(id)?);
            let estimate_us = planned.get(id).map(|at| at * 1_000_000);
            let (position, score) = (at + 1, points(score));
            let (why, never) = (String::new(), false);
            let waiting = Waiting { position, estimate_us, why, never, score };
            Some(RequestInfo { waiting: Some(waiting), ..info })
        });
        let others = self.requests.values();
        let others = others.filter(|record| record.info.state != RequestState::Waiting);
        waiting.chain(others.map(|record| self.plain_standing(record))).collect()
    }

    fn plain_standing(&self, record: &Record) -> RequestInfo {
        let ready = record.info.state == RequestState::Leased && self.is_told(&record.info);
        let refused = || record.info.boards.iter().find_map(|board| self.refused.get(board));
        let leased = record.info.state == RequestState::Leased;
        let unready = if leased && !ready { refused().cloned() } else { None };
        RequestInfo { ready, unready, ..record.info.clone() }
    }

    fn waiting(&self, why: &Why) -> Waiting {
        let (why_text, estimate) = self.sentence(&why.because);
        Waiting {
            position: why.ahead + 1,
            estimate_us: estimate.map(|at| at * 1_000_000),
            why: why_text,
            never: matches!(why.because, Because::NoBoard { .. } | Because::TooFew { .. }),
            score: points(&why.score),
        }
    }

    fn sentence(&self, because: &Because) -> (String, Option<Seconds>) {
        match because {
            Because::NoBoard { unheard, .. } if unheard.is_empty() => {
                ("no board is all of this that you may have".into(), None)
            }
            Because::NoBoard { unheard, .. } => {
                (format!("no board that you may have answers to {}", unheard.join(" ")), None)
            }
            Because::TooFew { wanted, boards } => {
                let answer = self.names(boards);
                (format!("it wants {wanted} boards, and only {answer} answer to that"), None)
            }
            Because::Away { boards } => {
                let away = boards.iter().take(NAMED).map(|ix| self.away(*ix));
                (format!("not to be had: {}", away.collect::<Vec<_>>().join("; ")), None)
            }
            Because::Now => ("it is given its boards now".into(), None),
            Because::Later { start, booked: true } => {
                (format!("boards are booked for it from {} on", time(*start)), Some(*start))
            }
            Because::Later { start, booked: false } => {
                let at = time(*start);
                (
                    format!("it is to start at {at}, and no boards can be booked for then"),
                    Some(*start),
                )
            }
            Because::Planned { at, boards } => {
                let held = boards.iter().map(|(board, holder)| self.held(*board, *holder));
                let held: Vec<_> = held.take(NAMED).collect();
                (
                    format!("its turn is at {} at the latest: {}", time(*at), held.join("; ")),
                    Some(*at),
                )
            }
            Because::Behind { about } => {
                let text =
                    format!("others come before it; it may be its turn about {}", time(*about));
                (text, Some(*about))
            }
        }
    }

    fn held(&self, board: BoardIx, holder: Option<(RequestId, Seconds)>) -> String {
        let name = &self.lab.board(board).traits.name;
        let Some((id, until)) = holder else { return format!("{name} is kept for it") };
        let user = self.requests.get(&id).map_or("somebody", |record| record.info.user.as_str());
        format!("{name} is {user}'s until {}", time(until))
    }

    fn away(&self, board: BoardIx) -> String {
        let name = &self.lab.board(board).traits.name;
        let Some(board) = self.boards.get(name) else { return format!("{name} is gone") };
        match &board.away {
            _ if !board.health.is_usable() && board.reason.is_empty() => {
                format!("{name} is {}", board.health)
            }
            _ if !board.health.is_usable() => {
                format!("{name} is {} ({})", board.health, board.reason)
            }
            Some(away) => format!("{name}: {away}"),
            None => format!("{name} is back"),
        }
    }

    fn names(&self, boards: &[BoardIx]) -> String {
        let names = boards.iter().take(NAMED).map(|ix| self.lab.board(*ix).traits.name.to_string());
        let names: Vec<_> = names.collect();
        match boards.len() {
            0 => "none".into(),
            count if count > NAMED => format!("{count} ({}, …)", names.join(", ")),
            count => format!("{count} ({})", names.join(", ")),
        }
    }
}

fn points(score: &Score) -> Points {
    // Rounded: for people.
    let whole = |points: f64| points.round() as i64;
    Points { priority: whole(score.priority), waited: whole(score.waited), used: whole(score.used) }
}

fn time(at: Seconds) -> String {
    let text = units::time_text(at * 1_000_000);
    text.replace(".000Z", "Z")
}
