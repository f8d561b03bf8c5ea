//! A job's conversation with the board's console: expect, type, and log every line.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::connection::{Connection, Incoming};
use super::error::Error;
use super::expect::{Found, Patterns, Place, Window};
use super::log::{Lines, Log};

/// A port that was lost may take this long to come back before the board counts as dead: a power
/// cycle closes the port of a virtual board for a moment.
const PORT_GRACE: Duration = Duration::from_secs(10);
/// A prompt has no line end. After this time without more it is logged as it is.
const PARTIAL_LINE: Duration = Duration::from_millis(500);

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
    /// The place of the byte that comes next.
    place: Place,
    last_line: String,
}

/// How long a wait may last, and who waits.
#[derive(Debug, Clone)]
pub struct Wait {
    pub action: &'static str,
    /// The end of the action.
    pub deadline: Instant,
    /// The limit of each wait on the connection, if it is shorter.
    pub connection: Option<Duration>,
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
            place: Place { offset: None, time_us: 0 },
            last_line: String::new(),
        }
    }

    /// The connection alone, for another use.
    pub fn into_connection(self) -> Box<dyn Connection> {
        self.connection
    }

    /// Waits until one of the patterns matches. Cancel safe: nothing that was read is lost.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what was waited for and the board's last line, or the console's own
    /// failure.
    pub async fn expect(&mut self, patterns: &Patterns, wait: &Wait) -> Result<Found, Error> {
        let begin = Instant::now();
        let limit = wait.connection.map_or(wait.deadline, |limit| wait.deadline.min(begin + limit));
        self.window.restart();
        loop {
            if let Some(found) = self.window.find(patterns) {
                return Ok(found);
            }
            match timeout_at(limit, self.receive()).await {
                Ok(received) => received?,
                Err(_) => {
                    return Err(Error::Timeout {
                        action: wait.action.to_owned(),
                        seconds: (limit - begin).as_secs(),
                        waited_for: patterns.describe(),
                        seen: self.last_line(),
                    });
                }
            }
        }
    }

    /// Types a line. `delay` is what the board needs between two characters.
    ///
    /// # Errors
    /// As [`Session::type_bytes`].
    pub async fn send_line(&mut self, line: &str, delay: Duration) -> Result<(), Error> {
        self.type_text(&format!("{line}\n"), delay).await
    }

    /// Types text, which is logged.
    ///
    /// # Errors
    /// As [`Session::type_bytes`].
    pub async fn type_text(&mut self, text: &str, delay: Duration) -> Result<(), Error> {
        self.log.input(text.trim_end_matches('\n'));
        if delay.is_zero() {
            return self.type_bytes(Bytes::copy_from_slice(text.as_bytes())).await;
        }
        for character in text.chars() {
            self.type_bytes(Bytes::from(character.to_string())).await?;
            tokio::time::sleep(delay).await;
        }
        Ok(())
    }

    /// Types bytes. While somebody else has the write lock, this waits for it to come back; what the
    /// board says meanwhile is kept.
    ///
    /// # Errors
    /// When the console cannot be reached any more.
    pub async fn type_bytes(&mut self, bytes: Bytes) -> Result<(), Error> {
        while self.forced.is_some() {
            self.receive().await?;
        }
        self.connection.write(bytes).await
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

    /// Lets go of what came until now: it is not taken for the answer to what is typed next.
    pub fn forget(&mut self) {
        self.window = Window::default();
    }

    /// What the board said last, for messages.
    pub fn last_line(&self) -> String {
        let line = self.window.last_line();
        if line.is_empty() { self.last_line.clone() } else { line }
    }

    /// The place of the byte that comes next.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Logs what there is of a line that has no end yet.
    pub fn flush(&mut self) {
        self.lines.flush(&self.log);
    }

    async fn receive(&mut self) -> Result<(), Error> {
        let next = self.connection.next();
        let incoming = match &self.port_due {
            None => match tokio::time::timeout(PARTIAL_LINE, next).await {
                Ok(incoming) => incoming?,
                Err(_) => {
                    self.lines.flush(&self.log);
                    self.connection.next().await?
                }
            },
            Some((due, reason)) => match timeout_at(*due, next).await {
                Ok(incoming) => incoming?,
                Err(_) => {
                    let seconds = PORT_GRACE.as_secs();
                    let what = format!(
                        "the console is dead: its port went ({reason}) and was not back after {seconds} s"
                    );
                    return Err(Error::Infrastructure(what));
                }
            },
        };
        self.take(incoming);
        Ok(())
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Bytes { offset, time_us, bytes } => {
                let place = Place { offset, time_us };
                // The board speaks, so its port is there, whatever was said before.
                self.port_due = None;
                self.lines.push(place, &bytes, &self.log);
                self.window.push(place, &bytes);
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
mod tests {
    use super::super::connection::Script;
    use super::super::progress::Silent;
    use super::*;
    use std::sync::Arc;

    fn session() -> (Session, super::super::connection::ScriptHandle, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::create(&dir.path().join("log"), Vec::new(), Arc::new(Silent)).unwrap();
        let (script, handle) = Script::new();
        (Session::new(Box::new(script), log), handle, dir)
    }

    fn wait(seconds: u64) -> Wait {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        Wait { action: "login-action", deadline, connection: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_out_tells_what_was_waited_for_and_what_was_seen() {
        let (mut session, mut board, _dir) = session();
        board.say("Starting kernel ...\r\n\r\n").await;
        let login = Patterns::new(["login:"]).unwrap();
        let error = session.expect(&login, &wait(120)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "login-action timed out after 120 s waiting for \"login:\"; \
             the board's last line: \"Starting kernel ...\""
        );
    }

    #[tokio::test(start_paused = true)]
    async fn typing_waits_while_somebody_else_has_the_console() {
        let (mut session, mut board, _dir) = session();
        board.says.send(Incoming::Forced { by: "alice".into() }).await.unwrap();
        let prompt = Patterns::new(["=> "]).unwrap();
        board.say("=> ").await;
        session.expect(&prompt, &wait(1)).await.unwrap();
        let typing = session.send_line("boot", Duration::ZERO);
        let soon = tokio::time::timeout(Duration::from_secs(60), typing).await;
        assert!(soon.is_err(), "it typed although alice has the console");
        board.says.send(Incoming::Released).await.unwrap();
        session.send_line("boot", Duration::ZERO).await.unwrap();
        assert_eq!(board.line().await.as_deref(), Some("boot"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_does_not_come_back_is_a_dead_console_long_before_the_time_limit() {
        let (mut session, board, _dir) = session();
        let reason = "EOF".to_owned();
        board.says.send(Incoming::PortLost { reason }).await.unwrap();
        let login = Patterns::new(["login:"]).unwrap();
        let begin = Instant::now();
        let error = session.expect(&login, &wait(600)).await.unwrap_err();
        assert!(matches!(&error, Error::Infrastructure(what) if what.contains("EOF")), "{error}");
        assert_eq!(begin.elapsed(), PORT_GRACE);
    }
}
