//! A console by its board's name: quick where a daemon has a thousand of them.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde::de::IgnoredAny;

use super::lab::Lab;
use super::sockets::sockets_in;
use super::{ConsoleRef, Endpoint, Http};
use crate::config::mistrust;
use crate::model::{Failure, Kind, Name};

/// How long a daemon of this host may take to say whether it has a console.
const TIMEOUT: Duration = Duration::from_secs(2);

impl Lab {
    /// The console of the board of a name. The daemons of this host are asked for that alone.
    ///
    /// # Errors
    /// As [`Self::board`], and when the board has no console.
    pub async fn console(&self, name: &str) -> Result<(Name, ConsoleRef), Failure> {
        if let Self::Host(dir) = self
            && let Some(found) = host_console(dir, name).await
        {
            return Ok(found);
        }
        let board = self.board(name).await?;
        let console = board.console.ok_or_else(|| {
            Failure::new(Kind::User, format!("board {} has no console {self}", board.name))
        })?;
        Ok((board.name, console))
    }
}

/// The console of a name. `None` when there is none or more than one: then all that there is has to be
/// looked at, to say what is wrong.
async fn host_console(dir: &Path, name: &str) -> Option<(Name, ConsoleRef)> {
    let name: Name = name.parse().ok().filter(|_| mistrust(dir).is_none())?;
    let path = format!("/consoles/{name}");
    let path = path.as_str();
    let ask = async |socket: Endpoint| {
        let http = Http::new(socket.clone()).with_timeout(TIMEOUT);
        let answer: Result<IgnoredAny, Failure> = http.get(path).await;
        answer.ok().map(|_| socket)
    };
    let asked = join_all(sockets_in(dir, "serial").into_iter().map(ask)).await;
    let mut found = asked.into_iter().flatten();
    let console = ConsoleRef::new(found.next()?, "/consoles", name.as_str());
    found.next().is_none().then_some((name, console))
}
