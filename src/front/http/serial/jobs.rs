//! Requests of an attached client that take a while: it may type and ask for other things meanwhile.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::console::Session;
use crate::wire::attach::{Answer, FromServer, Verb};
use crate::wire::request::Send;

/// How many of them a client may have under way.
const MOST: usize = 8;

/// The requests under way of one client. Dropping this calls them back.
pub(super) struct Jobs<'a> {
    session: &'a Session,
    running: FuturesUnordered<BoxFuture<'a, (u64, Answer)>>,
    /// The ids of those, and of what waits.
    ids: Vec<u64>,
    /// What is sent goes one after the other: the first is running.
    sends: VecDeque<Waiting>,
    /// Cancelled when the client goes over to another process.
    stopping: CancellationToken,
}

/// A request to send.
struct Waiting {
    id: u64,
    /// `None` while it is running.
    send: Option<Send>,
    bytes: u64,
    cancel: CancellationToken,
}

impl<'a> Jobs<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        let stopping = CancellationToken::new();
        let (running, ids, sends) = (FuturesUnordered::new(), Vec::new(), VecDeque::new());
        Self { session, running, ids, sends, stopping }
    }

    /// Carries out a request. The answer is what is to be said at once, if anything is.
    pub(super) async fn ask(&mut self, id: u64, verb: Verb) -> Option<FromServer> {
        let cancel = self.stopping.child_token();
        let answer = match verb {
            Verb::Cancel { send } => self.cancel(send),
            verb if !verb.takes_time() => self.session.request(verb).await,
            _ if self.ids.contains(&id) => {
                Answer::Refused { reason: "a request of this id is under way already".into() }
            }
            _ if self.ids.len() >= MOST => {
                Answer::Refused { reason: format!("{MOST} requests are under way already") }
            }
            Verb::Send(send) => {
                self.ids.push(id);
                // What is wrong with it is told when its turn comes.
                let bytes = send.payload().map_or(0, |bytes| bytes.len() as u64);
                self.sends.push_back(Waiting { id, send: Some(send), bytes, cancel });
                self.send_next();
                return None;
            }
            verb => {
                self.ids.push(id);
                self.run(id, verb, cancel);
                return None;
            }
        };
        Some(FromServer::Reply { id, answer })
    }

    /// The next answers; waits for ever when nothing is under way. Cancel safe.
    pub(super) async fn next(&mut self) -> Vec<FromServer> {
        let Some((id, answer)) = self.running.next().await else {
            return std::future::pending().await;
        };
        let mut answers = vec![(id, answer)];
        if self.sends.front().is_some_and(|first| first.id == id) {
            self.sends.pop_front();
            if !matches!(answers[0].1, Answer::Sent { missing: 0, .. }) {
                // What waits behind a part that is missing must not follow it.
                let reason = "what was to be sent before it was not";
                let behind = self.sends.drain(..).map(|behind| (behind.id, behind.bytes));
                answers.extend(behind.map(|(id, missing)| (id, Answer::sent(0, missing, reason))));
            }
            self.send_next();
        }
        self.ids.retain(|id| !answers.iter().any(|(answered, _)| answered == id));
        if self.stopping.is_cancelled() {
            answers.iter_mut().for_each(|(_, answer)| answer.again());
        }
        answers.into_iter().map(|(id, answer)| FromServer::Reply { id, answer }).collect()
    }

    /// Calls back what is under way, and gives its answers: another process goes on with the client.
    pub(super) async fn stop(mut self) -> Vec<FromServer> {
        self.stopping.cancel();
        let mut answers = Vec::new();
        while !self.running.is_empty() {
            answers.extend(self.next().await);
        }
        answers
    }

    fn send_next(&mut self) {
        if let Some(first) = self.sends.front_mut()
            && let Some(send) = first.send.take()
        {
            let (id, cancel) = (first.id, first.cancel.clone());
            self.run(id, Verb::Send(send), cancel);
        }
    }

    fn run(&self, id: u64, verb: Verb, cancel: CancellationToken) {
        let session = self.session;
        self.running.push(Box::pin(async move { (id, session.carry_out(verb, &cancel).await) }));
    }

    fn cancel(&self, id: u64) -> Answer {
        match self.sends.iter().find(|waiting| waiting.id == id) {
            Some(waiting) => {
                waiting.cancel.cancel();
                Answer::Done
            }
            None => Answer::Refused { reason: "nothing of that id is being sent".into() },
        }
    }
}
