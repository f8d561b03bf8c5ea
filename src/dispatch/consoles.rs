//! The consoles that a job is attached to: each namespace of the job's connections has one, and namespaces
//! that lead to the same console share it.

use std::collections::BTreeMap;

use super::connection::Connection;
use super::session::Session;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Consoles {
    /// By what they lead to.
    sessions: BTreeMap<String, Session>,
    /// Where each namespace's connection leads to.
    lines: BTreeMap<String, String>,
    /// What was connected last.
    last: Option<String>,
}

impl Consoles {
    /// The session of a namespace.
    pub(super) fn own(&self, namespace: &str) -> Option<&Session> {
        self.sessions.get(self.lines.get(namespace)?)
    }

    /// That, or the one that was connected last, for who has none.
    pub(super) fn any(&self, namespace: &str) -> Option<&Session> {
        self.own(namespace).or_else(|| self.sessions.get(self.last.as_ref()?))
    }

    /// As [`Consoles::any`].
    pub(super) fn any_mut(&mut self, namespace: &str) -> Option<&mut Session> {
        let own = self.lines.get(namespace).filter(|target| self.sessions.contains_key(*target));
        self.sessions.get_mut(own.or(self.last.as_ref())?)
    }

    /// The session of a namespace that has another one than `own`.
    pub(super) fn other_mut(&mut self, namespace: &str, own: &str) -> Option<&mut Session> {
        let target =
            self.lines.get(namespace).filter(|target| self.lines.get(own) != Some(*target));
        self.sessions.get_mut(target?)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.values_mut()
    }

    /// Connects a namespace to what another one is connected to already, if one is.
    pub(super) fn join(&mut self, namespace: &str, target: &str) -> bool {
        let there = self.sessions.get(target).is_some_and(|session| !session.is_lost());
        if there {
            self.lines.insert(namespace.to_owned(), target.to_owned());
            self.last = Some(target.to_owned());
        }
        there
    }

    pub(super) fn put(&mut self, namespace: &str, target: &str, mut session: Session) {
        session.set_namespace(namespace);
        self.sessions.insert(target.to_owned(), session);
        self.lines.insert(namespace.to_owned(), target.to_owned());
        self.last = Some(target.to_owned());
    }

    /// Puts another session in the place of a namespace's, which it gives back.
    pub(super) fn replace(&mut self, namespace: &str, session: Session) -> Option<Session> {
        if let Some(there) = self.any_mut(namespace) {
            return Some(std::mem::replace(there, session));
        }
        self.put(namespace, namespace, session);
        None
    }

    /// Keeps another connection open beside a namespace's.
    pub(super) fn put_beside(&mut self, namespace: &str, other: Box<dyn Connection>) {
        if let Some((target, session)) =
            self.lines.get(namespace).and_then(|target| self.sessions.remove_entry(target))
        {
            self.sessions.insert(target, session.beside(other));
        }
    }

    pub(super) fn take(&mut self, namespace: &str) -> Option<Session> {
        self.sessions.remove(self.lines.get(namespace)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dispatch::connection::Script;
    use crate::dispatch::log::Log;
    use crate::dispatch::progress::Silent;

    #[test]
    fn each_namespace_has_its_console_and_those_of_one_line_share_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::create(&dir.path().join("log"), &[], Arc::new(Silent)).unwrap();
        let session = || Session::new(Box::new(Script::new().0), log.clone());
        let mut consoles = Consoles::default();
        assert!(!consoles.join("linux", "uart0") && consoles.any("linux").is_none());
        consoles.put("linux", "uart0", session());
        consoles.put("m4", "uart1", session());
        assert!(consoles.join("test", "uart0") && consoles.own("other").is_none());
        // Who has none, as the end of the job, gets the one that was connected last.
        let same = |a: Option<&Session>, b: Option<&Session>| std::ptr::eq(a.unwrap(), b.unwrap());
        assert!(same(consoles.any("other"), consoles.own("test")));
        assert!(same(consoles.own("linux"), consoles.own("test")));
        assert!(!same(consoles.own("linux"), consoles.own("m4")));
        drop(consoles.take("linux"));
        assert!(consoles.own("test").is_none() && consoles.own("m4").is_some());
    }
}
