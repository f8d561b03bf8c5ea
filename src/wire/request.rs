//! What can be asked of a console, in the same words over an attached WebSocket
//! ([`super::attach`]) and over HTTP: `POST /consoles/NAME/break` has the body of
//! `{"request":"break"}`, and `user` beside it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::line::SetLine;
use crate::model::event::Mode;
use crate::model::{Interval, Name, latin1};

/// The most bytes that one request sends.
pub const MAX_SEND: usize = 8 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Verb {
    /// Take the write lock, from its holder if there is one.
    Force(OfSession),
    /// Give the write lock back to the session it was taken from, or to everybody.
    Release(OfSession),
    /// Take part in this mode from now on. An exclusive one is had when nobody else has it.
    Mode {
        mode: Mode,
    },
    Break(SendBreak),
    /// List the break sequences.
    Sequences,
    /// Tell everyone on this console something.
    Message(Text),
    /// Write something into the record, without telling anybody.
    Note(Text),
    /// List the sessions.
    Who,
    /// Let another session go.
    Kick(Kick),
    /// Set the line, and tell how it is.
    Line(SetLine),
    /// Close the port, for another program to use it. Clients stay.
    Close,
    /// Open a port that was closed.
    Open,
    /// Type bytes at a pace. Answered when the port has taken them all.
    Send(Send),
    /// Stop sending: the request of this id is answered with what was sent.
    Cancel {
        send: u64,
    },
}

impl Verb {
    /// Whether the answer comes only when the board has taken something: others are answered at once.
    pub fn takes_time(&self) -> bool {
        matches!(self, Self::Send(_) | Self::Break(_))
    }
}

/// For whom the write lock is taken or given back. When it is left out: over WebSocket the own session;
/// over HTTP its holder gives it back, and to take it without a session is a 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfSession {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
}

/// A break: a condition of so many milliseconds, or a sequence by its name. Without both it is the
/// console's own default, 250 ms when it has none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendBreak {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sequence: Option<Name>,
}

/// Of requests that say everything by their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub text: String,
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Kick {
    pub session: u64,
}

/// Bytes to type, as `text` or as `bytes`, at most 8 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Is sent as UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Each character is the byte of the same number (ISO 8859-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// The time from one character to the next, or a rate: `10ms`, `100B/s`. The console's own pace
    /// when left out; so for `line_pace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub pace: Option<Interval>,
    /// The time after each line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub line_pace: Option<Interval>,
    /// The name of the file that these bytes are a part of: for those who watch, and the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where in the file they begin, and how long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
}

impl Send {
    /// A request for any bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self { bytes: Some(latin1::text(bytes)), ..Self::default() }
    }

    /// What is to be sent.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn payload(&self) -> Result<Bytes, String> {
        let payload: Vec<u8> = match (&self.text, &self.bytes) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) => latin1::bytes(text)
                .ok_or("bytes: a character is none of a byte; text is sent as UTF-8")?,
            _ => return Err("there is either text or bytes to send".into()),
        };
        if payload.is_empty() {
            return Err("there is nothing to send".into());
        }
        if payload.len() > MAX_SEND {
            let length = payload.len();
            return Err(format!("at most {MAX_SEND} bytes are sent at a time, not {length}"));
        }
        Ok(payload.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Result<Verb, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn requests_are_flat_and_know_their_keys() {
        let force = Verb::Force(OfSession::default());
        assert_eq!(read(r#"{"request":"force"}"#), Ok(force));
        let request = Verb::Break(SendBreak { sequence: "sysrq-b".parse().ok(), ms: None });
        assert_eq!(read(r#"{"request":"break","sequence":"sysrq-b"}"#), Ok(request));
        assert!(
            read(r#"{"request":"break","mss":5}"#).unwrap_err().contains("unknown field `mss`")
        );
        let line = Verb::Line(SetLine { baud: Some(9600), ..SetLine::default() });
        assert_eq!(read(r#"{"request":"line","baud":9600}"#), Ok(line.clone()));
        assert_eq!(serde_json::to_string(&line).unwrap(), r#"{"request":"line","baud":9600}"#);
        assert!(read(r#"{"request":"line","parity":"often"}"#).is_err());
        assert!(read(r#"{"request":"send","text":"x","pace":"soon"}"#).is_err());
    }

    #[test]
    fn what_is_sent_is_text_or_bytes() {
        let payload = |send: Send| send.payload();
        let text = |text: &str| Send { text: Some(text.into()), ..Send::default() };
        assert_eq!(payload(text("é")).unwrap(), "é".as_bytes());
        assert_eq!(
            payload(Send { bytes: Some("é".into()), ..Send::default() }).unwrap(),
            "\u{e9}".chars().map(|c| c as u8).collect::<Vec<_>>()
        );
        assert!(payload(Send { bytes: Some("€".into()), ..Send::default() }).is_err());
        assert!(payload(Send::default()).is_err());
        assert!(payload(text("")).is_err());
        assert!(payload(text(&"x".repeat(MAX_SEND + 1))).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_arrive(bytes in proptest::collection::vec(any::<u8>(), 1..100)) {
            let json = serde_json::to_string(&Verb::Send(Send::of_bytes(&bytes))).unwrap();
            let Ok(Verb::Send(send)) = read(&json) else { panic!("{json}") };
            prop_assert_eq!(&send.payload().unwrap()[..], &bytes[..]);
        }
    }
}
