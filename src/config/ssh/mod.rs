//! The configuration of `lava-ssh`: where it listens, who is let in by which key, and where they may be
//! forwarded to.

mod key;
mod user;

use std::net::SocketAddr;
use std::path::PathBuf;

use super::capture::state_dir;
use super::top::TopConfig;
use super::{At, FromNode as _, Problems, Table, Value, credential, read_all};
use crate::model::{Failure, Name, Right};

pub use key::{KeyError, PublicKey};
pub use user::SshUser;

use user::{Folder, add, of_table};

/// Where the host key is, below what outlives the daemon.
const HOST_KEY: &str = "ssh/host_ed25519_key";

/// What a `lava-ssh` serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshConfig {
    /// One address or several.
    pub listen: Vec<SocketAddr>,
    /// The file of the ed25519 key that it is known by. It is made when it is not there.
    pub host_key: PathBuf,
    /// The inventory; else the daemons of this host.
    pub lab: Option<PathBuf>,
    /// No name twice, and no key of two users.
    pub users: Vec<SshUser>,
    pub forwards: Vec<Forward>,
    /// How the TUI looks for those who come without a command, and its keys.
    pub top: TopConfig,
}

/// `[[forward]]`: a way into the network of a board, for those who may write there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    pub board: Name,
    /// `HOST:PORT`, as this host reaches it.
    pub to: String,
    /// The port of the board that it stands for.
    pub port: u16,
}

impl SshConfig {
    /// Reads files and folders of TOML, and the files of keys that they name; several are one
    /// configuration.
    ///
    /// # Errors
    /// [`crate::model::Kind::Config`] with every problem in all of them.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let problems = Problems::default();
        let mut found = Found::default();
        for (file, node) in read_all(paths, &problems) {
            if let Some(top) = Table::new(&node, At::top(&file, &problems)) {
                found.read(&top);
                top.finish();
            }
        }
        found.finish(&problems);
        let Found { ssh, users, forwards, .. } = found;
        let mut top = None;
        let config = ssh.map(|ssh| {
            let host_key = ssh.host_key.unwrap_or_else(|| state_dir().join(HOST_KEY));
            let (listen, lab) = (ssh.listen, ssh.lab);
            top = ssh.top;
            Self { listen, host_key, lab, users, forwards, top: TopConfig::default() }
        });
        if config.is_none() {
            problems.add(nowhere(paths));
        }
        let config = problems.check(config)?;
        let top = top.map_or_else(TopConfig::of_host, |file| TopConfig::read(&file))?;
        Ok(Self { top, ..config })
    }

    /// Whose key this is, given as RFC 4253 encodes it.
    pub fn user_of(&self, blob: &[u8]) -> Option<&SshUser> {
        self.users.iter().find(|user| user.keys.iter().any(|key| key.blob == blob))
    }

    /// Where somebody is taken who asks for a port of a board, or for just what an entry names; `None`
    /// where no entry allows it to this user.
    pub fn forward(&self, user: &SshUser, host: &str, port: u16) -> Option<&Forward> {
        let named = |forward: &&Forward| {
            let board = forward.board.as_str() == host && forward.port == port;
            board || forward.to == format!("{host}:{port}")
        };
        let may = |f: &&Forward| user.rights.on(f.board.as_str()) >= Some(Right::Write);
        self.forwards.iter().filter(may).find(named)
    }
}

fn nowhere(paths: &[PathBuf]) -> super::Problem {
    let file = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
    let message = "there is no [ssh] table; it says where to listen: listen = \"127.0.0.1:2222\"";
    super::Problem { file, place: Default::default(), path: String::new(), message: message.into() }
}

/// `[ssh]`
struct Ssh {
    listen: Vec<SocketAddr>,
    host_key: Option<PathBuf>,
    lab: Option<PathBuf>,
    top: Option<PathBuf>,
}

/// What has been read so far.
#[derive(Default)]
struct Found {
    ssh: Option<Ssh>,
    users: Vec<SshUser>,
    folder: Option<Folder>,
    forwards: Vec<Forward>,
}

impl Found {
    fn read(&mut self, top: &Table<'_>) {
        if let Some(table) = top.table("ssh") {
            if self.ssh.is_some() {
                table.at().problem(table.place(), "another file has an [ssh] table too");
            }
            let listen = addresses(&table);
            let file = |key| credential::file(&table, key);
            let (host_key, lab, top) = (file("host_key"), file("lab"), file("top"));
            self.ssh = Some(Ssh { listen, host_key, lab, top });
            table.finish();
        }
        for table in top.tables("user") {
            let user = of_table(&table);
            if let Some(user) = user {
                add(&mut self.users, user, |key, what| table.problem(key, what));
            }
            table.finish();
        }
        if let Some(table) = top.table("keys") {
            if self.folder.is_some() {
                table.at().problem(table.place(), "another file has a [keys] table too");
            }
            self.folder = Folder::of_table(&table);
            table.finish();
        }
        for table in top.tables("forward") {
            self.forwards.extend(forward(&table));
            table.finish();
        }
    }

    /// Adds the users of the folder: what files say of a user counts, whatever their order is.
    fn finish(&mut self, problems: &Problems) {
        if let Some(folder) = self.folder.take() {
            folder.add_to(&mut self.users, problems);
        }
    }
}

/// `listen`, one address or a list.
fn addresses(table: &Table<'_>) -> Vec<SocketAddr> {
    let at = table.at().key("listen");
    match table.node("listen").map(|node| (&node.value, node)) {
        Some((Value::List(nodes), _)) => {
            let each = nodes.iter().enumerate();
            each.filter_map(|(i, node)| SocketAddr::from_node(node, &at.index(i))).collect()
        }
        Some((_, node)) => SocketAddr::from_node(node, &at).into_iter().collect(),
        None => table.required("listen").into_iter().collect(),
    }
}

fn forward(table: &Table<'_>) -> Option<Forward> {
    let board = table.required("board");
    let port_of = |text: &str| {
        let (host, port) = text.rsplit_once(':')?;
        port.parse::<u16>().ok().filter(|port| *port > 0 && !host.is_empty())
    };
    let to = table.parsed("to", |text| {
        let port = port_of(text).ok_or("expected HOST:PORT, as 192.168.7.2:22")?;
        Ok::<_, &str>((text.to_owned(), port))
    });
    if table.node("to").is_none() {
        table.required::<String>("to");
    }
    let port = match table.node("port").map(|node| &node.value) {
        Some(Value::Int(port)) => {
            let port = u16::try_from(*port).ok().filter(|port| *port > 0);
            if port.is_none() {
                table.problem("port", "a port is a number from 1 to 65535");
            }
            port
        }
        Some(_) => {
            table.problem("port", "a port is a number from 1 to 65535");
            None
        }
        None => to.as_ref().map(|(_, port)| *port),
    };
    let ((to, _), port) = (to?, port?);
    Some(Forward { board: board?, to, port })
}

#[cfg(test)]
mod tests;
