//! The receiving side of a client: bytes for the board, and commands.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::ReadHalf;
use tokio::sync::mpsc;

use super::client::Kind;
use super::command::{self, Command};
use super::notice::{self, NOT_CONNECTED};
use super::power::Power;
use super::sender::Order;
use crate::console::{Session, WriteError};
use crate::front::hand_over::HandOver;
use crate::wire::attach::{Answer, Verb};
use crate::wire::conmux::Typing;
use crate::wire::escape::Typed;
use crate::wire::request::Text;

/// How much is read from a client at a time, in bytes.
const READ: usize = 4 * 1024;
/// How long a lone `~` is held before it goes to the board.
const TILDE_HOLD: Duration = Duration::from_secs(2);
/// The longest line of a status client, in bytes; a longer one is several.
const MAX_STATUS: usize = 1024;

pub(super) struct Receiver<'a> {
    pub(super) session: &'a Session,
    pub(super) kind: Kind,
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
            Kind::Client => {
                let typed = self.typing.feed(bytes);
                self.steps(typed).await
            }
            Kind::Status => {
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
        if self.kind == Kind::Status || self.typed.is_empty() {
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
        };
        if self.told.as_ref() == Some(&told) {
            return Ok(());
        }
        self.say(&told).await?;
        self.told = Some(told);
        Ok(())
    }

    async fn command(&mut self, line: &str) -> Result<(), Gone> {
        let verb = match command::parse(line) {
            Ok(None) => return Ok(()),
            Ok(Some(Command::Quit)) => {
                self.order(Order::Quit).await?;
                return Err(Gone);
            }
            Ok(Some(Command::Help)) => return self.say(&command::help()).await,
            Ok(Some(Command::Power(verb, reason))) => {
                return match self.power.begin(verb, reason) {
                    Ok(()) => Ok(()),
                    Err(told) => self.say(&told).await,
                };
            }
            Ok(Some(Command::Down(down))) => {
                return match self.session.set_down(down).await {
                    Ok(()) => Ok(()),
                    Err(reason) => self.say(&format!("{reason}\n")).await,
                };
            }
            Ok(Some(Command::Ask(verb))) => verb,
            Err(told) => return self.say(&told).await,
        };
        let is_break = matches!(verb, Verb::Break(_));
        match self.session.request(verb).await {
            Answer::Done => Ok(()),
            Answer::Refused { reason } if is_break => {
                self.say(&format!("no break: {reason}\n")).await
            }
            Answer::Refused { reason } => self.say(&format!("{reason}\n")).await,
            Answer::Sessions { sessions } => self.say(&command::who(&sessions)).await,
            // Of what no command here asks.
            Answer::Sequences { .. } | Answer::Line(_) | Answer::Sent { .. } => Ok(()),
        }
    }

    /// Tells everybody the whole lines of a status client; at its end also a part of one.
    async fn tell_all(&mut self, ends: bool) -> Result<(), Gone> {
        while self.kind == Kind::Status && !self.typed.is_empty() {
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
