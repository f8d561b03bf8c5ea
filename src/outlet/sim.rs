//! `driver = "sim"`: outlets in memory, and outlets of virtual boards.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::OutletConfig;
use crate::model::State;

/// The longest line that a virtual board may answer, in bytes.
const MAX_LINE: u64 = 1024;

/// An outlet that is only a flag. Off at first.
#[derive(Debug, Default)]
struct SimOutlet {
    on: AtomicBool,
}

/// An outlet with a virtual board on it, which listens on a Unix socket. Each request has a connection
/// of its own: one line `on`, `off` or `status`, answered by one line `on`, `off` or `error TEXT`.
#[derive(Debug)]
struct BoardOutlet {
    socket: PathBuf,
}

/// A virtual board's outlet, or one in memory.
pub(super) fn open(outlet: &OutletConfig) -> Box<dyn Outlet> {
    match &outlet.board {
        Some(socket) => Box::new(BoardOutlet::new(socket)),
        None => Box::<SimOutlet>::default(),
    }
}

impl Outlet for SimOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.on.store(to == Switch::On, Ordering::Relaxed);
        async { Ok(()) }.boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        let state = if self.on.load(Ordering::Relaxed) { State::On } else { State::Off };
        Some(async move { Ok(state) }.boxed())
    }
}

impl BoardOutlet {
    fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    async fn ask(&self, word: &str, mut way: Way) -> Result<State, OutletError> {
        let board = format!("the virtual board at {}", self.socket.display());
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream
            .map_err(|error| way.unreachable(format!("{board} cannot be reached: {error}")))?;
        way.sending();
        let lost = |error: io::Error| OutletError::Unclear(format!("{board}: {error}"));
        let mut stream = BufReader::new(stream);
        stream.write_all(format!("{word}\n").as_bytes()).await.map_err(lost)?;
        let mut line = Vec::new();
        let mut bounded = (&mut stream).take(MAX_LINE);
        bounded.read_until(b'\n', &mut line).await.map_err(lost)?;
        let line = String::from_utf8_lossy(&line);
        match line.trim_end() {
            "on" => Ok(State::On),
            "off" => Ok(State::Off),
            other => Err(match other.strip_prefix("error ") {
                Some(text) => OutletError::said_no(format!("{board} refuses: {text}")),
                None => OutletError::Unclear(format!("{board} answered {other:?} to {word:?}")),
            }),
        }
    }
}

impl Outlet for BoardOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        async move { self.ask(State::from(to).as_str(), Way::switches()).await.map(drop) }.boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(async { self.ask("status", Way::reads()).await }.boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    /// A board that gives these answers, one for each connection.
    async fn board(listener: UnixListener, answers: &[&str]) -> Vec<String> {
        let mut asked = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            asked.push(line);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    }

    #[tokio::test]
    async fn a_virtual_board_is_asked_in_lines() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("panda01.power");
        let outlet = BoardOutlet::new(&socket);
        let gone = outlet.switch(Switch::On).await.unwrap_err();
        assert!(matches!(gone, OutletError::Unreachable(_)), "{gone}");

        let listener = UnixListener::bind(&socket).unwrap();
        let answers = ["on\n", "off\n", "error no fuse\n", "what?\n", ""];
        let talk = async {
            outlet.switch(Switch::On).await.unwrap();
            assert_eq!(outlet.status().unwrap().await, Ok(State::Off));
            let refused = outlet.switch(Switch::Off).await.unwrap_err();
            assert!(refused.to_string().ends_with("refuses: no fuse"), "{refused}");
            assert!(outlet.status().unwrap().await.unwrap_err().is_unclear());
            assert!(outlet.status().unwrap().await.unwrap_err().is_unclear());
        };
        let (asked, ()) = tokio::join!(board(listener, &answers), talk);
        assert_eq!(asked, ["on\n", "status\n", "off\n", "status\n", "status\n"]);
    }
}
