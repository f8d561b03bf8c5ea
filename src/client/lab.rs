//! Finding a board by its name.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::sockets::sockets_in;
use super::{ConsoleRef, Endpoint, Http, OutletRef};
use crate::config::lab::Inventory;
use crate::config::runtime_dir;
use crate::model::{Failure, Kind, Name, OutletInfo};

/// How long a daemon of this host may take to list what it serves.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);
/// The inventory of a host, after the user's own.
const HOST_INVENTORY: &str = "/etc/lava/lab.toml";

/// A board as a client sees it. It has a console or an outlet or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    pub name: Name,
    pub console: Option<ConsoleRef>,
    pub outlet: Option<OutletRef>,
}

/// Where boards are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lab {
    /// In an inventory file.
    File(PathBuf),
    /// At the daemons of this host, whose sockets are in this folder.
    Host(PathBuf),
}

#[derive(Deserialize)]
struct Named {
    name: Name,
}

impl Lab {
    /// Where to look: `server` and `lab` are what was given on the command line, `--server` and
    /// `--lab`. Else `$LAVA_SERVER`, `$LAVA_LAB`, the user's and the host's inventory, the daemons
    /// of this host.
    ///
    /// # Errors
    /// [`Kind::User`] when a server is to be asked: none answers that yet.
    pub fn locate(server: Option<&str>, lab: Option<PathBuf>) -> Result<Self, Failure> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let server = server.map(Into::into);
        if let Some(server) = server.or_else(|| set("LAVA_SERVER").filter(|_| lab.is_none())) {
            let what = format!("boards cannot be looked up at a server yet ({})", server.display());
            return Err(Failure::new(Kind::User, what)
                .hint("name an inventory with --lab FILE, or unset LAVA_SERVER"));
        }
        if let Some(file) = lab.or_else(|| set("LAVA_LAB").map(PathBuf::from)) {
            return Ok(Self::File(file));
        }
        let config = set("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
        let files = config.map(|dir| dir.join("lava/lab.toml")).into_iter();
        let found = files.chain([PathBuf::from(HOST_INVENTORY)]).find(|file| file.exists());
        Ok(found.map_or_else(|| Self::Host(runtime_dir()), Self::File))
    }

    /// Every board, in the order of the inventory or by name. A daemon of this host that does not
    /// answer is left out, if another does.
    ///
    /// # Errors
    /// When the inventory is wrong, or when there is no board because a daemon does not answer.
    pub async fn boards(&self) -> Result<Vec<Board>, Failure> {
        let (boards, silent) = self.find().await?;
        match silent {
            Some(failure) if boards.is_empty() => Err(failure),
            _ => Ok(boards),
        }
    }

    /// The board of a name.
    ///
    /// # Errors
    /// [`Kind::User`] when there is none, with the nearest name and where was looked, unless a
    /// daemon of this host does not answer that may have it; else as [`Self::boards`].
    pub async fn board(&self, name: &str) -> Result<Board, Failure> {
        let (mut boards, silent) = self.find().await?;
        if let Some(at) = boards.iter().position(|board| board.name.as_str() == name) {
            return Ok(boards.swap_remove(at));
        }
        if let Some(failure) = silent {
            return Err(failure.hint(format!("board {name:?} is not at any of the others")));
        }
        let known: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
        let near = Name::nearest(name, known.iter().copied());
        let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        let what = format!("there is no board {name:?} {self}{near}");
        Err(Failure::new(Kind::User, what).hint(match (self, known.is_empty()) {
            (_, false) => format!("boards there: {}", known.join(", ")),
            (Self::File(_), true) => "there is no [[board]] in it".into(),
            (Self::Host(_), true) => {
                "none of them runs; name an inventory with --lab FILE, or start lava-serial".into()
            }
        }))
    }
}

impl Lab {
    /// The boards, and why a daemon of this host was left out.
    async fn find(&self) -> Result<(Vec<Board>, Option<Failure>), Failure> {
        let dir = match self {
            Self::File(path) => {
                let boards = Inventory::read(path)?.boards.into_iter().map(entry);
                return Ok((boards.collect::<Result<_, _>>()?, None));
            }
            Self::Host(dir) => dir,
        };
        let (consoles, outlets) = tokio::join!(
            listed::<Named>(sockets_in(dir, "serial"), "/consoles"),
            listed::<OutletInfo>(sockets_in(dir, "power"), "/outlets"),
        );
        let silent = consoles.1.or(outlets.1);
        let mut boards: Vec<Board> = Vec::new();
        let consoles = consoles.0.into_iter().map(|(at, console)| Board {
            console: Some(ConsoleRef::new(at, "/consoles", console.name.as_str())),
            name: console.name,
            outlet: None,
        });
        let outlets = outlets.0.into_iter().map(|(at, outlet)| Board {
            outlet: Some(OutletRef::new(at, "/outlets", outlet.name.as_str())),
            name: outlet.name,
            console: None,
        });
        for found in consoles.chain(outlets) {
            match boards.iter_mut().find(|board| board.name == found.name) {
                Some(board) => {
                    board.console = board.console.take().or(found.console);
                    board.outlet = board.outlet.take().or(found.outlet);
                }
                None => boards.push(found),
            }
        }
        boards.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((boards, silent))
    }
}

impl std::fmt::Display for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Host(dir) => write!(f, "at the daemons of this host ({})", dir.display()),
        }
    }
}

fn entry(entry: crate::config::lab::BoardEntry) -> Result<Board, Failure> {
    let parsed = |url: Option<String>| url.map(|url| url.parse()).transpose();
    let wrong =
        |error: String| Failure::new(Kind::Config, format!("board {}: {error}", entry.name));
    Ok(Board {
        console: parsed(entry.console).map_err(wrong)?,
        outlet: parsed(entry.outlet).map_err(wrong)?,
        name: entry.name.clone(),
    })
}

/// What each of the daemons lists, with where it is, and the first failure. A socket that nobody
/// listens on was left by a daemon that is gone.
async fn listed<T: DeserializeOwned>(
    sockets: Vec<Endpoint>,
    path: &str,
) -> (Vec<(Endpoint, T)>, Option<Failure>) {
    let ask = async |socket: Endpoint| {
        if socket.connect().await.is_err() {
            return Ok(Vec::new());
        }
        let http = Http::new(socket.clone()).with_timeout(LIST_TIMEOUT);
        let listed: Vec<T> = http.get(path).await?;
        Ok(listed.into_iter().map(|item| (socket.clone(), item)).collect())
    };
    let (mut all, mut silent) = (Vec::new(), None);
    for answer in join_all(sockets.into_iter().map(ask)).await {
        match answer {
            Ok(listed) => all.extend::<Vec<_>>(listed),
            Err(failure) => silent = silent.or(Some(failure)),
        }
    }
    (all, silent)
}
