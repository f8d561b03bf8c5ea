//! Finding a board by its name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::server::LabServer;
use super::sockets::sockets_in;
use super::{ConsoleRef, Endpoint, Http, Login, OutletRef, Resource};
use crate::config::lab::{BoardEntry, Inventory, LoginFiles};
use crate::config::{mistrust, runtime_dir};
use crate::model::{Behalf, BoardInfo, Failure, Kind, Name, OutletInfo, Right};

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
    /// At a `lava-server`.
    Server(Endpoint),
    /// There, but on behalf of somebody: as far as they may see it.
    For(Box<Lab>, Arc<Behalf>),
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
    /// [`Kind::User`] when the server's URL is none.
    pub fn locate(server: Option<&str>, lab: Option<PathBuf>) -> Result<Self, Failure> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let named = || Some(set("LAVA_SERVER").filter(|_| lab.is_none())?.display().to_string());
        if let Some(server) = server.map(str::to_owned).or_else(named) {
            let endpoint = server.parse();
            return endpoint.map(Self::Server).map_err(|error| Failure::new(Kind::User, error));
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

    /// The same for somebody: what they may not see is not there, and each daemon is told for whom it is
    /// asked.
    #[must_use]
    pub fn on_behalf_of(self, behalf: Arc<Behalf>) -> Self {
        match self {
            Self::For(lab, _) => Self::For(lab, behalf),
            lab => Self::For(Box::new(lab), behalf),
        }
    }

    /// Whether somebody who looks here may do what needs a right. The daemons may still refuse it.
    ///
    /// # Errors
    /// [`Kind::Refused`], with what is missing.
    pub fn permit(&self, board: &Name, need: Right) -> Result<(), Failure> {
        let Self::For(_, behalf) = self else { return Ok(()) };
        match behalf.rights.on(board.as_str()) {
            Some(right) if right >= need => Ok(()),
            right => {
                let has = right.map_or("nothing", Right::as_str);
                let what = format!("this needs the right to {need} {board}; you have {has}");
                Err(Failure::new(Kind::Refused, what))
            }
        }
    }

    /// Every board, in the order of the inventory or by name. A daemon of this host that does not
    /// answer is left out, if another does. What several daemons of this host serve under one name
    /// is a board each.
    ///
    /// # Errors
    /// When the inventory is wrong, when no daemon runs on this host ([`Kind::Lab`]), or when there
    /// is no board because a daemon does not answer.
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
    /// daemon of this host does not answer that may have it; and when it could be one of several.
    /// Else as [`Self::boards`].
    pub async fn board(&self, name: &str) -> Result<Board, Failure> {
        let (mut boards, silent) = self.find().await?;
        let named = boards.iter().enumerate().filter(|(_, board)| board.name.as_str() == name);
        let named: Vec<usize> = named.map(|(at, _)| at).collect();
        match named[..] {
            [] => {}
            [at] => return Ok(boards.swap_remove(at)),
            _ => return Err(ambiguous(name, named.iter().map(|at| &boards[*at]))),
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
                "they serve no board; name an inventory with --lab FILE".into()
            }
            (Self::Server(_), true) => {
                "it has no board; lava board add NAME --type TYPE adds one".into()
            }
            (Self::For(..), true) => "you have no right on any".into(),
        }))
    }
}

impl Board {
    /// Whatever is asked of it is asked for somebody; `outlets` are those of all boards that are called
    /// otherwise than they.
    fn ask_for(&mut self, behalf: &Arc<Behalf>, outlets: &[(Endpoint, Name, String)]) {
        if let Some(console) = &mut self.console {
            let narrowed = behalf.as_on((&self.name, console.name()), []);
            console.login.behalf = Some(Arc::new(narrowed));
        }
        if let Some(outlet) = &mut self.outlet {
            // One may be shared with other boards, and the right is asked for on all of them.
            let others = outlets.iter().filter(|(endpoint, ..)| *endpoint == outlet.endpoint);
            let others = others.map(|(_, board, outlet)| (board, outlet.as_str()));
            let narrowed = behalf.as_on((&self.name, outlet.name()), others);
            outlet.login.behalf = Some(Arc::new(narrowed));
        }
    }
}

fn renamed_outlets(boards: &[Board]) -> Vec<(Endpoint, Name, String)> {
    let outlets = boards.iter().filter_map(|board| Some((board, board.outlet.as_ref()?)));
    let renamed = outlets.filter(|(board, outlet)| board.name.as_str() != outlet.name());
    let each = |(board, outlet): (&Board, &OutletRef)| {
        (outlet.endpoint.clone(), board.name.clone(), outlet.name().to_owned())
    };
    renamed.map(each).collect()
}

impl Lab {
    /// The boards, and why a daemon of this host was left out.
    async fn find(&self) -> Result<(Vec<Board>, Option<Failure>), Failure> {
        match self {
            Self::For(lab, behalf) => {
                let (mut boards, silent) = lab.find_for(Some(behalf)).await?;
                boards.retain(|board| self.permit(&board.name, Right::See).is_ok());
                let outlets = renamed_outlets(&boards);
                boards.iter_mut().for_each(|board| board.ask_for(behalf, &outlets));
                Ok((boards, silent))
            }
            lab => lab.find_for(None).await,
        }
    }

    async fn find_for(
        &self,
        behalf: Option<&Arc<Behalf>>,
    ) -> Result<(Vec<Board>, Option<Failure>), Failure> {
        let dir = match self {
            Self::For(lab, _) => return Box::pin(lab.find_for(behalf)).await,
            Self::File(path) => {
                let boards = Inventory::read(path)?.boards.into_iter().map(entry);
                return Ok((boards.collect::<Result<_, _>>()?, None));
            }
            Self::Server(endpoint) => return Ok((at_server(endpoint, behalf).await?, None)),
            Self::Host(dir) => dir,
        };
        if let Some(why) = mistrust(dir) {
            return Err(Failure::new(Kind::Lab, why));
        }
        let (consoles, outlets) = tokio::join!(
            listed::<Named>(sockets_in(dir, "serial"), "/consoles", behalf),
            listed::<OutletInfo>(sockets_in(dir, "power"), "/outlets", behalf),
        );
        let answered = consoles.answered + outlets.answered;
        let silent = consoles.silent.or(outlets.silent);
        if answered == 0 && silent.is_none() {
            let what =
                format!("no lava-serial and no lava-power runs on this host ({})", dir.display());
            return Err(Failure::new(Kind::Lab, what)
                .hint("start one, or name an inventory with --lab FILE"));
        }
        let mut found: BTreeMap<Name, (Vec<ConsoleRef>, Vec<OutletRef>)> = BTreeMap::new();
        for (at, Named { name }) in consoles.items {
            let console = ConsoleRef::new(at, "/consoles", name.as_str());
            found.entry(name).or_default().0.push(console);
        }
        for (at, OutletInfo { name, .. }) in outlets.items {
            let outlet = OutletRef::new(at, "/outlets", name.as_str());
            found.entry(name).or_default().1.push(outlet);
        }
        let boards = found
            .into_iter()
            .flat_map(|(name, (consoles, outlets))| paired(name, consoles, outlets));
        Ok((boards.collect(), silent))
    }
}

impl std::fmt::Display for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Server(endpoint) => write!(f, "at {endpoint}"),
            Self::Host(dir) => write!(f, "at the daemons of this host ({})", dir.display()),
            // Where it is on the server is not the matter of who comes from elsewhere.
            Self::For(..) => f.write_str("here"),
        }
    }
}

/// The boards of a server. What it does not know the place of, a board has not.
async fn at_server(
    endpoint: &Endpoint,
    behalf: Option<&Arc<Behalf>>,
) -> Result<Vec<Board>, Failure> {
    let login = Login { behalf: behalf.cloned(), ..Login::default() };
    let server = LabServer::new(endpoint.clone(), login);
    let place = |url: Option<String>| -> Result<Option<Resource>, Failure> {
        let wrong = |error| Failure::new(Kind::Lab, format!("{endpoint}: {error}"));
        url.map(|url| url.parse().map_err(wrong)).transpose()
    };
    let board = |info: BoardInfo| {
        let (console, outlet) = (place(info.console_url)?, place(info.outlet_url)?);
        Ok(Board { name: info.name, console, outlet })
    };
    server.boards().await?.into_iter().map(board).collect()
}

/// One console and one outlet of a name are one board. Of more, nobody knows which belong together.
fn paired(name: Name, mut consoles: Vec<ConsoleRef>, mut outlets: Vec<OutletRef>) -> Vec<Board> {
    if consoles.len() <= 1 && outlets.len() <= 1 {
        return vec![Board { name, console: consoles.pop(), outlet: outlets.pop() }];
    }
    let consoles = consoles.into_iter().map(|console| (Some(console), None));
    let outlets = outlets.into_iter().map(|outlet| (None, Some(outlet)));
    let board = |(console, outlet)| Board { name: name.clone(), console, outlet };
    consoles.chain(outlets).map(board).collect()
}

fn ambiguous<'a>(name: &str, boards: impl Iterator<Item = &'a Board>) -> Failure {
    let found = boards.flat_map(|board| board.console.iter().chain(&board.outlet));
    let found: Vec<String> = found.map(|found| format!("\n  {found}")).collect();
    let what = format!("board {name:?} could be one of several:{}", found.concat());
    Failure::new(Kind::User, what)
        .hint("say which is meant in an inventory, and name that with --lab FILE")
}

fn entry(entry: BoardEntry) -> Result<Board, Failure> {
    let BoardEntry { name, console, outlet, login, console_login, outlet_login } = entry;
    let found = |url: Option<String>, host: LoginFiles| -> Result<Option<Resource>, Failure> {
        let Some(url) = url else { return Ok(None) };
        let wrong = |error| Failure::new(Kind::Config, format!("board {name}: {error}"));
        let resource: Resource = url.parse().map_err(wrong)?;
        let login = Login {
            token_file: login.token_file.clone().or(host.token_file),
            ca: login.ca.clone().or(host.ca),
            cert: login.cert.clone().or(host.cert).map(Box::new),
            behalf: None,
        };
        Ok(Some(Resource { login, ..resource }))
    };
    let (console, outlet) = (found(console, console_login)?, found(outlet, outlet_login)?);
    Ok(Board { name, console, outlet })
}

/// The consoles of the daemons whose sockets are in a folder. Who does not answer has none.
pub async fn host_consoles<T: DeserializeOwned>(dir: &Path) -> Vec<T> {
    let listed: Listed<T> = listed(sockets_in(dir, "serial"), "/consoles", None).await;
    listed.items.into_iter().map(|(_, console)| console).collect()
}

/// What the daemons of a kind list.
struct Listed<T> {
    /// With where each is.
    items: Vec<(Endpoint, T)>,
    /// How many daemons have answered.
    answered: usize,
    /// Why one has not.
    silent: Option<Failure>,
}

/// Asks each of the daemons. A socket that nobody listens on was left by a daemon that is gone.
async fn listed<T: DeserializeOwned>(
    sockets: Vec<Endpoint>,
    path: &str,
    behalf: Option<&Arc<Behalf>>,
) -> Listed<T> {
    let login = Login { behalf: behalf.cloned(), ..Login::default() };
    let ask = async |socket: Endpoint| {
        if socket.connect(&login).await.is_err() {
            return None;
        }
        let http = Http::new(socket.clone()).with_login(login.clone()).with_timeout(LIST_TIMEOUT);
        let listed: Result<Vec<T>, Failure> = http.get(path).await;
        Some(listed.map(|listed| (socket, listed)))
    };
    let mut all = Listed { items: Vec::new(), answered: 0, silent: None };
    for answer in join_all(sockets.into_iter().map(ask)).await.into_iter().flatten() {
        match answer {
            Ok((socket, listed)) => {
                all.answered += 1;
                all.items.extend(listed.into_iter().map(|item| (socket.clone(), item)));
            }
            Err(failure) => all.silent = all.silent.or(Some(failure)),
        }
    }
    all
}
