//! The folder of a job on its worker.
//!
//! It is made under another name, and gets its own when everything is in it: a folder `17` is whole.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::dispatch::execute::LOG;
use crate::model::{Failure, Kind, Name, Work, WorkBoard};

/// The folder of the jobs' folders.
const JOBS: &str = "jobs";
const WORK: &str = "work.json";
const JOB: &str = "job.yaml";
const LAB: &str = "lab.toml";
const TOKEN: &str = "token";
const OUTPUT: &str = "out";
/// What the dispatcher has said on its standard error.
const ERRORS: &str = "errors";

#[derive(Debug)]
pub(super) struct JobFolder {
    path: PathBuf,
    work: Work,
}

impl JobFolder {
    /// Makes the folder of a job.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub(super) fn make(dir: &Path, work: &Work) -> io::Result<Self> {
        let (new, path) = (
            dir.join(JOBS).join(format!(".new-{}", work.id)),
            dir.join(JOBS).join(work.id.to_string()),
        );
        if new.exists() {
            std::fs::remove_dir_all(&new)?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&new)?;
        write(&new.join(JOB), work.definition.as_bytes())?;
        for (i, board) in work.boards.iter().enumerate() {
            write(&new.join(device(i)), board.dictionary.as_bytes())?;
        }
        if let Some(token) = &work.token {
            write(&new.join(TOKEN), token.as_bytes())?;
        }
        write(&new.join(LAB), lab(work, &path).as_bytes())?;
        // The token is in a file of its own; nobody needs it twice.
        let kept = Work { token: None, ..work.clone() };
        write(&new.join(WORK), &serde_json::to_vec(&kept).unwrap_or_default())?;
        std::fs::rename(&new, &path)?;
        Ok(Self { path, work: kept })
    }

    /// Those that are there. What was not made whole is removed.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn all(dir: &Path) -> Result<Vec<Self>, Failure> {
        let jobs = dir.join(JOBS);
        let infra =
            |error: io::Error| Failure::new(Kind::Infra, format!("{}: {error}", jobs.display()));
        std::fs::create_dir_all(&jobs).map_err(infra)?;
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&jobs).map_err(infra)? {
            let path = entry.map_err(infra)?.path();
            let work = std::fs::read(path.join(WORK)).ok();
            let work = work.and_then(|work| serde_json::from_slice(&work).ok());
            let whole =
                path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
            match work.filter(|_| whole) {
                Some(work) => all.push(Self { path, work }),
                None => std::fs::remove_dir_all(&path).map_err(infra)?,
            }
        }
        Ok(all)
    }

    pub(super) fn id(&self) -> u64 {
        self.work.id
    }

    pub(super) fn boards(&self) -> &[WorkBoard] {
        &self.work.boards
    }

    /// The dispatcher's own output folder.
    pub(super) fn output(&self) -> PathBuf {
        self.path.join(OUTPUT)
    }

    /// The log of a board: of several each has a folder of its own.
    pub(super) fn log(&self, board: &Name) -> PathBuf {
        let several = self.work.boards.len() > 1;
        let own = self.work.boards.iter().find(|it| it.name == *board && several);
        // What is no name is refused by the dispatcher.
        let called = own.and_then(|board| board.hostname.parse::<Name>().ok());
        let folder = called.map_or(self.output(), |name| self.output().join(name.as_str()));
        folder.join(LOG)
    }

    /// The words behind `lava-dispatcher`.
    pub(super) fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["run".into(), self.path.join(JOB).into()];
        for (i, board) in self.work.boards.iter().enumerate() {
            let mut file = OsString::new();
            if let Some(role) = &board.role {
                file.push(format!("{role}="));
            }
            file.push(self.path.join(device(i)));
            words.extend(["--device".into(), file]);
        }
        words.extend(["--output".into(), self.output().into(), "--claim".into()]);
        words.extend(["--job-id".into(), self.work.id.to_string().into()]);
        if self.work.leave_on {
            words.push("--leave-on".into());
        }
        if self.work.boards.iter().any(|board| board.console.is_some() || board.outlet.is_some()) {
            words.extend(["--lab".into(), self.path.join(LAB).into()]);
        }
        words
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file for what the dispatcher says on its standard error.
    pub(super) fn errors(&self) -> io::Result<File> {
        File::options().append(true).create(true).mode(0o600).open(self.path.join(ERRORS))
    }

    /// What it has said there, without secrets: the end of it, so many bytes at most.
    pub(super) fn said(&self, most: usize) -> String {
        let said = std::fs::read(self.path.join(ERRORS)).unwrap_or_default();
        let said = String::from_utf8_lossy(&said[said.len().saturating_sub(most)..]).into_owned();
        crate::dispatch::masked::masked(said.trim(), &self.work.definition)
    }

    /// Nobody needs it any more.
    pub(super) fn remove(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::error!(job = self.id(), "its folder is still there: {error}");
        }
    }
}

fn device(number: usize) -> String {
    format!("device-{number}.yaml")
}

/// Where the boards' consoles and outlets are, as an inventory.
fn lab(work: &Work, folder: &Path) -> String {
    // A JSON string is a TOML string.
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let mut lab = String::new();
    for board in &work.boards {
        if board.console.is_none() && board.outlet.is_none() {
            continue;
        }
        lab.push_str(&format!("[[board]]\nname = {}\n", text(board.name.as_str())));
        for (key, url) in [("console", &board.console), ("outlet", &board.outlet)] {
            if let Some(url) = url {
                lab.push_str(&format!("{key} = {}\n", text(url)));
            }
        }
        if work.token.is_some() {
            let file = folder.join(TOKEN);
            lab.push_str(&format!("token_file = {}\n", text(&file.display().to_string())));
        }
    }
    lab
}

/// For this user alone: there may be secrets in it.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}
