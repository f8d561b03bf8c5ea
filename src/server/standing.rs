//! Where a request stands, in words.

use super::seconds_now;
use super::state::{Record, State};
use crate::model::{DaemonKind, Name, Points, RequestInfo, RequestState, Waiting, units};
use crate::sched::score::Score;
use crate::sched::{Because, BoardIx, RequestId, Seconds, View};

/// So many boards are named in a sentence.
const NAMED: usize = 4;

impl State {
    /// A request that has not ended, and what it waits for.
    pub(super) fn standing(&self, id: RequestId) -> Option<RequestInfo> {
        let info = self.plain_standing(self.requests.get(&id)?);
        let waiting = match info.state {
            RequestState::Waiting if self.view.in_line(id).is_none() => {
                self.waiting(&self.lab.view(seconds_now()), id)
            }
            _ => self.waiting(&self.view, id),
        };
        Some(RequestInfo { waiting, ..info })
    }

    /// The same, without what it waits for: that takes a look at the queue.
    pub(super) fn plain_standing(&self, record: &Record) -> RequestInfo {
        let (ready, unready) = self.readiness(&record.info);
        RequestInfo { ready, unready, ..record.info.clone() }
    }

    /// Whether the daemons know of a lease, and what one that does not has answered.
    pub(super) fn readiness(&self, info: &RequestInfo) -> (bool, Option<String>) {
        if info.state != RequestState::Leased {
            return (false, None);
        }
        if self.is_told(info) {
            return (true, None);
        }
        let parts = |board: &Name| {
            [DaemonKind::Power, DaemonKind::Serial].map(|kind| (board.clone(), kind))
        };
        let mut parts = info.boards.iter().flat_map(parts);
        (false, parts.find_map(|part| self.refused.get(&part)).cloned())
    }

    /// What a request waits for.
    pub(super) fn waiting(&self, view: &View, id: RequestId) -> Option<Waiting> {
        let why = self.lab.why_in(view, id)?;
        let (text, estimate) = self.sentence(&why.because);
        Some(Waiting {
            position: why.ahead + 1,
            estimate_us: estimate.map(|at| at.saturating_mul(1_000_000)),
            why: text,
            never: matches!(why.because, Because::NoBoard { .. } | Because::TooFew { .. }),
            score: points(&why.score),
        })
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
        let Some((id, until)) = holder else {
            let now = seconds_now();
            let windows = self.boards.get(name).map_or(&[][..], |board| board.windows.as_slice());
            return match windows.iter().find(|(from, until)| (*from..*until).contains(&now)) {
                Some((_, until)) => format!("{name} is in maintenance until {}", time(*until)),
                None => format!("{name} is kept for it"),
            };
        };
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

pub(super) fn points(score: &Score) -> Points {
    // Rounded: for people.
    let whole = |points: f64| points.round() as i64;
    Points { priority: whole(score.priority), waited: whole(score.waited), used: whole(score.used) }
}

fn time(at: Seconds) -> String {
    let text = units::time_text(at.saturating_mul(1_000_000));
    text.replace(".000Z", "Z")
}
