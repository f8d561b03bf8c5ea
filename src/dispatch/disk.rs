//! A USB disk with a FAT file system that a board shows to this host, to be written without a mount: mtools
//! reads and writes the disk itself, which needs no rights but those to it, and what is on the disk (a board's
//! own firmware has put it there) is never interpreted by this host's kernel.
//!
//! The programs see the disk and what is copied, and nothing else of this host.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::error::Error;
use super::log::Log;
use super::validate::Checks;
use crate::sys::{Ended, Program, Reach, confined};

/// What it is written with; Debian has them in the package mtools.
const PROGRAMS: [&str; 4] = ["mcopy", "mdeltree", "mdir", "mtype"];
/// Where udev has a link for each file system with a label, and one for each disk.
const BY_LABEL: &str = "/dev/disk/by-label";
const BY_ID: &str = "/dev/disk/by-id";
/// How often it is looked for the disk.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked at what is on it.
const LOOK: Duration = Duration::from_millis(250);
/// A probe has begun to flash an image when it was not to be seen for so long, and is back when it was done.
const SETTLED: Duration = Duration::from_secs(2);
/// So many bytes are kept of what a program says.
const MAX_SAID: usize = 32 * 1024;
/// A probe leaves this file on its disk when it could not flash an image, with the reason in it.
const FAILED: &str = "FAIL.TXT";

/// The disk, by its path; most often a link that udev makes when the disk is there.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    path: PathBuf,
}

impl Disk {
    /// The one with this label, encoded as udev does it.
    pub(super) fn labelled(label: &str) -> Self {
        // A path is taken as it is.
        let plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "#+-.:=@_/".contains(c);
        let link = label.chars().fold(String::new(), |mut link, c| {
            match plain(c) {
                true => link.push(c),
                false => _ = write!(link, "\\x{:02x}", u32::from(c)),
            }
            link
        });
        Self { path: Path::new(BY_LABEL).join(link) }
    }

    /// The one that has this link below `/dev/disk/by-id`, or this path.
    pub(super) fn of(link: &str) -> Self {
        Self { path: Path::new(BY_ID).join(link) }
    }

    /// Notes which of the programs this host has not.
    pub(super) fn check(checks: &mut Checks) {
        PROGRAMS.iter().for_each(|program| checks.program(program));
    }

    /// Waits until this host has the disk. Cancel safe.
    pub(super) async fn there(&self) {
        while !self.path.exists() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until the board has taken a file that was copied, as debug probes do: they flash it, and show a disk
    /// without it. Cancel safe.
    pub(super) async fn taken(&self, name: &str, log: &Log) {
        let mut since = None;
        loop {
            // While it comes back there is no disk, or one that cannot be read.
            let there = self.list(log, false).await;
            let is_gone = there.is_ok_and(|names| !has(&names, name));
            since = if is_gone { since.or_else(|| Some(Instant::now())) } else { None };
            if since.is_some_and(|since| since.elapsed() >= SETTLED) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The names at its top; those of folders end in "/".
    ///
    /// # Errors
    /// [`Error::Infrastructure`], when the disk is not there or no FAT file system is on it; so for the others.
    pub(super) async fn names(&self, log: &Log) -> Result<Vec<String>, Error> {
        self.list(log, true).await
    }

    async fn list(&self, log: &Log, told: bool) -> Result<Vec<String>, Error> {
        let call = Call { options: &["-b"], words: &["::"], told, ..Call::of("mdir") };
        let listed = self.run(call, log).await?;
        let lines = listed.output.lines().filter_map(|line| line.strip_prefix("::/"));
        Ok(lines.map(ToOwned::to_owned).collect())
    }

    /// A short text of the disk's.
    pub(super) async fn read(&self, name: &str, log: &Log) -> Result<String, Error> {
        let file = format!("::{name}");
        let said = self.run(Call { words: &[&file], ..Call::of("mtype") }, log).await?;
        Ok(said.output.replace("\r\n", "\n").trim().to_owned())
    }

    /// Why the board could not flash what was copied, if it says so.
    ///
    /// # Errors
    /// As [`Disk::names`], and what the board says.
    pub(super) async fn check_flashed(&self, log: &Log) -> Result<(), Error> {
        if !has(&self.names(log).await?, FAILED) {
            return Ok(());
        }
        let why = self.read(FAILED, log).await?;
        Err(Error::Infrastructure(format!(
            "the board could not flash the image: {FAILED} on its disk says {why:?}"
        )))
    }

    /// Copies files and folders of this host to its top; a single one under another name, where one is given.
    pub(super) async fn copy(&self, files: &[PathBuf], name: &str, log: &Log) -> Result<(), Error> {
        let shown: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let to = format!("::{name}");
        let words: Vec<&str> = shown.iter().map(String::as_str).chain([to.as_str()]).collect();
        let reach: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        // What has the same name is replaced, and nothing is asked.
        let call = Call {
            options: &["-s", "-o", "-Q"],
            words: &words,
            reads: &reach,
            ..Call::of("mcopy")
        };
        self.run(call, log).await.map(drop)
    }

    /// Removes all that is on it.
    pub(super) async fn clear(&self, log: &Log) -> Result<(), Error> {
        let names = self.names(log).await?;
        let paths: Vec<String> =
            names.iter().map(|name| format!("::/{}", name.trim_end_matches('/'))).collect();
        let words: Vec<&str> = paths.iter().map(String::as_str).collect();
        if words.is_empty() {
            return Ok(());
        }
        self.run(Call { words: &words, ..Call::of("mdeltree") }, log).await.map(drop)
    }

    /// Waits until all that was written is on the disk itself.
    pub(super) async fn sync(&self) -> Result<(), Error> {
        let path = self.path.clone();
        let synced = tokio::task::spawn_blocking(move || {
            std::fs::OpenOptions::new().write(true).open(path)?.sync_all()
        });
        let done = synced.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|error| self.failed(&format!("what was written is not on it: {error}")))
    }

    /// Runs one of the programs on the disk.
    async fn run(&self, call: Call<'_>, log: &Log) -> Result<Ended, Error> {
        let Call { program, options, words, reads, told } = call;
        let disk = self.path.canonicalize().map_err(|error| self.failed(&error.to_string()))?;
        let place = disk.display().to_string();
        let mut shown = vec![program];
        shown.extend(options);
        shown.extend(["-i", place.as_str()]);
        shown.extend(words);
        if told {
            log.info(format!("host: {}", shown.join(" ")));
        }
        let mut command = confined(program, &Reach::of(reads).writing(&[&disk]));
        command.args(options).arg("-i").arg(&disk).args(words);
        // Whatever a user's file of settings would have it do; and boards' file systems are often odd.
        command.env("MTOOLSRC", "/dev/null").env("MTOOLS_SKIP_CHECK", "1").env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |what: &str| self.failed(&format!("{program}: {what}"));
        let running = Program::spawn(command).map_err(|error| failed(&error.to_string()))?;
        let ended = running.keeping(MAX_SAID).ended().await;
        let ended = ended.map_err(|error| failed(&error.to_string()))?;
        match ended.status.success() {
            true => Ok(ended),
            false => {
                let said = [ended.errors.trim(), ended.output.trim()].join(" ");
                Err(failed(&format!("{}: {}", ended.status, said.trim().replace('\n', "; "))))
            }
        }
    }

    fn failed(&self, what: &str) -> Error {
        Error::Infrastructure(format!("the board's disk {}: {what}", self.path.display()))
    }
}

/// A call of one of the programs.
#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    program: &'a str,
    /// What comes before the disk, and behind it.
    options: &'a [&'a str],
    words: &'a [&'a str],
    /// The files of this host that it reads.
    reads: &'a [&'a Path],
    /// Whether the log has it.
    told: bool,
}

impl<'a> Call<'a> {
    fn of(program: &'a str) -> Self {
        Self { program, options: &[], words: &[], reads: &[], told: true }
    }
}

/// Whether a file is among these names; FAT knows no difference between large and small letters.
fn has(names: &[String], file: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(file))
}

impl std::fmt::Display for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the disk {}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_found_by_its_label_as_udev_writes_it() {
        assert_eq!(Disk::labelled("V2M-MPS").path, Path::new("/dev/disk/by-label/V2M-MPS"));
        assert_eq!(Disk::labelled("JUNO r0").path, Path::new(r"/dev/disk/by-label/JUNO\x20r0"));
        assert_eq!(Disk::labelled("/srv/disk").path, Path::new("/srv/disk"));
        let musca = "usb-MBED_VFS_1-0:0";
        assert_eq!(Disk::of(musca).path, Path::new("/dev/disk/by-id/usb-MBED_VFS_1-0:0"));
        assert_eq!(Disk::of("/dev/disk/by-id/a").path, Path::new("/dev/disk/by-id/a"));
    }
}
