//! One console, asked for one thing at a time: how it is, and the requests of
//! [`crate::wire::request`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConsoleRef, ErrorText};
use crate::model::{Failure, Kind, Name};
use crate::wire::attach::{Answer, PortState, Session};
use crate::wire::line::LineState;
use crate::wire::request::{Kick, Send};

/// How long a request may take that waits for the board: a sequence of breaks and pauses, or bytes at a
/// slow pace.
const BOARD_TIMEOUT: Duration = Duration::from_secs(3600);

/// A console at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub name: Name,
    /// The port's text form, as `tty:/dev/ttyUSB0,115200n8`.
    pub port: String,
    #[serde(flatten)]
    pub state: PortState,
    /// The oldest offset that is held, and the one that the next byte will have.
    pub first: u64,
    pub head: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_error: Option<String>,
    pub sessions: Vec<Session>,
    pub holder: Option<Session>,
    #[serde(default)]
    pub line: Option<LineState>,
    /// The break sequences: name, and what is sent.
    #[serde(default)]
    pub sequences: BTreeMap<Name, String>,
}

#[derive(Serialize)]
struct Asked<'a, T> {
    user: &'a str,
    #[serde(flatten)]
    request: &'a T,
}

/// How a console is.
///
/// # Errors
/// The daemon's own failure; [`Kind::Lab`] when it does not answer. So for all here.
pub async fn status(console: &ConsoleRef) -> Result<Status, Failure> {
    console.http().get(&console.path).await
}

/// Asks a console for something: `word` is the last piece of the path, `request` the body.
pub async fn ask(
    console: &ConsoleRef,
    word: &str,
    user: &str,
    request: &impl Serialize,
) -> Result<Answer, Failure> {
    let http = console.http().with_timeout(BOARD_TIMEOUT);
    http.post(&format!("{}/{word}", console.path), &Asked { user, request }).await
}

/// Types bytes. What the daemon says of a failure tells how many of them were sent.
pub async fn send(console: &ConsoleRef, user: &str, request: &Send) -> Result<Answer, ErrorText> {
    let http = console.http().with_timeout(BOARD_TIMEOUT);
    http.try_post(&format!("{}/send", console.path), &Asked { user, request }).await
}

/// Lets sessions go: the one of a number, or all of a user. Gives those.
pub async fn kick(console: &ConsoleRef, user: &str, whom: &str) -> Result<Vec<Session>, Failure> {
    let sessions = status(console).await?.sessions;
    let meant = |row: &Session| row.user == whom || whom.parse() == Ok(row.session);
    let (meant, others): (Vec<_>, Vec<_>) = sessions.into_iter().partition(meant);
    if meant.is_empty() {
        let known = others.iter().map(|row| row.user.as_str());
        let near = Name::nearest(whom, known).map(|near| format!("; did you mean {near:?}?"));
        let what = format!("{whom:?} is not on this console{}", near.unwrap_or_default());
        return Err(Failure::new(Kind::User, what).hint("lava who tells who is"));
    }
    for row in &meant {
        ask(console, "kick", user, &Kick { session: row.session }).await?;
    }
    Ok(meant)
}
