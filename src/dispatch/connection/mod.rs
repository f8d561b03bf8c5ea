//! The way to a board's console, whatever it is.

mod attached;
mod beside;
mod feedbacks;
mod program;
mod script;
mod telnet;
mod web_socket;

pub use attached::Attached;
pub use beside::Beside;
pub use feedbacks::Feedbacks;
pub use program::Program;
pub use script::{Script, ScriptHandle};
pub use telnet::Telnet;
pub use web_socket::WebSocket;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::context::Settings;
use super::error::Error;
use super::lab;
use super::registry;
use super::timeline::Timeline;
use super::validate::find_program;
use crate::client::ConsoleRef;

/// A lab that does not say soon which outlet is beside a console is not waited for.
const OUTLET: Duration = Duration::from_millis(500);

/// What comes from a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Bytes of the board. `offset` is their absolute place in the console's stream, where the
    /// connection knows it.
    Bytes { offset: Option<u64>, time_us: u64, bytes: Bytes },
    /// Somebody took the write lock; what is written now would not reach the board.
    Forced { by: String },
    /// The write lock is back.
    Released,
    /// The port behind the console is gone.
    PortLost { reason: String },
    /// The port behind the console is back.
    PortOpen,
    /// Bytes that are not held any more.
    Gap { from: u64, to: u64 },
}

/// A console that a job is attached to.
pub trait Connection: Send {
    /// What comes next. Waits for it for ever. Cancel safe.
    ///
    /// # Errors
    /// When the console cannot be reached any more.
    fn next(&mut self) -> BoxFuture<'_, Result<Incoming, Error>>;

    /// Types bytes. Cancel safe only in that a part of them may have been typed.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>>;

    /// Ends what is open beside the console, if anything is.
    fn end_beside(&mut self) {}

    /// Lets others type, too, or no longer. Nothing to do where nobody else can be at the console.
    fn share(&mut self, _shared: bool) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
}

/// Where a device dictionary's `connect` leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A board's console by the board's name: `lava-console [--lab FILE] NAME`.
    Board { lab: Option<String>, name: String },
    /// A console's URL: `http://HOST:PORT/consoles/NAME`.
    Console { url: String },
    /// `telnet HOST PORT`.
    Telnet { address: String },
    /// Any other program, whose terminal is the console: `ssh HOST`, `ipmitool … sol activate`.
    Program { words: Vec<String> },
}

impl Target {
    /// # Errors
    /// What `connect` can be, when it is none of that.
    pub fn parse(connect: &str) -> Result<Self, String> {
        let words = shlex::split(connect).unwrap_or_default();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["lava-console", "--lab", lab, name] => {
                Ok(Self::Board { lab: Some((*lab).into()), name: (*name).into() })
            }
            ["lava-console", name] if !name.starts_with('-') => {
                Ok(Self::Board { lab: None, name: (*name).into() })
            }
            ["telnet", host, port] if port.parse::<u16>().is_ok() => {
                Ok(Self::Telnet { address: format!("{host}:{port}") })
            }
            [url] if ["http://", "https://", "unix:"].iter().any(|way| url.starts_with(way)) => {
                Ok(Self::Console { url: (*url).into() })
            }
            ["lava-console" | "telnet", ..] | [] => Err(format!(
                "{connect:?}: expected lava-console [--lab FILE] NAME, a console's URL, \
                 telnet HOST PORT, or another program's command line"
            )),
            words => Ok(Self::Program { words: words.iter().map(|w| (*w).to_owned()).collect() }),
        }
    }

    /// Finds the console, as far as that goes without attaching to it.
    ///
    /// # Errors
    /// When there is no such board, or the URL is none.
    pub async fn find(&self, settings: &Settings) -> Result<Option<ConsoleRef>, Error> {
        match self {
            Self::Telnet { .. } => Ok(None),
            Self::Program { words } => match find_program(&words[0]) {
                Some(_) => Ok(None),
                None => {
                    let what = format!("the program {:?} is not on this host", words[0]);
                    Err(Error::Configuration(what))
                }
            },
            Self::Console { url } => url.parse().map(Some).map_err(Error::Configuration),
            Self::Board { lab: own, name } => {
                let own = own.as_ref().map(std::path::PathBuf::from);
                let inventory = own.as_deref().or(settings.lab.as_deref());
                lab::console(name, inventory).await.map(Some)
            }
        }
    }

    /// Attaches.
    ///
    /// # Errors
    /// Why the console cannot be reached.
    pub async fn open(
        &self,
        settings: &Settings,
    ) -> Result<(Box<dyn Connection>, Option<Timeline>), Error> {
        if let Self::Telnet { address } = self {
            return Ok((Box::new(Telnet::connect(address.clone()).await?), None));
        }
        if let Self::Program { words } = self {
            return Ok((Box::new(Program::start(words)?), None));
        }
        let missing = || Error::Bug(format!("{self:?} is no console"));
        attach(self.find(settings).await?.ok_or_else(missing)?, settings).await
    }
}

async fn attach(
    console: ConsoleRef,
    settings: &Settings,
) -> Result<(Box<dyn Connection>, Option<Timeline>), Error> {
    let timeline = Timeline::new(&console, &settings.job_id);
    let attached = Attached::open(console.clone(), &settings.job_id).await?;
    let outlet = lab::outlet(console.name(), settings.lab.as_deref());
    let outlet = timeout(OUTLET, outlet).await.ok().and_then(Result::ok);
    registry::note(&settings.job_id, console.name(), &console, outlet.as_ref());
    Ok((Box::new(attached), Some(timeline)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_a_console_are_understood() {
        assert_eq!(
            Target::parse("lava-console --lab l.toml panda01"),
            Ok(Target::Board { lab: Some("l.toml".into()), name: "panda01".into() })
        );
        assert_eq!(
            Target::parse("telnet ser2net.lab 7001"),
            Ok(Target::Telnet { address: "ser2net.lab:7001".into() })
        );
        for url in [
            "http://127.0.0.1:7100/consoles/panda01",
            "https://lab:7100/consoles/panda01",
            "unix:/run/lava/serial.sock/consoles/panda01",
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target, Target::Console { url: url.into() });
            if !url.starts_with("unix:") {
                assert!(url.parse::<ConsoleRef>().is_ok(), "{url}");
            }
        }
        let words = vec!["ssh".to_owned(), "-t".to_owned(), "host".to_owned()];
        assert_eq!(Target::parse("ssh -t host"), Ok(Target::Program { words }));
        for wrong in ["", "telnet host", "lava-console --lab x"] {
            assert!(Target::parse(wrong).unwrap_err().contains("expected lava-console"));
        }
    }
}
