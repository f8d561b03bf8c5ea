//! Who may write to a console.

use serde::{Deserialize, Serialize};

use crate::model::event::Mode;
use crate::wire::attach::Session as SessionRow;

/// Names a session within its daemon.
pub(super) type SessionId = u64;

/// The sessions of a console and its write lock.
///
/// Without a holder every session that wants to write may. With one, only the holder may. Taking
/// the lock by force remembers from whom; it goes back there when it is released.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct WriteLock {
    /// In the order of their attaching. `mode` is what each asked for.
    sessions: Vec<SessionRow>,
    holder: Option<SessionId>,
    /// Sessions that the lock was taken from, the latest last.
    displaced: Vec<SessionId>,
    /// How often the lock was taken by force.
    forced: u64,
}

impl WriteLock {
    /// Adds a session. One that asks for exclusive use gets it when nobody has it.
    pub(super) fn attach(&mut self, session: SessionRow) {
        if session.mode == Mode::Exclusive && self.holder.is_none() {
            self.holder = Some(session.session);
        }
        self.sessions.push(session);
    }

    /// Removes a session, and gives back the lock if it had it: `Some` new holder then.
    pub(super) fn detach(&mut self, id: SessionId) -> Option<Option<SessionRow>> {
        self.sessions.retain(|session| session.session != id);
        self.displaced.retain(|displaced| *displaced != id);
        (self.holder == Some(id)).then(|| self.pass_on())
    }

    /// Takes the lock for a session, and tells whose it was.
    pub(super) fn force(&mut self, id: SessionId) -> Option<SessionRow> {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.session == id)
            && session.mode == Mode::Spy
        {
            session.mode = Mode::Rw;
        }
        let from = self.holder.replace(id).filter(|from| *from != id);
        self.forced += 1;
        self.displaced.retain(|displaced| *displaced != id);
        self.displaced.extend(from);
        from.and_then(|from| self.get(from))
    }

    /// A session types.
    pub(super) fn typed(&mut self, id: SessionId, time_us: u64) {
        let session = self.sessions.iter_mut().find(|session| session.session == id);
        if let Some(session) = session {
            session.typed_us = Some(time_us);
        }
    }

    /// How often the lock was taken by force.
    pub(super) fn forced(&self) -> u64 {
        self.forced
    }

    /// Gives the lock back: `Some` new holder if the session had it.
    pub(super) fn release(&mut self, id: SessionId) -> Option<Option<SessionRow>> {
        if self.holder != Some(id) {
            return None;
        }
        if let Some(session) = self.sessions.iter_mut().find(|session| session.session == id) {
            session.mode = Mode::Rw;
        }
        Some(self.pass_on())
    }

    /// A session takes part as this from now on: `Some` new holder if it had the lock and has not now.
    pub(super) fn set_mode(&mut self, id: SessionId, mode: Mode) -> Option<Option<SessionRow>> {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.session == id) {
            session.mode = mode;
        }
        self.displaced.retain(|displaced| *displaced != id);
        match mode {
            Mode::Exclusive if self.holder.is_none() => self.holder = Some(id),
            Mode::Exclusive => {}
            Mode::Rw | Mode::Spy if self.holder == Some(id) => return Some(self.pass_on()),
            Mode::Rw | Mode::Spy => {}
        }
        None
    }

    /// A session as it asked to be.
    pub(super) fn asked(&self, id: SessionId) -> Option<&SessionRow> {
        self.sessions.iter().find(|session| session.session == id)
    }

    /// The mode in which a session is at the moment.
    pub(super) fn mode(&self, id: SessionId) -> Mode {
        let Some(session) = self.sessions.iter().find(|session| session.session == id) else {
            return Mode::Spy;
        };
        match self.holder {
            Some(holder) if holder == id => Mode::Exclusive,
            Some(_) => Mode::Spy,
            None => session.mode,
        }
    }

    /// All sessions, each with the mode in which it is at the moment.
    pub(super) fn sessions(&self) -> Vec<SessionRow> {
        self.sessions.iter().map(|session| self.current(session)).collect()
    }

    pub(super) fn holder(&self) -> Option<SessionRow> {
        self.holder.and_then(|id| self.get(id))
    }

    /// The lock goes to whom it was taken from last, else to the first who asked for exclusive use.
    fn pass_on(&mut self) -> Option<SessionRow> {
        let waiting = || {
            let wants = |session: &&SessionRow| session.mode == Mode::Exclusive;
            self.sessions.iter().find(wants).map(|session| session.session)
        };
        self.holder = self.displaced.pop().or_else(waiting);
        self.holder()
    }

    fn get(&self, id: SessionId) -> Option<SessionRow> {
        let session = self.sessions.iter().find(|session| session.session == id);
        session.map(|session| self.current(session))
    }

    fn current(&self, session: &SessionRow) -> SessionRow {
        SessionRow { mode: self.mode(session.session), ..session.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock_with(sessions: &[(SessionId, Mode)]) -> WriteLock {
        let mut lock = WriteLock::default();
        for (id, mode) in sessions {
            lock.attach(SessionRow {
                session: *id,
                user: format!("user{id}"),
                mode: *mode,
                via: "raw".into(),
                peer: String::new(),
                since_us: 0,
                idle_s: 0,
                typed_us: None,
                stay: false,
            });
        }
        lock
    }

    #[test]
    fn everybody_writes_until_somebody_holds_the_console() {
        let mut lock = lock_with(&[(1, Mode::Rw), (2, Mode::Rw), (3, Mode::Spy)]);
        assert_eq!([1, 2, 3].map(|id| lock.mode(id)), [Mode::Rw, Mode::Rw, Mode::Spy]);
        assert_eq!(lock.force(2), None);
        assert_eq!([1, 2, 3].map(|id| lock.mode(id)), [Mode::Spy, Mode::Exclusive, Mode::Spy]);
        assert_eq!(lock.release(2), Some(None));
        assert_eq!([1, 2, 3].map(|id| lock.mode(id)), [Mode::Rw, Mode::Rw, Mode::Spy]);
    }

    #[test]
    fn a_forced_lock_goes_back_to_whom_it_was_taken_from() {
        let mut lock = lock_with(&[(7, Mode::Exclusive), (8, Mode::Rw), (9, Mode::Rw)]);
        assert_eq!(lock.force(8).map(|from| from.session), Some(7));
        assert_eq!(lock.force(9).map(|from| from.session), Some(8));
        assert_eq!(lock.release(9).flatten().map(|to| to.session), Some(8));
        assert_eq!(lock.detach(8).flatten().map(|to| to.session), Some(7));
        assert_eq!(lock.mode(7), Mode::Exclusive);
        assert_eq!(lock.release(9), None);
    }

    #[test]
    fn who_becomes_a_spy_gives_the_lock_back_and_is_not_given_it_again() {
        let mut lock = lock_with(&[(1, Mode::Exclusive), (2, Mode::Rw)]);
        lock.force(2);
        // Taken from 1, which does not want it any more.
        assert_eq!(lock.set_mode(1, Mode::Spy), None);
        assert_eq!(lock.set_mode(2, Mode::Spy), Some(None));
        assert_eq!([1, 2].map(|id| lock.mode(id)), [Mode::Spy, Mode::Spy]);
        assert_eq!(lock.set_mode(1, Mode::Exclusive), None);
        assert_eq!(lock.set_mode(2, Mode::Exclusive), None);
        assert_eq!([1, 2].map(|id| lock.mode(id)), [Mode::Exclusive, Mode::Spy]);
        let passed = lock.set_mode(1, Mode::Rw);
        assert_eq!(passed.flatten().map(|to| to.session), Some(2));
    }

    #[test]
    fn a_second_exclusive_session_waits_as_a_spy() {
        let mut lock = lock_with(&[(1, Mode::Exclusive), (2, Mode::Exclusive)]);
        assert_eq!(lock.mode(2), Mode::Spy);
        assert_eq!(lock.detach(1).flatten().map(|to| to.session), Some(2));
        assert_eq!(lock.mode(2), Mode::Exclusive);
    }
}
