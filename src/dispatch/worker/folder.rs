//! The folder of a job on its worker.
//!
//! It is made under another name, and gets its own when everything is in it: a folder `17` is whole, also
//! after a loss of power. It loses it before anything in it is removed, so that no half of it is begun again.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::removal;
use crate::dispatch::execute::LOG;
use crate::model::{Failure, Kind, Name, Work, job};

/// The folder of the jobs' folders.
const JOBS: &str = "jobs";
/// The folder of those that are kept for people to look at: nobody knows what they are.
const ASIDE: &str = "unreadable";
const WORK: &str = "work.json";
const JOB: &str = "job.yaml";
const SCRIPT: &str = "script.json";
const LAB: &str = "lab.toml";
const TOKEN: &str = "token";
const OUTPUT: &str = "out";
/// What the dispatcher has said on its standard error.
const ERRORS: &str = "errors";

#[derive(Debug, Clone)]
pub(super) struct JobFolder {
    path: PathBuf,
    work: Work,
}

/// A folder of which nobody can say whose it is.
#[derive(Debug)]
pub(super) struct Unreadable {
    path: PathBuf,
    why: String,
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
            removal::remove(&new)?;
        }
        // One that could not be removed, or is no job's.
        if path.exists() {
            let what = format!("{} is there already", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&new)?;
        write(&new.join(JOB), work.definition.as_bytes())?;
        if let Some(script) = &work.script {
            write(&new.join(SCRIPT), &serde_json::to_vec(script).unwrap_or_default())?;
        }
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
        File::open(&new)?.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(dir.join(JOBS))?.sync_all()?;
        Ok(Self { path, work: kept })
    }

    /// Those that are there, and the paths of those of which nobody can say what they are. What was not made
    /// whole, or is to be removed, is removed.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn all(dir: &Path) -> Result<(Vec<Self>, Vec<Unreadable>), Failure> {
        let jobs = dir.join(JOBS);
        let infra =
            |error: io::Error| Failure::new(Kind::Infra, format!("{}: {error}", jobs.display()));
        std::fs::create_dir_all(&jobs).map_err(infra)?;
        let (mut all, mut unreadable) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(&jobs).map_err(infra)? {
            let path = entry.map_err(infra)?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                remove(&path);
                continue;
            }
            let why = match std::fs::read(path.join(WORK)) {
                Ok(work) => match serde_json::from_slice(&work) {
                    Ok(work) => {
                        all.push(Self { path, work });
                        continue;
                    }
                    Err(error) => error.to_string(),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => error.to_string(),
                // It may be so for a while only.
                Err(error) => return Err(infra(error)),
            };
            unreadable.push(Unreadable { path, why });
        }
        Ok((all, unreadable))
    }

    pub(super) fn id(&self) -> u64 {
        self.work.id
    }

    pub(super) fn is_script(&self) -> bool {
        self.work.script.is_some()
    }

    /// What its logs are called: as its boards.
    pub(super) fn logs(&self) -> Vec<Name> {
        match self.is_script() {
            true => job::SCRIPT.parse::<Name>().into_iter().collect(),
            false => self.work.boards.iter().map(|board| board.name.clone()).collect(),
        }
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
        if self.is_script() {
            let mut words: Vec<OsString> = vec!["script".into(), self.path.join(SCRIPT).into()];
            words.extend(["--output".into(), self.output().into()]);
            words.extend(["--token-file".into(), self.path.join(TOKEN).into()]);
            words.extend(["--job-id".into(), self.work.id.to_string().into()]);
            return words;
        }
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
        let said = end(&self.path.join(ERRORS), most).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        crate::dispatch::masked::masked(said.trim(), &self.work.definition)
    }

    /// Nobody needs it any more.
    pub(super) fn remove(&self) {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let gone = self.path.with_file_name(format!(".gone-{name}"));
        let renamed = std::fs::rename(&self.path, &gone);
        let renamed = renamed.and_then(|()| File::open(gone.with_file_name("."))?.sync_all());
        match renamed {
            Ok(()) => remove(&gone),
            Err(error) => {
                tracing::error!(job = self.id(), "its folder is still there: {error}");
            }
        }
    }
}

impl Unreadable {
    /// Of which job it is, by its name.
    pub(super) fn id(&self) -> Option<u64> {
        self.path.file_name()?.to_str()?.parse().ok()
    }

    /// The output folder of what may still run there.
    pub(super) fn output(&self) -> PathBuf {
        self.path.join(OUTPUT)
    }

    /// Keeps it where no job is looked for, and tells so.
    pub(super) fn set_aside(&self, dir: &Path) {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let to = dir.join(ASIDE).join(format!("{name}-{}", crate::model::units::now_us()));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir.join(ASIDE));
        match made.and_then(|()| std::fs::rename(&self.path, &to)) {
            Ok(()) => tracing::error!(
                "the folder of the job {name} cannot be understood ({}): it is kept as {}",
                self.why,
                to.display()
            ),
            Err(error) => tracing::error!("{} is still there: {error}", self.path.display()),
        }
    }
}

/// Removes a folder that has lost its name already; the next worker tries again.
fn remove(path: &Path) {
    if let Err(error) = removal::remove(path) {
        tracing::error!("{} is still there: {error}", path.display());
    }
}

/// The end of a file.
fn end(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most as u64)))?;
    let mut bytes = Vec::new();
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn work(id: u64) -> Work {
        let definition = "job_name: a\n".into();
        Work { id, definition, boards: Vec::new(), token: None, script: None, leave_on: false }
    }

    #[test]
    fn a_folder_is_whole_or_no_jobs_and_what_nobody_understands_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let ids = || {
            let (all, unreadable) = JobFolder::all(dir.path()).unwrap();
            (all.iter().map(JobFolder::id).collect::<Vec<_>>(), unreadable)
        };
        let folder = JobFolder::make(dir.path(), &work(7)).unwrap();
        assert_eq!(ids().0, [7]);
        // As when the power went while it was removed.
        let gone = dir.path().join(JOBS).join(".gone-7");
        std::fs::rename(folder.path(), &gone).unwrap();
        assert!(ids().0.is_empty() && !gone.exists());

        let folder = JobFolder::make(dir.path(), &work(8)).unwrap();
        assert!(JobFolder::make(dir.path(), &work(8)).is_err());
        std::fs::write(folder.path().join(WORK), "{\"id\":8,").unwrap();
        let (known, unreadable) = ids();
        assert!(known.is_empty() && folder.path().exists());
        unreadable[0].set_aside(dir.path());
        assert!(ids().1.is_empty());
        let kept = std::fs::read_dir(dir.path().join(ASIDE)).unwrap().next().unwrap().unwrap();
        assert!(kept.file_name().to_string_lossy().starts_with("8-"));
        assert!(kept.path().join(JOB).exists());
        JobFolder::make(dir.path(), &work(8)).unwrap().remove();
        assert_eq!(std::fs::read_dir(dir.path().join(JOBS)).unwrap().count(), 0);
    }
}
