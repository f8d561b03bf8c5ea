//! The configuration of `lava-server`. All of it may be left out.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::capture::state_dir;
use super::lab::LoginFiles;
use super::{AccessConfig, At, HttpListen, Problems, Size, Table, credential, read_all};
use crate::model::{Failure, Kind};

/// Where it listens when nothing else is said.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7000);
/// How long an image is kept of which nothing else is said.
const KEEP: Duration = Duration::from_secs(14 * 24 * 3600);
/// The file of SQLite in its folder.
const FILE: &str = "lava.sqlite";
/// The folder of logs there.
const JOBS: &str = "jobs";
/// A worker that loses its network for a minute or two loses no job.
const WORKER_GONE: Duration = Duration::from_secs(150);
const SHORTEST_GONE: Duration = Duration::from_secs(2);
/// As LAVA has it.
const CHECK_EVERY: Duration = Duration::from_secs(24 * 3600);

/// What a `lava-server` serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    pub http: HttpListen,
    /// Where the other servers of its database find it, when its listener does not say: `[http] url`.
    pub url: Option<String>,
    /// What outlives it is in this folder.
    pub dir: PathBuf,
    /// `postgres://USER@HOST/NAME` or `sqlite:FILE`; a file in the folder when there is none.
    pub database: Option<String>,
    /// How the daemons that serve the boards let us in: `[daemons]`.
    pub daemons: LoginFiles,
    pub access: AccessConfig,
    pub jobs: JobsConfig,
    images: ImageKeys,
}

/// A job is kept for half a year, …
const KEEP_JOBS: Duration = Duration::from_secs(180 * 24 * 3600);
/// … as long as all of them do not take more than this, in bytes: 50 GiB.
const KEEP_SIZE: u64 = 50 << 30;

/// How jobs are run: `[jobs]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsConfig {
    /// Their logs are there.
    pub dir: PathBuf,
    /// That folder was named: it is not in the server's.
    own_dir: bool,
    /// Folders with the templates of device types, looked through before LAVA's and ours.
    pub templates: Vec<PathBuf>,
    /// After so long a silence what a worker has is given up.
    pub worker_gone: Duration,
    /// So often a board that has a health check is checked; never when it is zero.
    pub check_every: Duration,
    /// So long a job that has ended is kept; for ever when zero.
    pub keep: Duration,
    /// The oldest go when the files of all take more than this, in bytes; there is no limit when it is zero.
    pub keep_size: u64,
    /// The key with which jobs' passes are made: `[daemons] job_key_file`.
    pub key_file: Option<PathBuf>,
}

impl JobsConfig {
    /// The defaults, for a server whose folder this is.
    pub fn at(dir: &Path) -> Self {
        Self {
            dir: dir.join(JOBS),
            own_dir: false,
            templates: Vec::new(),
            worker_gone: WORKER_GONE,
            check_every: CHECK_EVERY,
            keep: KEEP_JOBS,
            keep_size: KEEP_SIZE,
            key_file: None,
        }
    }

    /// The same for a server whose folder this is, unless theirs was named.
    #[must_use]
    pub fn within(self, dir: &Path) -> Self {
        if self.own_dir { self } else { Self { dir: dir.join(JOBS), ..self } }
    }

    fn take(&mut self, table: &Table<'_>) {
        let folder = Path::new(table.at().file).parent().unwrap_or(Path::new(""));
        if let Some(templates) = table.optional::<Vec<PathBuf>>("templates") {
            self.templates = templates.iter().map(|dir| folder.join(dir)).collect();
        }
        self.worker_gone = table.optional("worker_gone").unwrap_or(self.worker_gone);
        if self.worker_gone < SHORTEST_GONE {
            table.problem("worker_gone", format!("a worker may be silent for {SHORTEST_GONE:?}"));
        }
        self.check_every = table.optional("check_every").unwrap_or(self.check_every);
        self.keep = table.optional("keep").unwrap_or(self.keep);
        let size = table.optional("keep_size");
        self.keep_size = size.map_or(self.keep_size, |Size(bytes)| bytes);
        if let Some(dir) = table.optional::<PathBuf>("dir") {
            self.dir = folder.join(dir);
            self.own_dir = true;
        }
    }
}

/// The image store: `[images]`, with what is left out filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagesConfig {
    /// A folder, or `s3://BUCKET/FOLDER`.
    pub place: String,
    /// The folder of files that have not come whole.
    pub uploads: PathBuf,
    /// The most that one user may have there, in bytes.
    pub quota: Option<u64>,
    /// How long what nobody said anything of is kept; for ever when zero.
    pub keep: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ImageKeys {
    place: Option<String>,
    quota: Option<u64>,
    keep: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            http: HttpListen::plain(LISTEN),
            url: None,
            dir: state_dir().join("server"),
            database: None,
            daemons: LoginFiles::default(),
            access: AccessConfig::default(),
            jobs: JobsConfig::at(&state_dir().join("server")),
            images: ImageKeys { place: None, quota: None, keep: KEEP },
        }
    }
}

impl ServerConfig {
    /// Reads files and folders of TOML; several are one configuration.
    ///
    /// # Errors
    /// [`Kind::Config`] with every problem in all of them.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let problems = Problems::default();
        let mut config = Self::default();
        // A folder without any file says nothing.
        let paths: Vec<_> = paths.iter().filter(|path| !is_empty(path)).cloned().collect();
        for (file, node) in read_all(&paths, &problems) {
            if let Some(top) = Table::new(&node, At::top(&file, &problems)) {
                config.take(&top);
                top.finish();
            }
        }
        problems.check(Some(config))
    }

    /// The file of the database, if it is one of its own folder's.
    pub fn file(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// The image store, which is in its folder when nothing else is said.
    pub fn images(&self) -> ImagesConfig {
        let folder = self.dir.join("images");
        let ImageKeys { place, quota, keep } = self.images.clone();
        let place = place.unwrap_or_else(|| folder.join("files").display().to_string());
        ImagesConfig { place, uploads: folder.join("uploads"), quota, keep }
    }

    /// Takes the database from a command line.
    ///
    /// # Errors
    /// [`Kind::User`] when there is a password in it: everybody on the host could read it there.
    pub fn with_database(self, url: Option<String>) -> Result<Self, Failure> {
        let Some(url) = url else { return Ok(self) };
        let login = url.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
        if login.is_some_and(|(login, _)| login.contains(':')) || url.contains("password=") {
            let what = "everybody on this host can read a password in an argument";
            return Err(Failure::new(Kind::User, what).hint(
                "put it into ~/.pgpass or $PGPASSFILE, or the URL into a file: [database] url = …",
            ));
        }
        Ok(Self { database: Some(url), ..self })
    }

    fn take(&mut self, top: &Table<'_>) {
        if let Some(table) = top.table("http") {
            if let Some(http) = HttpListen::from_table(&table) {
                self.access.names.extend(http.names.clone());
                self.http = http;
            }
            self.url = table.optional("url");
            table.finish();
        }
        if let Some(table) = top.table("state") {
            let folder = Path::new(table.at().file).parent().unwrap_or(Path::new(""));
            if let Some(dir) = table.optional::<PathBuf>("dir") {
                self.dir = folder.join(dir);
            }
            table.finish();
        }
        if let Some(table) = top.table("database") {
            self.database = table.required("url");
            table.finish();
        }
        if let Some(table) = top.table("daemons") {
            self.daemons = LoginFiles::from_table(&table);
            self.jobs.key_file = credential::file(&table, "job_key_file");
            table.finish();
        }
        if let Some(table) = top.table("jobs") {
            self.jobs.take(&table);
            table.finish();
        }
        if let Some(table) = top.table("images") {
            let keys = &mut self.images;
            keys.place = table.optional::<String>("place").map(|place| {
                let folder = Path::new(table.at().file).parent().unwrap_or(Path::new(""));
                match place.contains("://") {
                    true => place,
                    false => folder.join(place).display().to_string(),
                }
            });
            keys.quota = table.optional("quota").map(|Size(bytes)| bytes);
            keys.keep = table.optional("keep").unwrap_or(keys.keep);
            table.finish();
        }
        self.access.read(top);
        AccessConfig::check(top, Some(&self.http));
    }
}

fn is_empty(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    folder.is_dir()
        && !files.into_iter().any(|file| file.path().extension() == Some("toml".as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServerConfig, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        std::fs::write(&path, text).unwrap();
        let place = format!("{}/", dir.path().display());
        let read = ServerConfig::read(&[path]);
        read.map_err(|failure| failure.to_string().replace(&place, ""))
    }

    #[test]
    fn the_example_is_complete_and_shows_defaults() {
        let example = include_str!("../../conf/server.toml");
        let example = example.replace("# [database]\n# url", "[database]\nurl");
        let config = read(&example.replace("# [state]\n# dir", "[state]\ndir")).unwrap();
        assert_eq!(config.access.tokens.len(), 2);
        assert!(config.dir.ends_with("server") && config.dir != ServerConfig::default().dir);
        assert!(config.database.is_some() && config.http.tls.is_none());
        let empty = read("").unwrap();
        assert_eq!(empty.http.listen, config.http.listen);
        assert_eq!(empty, ServerConfig::default());
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ServerConfig::read(&[folder.path().to_owned()]).unwrap(), empty);
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        let told = read("[http]\nlisten = \"127.0.0.1\"\n[databse]\nurl = \"x\"\n").unwrap_err();
        assert!(told.contains("server.toml:2:10: http.listen: "), "{told}");
        assert!(told.contains("unknown key \"databse\"; did you mean \"database\"?"), "{told}");
    }

    #[test]
    fn a_password_is_no_argument() {
        for (url, good) in [
            ("postgres://lava@db/lava", true),
            ("postgres:///lava?host=/run/postgresql", true),
            ("sqlite:/tmp/a@b:c", true),
            ("postgres://lava:secret@db/lava", false),
            ("postgres://db/lava?password=secret", false),
        ] {
            let taken = ServerConfig::default().with_database(Some(url.into()));
            assert_eq!(taken.is_ok(), good, "{url}");
        }
    }
}
