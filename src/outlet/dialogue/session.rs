//! One session at a PDU: its login, conversations, and its end.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::coding::{Decoder, encode};
use super::hearing::{Hearing, Verdict};
use super::wire::Wire;
use crate::config::Secret;
use crate::config::power::{Coding, Dialogue, Heard, Step, Words};
use crate::model::State;
use crate::outlet::OutletError;
use crate::outlet::way::Way;

/// How long it may take to log out.
pub(super) const LOGOUT: Duration = Duration::from_secs(2);
/// How much of what a PDU said is shown, in bytes.
const SHOWN: usize = 120;

/// A session that is logged in, and in no conversation.
#[derive(Debug)]
pub(super) struct Session {
    wire: Wire,
    coding: Coding,
    decoder: Decoder,
    /// What came after the text that the last step expected.
    pending: Vec<u8>,
    logout: Vec<Step>,
    /// Shown to nobody.
    password: Option<Secret>,
}

/// Why a conversation came to nothing.
#[derive(Debug)]
struct Trouble {
    what: What,
    /// What the PDU said last, fit to be shown; nothing after a password was sent.
    said: String,
    /// Something that may have switched was answered before: what the PDU says now is not about that.
    answered: bool,
}

#[derive(Debug)]
enum What {
    Fail,
    Busy,
    Stray,
    Endless,
    /// Nothing that was expected came within this time.
    Late(Duration),
    Gone(String),
    /// It tells no state.
    Stateless,
    /// A pattern has not found what is to be said next.
    Speechless,
}

impl Session {
    /// Connects and logs in. Switches nothing.
    pub(super) async fn open(config: &Dialogue) -> Result<Self, OutletError> {
        let mut way = Way::reads();
        let (login, logout) = config.login_and_logout().map_err(|why| way.refused(why))?;
        let wire = Wire::open(&config.connect).await.map_err(|why| way.unreachable(why))?;
        let coding = config.coding();
        let decoder = Decoder::new(coding);
        let password = config.password().cloned();
        let mut session = Self { wire, coding, decoder, pending: Vec::new(), logout, password };
        match session.talk(&login, &mut way).await {
            Ok(_) => Ok(session),
            Err(trouble) => {
                session.close().await;
                Err(trouble.at_login(&way))
            }
        }
    }

    /// Itself, unless the PDU has ended it meanwhile, as far as is known.
    pub(super) fn if_there(mut self) -> Option<Self> {
        self.wire.is_there().then_some(self)
    }

    /// Has a conversation. After an error nobody knows where the PDU stands: [leave](Self::leave).
    pub(super) async fn converse(
        &mut self,
        steps: &[Step],
        way: &mut Way,
    ) -> Result<Option<State>, OutletError> {
        self.talk(steps, way).await.map_err(|trouble| trouble.in_session(way))
    }

    /// Logs out, within [`LOGOUT`], and closes.
    pub(super) async fn leave(mut self) {
        let logout = std::mem::take(&mut self.logout);
        // Whatever becomes of it, it is over.
        let _ = timeout(LOGOUT, self.talk(&logout, &mut Way::reads())).await;
        self.close().await;
    }

    async fn close(self) {
        let _ = timeout(LOGOUT, self.wire.close()).await;
    }

    async fn talk(&mut self, steps: &[Step], way: &mut Way) -> Result<Option<State>, Trouble> {
        let mut found = Heard::new();
        let mut state = None;
        for step in steps {
            let sends = step.send.is_some() || !step.replies.is_empty();
            let answered = way.may_have_switched();
            // From now on nobody knows, unless the profile does.
            if sends && !step.harmless {
                way.sending();
            }
            let password = self.password.clone();
            let trouble = |what, said: &[u8]| {
                let said =
                    if is_secret(step) { String::new() } else { shown(said, password.as_ref()) };
                Trouble { what, said, answered }
            };
            if let Some(words) = &step.send {
                let bytes = words.bytes(&found).ok_or_else(|| trouble(What::Speechless, &[]))?;
                self.pending.clear();
                self.say(bytes, step.timeout).await.map_err(|what| trouble(what, &[]))?;
            }
            if Hearing::listens(step) {
                let mut hearing = Hearing::new(step, std::mem::take(&mut self.pending));
                let heard = timeout(step.timeout, self.listen(&mut hearing, &mut found)).await;
                match heard.unwrap_or(Err(What::Late(step.timeout))) {
                    Ok(rest) => self.pending = rest,
                    Err(what) => return Err(trouble(what, hearing.news())),
                }
                if step.reading.is_some() {
                    state = hearing.state(&found);
                    if state.is_none() {
                        return Err(trouble(What::Stateless, hearing.news()));
                    }
                }
            }
            sleep(step.pause).await;
        }
        Ok(state)
    }

    /// Listens until a step is done, and gives what came after it.
    async fn listen(
        &mut self,
        hearing: &mut Hearing<'_>,
        found: &mut Heard,
    ) -> Result<Vec<u8>, What> {
        loop {
            match hearing.judge(found) {
                Some(Verdict::Done { rest }) => return Ok(rest),
                Some(Verdict::Reply(words)) => {
                    let bytes = Words::bytes(words, found).ok_or(What::Speechless)?;
                    let bytes = encode(self.coding, bytes);
                    self.wire.write(&bytes).await.map_err(What::Gone)?;
                }
                Some(Verdict::Fail) => return Err(What::Fail),
                Some(Verdict::Busy) => return Err(What::Busy),
                Some(Verdict::Stray) => return Err(What::Stray),
                Some(Verdict::Endless) => return Err(What::Endless),
                None => {
                    let bytes = self.wire.read().await.map_err(What::Gone)?;
                    hearing.hear(&self.decoder.decode(&bytes));
                }
            }
        }
    }

    async fn say(&mut self, text: Vec<u8>, limit: Duration) -> Result<(), What> {
        let bytes = encode(self.coding, text);
        let written = timeout(limit, self.wire.write(&bytes)).await;
        written.unwrap_or_else(|_| Err("it takes nothing".to_owned())).map_err(What::Gone)
    }
}

impl Trouble {
    /// Nothing has been switched by a login.
    fn at_login(self, way: &Way) -> OutletError {
        let Self { what, said, .. } = self;
        match what {
            What::Fail => way.denied(format!("the PDU denies us the login{}", and(&said))),
            What::Busy => way.unreachable(format!("the PDU is busy{}", and(&said))),
            what => way.unreachable(format!("no login: {}{}", what.in_words(), and(&said))),
        }
    }

    fn in_session(self, way: &Way) -> OutletError {
        let Self { what, said, answered } = self;
        let text = format!("{}{}", what.in_words(), and(&said));
        match what {
            What::Fail if answered => way.refused(text),
            What::Fail => OutletError::said_no(text),
            What::Busy if answered => way.unreachable(text),
            What::Busy => OutletError::said_busy(text),
            What::Late(limit) if said.is_empty() && way.was_sent() => OutletError::Silent(limit),
            _ => way.unclear(text),
        }
    }
}

impl What {
    fn in_words(&self) -> String {
        match self {
            Self::Fail => "the PDU refuses".to_owned(),
            Self::Busy => "the PDU is busy".to_owned(),
            Self::Stray => "the PDU speaks of another outlet".to_owned(),
            Self::Endless => "the PDU does not come to an end".to_owned(),
            Self::Late(limit) => format!("what is expected did not come within {limit:?}"),
            Self::Gone(why) => format!("the PDU is gone: {why}"),
            Self::Stateless => "the PDU tells no state of this outlet".to_owned(),
            Self::Speechless => "the PDU has not said what it is to be told".to_owned(),
        }
    }
}

fn is_secret(step: &Step) -> bool {
    let replies = step.replies.iter().map(|(_, words)| words);
    step.send.iter().chain(replies).any(Words::is_secret)
}

/// What a PDU said, at the end of a message.
fn and(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it says \"{said}\"") }
}

/// The end of what a PDU said, in one line, without the password.
fn shown(said: &[u8], password: Option<&Secret>) -> String {
    let said = match password {
        Some(secret) => without(said, secret.expose().as_bytes()),
        None => said.to_vec(),
    };
    let said = said.trim_ascii();
    let from = said.len().saturating_sub(SHOWN);
    let text: Vec<String> = said[from..]
        .split(|byte| b"\r\n\0".contains(byte))
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(|line| line.escape_ascii().to_string())
        .collect();
    text.join(" ")
}

/// A text in which something is not to be seen.
fn without(text: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut shown = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match rest.strip_prefix(secret).filter(|_| !secret.is_empty()) {
            Some(after) => {
                shown.extend_from_slice(b"***");
                rest = after;
            }
            None => {
                shown.push(*first);
                rest = after;
            }
        }
    }
    shown
}
