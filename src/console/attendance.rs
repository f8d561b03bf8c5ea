//! Who is at a console, and since when each has done nothing.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::lock::SessionId;
use super::session::Session;
use super::supervisor::at;
use crate::config::Idle;
use crate::model::event::Mode;
use crate::model::{What, units};

/// So long before its time is over an idle session is told, at most; else a tenth of its time.
const WARNED_BEFORE: Duration = Duration::from_secs(60);

/// What is known of sessions beside the write lock. One that is not here has just been used.
#[derive(Debug, Default)]
pub(super) struct Attendance(HashMap<SessionId, Seat>);

#[derive(Debug)]
struct Seat {
    used: Instant,
    /// It was told that its time is soon over.
    warned: bool,
    /// Why it is over, when it is.
    ended: Option<String>,
}

/// What the daemon itself has to say to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Notice(String),
    /// The session is over: its client is to be let go.
    Ended(String),
}

/// What is to be done about an idle session.
enum Due {
    Warn,
    Act,
    /// Nothing before this time.
    Wait(Instant),
}

impl Attendance {
    /// The session has typed or asked for something.
    pub(super) fn touch(&mut self, id: SessionId) {
        let seat = self.seat(id);
        seat.used = Instant::now();
        seat.warned = false;
    }

    pub(super) fn leave(&mut self, id: SessionId) {
        self.0.remove(&id);
    }

    /// For how long it has done nothing.
    pub(super) fn idle(&self, id: SessionId) -> Duration {
        self.0.get(&id).map(|seat| seat.used.elapsed()).unwrap_or_default()
    }

    /// Ends a session; its client is let go as soon as it is served.
    pub(super) fn end(&mut self, id: SessionId, reason: String) {
        self.seat(id).ended = Some(reason);
    }

    fn ended(&self, id: SessionId) -> Option<String> {
        self.0.get(&id)?.ended.clone()
    }

    fn due(&mut self, id: SessionId, idle: Idle) -> Due {
        let seat = self.seat(id);
        let end = seat.used + idle.after;
        let warn = end - (idle.after / 10).min(WARNED_BEFORE);
        let now = Instant::now();
        if now >= end {
            return Due::Act;
        }
        if now < warn {
            return Due::Wait(warn);
        }
        if std::mem::replace(&mut seat.warned, true) { Due::Wait(end) } else { Due::Warn }
    }

    fn seat(&mut self, id: SessionId) -> &mut Seat {
        let new = || Seat { used: Instant::now(), warned: false, ended: None };
        self.0.entry(id).or_insert_with(new)
    }
}

impl Session {
    /// Waits for what the daemon has to say to this session: that it is idle, or over. Cancel safe.
    pub async fn told(&self) -> Told {
        let console = self.console();
        let mut manners = console.watch_manners();
        loop {
            let idle = manners.borrow_and_update().idle;
            let due = {
                let mut state = console.state();
                if let Some(reason) = state.attendance.ended(self.id()) {
                    return Told::Ended(reason);
                }
                let lasts = state.lock.asked(self.id()).is_none_or(|row| {
                    // Who only looks disturbs nobody.
                    row.stay || row.mode == Mode::Spy
                });
                idle.filter(|_| !lasts).map(|idle| (idle, state.attendance.due(self.id(), idle)))
            };
            let until = match due {
                None => None,
                Some((_, Due::Wait(until))) => Some(until),
                Some((idle, Due::Warn)) => return Told::Notice(self.warning(idle)),
                Some((idle, Due::Act)) => {
                    self.be_idle(idle);
                    continue;
                }
            };
            tokio::select! {
                // It fails only when the console is gone, which ends the session by itself.
                Ok(()) = manners.changed() => {}
                () = at(until) => {}
            }
        }
    }

    fn warning(&self, idle: Idle) -> String {
        let left = idle.after.saturating_sub(self.console().state().attendance.idle(self.id()));
        let then = if idle.leaves { "you are let go" } else { "you become a spy" };
        let left = units::time_span(left.as_secs().max(1));
        format!("you have typed nothing for a while: {then} in {left}")
    }

    /// The time is over.
    fn be_idle(&self, idle: Idle) {
        let seconds = idle.after.as_secs();
        let passed = {
            let mut state = self.console().state();
            if idle.leaves {
                let reason = format!("nothing typed for {}", units::time_span(seconds));
                state.attendance.end(self.id(), reason);
            }
            state.lock.set_mode(self.id(), Mode::Spy)
        };
        self.announce(What::Idle { seconds, leaves: idle.leaves });
        if let Some(to) = passed {
            self.announce(What::Released { to: to.map(|session| session.user) });
        }
    }
}
