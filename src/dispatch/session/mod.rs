//! A job's conversation with the board's console: expect, type, and log every line.

mod elsewhere;
mod transfer;
mod typing;
mod verdict;

pub use self::transfer::SENDER;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};

use self::typing::Typist;
use self::verdict::{ANSWER, Due, Probe};
use super::connection::{Beside, Connection, Incoming};
use super::device::Silences;
use super::error::{Error, TimedOut};
use super::expect::{Found, Patterns, Place, Window};
use super::log::{Lines, Log};
use super::watch::Watch;

/// A port that was lost may take this long to come back before the board counts as dead: a power
/// cycle closes the port of a virtual board for a moment.
const PORT_GRACE: Duration = Duration::from_secs(10);
/// A prompt has no line end. After this time without more it is logged as it is.
const PARTIAL_LINE: Duration = Duration::from_millis(500);
/// A prompt that has to be at rest is one when nothing has followed it for this time.
const REST: Duration = Duration::from_secs(2);

/// The console of a job.
pub struct Session {
    connection: Box<dyn Connection>,
    window: Window,
    lines: Lines,
    log: Log,
    /// Who has taken the write lock from us.
    forced: Option<String>,
    /// When the port has to be back, and why it went.
    port_due: Option<(Instant, String)>,
    /// Why the port went that was not back in time. Who goes on all the same gives it that time again.
    port_gone: Option<String>,
    /// The connection has failed: nothing will come of it any more.
    lost: bool,
    /// The place of the byte that comes next.
    place: Place,
    /// The place of the first byte since what had come was let go of.
    first: Option<Place>,
    last_line: String,
    watch: Watch,
    typist: Typist,
    /// When the alarm was seen that the watch has now.
    alarmed: Option<Instant>,
    /// How it is found out whether it is one.
    probe: Probe,
    /// When the board spoke last, or we began to listen.
    heard: Instant,
    /// What has come of the last line is logged.
    paused: bool,
    silences: Silences,
    /// When the board had spoken last before it was told that its kernel says nothing.
    silence_told: Option<Instant>,
}

/// How long a wait may last, and who waits.
#[derive(Debug, Clone)]
pub struct Wait {
    pub action: &'static str,
    /// The end of the action.
    pub deadline: Instant,
    /// The limit of each wait on the connection, if it is shorter.
    pub connection: Option<Duration>,
    /// What is waited for, where the patterns themselves would not tell a person.
    pub what: Option<String>,
    /// A board that says nothing at all may be at a prompt that it has shown before anybody listened: it
    /// is sent a line end, once.
    pub nudge: bool,
}

impl Wait {
    /// A wait for an action that has no time at all.
    pub fn of(action: &'static str) -> Self {
        Self { action, deadline: Instant::now(), connection: None, what: None, nudge: false }
    }
}

impl Session {
    pub fn new(connection: Box<dyn Connection>, log: Log) -> Self {
        Self {
            connection,
            window: Window::default(),
            lines: Lines::default(),
            log,
            forced: None,
            port_due: None,
            port_gone: None,
            lost: false,
            place: Place { offset: None, time_us: 0 },
            first: None,
            last_line: String::new(),
            watch: Watch::default(),
            typist: Typist::default(),
            alarmed: None,
            probe: Probe::default(),
            heard: Instant::now(),
            paused: true,
            silences: Silences::default(),
            silence_told: None,
        }
    }

    /// How long the board may be silent where that tells of a dead one.
    pub fn set_silences(&mut self, silences: Silences) {
        self.silences = silences;
    }

    /// Says in whose namespace it is, for the log.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.lines.of(namespace);
    }

    /// See [`Lines::set_beside`].
    pub fn set_beside(&mut self, beside: bool) {
        self.lines.set_beside(beside);
    }

    /// What is known of the board, from all that it has said.
    pub fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    /// Lets others type at the console, too, or no longer.
    ///
    /// # Errors
    /// When the console does not agree.
    pub async fn share(&mut self, shared: bool) -> Result<(), Error> {
        self.connection.share(shared).await
    }

    /// Whether only another connection can help.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Who has taken the console from the job.
    pub fn holder(&self) -> Option<String> {
        self.forced.clone()
    }

    /// This console with another connection that stays open as long, and is listened to; nothing of it is kept.
    pub fn beside(self, other: Box<dyn Connection>) -> Self {
        Self { connection: Box::new(Beside::new(self.connection, other)), ..self }
    }

    /// Ends what is open beside it.
    pub fn end_beside(&mut self) {
        self.connection.end_beside();
    }

    /// The connection alone, for another use.
    pub fn into_connection(self) -> Box<dyn Connection> {
        self.connection
    }

    /// Waits until one of the patterns matches. Cancel safe: nothing that was read is lost.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what was waited for and the board's last line; [`Error::Dead`] as soon as
    /// the board tells that it will not come to it; or the console's own failure.
    pub async fn expect(&mut self, patterns: &Patterns, wait: &Wait) -> Result<Found, Error> {
        let begin = Instant::now();
        let limit = wait.connection.map_or(wait.deadline, |limit| wait.deadline.min(begin + limit));
        let (mut nudge, mut nudged) = (wait.nudge, None::<Instant>);
        self.log.waits_for(Some(wait.what.clone().unwrap_or_else(|| patterns.describe())));
        loop {
            let found = self.window.find(patterns);
            while let Some(pattern) = self.window.too_hard() {
                self.log.warning(format!(
                    "{pattern:?} is too much work to be looked for in all that the board says, and may be \
                     missed: repetitions within repetitions make it so"
                ));
            }
            if let Some(found) = found {
                let seen = Instant::now();
                if !self.stands(found.position) {
                    return Err(self.dead(patterns, wait));
                }
                if !patterns.is_at_rest(found.index) || self.rests(limit).await? {
                    let answered = nudged.is_some_and(|at| seen - at < ANSWER);
                    self.log.waits_for(None);
                    return match answered && self.watch.was_reset() {
                        true => Err(self.not_reset(&found)),
                        false => Ok(found),
                    };
                }
                continue;
            }
            let due = self.due(begin, nudge);
            if due.is_some_and(|(at, due)| due == Due::Dead && at <= Instant::now()) {
                // Also of a board that never pauses.
                match self.is_dead() {
                    true => return Err(self.dead(patterns, wait)),
                    false => continue,
                }
            }
            let until = due.map_or(limit, |(at, _)| at.min(limit));
            match (timeout_at(until, self.receive()).await, due) {
                (Ok(received), _) => received?,
                (Err(_), Some((at, Due::Nudge))) if at <= limit => {
                    (nudge, nudged) = (false, Some(Instant::now()));
                    self.log.info(
                        "the board says nothing: a line end is typed, since it may be at a prompt",
                    );
                    self.type_bytes(Bytes::from_static(b"\n")).await?;
                }
                (Err(_), Some((at, Due::Dead))) if at <= limit => {
                    if self.is_dead() {
                        return Err(self.dead(patterns, wait));
                    }
                }
                (Err(_), Some((at, Due::Probe))) if at <= limit => self.probe().await?,
                (Err(_), Some((at, Due::Silent))) if at <= limit => {
                    if let Some(silent) = self.silent(patterns, wait) {
                        return Err(silent);
                    }
                }
                (Err(_), Some((at, Due::Elsewhere))) if at <= limit => {
                    return Err(self.elsewhere(patterns, wait));
                }
                (Err(_), _) => {
                    let what = wait.what.clone().unwrap_or_else(|| patterns.describe());
                    return Err(Error::Timeout(Box::new(TimedOut {
                        action: wait.action.to_owned(),
                        seconds: (limit - begin).as_secs(),
                        waited_for: Some(what),
                        seen: Some(self.last_line()),
                        held_by: self.holder(),
                        ..TimedOut::default()
                    })));
                }
            }
        }
    }

    /// Whether the board waits behind what was found last.
    async fn rests(&mut self, limit: Instant) -> Result<bool, Error> {
        let end = limit.min(Instant::now() + REST);
        while !self.window.has_text() {
            match timeout_at(end, self.receive()).await {
                Ok(received) => received?,
                Err(_) => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Types bytes. While somebody else has the write lock, this waits for it to come back; what the
    /// board says meanwhile is kept.
    ///
    /// # Errors
    /// When the console cannot be reached any more, or takes nothing for [`PORT_GRACE`].
    pub async fn type_bytes(&mut self, bytes: Bytes) -> Result<(), Error> {
        while self.forced.is_some() {
            self.receive().await?;
        }
        let seconds = PORT_GRACE.as_secs();
        let dead = || {
            let what = format!("the console is dead: it has taken nothing for {seconds} s");
            Error::Infrastructure(what)
        };
        let written =
            timeout(PORT_GRACE, self.connection.write(bytes)).await.map_err(|_| dead())?;
        self.lost |= written.is_err();
        written
    }

    /// Takes in what comes until nothing has come for `quiet`, but at most for `limit`.
    ///
    /// # Errors
    /// The console's own failure.
    pub async fn drain(&mut self, quiet: Duration, limit: Duration) -> Result<(), Error> {
        let end = Instant::now() + limit;
        loop {
            let next = (Instant::now() + quiet).min(end);
            match timeout_at(next, self.receive()).await {
                Ok(received) => received?,
                Err(_) => return Ok(()),
            }
        }
    }

    /// Takes in what comes, of which only the log keeps anything, until the console is lost. Cancel safe.
    pub async fn listen(&mut self) -> Error {
        loop {
            if let Err(error) = self.receive().await {
                return error;
            }
            self.window.forget();
        }
    }

    /// A line in the job's log.
    pub fn note(&self, message: &str) {
        self.log.info(message);
    }

    /// Lets go of what came until now: it is not taken for the answer to what is typed next.
    pub fn forget(&mut self) {
        self.window.forget();
        self.first = None;
    }

    /// The place of the first byte that has come since [`Session::forget`].
    pub fn first(&self) -> Option<Place> {
        self.first
    }

    /// What the board said last, for messages.
    pub fn last_line(&self) -> String {
        let line = self.window.last_line();
        if line.is_empty() { self.last_line.clone() } else { line }
    }

    /// The line of the log that has the byte at this position of the stream.
    pub fn line_of(&self, position: u64) -> u64 {
        self.lines.line_of(position, &self.log)
    }

    /// The place of the byte that comes next.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Logs what there is of a line that has no end yet.
    pub fn flush(&mut self) {
        self.lines.flush(&self.log);
    }

    /// Takes in what comes next, or notes that nothing comes. Cancel safe.
    async fn receive(&mut self) -> Result<(), Error> {
        if let Some(reason) = self.port_gone.take() {
            self.port_due = Some((Instant::now() + PORT_GRACE, reason));
        }
        let next = self.connection.next();
        let incoming = match &self.port_due {
            None if self.paused => next.await,
            None => match timeout(PARTIAL_LINE, next).await {
                Ok(incoming) => incoming,
                Err(_) => {
                    self.paused = true;
                    self.lines.flush(&self.log);
                    self.watch.pause();
                    self.note_alarm();
                    return Ok(());
                }
            },
            Some((due, reason)) => match timeout_at(*due, next).await {
                Ok(incoming) => incoming,
                Err(_) => {
                    let seconds = PORT_GRACE.as_secs();
                    let what = format!(
                        "the console is dead: its port went ({reason}) and was not back after {seconds} s"
                    );
                    self.port_gone = self.port_due.take().map(|(_, reason)| reason);
                    return Err(Error::Infrastructure(what));
                }
            },
        };
        self.lost |= incoming.is_err();
        incoming.map(|incoming| self.take(incoming))
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Bytes { offset, time_us, bytes } => {
                let place = Place { offset, time_us };
                self.first.get_or_insert(place);
                // The board speaks, so its port is there, whatever was said before.
                self.port_due = None;
                self.lines.push(place, &bytes, &self.log);
                self.window.push(place, &bytes);
                self.watch.push(place, &bytes);
                self.hear_echo(&bytes);
                self.probe.hear(&bytes);
                (self.heard, self.paused) = (Instant::now(), false);
                self.note_alarm();
                let line = self.window.last_line();
                if !line.is_empty() {
                    self.last_line = line;
                }
                let offset = offset.map(|offset| offset + bytes.len() as u64);
                self.place = Place { offset, time_us };
            }
            Incoming::Forced { by } => {
                self.log.warning(format!(
                    "{by} has taken the console: nothing is typed until it is given back; time limits go on"
                ));
                self.forced = Some(by);
            }
            Incoming::Released => {
                if let Some(by) = self.forced.take() {
                    self.log.info(format!("{by} has given the console back"));
                }
            }
            Incoming::PortLost { reason } => {
                self.log.warning(format!("the console's port is gone: {reason}"));
                self.port_due = Some((Instant::now() + PORT_GRACE, reason));
            }
            Incoming::PortOpen => {
                self.log.info("the console's port is open");
                self.port_due = None;
            }
            Incoming::Gap { from, to } => {
                let bytes = to - from;
                self.log.warning(format!("{bytes} bytes of the console from {from} are lost"));
            }
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session at {:?}", self.place)
    }
}

#[cfg(test)]
mod tests;
