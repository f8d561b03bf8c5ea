//! What a console's sessions and its supervisor share.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::attendance::Attendance;
use super::health::Vitals;
use super::lock::WriteLock;
use super::ring::Ring;
use crate::config::PortSpec;
use crate::model::Event;
use crate::wire::attach::{PortState, Session as SessionRow};

/// How many events are kept for sessions to read. A session that was stopped for longer finds them
/// in the capture.
const EVENTS: usize = 256;

#[derive(Debug)]
pub(super) struct State {
    pub(super) ring: Ring,
    pub(super) lock: WriteLock,
    pub(super) attendance: Attendance,
    pub(super) events: RecentEvents,
    /// The port's text form; people are shown another one.
    pub(super) spec: String,
    pub(super) shown: String,
    pub(super) port: PortState,
    pub(super) capture_error: Option<String>,
    pub(super) vitals: Vitals,
    /// When somebody typed last, or the board's power was switched; 0 is never.
    pub(super) used_us: u64,
}

impl State {
    pub(super) fn new(spec: &PortSpec) -> Self {
        Self {
            spec: spec.to_string(),
            shown: spec.shown(),
            ring: Ring::default(),
            lock: WriteLock::default(),
            attendance: Attendance::default(),
            events: RecentEvents::default(),
            port: PortState::Starting,
            capture_error: None,
            vitals: Vitals::default(),
            used_us: 0,
        }
    }

    /// All sessions as they are at the moment.
    pub(super) fn sessions(&self) -> Vec<SessionRow> {
        let mut sessions = self.lock.sessions();
        for row in &mut sessions {
            row.idle_s = self.attendance.idle(row.session).as_secs();
        }
        sessions
    }
}

/// The newest events, numbered from 0.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct RecentEvents {
    newest: VecDeque<Event>,
    /// The number that the next event will have.
    count: u64,
}

impl RecentEvents {
    /// How many there were so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.newest.len() == EVENTS {
            self.newest.pop_front();
        }
        self.newest.push_back(event);
        self.count += 1;
    }

    /// The event with this number, or the oldest that is left; and its number.
    pub(super) fn at(&self, number: u64) -> Option<(u64, &Event)> {
        let first = self.count - self.newest.len() as u64;
        let number = number.max(first);
        self.newest.get((number - first) as usize).map(|event| (number, event))
    }
}
