//! The folder of a demo, which is left as it was found.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::config::power::Folders;
use crate::model::{Failure, Kind};

/// The first line of the inventory: by it we know what an earlier demo, killed, has left.
const MARK: &str = "# Written by `lava demo`, and gone when it ends.\n";
const INVENTORY: &str = "lab.toml";
/// The folders that a demo makes in its own.
const CAPTURES: &str = "captures";
const TFTP: &str = "tftp";
const JOB: &str = "job";
const POWER: &str = "power";

/// Removes what the demo made when dropped, and nothing else.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The folders that were not there, the outermost first.
    made: Vec<PathBuf>,
    /// What is ours in it.
    ours: Vec<PathBuf>,
}

impl Folder {
    /// Takes a folder, which is made where it does not exist; without one, a fresh temporary one.
    /// `sockets` are the names of the boards' sockets in it.
    ///
    /// # Errors
    /// [`Kind::User`] when something in it has a name that the demo needs; [`Kind::Infra`] when it
    /// cannot be made.
    pub(super) fn take(dir: Option<&Path>, sockets: &[String]) -> Result<Self, Failure> {
        let path = match dir {
            Some(dir) => std::path::absolute(dir).map_err(|error| broken(dir, &error))?,
            None => std::env::temp_dir().join(format!("lava-demo-{}", std::process::id())),
        };
        let names = [INVENTORY, CAPTURES, TFTP, JOB, POWER].into_iter();
        let names = names.chain(sockets.iter().map(String::as_str));
        let ours: Vec<PathBuf> = names.map(|name| path.join(name)).collect();
        let mut folder = Self { made: Vec::new(), ours: Vec::new(), path };
        folder.sweep(&ours)?;
        for missing in folder.path.ancestors().filter(|dir| !dir.exists()) {
            folder.made.insert(0, missing.to_owned());
        }
        // What goes over a console may be a secret.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder.path)
            .map_err(|error| broken(&folder.path, &error))?;
        folder.ours = ours;
        for dir in [folder.captures(), folder.tftp()] {
            fs::create_dir(&dir).map_err(|error| broken(&dir, &error))?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn captures(&self) -> PathBuf {
        self.path.join(CAPTURES)
    }

    /// What is known of the boards' power.
    pub(super) fn power(&self) -> Folders {
        let state = self.path.join(POWER);
        Folders { leases: state.join("leases"), state }
    }

    /// What the boards get by TFTP.
    pub(super) fn tftp(&self) -> PathBuf {
        self.path.join(TFTP)
    }

    /// Where a job's results go that are not to be kept. Not made yet.
    pub(super) fn job(&self) -> PathBuf {
        self.path.join(JOB)
    }

    /// The inventory that clients use.
    pub(super) fn inventory(&self) -> PathBuf {
        self.path.join(INVENTORY)
    }

    /// Writes the inventory.
    ///
    /// # Errors
    /// [`Kind::Infra`] when it cannot be written.
    pub(super) fn write_inventory(&self, text: &str) -> Result<(), Failure> {
        let path = self.inventory();
        fs::write(&path, format!("{MARK}{text}")).map_err(|error| broken(&path, &error))
    }

    /// Removes what a demo has left that could not clean up after itself.
    fn sweep(&self, ours: &[PathBuf]) -> Result<(), Failure> {
        let Some(found) = ours.iter().find(|path| path.symlink_metadata().is_ok()) else {
            return Ok(());
        };
        let marked = fs::read_to_string(self.inventory()).is_ok_and(|text| text.starts_with(MARK));
        let what = format!("{} is in the way", found.display());
        if !marked {
            let hint = "choose another --dir, an empty or a new one";
            return Err(Failure::new(Kind::User, what).hint(hint));
        }
        if ours.iter().any(|path| UnixStream::connect(path).is_ok()) {
            let hint = "another demo is using this folder; choose another --dir";
            return Err(Failure::new(Kind::User, what).hint(hint));
        }
        remove(ours);
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.ours);
        for made in self.made.iter().rev() {
            // Somebody else's file in it stays, and the folder with it.
            let _ = fs::remove_dir(made);
        }
    }
}

fn remove(paths: &[PathBuf]) {
    for path in paths {
        let removed = match path.symlink_metadata() {
            Ok(found) if found.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => Ok(()),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, path = %path.display(), "cannot be removed");
        }
    }
}

fn broken(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Infra, format!("cannot use {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_left_as_it_was_found() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("mine"), "x").unwrap();
        let folder = Folder::take(Some(scratch.path()), &[]).unwrap();
        folder.write_inventory("[[board]]\n").unwrap();
        fs::write(folder.captures().join("panda01"), "bytes").unwrap();
        assert_eq!(names(scratch.path()), ["captures", "lab.toml", "mine", "tftp"]);
        drop(folder);
        assert_eq!(names(scratch.path()), ["mine"]);

        drop(Folder::take(Some(&scratch.path().join("a/b")), &[]).unwrap());
        assert_eq!(names(scratch.path()), ["mine"]);
    }

    #[test]
    fn what_is_not_ours_is_neither_used_nor_removed() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("lab.toml"), "[[board]]\n").unwrap();
        let refused = Folder::take(Some(scratch.path()), &[]).unwrap_err();
        assert!(refused.message.ends_with("lab.toml is in the way"), "{refused}");
        assert_eq!(names(scratch.path()), ["lab.toml"]);
    }

    #[test]
    fn what_a_killed_demo_left_is_swept_but_not_a_running_one_s() {
        let scratch = tempfile::tempdir().unwrap();
        let sockets = ["panda01.power".to_owned()];
        let killed = Folder::take(Some(scratch.path()), &sockets).unwrap();
        killed.write_inventory("").unwrap();
        std::mem::forget(killed);
        let again = Folder::take(Some(scratch.path()), &sockets).unwrap();
        again.write_inventory("").unwrap();
        let socket = scratch.path().join("panda01.power");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let refused = Folder::take(Some(scratch.path()), &sockets).unwrap_err();
        assert!(refused.to_string().contains("another demo"), "{refused}");
        assert!(socket.exists());
    }
}
