//! The inventory, `lab.toml`: which boards there are, and where their consoles and outlets are.

use std::path::{Path, PathBuf};

use super::{At, Problems, Table, credential, read_all};
use crate::model::{Failure, Name};

/// What an inventory file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// In the order of the file; no name twice.
    pub boards: Vec<BoardEntry>,
}

/// One `[[board]]`. It has a console or an outlet or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardEntry {
    pub name: Name,
    /// `http://HOST:PORT/consoles/NAME`, the same with `https`, or `unix:SOCKET:/consoles/NAME`.
    pub console: Option<String>,
    /// The same with `/outlets/NAME`.
    pub outlet: Option<String>,
    /// What is said of this board, and of the hosts of its console and its outlet.
    pub login: LoginFiles,
    pub console_login: LoginFiles,
    pub outlet_login: LoginFiles,
}

/// How daemons let us in, and how we know them. What is left out is had from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoginFiles {
    pub token_file: Option<PathBuf>,
    /// The CA of their certificates.
    pub ca: Option<PathBuf>,
    /// Our own certificate.
    pub cert: Option<CertFiles>,
}

/// A certificate that a client shows, in PEM form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertFiles {
    /// Behind it are those between it and a CA that daemons know.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// One `[[host]]`: what is the same for all that a daemon serves.
struct Host {
    /// `https://HOST:PORT`
    url: String,
    login: LoginFiles,
}

impl LoginFiles {
    /// Reads `token_file`, `ca`, `cert` and `key`: paths seen from the folder of the configuration file, or
    /// `credential:NAME`.
    pub fn from_table(table: &Table<'_>) -> Self {
        let file = |key| credential::file(table, key);
        for (given, missing) in [("cert", "key"), ("key", "cert")] {
            if table.node(given).is_some() && table.node(missing).is_none() {
                table.problem(given, format!("{missing:?} is missing: a certificate has a key"));
            }
        }
        let cert = file("cert").zip(file("key")).map(|(cert, key)| CertFiles { cert, key });
        Self { token_file: file("token_file"), ca: file("ca"), cert }
    }
}

impl Inventory {
    /// Reads an inventory file.
    ///
    /// # Errors
    /// Everything that is wrong with it, as one failure of kind `Config`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let problems = Problems::default();
        let mut boards = Vec::new();
        for (file, node) in read_all(&[path.to_owned()], &problems) {
            if let Some(top) = Table::new(&node, At::top(&file, &problems)) {
                let hosts: Vec<Host> = top.tables("host").into_iter().filter_map(host).collect();
                for table in top.tables("board") {
                    boards.extend(board(table, &boards, &hosts));
                }
                top.finish();
            }
        }
        problems.check(Some(Self { boards }))
    }
}

fn host(table: Table<'_>) -> Option<Host> {
    let url = table.required::<String>("url");
    let url = url.map(|url| url.trim_end_matches('/').to_owned());
    if let Some(url) = &url {
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let host = host.filter(|host| host.contains(':') && !host.contains('/'));
        if host.is_none() {
            table.problem("url", format!("expected https://HOST:PORT, found {url:?}"));
        }
    }
    let login = LoginFiles::from_table(&table);
    table.finish();
    Some(Host { url: url?, login })
}

fn board(table: Table<'_>, known: &[BoardEntry], hosts: &[Host]) -> Option<BoardEntry> {
    let name: Option<Name> = table.required("name");
    let console = table.parsed("console", |text| url(text, "consoles"));
    let outlet = table.parsed("outlet", |text| url(text, "outlets"));
    if table.node("console").or(table.node("outlet")).is_none() {
        table.at().problem(table.place(), "a board has a \"console\", an \"outlet\" or both");
    }
    if known.iter().any(|board| Some(&board.name) == name.as_ref()) {
        table.problem("name", "there is a board of this name already");
    }
    let login = LoginFiles::from_table(&table);
    table.finish();
    let of_host = |url: &Option<String>| {
        let at = |host: &&Host| {
            let rest = url.as_ref().and_then(|url| url.strip_prefix(&host.url));
            rest.is_some_and(|path| path.starts_with('/'))
        };
        hosts.iter().find(at).map(|host| host.login.clone()).unwrap_or_default()
    };
    let (console_login, outlet_login) = (of_host(&console), of_host(&outlet));
    Some(BoardEntry { name: name?, console, outlet, login, console_login, outlet_login })
}

fn url(text: &str, collection: &str) -> Result<String, String> {
    let schemes = ["http://", "https://", "unix:"];
    let there = schemes.into_iter().any(|scheme| text.starts_with(scheme));
    let name = text.rsplit_once('/').map_or("", |(_, name)| name);
    if there && text.contains(&format!("/{collection}/")) && !name.is_empty() {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected https://HOST:PORT/{collection}/NAME (or http) or unix:SOCKET:/{collection}/NAME, \
         found {text:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Inventory, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lab.toml");
        std::fs::write(&path, text).unwrap();
        let place = format!("{}/", dir.path().display());
        Inventory::read(&path).map_err(|failure| failure.to_string().replace(&place, ""))
    }

    #[test]
    fn the_example_is_complete_and_correct() {
        let boards = read(include_str!("../../conf/lab.toml")).unwrap().boards;
        assert_eq!(boards[0].name.as_str(), "panda01");
        assert_eq!(boards[0].console.as_deref(), Some("http://127.0.0.1:7100/consoles/panda01"));
        assert_eq!(boards[0].outlet.as_deref(), Some("http://127.0.0.1:7200/outlets/panda01"));
        assert_eq!(boards[1].outlet, None);
    }

    #[test]
    fn a_board_is_let_in_as_its_host_says_or_as_it_says_itself() {
        let boards = read(
            "[[host]]\nurl = \"https://lab:7100\"\ntoken_file = \"lab.token\"\nca = \"/ca.pem\"\n\
             [[board]]\nname = \"a\"\nconsole = \"https://lab:7100/consoles/a\"\n\
             outlet = \"https://lab:71000/outlets/a\"\ntoken_file = \"/a.token\"\n",
        );
        let a = &boards.unwrap().boards[0];
        assert_eq!(a.login.token_file.as_deref(), Some(Path::new("/a.token")));
        assert_eq!(a.console_login.ca.as_deref(), Some(Path::new("/ca.pem")));
        assert!(a.console_login.token_file.as_ref().unwrap().ends_with("lab.token"));
        assert_eq!(a.outlet_login, LoginFiles::default());
        let told = read("[[host]]\nurl = \"lab\"\n").unwrap_err();
        assert_eq!(told, "lab.toml:2:7: host[0].url: expected https://HOST:PORT, found \"lab\"");
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        let told = read(
            "[[board]]\nname = \"a\"\nconsole = \"panda\"\n\n[[board]]\nname = \"a\"\n\
             outlt = \"http://h:1/outlets/a\"\n",
        );
        assert_eq!(
            told.unwrap_err(),
            "lab.toml:3:11: board[0].console: expected https://HOST:PORT/consoles/NAME (or http) or \
             unix:SOCKET:/consoles/NAME, found \"panda\"\n\
             lab.toml:5:1: board[1]: a board has a \"console\", an \"outlet\" or both\n\
             lab.toml:6:8: board[1].name: there is a board of this name already\n\
             lab.toml:7:1: board[1]: unknown key \"outlt\"; did you mean \"outlet\"?"
        );
    }
}
