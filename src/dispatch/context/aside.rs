//! Tests in a container beside the board: while they run, its console and its overlay are theirs.

use super::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns};
use crate::dispatch::overlay::{Overlay, TestRun};
use crate::dispatch::session::{Session, Wait};
use crate::dispatch::watch::Stage;

/// What is the board's, to be had again.
#[derive(Debug)]
pub(super) struct Aside {
    namespace: String,
    /// The connection that the container's terminal takes the place of.
    line: String,
    overlay: Overlay,
    tests: Vec<TestRun>,
    /// The console; listened to until it is lost.
    session: Option<Session>,
    is_lost: bool,
    in_container: bool,
}

impl Context {
    /// Makes room for an overlay of a container's own.
    pub fn set_aside(&mut self) {
        let namespace = self.now.namespace.clone();
        let shared = self.shared();
        let (overlay, tests) =
            (std::mem::take(&mut shared.overlay), std::mem::take(&mut shared.tests));
        self.aside = Some(Aside {
            namespace,
            line: String::new(),
            overlay,
            tests,
            session: None,
            is_lost: false,
            in_container: false,
        });
    }

    /// A container's terminal is the console until [`Context::leave_container`]. The board's stays open, and
    /// what it says is in the log; a reboot, which such tests may cause, is no alarm.
    pub fn enter_container(&mut self, mut console: Session) {
        let line = self.now.line.clone();
        console.set_namespace(&line);
        let mut board = self.consoles.replace(&line, console);
        if let Some(board) = &mut board {
            board.watch().enter(Stage::Unjudged);
        }
        if let Some(aside) = &mut self.aside {
            (aside.session, aside.in_container, aside.line) = (board, true, line);
        }
    }

    /// The board's console is the console again.
    pub fn leave_container(&mut self) {
        if let Some(aside) = &mut self.aside
            && std::mem::take(&mut aside.in_container)
        {
            match aside.session.take() {
                Some(board) => drop(self.consoles.replace(&aside.line, board)),
                None => drop(self.consoles.take(&aside.line)),
            }
        }
    }

    /// All is the board's again; of use also in the middle of it all.
    pub fn back_from_aside(&mut self) {
        self.leave_container();
        if let Some(Aside { namespace, overlay, tests, .. }) = self.aside.take() {
            let shared = self.namespaces.entry(namespace).or_default();
            (shared.overlay, shared.tests) = (overlay, tests);
            shared.environment.clear();
        }
    }

    /// Waits at the console as [`Session::expect`] does, and listens to the board's own, where that is another
    /// one: a terminal that nobody reads stops who writes there. Cancel safe.
    ///
    /// # Errors
    /// As [`Session::expect`].
    pub async fn expect(&mut self, patterns: &Patterns, wait: &Wait) -> Result<Found, Error> {
        self.session()?;
        let Self { consoles, aside, log, now, .. } = self;
        let Some(session) = consoles.any_mut(&now.line) else {
            return Err(Error::Bug("the console has gone".into()));
        };
        let board = aside.as_mut().filter(|aside| !aside.is_lost);
        let Some(Aside { session: Some(board), is_lost, .. }) = board else {
            return session.expect(patterns, wait).await;
        };
        let mut expected = std::pin::pin!(session.expect(patterns, wait));
        tokio::select! {
            found = &mut expected => return found,
            error = board.listen() => {
                log.warning(format!("the board's own console: {error}"));
                *is_lost = true;
            }
        }
        expected.await
    }
}
