//! What a console is beside its record, given by a process that ends to the one that goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::health::Vitals;
use super::lock::WriteLock;
use super::pending::Part;
use super::session::{NEXT_SESSION, Session, Stream};
use super::signs::Signs;
use super::state::RecentEvents;
use super::{Console, Item};
use crate::model::event::Mode;
use crate::model::line::Line;
use crate::port::{self, HandedPort};
use crate::wire::attach::PortState;

/// A console without an owner.
#[derive(Debug)]
pub struct Handed {
    pub state: HandedState,
    /// The open port, where it can be handed over.
    pub port: Option<HandedPort>,
}

/// A console's state. The record of its bytes is in its capture.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedState {
    /// The text form of the port that is open.
    pub(super) port: String,
    /// Whether it is open.
    #[serde(default)]
    pub(super) port_state: Option<PortState>,
    /// Who has closed the port, if somebody has.
    #[serde(default)]
    pub(super) down: Option<String>,
    /// The offset that the next byte will have, also when the capture could not be written lately.
    pub(super) head: u64,
    pub(super) line: Line,
    pub(super) lock: WriteLock,
    pub(super) events: RecentEvents,
    /// What was typed, and has not reached the port.
    pub(super) typed: Vec<Part>,
    #[serde(default, deserialize_with = "understood")]
    pub(super) vitals: Vitals,
    #[serde(default, deserialize_with = "understood")]
    pub(super) signs: Signs,
}

/// What is understood of a console's looks; another program's may be others, and it is no loss to begin
/// anew.
fn understood<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Default + DeserializeOwned,
    D: Deserializer<'de>,
{
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionMark {
    session: u64,
    /// The offset of the next byte that the client gets.
    offset: u64,
    /// The number of the next event.
    event: u64,
    /// The mode that the client knows of.
    mode: Mode,
    /// The client is still to be told its mode.
    untold: bool,
}

impl Handed {
    /// Nobody goes on with it: its port is closed, and a program on it ended.
    pub fn close(self) {
        if let Some(Err(error)) = self.port.map(port::resume) {
            tracing::debug!(%error, "a port that was handed over is gone");
        }
    }
}

impl Stream {
    /// Leaves the console in a way that the session can be taken up again by
    /// [`Console::rejoin`]: nobody is told that it went. What was given by [`Stream::next`] has to be
    /// delivered by whoever got it.
    pub fn leave(self) -> SessionMark {
        self.session.leave();
        SessionMark {
            session: self.session.id(),
            offset: self.offset,
            event: self.event,
            mode: self.mode,
            untold: self.ready.iter().any(|item| matches!(item, Item::Mode { .. })),
        }
    }
}

impl Console {
    /// Takes up a session again; `None` when the console does not know it.
    pub fn rejoin(self: &Arc<Self>, mark: SessionMark) -> Option<(Arc<Session>, Stream)> {
        let (user, mode, holder) = {
            let state = self.state();
            let row = state.lock.asked(mark.session)?;
            (row.user.clone(), state.lock.mode(mark.session), state.lock.holder())
        };
        let session = Arc::new(Session::new(self.clone(), mark.session, user));
        let untold = mark.untold || mode != mark.mode;
        let stream = Stream {
            head: self.head.subscribe(),
            offset: mark.offset,
            event: mark.event,
            mode,
            reader: None,
            ready: untold.then_some(Item::Mode { mode, by: None, holder }).into_iter().collect(),
            session: session.clone(),
        };
        Some((session, stream))
    }

    /// Lets go of every handed session whose client is not in `present`.
    pub fn forget_absent(self: &Arc<Self>, present: &[u64]) {
        let absent: Vec<_> = {
            let sessions = self.state().lock.sessions();
            sessions.into_iter().filter(|row| !present.contains(&row.session)).collect()
        };
        for row in absent {
            // Dropping it tells everybody that it went.
            drop(Session::new(self.clone(), row.session, row.user));
        }
    }
}

impl SessionMark {
    pub fn session(&self) -> u64 {
        self.session
    }
}

impl HandedState {
    /// The numbers of sessions to come are above all that were handed over.
    pub(super) fn reserve_sessions(&self) {
        let last = self.lock.sessions().iter().map(|row| row.session).max().unwrap_or(0);
        NEXT_SESSION.fetch_max(last + 1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_program_has_seen_otherwise_is_seen_anew() {
        let state = |vitals: &str, signs: &str| {
            let line = serde_json::to_string(&Line::default()).unwrap();
            let lock = serde_json::to_string(&WriteLock::default()).unwrap();
            let events = serde_json::to_string(&RecentEvents::default()).unwrap();
            let text = format!(
                r#"{{"port":"sim:uart","head":7,"line":{line},"lock":{lock},"events":{events},"typed":[],"vitals":{vitals},"signs":{signs}}}"#
            );
            serde_json::from_str::<HandedState>(&text).unwrap()
        };
        let other = state(r#"{"rate":{"second":5,"bytes":[1,2,3]}}"#, r#"{"told":{"burnt":1}}"#);
        assert_eq!(other.head, 7);
        // A sign that is not known here, behind a tail that is longer than ours.
        let tail = vec![b'x'; 4000];
        let open = r#"{"sign":99,"time_us":1,"at":1,"line":[66]}"#;
        let signs = format!(r#"{{"tail":{tail:?},"done":0,"open":{open}}}"#);
        let mut signs = state("{}", &signs).signs.checked();
        assert!(signs.feed(4000, 2, b"\r\nU-Boot 2023.01\r\n").len() == 1);
    }
}
