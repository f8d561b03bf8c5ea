//! Who may write to a console.

use serde::{Deserialize, Serialize};

use crate::model::event::Mode;
use crate::model::{Lease, units};
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
    /// Whose board it is for a time: others look on, unless they take the lock by force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Lease>,
}

impl WriteLock {
    /// Adds a session. One that asks for exclusive use gets it when nobody has it.
    pub(super) fn attach(&mut self, session: SessionRow) {
        if session.mode == Mode::Exclusive && self.holder.is_none() && !self.is_foreign(&session) {
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
            Mode::Exclusive if self.holder.is_none() => {
                let own = self.asked(id).is_some_and(|session| !self.is_foreign(session));
                self.holder = Some(id).filter(|_| own);
            }
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
            None if self.is_foreign(session) => Mode::Spy,
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

    /// The board is somebody's from now on, or nobody's in particular. Whether that is news. Who had the lock of a
    /// board that is somebody else's now has it no more.
    pub(super) fn set_lease(&mut self, lease: Option<Lease>) -> bool {
        let holder = |lease: &Option<Lease>| lease.as_ref().map(|lease| lease.holder.clone());
        let news = holder(&self.lease) != holder(&lease);
        self.lease = lease;
        let has = self.holder.and_then(|id| self.asked(id));
        if news && has.is_some_and(|session| self.is_foreign(session)) {
            self.pass_on();
        }
        news
    }

    /// Whose board it is, if it is somebody's now.
    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.is_on(units::now_us()))
    }

    fn is_foreign(&self, session: &SessionRow) -> bool {
        self.lease().is_some_and(|lease| !lease.may_use(&session.user))
    }

    /// The lock goes to whom it was taken from last, else to the first who asked for exclusive use. Not to
    /// somebody whose board it is not.
    fn pass_on(&mut self) -> Option<SessionRow> {
        let may = |id: &SessionId| self.asked(*id).is_some_and(|session| !self.is_foreign(session));
        let displaced = self.displaced.iter().rposition(may);
        let waiting = || {
            let wants = |session: &&SessionRow| session.mode == Mode::Exclusive;
            let mut wanting = self.sessions.iter().filter(wants).map(|session| session.session);
            wanting.find(may)
        };
        self.holder = match displaced {
            Some(at) => {
                let holder = self.displaced.get(at).copied();
                self.displaced.truncate(at);
                holder
            }
            None => waiting(),
        };
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

    #[test]
    fn whose_board_it_is_types_and_others_look_on_unless_by_force() {
        let mut lock = lock_with(&[(1, Mode::Exclusive), (2, Mode::Rw), (3, Mode::Rw)]);
        let lease = |holder: &str, until_us| Lease {
            holder: holder.into(),
            shared_with: vec!["user3".into()],
            since_us: 0,
            until_us,
            reason: None,
        };
        assert!(lock.set_lease(Some(lease("user2", u64::MAX))));
        assert_eq!([1, 2, 3].map(|id| lock.mode(id)), [Mode::Spy, Mode::Rw, Mode::Rw]);
        lock.set_mode(1, Mode::Exclusive);
        assert_eq!(lock.mode(1), Mode::Spy, "it is not theirs");
        // By force it is, also when the lease is prolonged; and then it is not again.
        lock.force(1);
        assert!(!lock.set_lease(Some(lease("user2", u64::MAX - 1))));
        assert_eq!([1, 2].map(|id| lock.mode(id)), [Mode::Exclusive, Mode::Spy]);
        assert_eq!(lock.release(1), Some(None));
        assert_eq!([1, 2].map(|id| lock.mode(id)), [Mode::Spy, Mode::Rw]);
        // A lease whose time is over is none.
        lock.set_lease(Some(lease("user2", 1)));
        assert_eq!(lock.mode(1), Mode::Rw);
    }
}
