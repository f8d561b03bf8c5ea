//! For whom a verb works: where it looks boards up, who asks, and where its words go.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::super::user;
use crate::client::lab::Lab;
use crate::model::{Failure, Kind};
use crate::sys::terminal_size;
use crate::wire::json_text::json_text;

/// What is printed for somebody who is not at this process's terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// On standard output.
    Out(Bytes),
    /// On standard error.
    Err(Bytes),
}

/// For whom a verb works. A verb touches nothing of the process but through this.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where boards are looked up; `None`: as the options and the environment say.
    lab: Option<Lab>,
    user: String,
    to: To,
    /// What standard output is to who reads it.
    screen: Screen,
}

/// The terminal that standard output goes to, if it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Screen {
    /// Whether it is one.
    pub is_terminal: bool,
    /// Its columns, when they are known.
    pub columns: Option<u16>,
    /// Whether colours are wanted there.
    pub colours: bool,
}

#[derive(Debug, Clone)]
enum To {
    /// Standard output and standard error of this process.
    Process,
    /// Who takes it, as quickly as they like. The queue's bound is theirs.
    Client(mpsc::Sender<Said>),
}

/// Why no more is printed.
#[derive(Debug)]
pub(super) enum Stop {
    /// Whoever read it is gone, as `head` is when it has enough. That is no failure.
    NobodyReads,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Stop {
    /// What a verb ends with that was stopped so.
    pub(super) fn outcome(self) -> Result<(), Failure> {
        match self {
            Self::NobodyReads => Ok(()),
            Self::Failed(failure) => Err(failure),
        }
    }
}

impl Context {
    /// For who started this process.
    pub fn of_process() -> Self {
        let stdout = std::io::stdout();
        let is_terminal = stdout.is_terminal();
        let columns = terminal_size(&stdout).map(|(_, columns)| columns.get());
        let colours = is_terminal && colours_wanted();
        let screen = Screen { is_terminal, columns, colours };
        Self { lab: None, user: user::user(), to: To::Process, screen }
    }

    /// For a user who came over the network: verbs see `lab` alone, and all they print goes to `to`.
    /// Who gives rights makes them part of the lab ([`Lab::on_behalf_of`]).
    pub fn of_client(user: String, lab: Lab, to: mpsc::Sender<Said>, screen: Screen) -> Self {
        Self { lab: Some(lab), user, to: To::Client(to), screen }
    }

    /// Who asks, as others see it.
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn lab(&self) -> Option<&Lab> {
        self.lab.as_ref()
    }

    pub(super) fn screen(&self) -> Screen {
        self.screen
    }

    /// Whether somebody sits before this process who can be shown progress, and asked.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.to, To::Process)
    }

    /// Prints on standard output.
    pub(super) async fn out(&self, bytes: &[u8]) -> Result<(), Stop> {
        match &self.to {
            To::Client(to) => {
                let said = Said::Out(Bytes::copy_from_slice(bytes));
                to.send(said).await.map_err(|_| Stop::NobodyReads)
            }
            To::Process => {
                let mut stdout = std::io::stdout().lock();
                match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
                    Ok(()) => Ok(()),
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Stop::NobodyReads),
                    Err(error) => Err(Failure::from_error(Kind::Infra, &error).into()),
                }
            }
        }
    }

    /// [`Self::out`] where signals are waited for: a terminal that is stopped holds up only this.
    pub(super) async fn out_beside(&self, bytes: &[u8]) -> Result<(), Stop> {
        let To::Process = self.to else { return self.out(bytes).await };
        let mut stdout = tokio::io::stdout();
        let written = async {
            stdout.write_all(bytes).await?;
            stdout.flush().await
        };
        written.await.map_err(|error: std::io::Error| match error.kind() {
            ErrorKind::BrokenPipe => Stop::NobodyReads,
            _ => Failure::from_error(Kind::Infra, &error).into(),
        })
    }

    /// Prints a value as one line of JSON.
    pub(super) async fn out_json(&self, value: &impl serde::Serialize) -> Result<(), Stop> {
        let json = json_text(value);
        let json = json.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
        self.out(format!("{json}\n").as_bytes()).await
    }

    /// Prints a result, which is all there is. A reader that is gone is no error.
    pub(super) async fn print(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.out(bytes).await.or_else(Stop::outcome)
    }

    /// Prints a value, which is all there is, as one line of JSON.
    pub(super) async fn print_json<T: serde::Serialize>(&self, value: &T) -> Result<(), Failure> {
        self.out_json(value).await.or_else(Stop::outcome)
    }

    /// Tells a person something beside what is printed. Nobody is told when that cannot be read.
    pub(super) async fn tell(&self, text: &str) {
        match &self.to {
            To::Client(to) => {
                let _ = to.send(Said::Err(Bytes::copy_from_slice(text.as_bytes()))).await;
            }
            To::Process => {
                let _ = std::io::stderr().write_all(text.as_bytes());
            }
        }
    }

    /// [`Self::tell`] in the form of a note.
    pub(super) async fn note(&self, text: &str) {
        self.tell(&format!("[{text}]\n")).await;
    }
}

/// Whether a person has not said that they want no colours (<https://no-color.org>).
fn colours_wanted() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}
