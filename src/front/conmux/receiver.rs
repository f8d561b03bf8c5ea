//! The receiving side of a client: bytes for the board, and commands.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::ReadHalf;
use tokio::sync::mpsc;

use super::client;
use super::command;
use super::look;
use super::notice::{self, NOT_CONNECTED};
use super::power::Power;
use super::sender::Order;
use crate::console::{Session, WriteError};
use crate::front::cli;
use crate::front::cli::command::Command;
use crate::front::hand_over::HandOver;
use crate::wire::attach::{Answer, Session as Row, Verb};
use crate::wire::conmux::Typing;
use crate::wire::escape::Typed;
use crate::wire::request::{Kick, OfSession, Text};

/// How much is read from a client at a time, in bytes.
const READ: usize = 4 * 1024;
/// How long a lone `~` is held before it goes to the board.
const TILDE_HOLD: Duration = Duration::from_secs(2);
/// The longest line of a status client, in bytes; a longer one is several.
const MAX_STATUS: usize = 1024;

pub(super) struct Receiver<'a> {
    pub(super) session: &'a Session,
    pub(super) kind: client::Kind,
    pub(super) typing: &'a mut Typing,
    /// For the board, or a line of a status client, and not taken yet.
    pub(super) typed: BytesMut,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) power: Power,
    /// The last thing said about input that was not taken; said once.
    pub(super) told: Option<String>,
    pub(super) hand_over: &'a HandOver,
}

/// The client leaves, or the sending side has ended.
struct Gone;

impl Receiver<'_> {
    /// Receives until the client leaves; or is asked for, and gives what is left then.
    pub(super) async fn run(
        mut self,
        mut from: ReadHalf<'_>,
        unread: Bytes,
    ) -> io::Result<Option<BytesMut>> {
        let mut buffer = BytesMut::from(&unread[..]);
        loop {
            if self.take(&buffer).await.is_err() {
                return Ok(None);
            }
            if self.hand_over.is_asked() {
                return Ok(Some(self.typed));
            }
            buffer.clear();
            buffer.reserve(READ);
            tokio::select! {
                read = from.read_buf(&mut buffer) => {
                    if read? == 0 {
                        // Programs close their side behind the last command: it is carried out.
                        self.end().await;
                        return Ok(None);
                    }
                }
                () = tokio::time::sleep(TILDE_HOLD), if self.typing.holds() => {
                    let released = self.typing.release();
                    if self.steps(released).await.is_err() {
                        return Ok(None);
                    }
                }
                () = self.hand_over.asked() => {}
            }
        }
    }

    async fn end(&mut self) {
        let left = self.typing.finish();
        // It is over either way.
        let _ = self.steps(left).await;
        let _ = self.tell_all(true).await;
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        match self.kind {
            client::Kind::Client => {
                let typed = self.typing.feed(bytes);
                self.steps(typed).await
            }
            client::Kind::Status => {
                self.typed.extend_from_slice(bytes);
                self.tell_all(false).await
            }
        }
    }

    async fn steps(&mut self, steps: impl IntoIterator<Item = Typed>) -> Result<(), Gone> {
        for step in steps {
            match step {
                Typed::Board(bytes) => self.typed.extend_from_slice(&bytes),
                Typed::Echo(bytes) => {
                    // What was typed before comes first.
                    self.type_out().await?;
                    self.send(bytes).await?;
                }
                Typed::Command(line) => self.command(&line).await?,
            }
        }
        self.type_out().await
    }

    /// Types what waits to be typed, unless the client is asked for meanwhile.
    async fn type_out(&mut self) -> Result<(), Gone> {
        if self.kind == client::Kind::Status || self.typed.is_empty() {
            return Ok(());
        }
        let mut bytes = self.typed.split().freeze();
        let written = tokio::select! {
            written = self.session.write(&mut bytes) => written,
            () = self.hand_over.asked() => {
                self.typed = bytes.into();
                return Ok(());
            }
        };
        let told = match written {
            Ok(()) => {
                self.told = None;
                return Ok(());
            }
            Err(WriteError::ShuttingDown) => return Err(Gone),
            Err(WriteError::Closed(_)) => return self.say(NOT_CONNECTED).await,
            Err(WriteError::Held { holder }) => notice::read_only(Some(&holder)),
            Err(WriteError::Spy) => notice::read_only(None),
            Err(error @ WriteError::Leased { .. }) => format!("[{error}; ~$force takes it]"),
        };
        if self.told.as_ref() == Some(&told) {
            return Ok(());
        }
        self.say(&told).await?;
        self.told = Some(told);
        Ok(())
    }

    async fn command(&mut self, line: &str) -> Result<(), Gone> {
        let command = match cli::command::parse(line) {
            Ok(None) => return Ok(()),
            Ok(Some(command)) => command,
            // conmux says this much and no more.
            Err(told) => {
                let told = told.lines().next().unwrap_or_default();
                return self.say(&format!("{told}\n")).await;
            }
        };
        if command::needs_control(&command) && !self.power.means.borrow().control {
            let how = "nobody logs in here: control = true in [conmux] would allow it";
            return self.say(&format!("[not allowed; {how}]\n")).await;
        }
        let console = self.session.console().clone();
        let verb = match command {
            Command::Quit => {
                self.order(Order::Quit).await?;
                return Err(Gone);
            }
            Command::Help => return self.say(&command::help()).await,
            Command::Version => {
                return self.say(&format!("[lavamux {}]\n", env!("CARGO_PKG_VERSION"))).await;
            }
            Command::Motd => return self.say("[there is no message of the day]\n").await,
            Command::Suspend | Command::Send { .. } => {
                return self.say("[only lava-console can do this]\n").await;
            }
            Command::Info => return self.say(&look::info(&console).await).await,
            Command::Log { lines } => return self.send(look::log(&console, lines).await).await,
            Command::Power(verb, reason) => {
                return match self.power.begin(verb, reason) {
                    Ok(()) => Ok(()),
                    Err(told) => self.say(&told).await,
                };
            }
            Command::Close => return self.set_down(true).await,
            Command::Open => return self.set_down(false).await,
            Command::Reopen => {
                // One that is closed already is opened; why it may not be is told then.
                let _ = self.session.set_down(true).await;
                return self.set_down(false).await;
            }
            Command::Kick(whom) => return self.kick(&whom).await,
            Command::Break(asked) => Verb::Break(asked),
            Command::Breaks => Verb::Sequences,
            Command::Message(text) => Verb::Message(text.into()),
            Command::Note(text) => Verb::Note(text.into()),
            Command::Who => Verb::Who,
            Command::Force => Verb::Force(OfSession::default()),
            Command::Release => Verb::Release(OfSession::default()),
            Command::Mode(mode) => Verb::Mode { mode },
            Command::Line(set) => Verb::Line(set),
        };
        self.ask(verb).await
    }

    async fn ask(&mut self, verb: Verb) -> Result<(), Gone> {
        let is_break = matches!(verb, Verb::Break(_));
        let told = match self.session.request(verb).await {
            Answer::Done | Answer::Sent { .. } => return Ok(()),
            Answer::Refused { reason } if is_break => format!("no break: {reason}\n"),
            Answer::Refused { reason } => format!("{reason}\n"),
            Answer::Sessions { sessions } => command::who(&sessions),
            Answer::Sequences { sequences } if sequences.is_empty() => {
                "[there is no break sequence]\n".into()
            }
            Answer::Sequences { sequences } => sequences
                .iter()
                .fold(String::new(), |text, (name, keys)| text + &format!("{name:<20} {keys}\n")),
            Answer::Line(line) => format!("[{}]\n", cli::line_text::text(&line)),
        };
        self.say(&told).await
    }

    async fn set_down(&mut self, down: bool) -> Result<(), Gone> {
        match self.session.set_down(down).await {
            Ok(()) => Ok(()),
            Err(reason) => self.say(&format!("{reason}\n")).await,
        }
    }

    /// Lets others go: the session of a number, or all of a user.
    async fn kick(&mut self, whom: &str) -> Result<(), Gone> {
        let sessions = self.session.console().status().sessions;
        let meant = |row: &Row| row.user == whom || whom.parse() == Ok(row.session);
        let meant: Vec<u64> =
            sessions.iter().filter(|row| meant(row)).map(|row| row.session).collect();
        if meant.is_empty() {
            return self.say(&format!("{whom:?} is not on this console\n")).await;
        }
        for session in meant {
            self.ask(Verb::Kick(Kick { session })).await?;
        }
        Ok(())
    }

    /// Tells everybody the whole lines of a status client; at its end also a part of one.
    async fn tell_all(&mut self, ends: bool) -> Result<(), Gone> {
        while self.kind == client::Kind::Status && !self.typed.is_empty() {
            let end = self.typed.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let full = (ends || self.typed.len() >= MAX_STATUS).then_some(self.typed.len());
            let Some(end) = end.or(full) else { return Ok(()) };
            let line = self.typed.split_to(end.min(MAX_STATUS));
            let line = String::from_utf8_lossy(&line);
            let text = line.trim_matches(|c| matches!(c, '\r' | '\n' | '\0'));
            if !text.is_empty() {
                let verb = Verb::Message(Text { text: text.to_owned() });
                if let Answer::Refused { reason } = self.session.request(verb).await {
                    self.say(&format!("{reason}\n")).await?;
                }
            }
        }
        Ok(())
    }

    async fn say(&mut self, text: &str) -> Result<(), Gone> {
        self.send(text.as_bytes().to_vec()).await
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Gone> {
        self.order(Order::Send(bytes.into())).await
    }

    /// A client that does not listen any more may still have said something: that is carried out up to
    /// its end.
    async fn order(&mut self, order: Order) -> Result<(), Gone> {
        let _ = self.orders.send(order).await;
        Ok(())
    }
}
