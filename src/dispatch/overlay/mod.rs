//! What a job puts on the board: the test shell's programs and the test definitions.
//!
//! ```text
//! /lava-JOB/bin/…                          our helpers, POSIX sh
//! /lava-JOB/environment, secrets           sourced by the test shell
//! /lava-JOB/target/…                       what the lab knows of the board
//! /lava-JOB/group/…                        in a job for several boards: who they are
//! /lava-JOB/STAGE/lava-test-runner.conf    the tests of this stage, a folder each
//! /lava-JOB/STAGE/tests/0_smoke/run.sh …   the steps, and the files of the definition's repository
//! ```

mod definition;
mod script;
pub mod subtree;

pub use definition::{DefinitionFile, Repository};
pub use script::{environment, install_script, run_script};

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::dispatch::multinode::group::Who;
use crate::dispatch::multinode::{Member, Seat};
use crate::dispatch::target::Target;
use crate::image::{cpio, tree};

/// The most that an overlay may hold, in bytes: it has to fit the board's memory beside its system.
pub const MAX_OVERLAY: u64 = 512 * 1024 * 1024;

/// What a repository keeps its history in.
const OWN_FOLDERS: [&str; 2] = [".git", ".bzr"];

macro_rules! helpers {
    ($(#[$doc:meta])* $list:ident: $($name:literal),* $(,)?) => {
        $(#[$doc])*
        pub const $list: &[(&str, &str)] = &[$(($name, include_str!(concat!("bin/", $name)))),*];
    };
}

helpers!(
    /// The programs that test definitions call, with their texts.
    HELPERS:
    "lava-add-keys",
    "lava-add-sources",
    "lava-background-process-start",
    "lava-background-process-stop",
    "lava-common-functions",
    "lava-echo-ipv4",
    "lava-identity",
    "lava-install-packages",
    "lava-installed-packages",
    "lava-os-build",
    "lava-package-manager",
    "lava-probe-channel",
    "lava-probe-ip",
    "lava-signals-again",
    "lava-target-ip",
    "lava-target-mac",
    "lava-target-storage",
    "lava-test-case",
    "lava-test-event",
    "lava-test-feedback",
    "lava-test-raise",
    "lava-test-reference",
    "lava-test-runner",
    "lava-test-set",
    "lava-test-shell",
);

helpers!(
    /// Those that a job for several boards has beside them.
    GROUP_HELPERS:
    "lava-group",
    "lava-multi-node-functions",
    "lava-network",
    "lava-role",
    "lava-self",
    "lava-send",
    "lava-sync",
    "lava-wait",
    "lava-wait-all",
);

/// The files of an overlay by their paths on the board.
#[derive(Debug, Default)]
pub struct Overlay {
    entries: BTreeMap<String, Entry>,
    size: u64,
}

#[derive(Debug)]
enum Entry {
    File { executable: bool, bytes: Vec<u8> },
    Link { target: String },
}

/// One test definition on its way to the board.
#[derive(Debug, Clone)]
pub struct TestRun {
    pub stage: usize,
    /// As `0_smoke`: its number in the namespace, and its name.
    pub run: String,
    pub uuid: String,
    pub file: DefinitionFile,
    /// The repository on this host, if it has one.
    pub repository: Option<PathBuf>,
    pub origin: Origin,
}

/// Where a definition came from, as results tell it.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Its address; a definition in the job file has none.
    pub repository: Option<String>,
    pub path: String,
    /// As the job has it.
    pub revision: Option<String>,
    pub commit: Option<String>,
}

/// A script for a board with its shell at this path.
fn run_by(shell: &str, text: &str) -> String {
    match text.strip_prefix("#!/bin/sh") {
        Some(rest) => format!("#!{shell}{rest}"),
        None => text.to_owned(),
    }
}

impl TestRun {
    /// Where it is on the board.
    pub fn folder(&self, lava_dir: &str) -> String {
        format!("{lava_dir}/{}/tests/{}", self.stage, self.run)
    }
}

impl Overlay {
    /// Adds a file; one that is there already is replaced.
    ///
    /// # Errors
    /// When the overlay gets larger than [`MAX_OVERLAY`].
    pub fn add(
        &mut self,
        path: impl Into<String>,
        executable: bool,
        bytes: impl Into<Vec<u8>>,
    ) -> io::Result<()> {
        let bytes = bytes.into();
        self.size = self.size_with(bytes.len() as u64)?;
        self.entries.insert(path.into(), Entry::File { executable, bytes });
        Ok(())
    }

    /// Its size with so many bytes more, if that is not too large.
    fn size_with(&self, more: u64) -> io::Result<u64> {
        let size = self.size.saturating_add(more);
        let what = || format!("the overlay is larger than {MAX_OVERLAY} bytes");
        match size > MAX_OVERLAY {
            true => Err(io::Error::new(io::ErrorKind::FileTooLarge, what())),
            false => Ok(size),
        }
    }

    /// Adds what is in a folder of this host, without git's and bzr's own files. Links are kept as links: what
    /// they point to on this host is nothing that belongs on the board.
    ///
    /// # Errors
    /// What reading says, or the limit of [`Overlay::add`].
    pub fn add_folder(&mut self, on_board: &str, folder: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{on_board}/{name}");
            let kind = entry.file_type()?;
            if OWN_FOLDERS.contains(&name.as_str()) {
                continue;
            }
            if kind.is_symlink() {
                let target = std::fs::read_link(entry.path())?.to_string_lossy().into_owned();
                self.entries.insert(path, Entry::Link { target });
            } else if kind.is_dir() {
                self.add_folder(&path, &entry.path())?;
            } else if kind.is_file() {
                use std::os::unix::fs::PermissionsExt as _;
                let known = entry.metadata()?;
                // Before it takes the memory.
                self.size_with(known.len())?;
                let executable = known.permissions().mode() & 0o111 != 0;
                self.add(path, executable, std::fs::read(entry.path())?)?;
            }
        }
        Ok(())
    }

    /// Adds the helpers.
    ///
    /// # Errors
    /// As [`Overlay::add`].
    pub fn add_helpers(&mut self, lava_dir: &str, shell: &str) -> io::Result<()> {
        for (name, text) in HELPERS {
            self.add(format!("{lava_dir}/bin/{name}"), true, run_by(shell, text))?;
        }
        Ok(())
    }

    /// Adds what tells a board of its group, and asks the others.
    ///
    /// # Errors
    /// As [`Overlay::add`].
    pub fn add_group(&mut self, lava_dir: &str, shell: &str, member: &Member) -> io::Result<()> {
        for (name, text) in GROUP_HELPERS {
            self.add(format!("{lava_dir}/bin/{name}"), true, run_by(shell, text))?;
        }
        let line = |who: &Who| format!("{}\t{}\n", who.name, who.role);
        let members: String = member.members.iter().map(line).collect();
        let Seat { name, role, .. } = &member.seat;
        for (file, text) in
            [("members", members), ("self", format!("{name}\n")), ("role", format!("{role}\n"))]
        {
            self.add(format!("{lava_dir}/group/{file}"), false, text)?;
        }
        Ok(())
    }

    /// Writes all of it below a folder of this host. What is there already is replaced.
    ///
    /// # Errors
    /// What the file system says.
    pub fn unpack(&self, folder: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for (path, entry) in &self.entries {
            // Nothing is written through a link, which may lead out of the folder.
            let mut above = path.match_indices('/').filter(|(at, _)| *at > 0);
            if above
                .any(|(at, _)| matches!(self.entries.get(&path[..at]), Some(Entry::Link { .. })))
            {
                let what = format!("{path} is below a link");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            let outside = || io::Error::new(io::ErrorKind::InvalidInput, path.to_owned());
            let target = tree::inside(folder, path).ok_or_else(outside)?;
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)?;
            }
            match entry {
                Entry::File { executable, bytes } => {
                    let mode = if *executable { 0o755 } else { 0o644 };
                    std::fs::write(&target, bytes)?;
                    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(mode))?;
                }
                Entry::Link { target: to } => std::os::unix::fs::symlink(to, &target)?,
            }
        }
        Ok(())
    }

    /// Adds what the board's tests may know of it.
    ///
    /// # Errors
    /// As [`Overlay::add`].
    pub fn add_target(&mut self, lava_dir: &str, target: &Target) -> io::Result<()> {
        for (name, text) in &target.0 {
            self.add(format!("{lava_dir}/target/{name}"), false, text.as_str())?;
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes all of it into a folder of this host, which must be new: its paths there are those on the
    /// board.
    ///
    /// # Errors
    /// What the file system says, or a path that would lead out of the folder.
    pub fn spill(&self, folder: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let place = |path: &str| {
            let outside = || io::Error::new(io::ErrorKind::InvalidInput, path.to_owned());
            let place = tree::inside(folder, path).ok_or_else(outside)?;
            std::fs::create_dir_all(place.parent().unwrap_or(folder)).map(|()| place)
        };
        for (path, entry) in &self.entries {
            if let Entry::File { executable, bytes } = entry {
                let place = place(path)?;
                std::fs::write(&place, bytes)?;
                let mode = if *executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode))?;
            }
        }
        // Last, so that nothing is written through a link.
        for (path, entry) in &self.entries {
            if let Entry::Link { target } = entry {
                std::os::unix::fs::symlink(target, place(path)?)?;
            }
        }
        Ok(())
    }

    /// Writes all of it as a cpio archive, with the folders that lead to each file.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write<W: io::Write>(&self, out: W) -> io::Result<W> {
        let mut archive = cpio::Writer::new(out);
        let mut folders = std::collections::BTreeSet::new();
        for (path, entry) in &self.entries {
            for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
                if folders.insert(&path[..at]) {
                    archive.directory(&path[..at])?;
                }
            }
            match entry {
                Entry::File { executable, bytes } => archive.file(path, *executable, bytes)?,
                Entry::Link { target } => archive.link(path, target)?,
            }
        }
        archive.finish()
    }
}

#[cfg(test)]
mod tests;
