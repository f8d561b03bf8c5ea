//! What a job leaves behind unless it is cleaned up: it is noted before it is there, also with the guard, who cleans
//! up when this process is killed.

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use super::avh::Rented;
use super::error::Error;
use super::guard::Guard;
use super::host::Started;
use super::log::Log;
use super::undo::Undo;

/// What there is of a job beside its process, until the job's end.
#[derive(Debug, Default)]
pub struct Leavings {
    /// The containers that were started for the job.
    pub containers: Vec<Started>,
    /// The names of those that help an action and end with it.
    pub helpers: Vec<String>,
    /// What the job has at Arm's service.
    pub rented: Vec<Rented>,
    /// What undoes what was done on this host, the last first.
    pub undo: Vec<Undo>,
    /// The folders that the job has made for itself; they are removed, and nothing else is.
    pub folders: Vec<PathBuf>,
    pub guard: Option<Guard>,
}

impl Leavings {
    /// There is a container, or is about to be ([`super::host::add_container`]).
    pub async fn note_container(&mut self, container: Started) {
        if let Some(guard) = &mut self.guard {
            guard.container(&container).await;
        }
        self.containers.push(container);
    }

    /// There is, or is going to be, something of the job's at Arm's service; what is known of it under the same
    /// name before is forgotten.
    pub async fn rent(&mut self, rented: &Rented) {
        if let Some(guard) = &mut self.guard {
            guard.rented(rented).await;
        }
        self.rented.retain(|known| known.name != rented.name);
        self.rented.push(rented.clone());
    }

    /// Deletes what there is at Arm's service under this name. What may still be there, also when this is cut off, is
    /// tried again at the job's end.
    pub async fn give_back(&mut self, name: &str, log: &Log) {
        let Some(rented) = self.rented.iter().find(|known| known.name == name) else { return };
        match rented.give_back().await {
            Ok(()) => {
                log.info(format!("{name} is deleted"));
                self.rented.retain(|known| known.name != name);
            }
            Err(why) => log.debug(format!("tried again at the job's end: {why}")),
        }
    }

    /// What is about to be done is undone by this; once.
    pub async fn undo_by(&mut self, undo: Undo) {
        if self.undo.contains(&undo) {
            return;
        }
        if let Some(guard) = &mut self.guard {
            guard.undo(&undo).await;
        }
        self.undo.push(undo);
    }

    /// Makes a folder of the job's own; one that the job has made is kept as it is.
    ///
    /// # Errors
    /// [`Error::Infrastructure`] when it cannot be made, also because there is one that is somebody else's:
    /// nothing in that is touched.
    pub async fn make_folder(&mut self, folder: PathBuf, mode: u32) -> Result<PathBuf, Error> {
        if self.folders.contains(&folder) {
            return Ok(folder);
        }
        std::fs::DirBuilder::new().mode(mode).create(&folder).map_err(|error| {
            let shown = folder.display();
            Error::Infrastructure(match error.kind() {
                ErrorKind::AlreadyExists => format!(
                    "{shown} is there already, and the job has not made it: another job may use it; if none \
                     does, remove it, or choose other folders or another id (--output, --job-id)"
                ),
                _ => format!("cannot make {shown}: {error} (see --output, --tftp-dir and --nfs-dir)"),
            })
        })?;
        if let Some(guard) = &mut self.guard {
            guard.folder(&folder).await;
        }
        self.folders.push(folder.clone());
        Ok(folder)
    }
}
