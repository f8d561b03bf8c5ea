//! A console of lava-serial's, attached to through its WebSocket.
//!
//! The job asks for the console exclusively: what it types must not mix with what others type. When
//! the daemon restarts, the stream goes on at the byte where it stopped.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{Connection, Incoming};
use crate::client::attach::{Hello, Item, Options};
use crate::client::{Attachment, ConsoleRef};
use crate::dispatch::error::Error;
use crate::model::What;
use crate::model::event::Mode;
use crate::wire::attach::{Answer, PortState, Session};
use crate::wire::request::{OfSession, Verb};

/// A console that a job holds.
#[derive(Debug)]
pub struct Attached {
    attachment: Attachment,
    ready: VecDeque<Incoming>,
    /// Why the daemon has ended the session for good.
    ended: Option<String>,
}

impl Attached {
    /// Attaches exclusively, as the user `job:ID`.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] when the console cannot be reached or somebody else holds it.
    pub async fn open(console: ConsoleRef, job: &str) -> Result<Self, Error> {
        let user = Some(format!("job:{job}"));
        // A job may wait for its board for hours.
        let options = Options { mode: Mode::Exclusive, user, stay: true, ..Options::default() };
        let name = console.name().to_owned();
        let attachment = Attachment::open(console, options).await?;
        let hello = attachment.hello().clone();
        if hello.mode != Mode::Exclusive {
            let holder = holder(hello.holder.as_ref());
            let what = format!("{holder} holds the console {name}; the job cannot type there");
            return Err(Error::Infrastructure(what));
        }
        let mut attached = Self { attachment, ready: VecDeque::new(), ended: None };
        attached.port(&hello.port);
        Ok(attached)
    }

    async fn receive(&mut self) -> Result<Incoming, Error> {
        loop {
            if let Some(incoming) = self.ready.pop_front() {
                return Ok(incoming);
            }
            if let Some(reason) = &self.ended {
                let what = format!("the console has ended the job's session: {reason}");
                return Err(Error::Infrastructure(what));
            }
            let item = self.attachment.next().await;
            self.take(item);
        }
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Bytes(frame) => self.ready.push_back(Incoming::Bytes {
                offset: Some(frame.offset),
                time_us: frame.time_us,
                bytes: frame.bytes,
            }),
            Item::Mode { mode, by, holder: who } => {
                let by = by.unwrap_or_else(|| holder(who.as_ref()));
                self.mode(mode, by);
            }
            Item::Event(event) => match event.what {
                What::PortLost { reason } => self.ready.push_back(Incoming::PortLost { reason }),
                What::PortDown => {
                    let reason = "somebody has closed it".to_owned();
                    self.ready.push_back(Incoming::PortLost { reason });
                }
                What::PortOpen { .. } => self.ready.push_back(Incoming::PortOpen),
                _ => {}
            },
            Item::Gap { from, to } => self.ready.push_back(Incoming::Gap { from, to }),
            Item::Lost { reason } => {
                let reason = format!("the connection to the console: {reason}");
                self.ready.push_back(Incoming::PortLost { reason });
            }
            Item::Resumed(Hello { mode, holder: who, port, .. }) => {
                self.ready.push_back(Incoming::PortOpen);
                self.port(&port);
                self.mode(mode, holder(who.as_ref()));
            }
            Item::Ended { reason } => self.ended = Some(reason),
            Item::Screen(_) | Item::Answer { .. } | Item::Notice(_) | Item::Renumbered { .. } => {}
        }
    }

    fn mode(&mut self, mode: Mode, by: String) {
        self.ready.push_back(match mode {
            Mode::Spy => Incoming::Forced { by },
            Mode::Rw | Mode::Exclusive => Incoming::Released,
        });
    }

    fn port(&mut self, port: &PortState) {
        if let PortState::Closed { reason } = port {
            self.ready.push_back(Incoming::PortLost { reason: reason.clone() });
        }
    }
}

fn holder(session: Option<&Session>) -> String {
    session.map_or_else(|| "somebody".to_owned(), |session| session.user.clone())
}

impl Connection for Attached {
    fn share(&mut self, shared: bool) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            // The job takes it back from whoever has it then: it has to clean up.
            let verb = match shared {
                true => Verb::Mode { mode: Mode::Rw },
                false => Verb::Force(OfSession::default()),
            };
            let answer = self.attachment.request(verb).await;
            match answer.map_err(|error| Error::from(error.failure()))? {
                Answer::Refused { reason } => Err(Error::Infrastructure(reason)),
                _ => Ok(()),
            }
        })
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Incoming, Error>> {
        Box::pin(self.receive())
    }

    /// What is typed while the daemon is away waits for it to come back. What was being sent when it
    /// went is not sent again: it may have arrived.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            while !self.attachment.is_attached() && self.ended.is_none() {
                let item = self.attachment.next().await;
                self.take(item);
            }
            if let Err(error) = self.attachment.type_bytes(&bytes).await {
                tracing::debug!(%error, "what was typed may not have arrived");
            }
            Ok(())
        })
    }
}
