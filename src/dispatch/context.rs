//! What actions share while a job runs.

mod aside;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::aside::Aside;
use super::actions::boot::Values;
use super::connection::{Beside, Connection};
use super::device::Device;
use super::error::Error;
use super::guard::Guard;
use super::job::{Compression, Job};
use super::log::Log;
use super::multinode::Member;
use super::overlay::{Overlay, TestRun};
use super::progress::Progress;
use super::qemu::Machine;
use super::results::{CaseResult, Results};
use super::session::{Session, Wait};
use crate::image::nbd;

/// Where a job runs: what the command line says and the files do not.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub job_id: String,
    /// For the log and the results; the job's scratch folder is inside it.
    pub output: PathBuf,
    /// The folder that the TFTP server serves.
    pub tftp_dir: PathBuf,
    /// Where to serve that folder ourselves, instead of a server that is there.
    pub tftp_listen: Option<SocketAddr>,
    /// A folder that an NFS server of this host exports.
    pub nfs_dir: Option<PathBuf>,
    /// The address of this host as the board sees it.
    pub dispatcher_ip: String,
    /// The folder that keeps what was downloaded, for later jobs.
    pub cache: Option<PathBuf>,
    /// The inventory that names boards.
    pub lab: Option<PathBuf>,
    /// How long the board is held for people when the job has failed; else the job says.
    pub pause_on_failure: Option<Duration>,
}

/// The context of a running job.
pub struct Context {
    pub job: Arc<Job>,
    pub device: Arc<Device>,
    pub settings: Arc<Settings>,
    pub log: Log,
    pub progress: Arc<dyn Progress>,
    pub results: Results,
    /// The action that runs now.
    pub now: Now,
    /// The actions that were begun and have not ended, outermost first.
    pub open: Vec<Open>,
    namespaces: BTreeMap<String, Shared>,
    session: Option<Session>,
    /// What is the board's, while tests run in a container beside it.
    aside: Option<Aside>,
    /// The board, where it is a QEMU of the job's own.
    pub machine: Option<Machine>,
    /// The containers that were started for the job, by name; they are removed at its end.
    pub containers: Vec<String>,
    /// The job's place in its group, if it is one of several.
    pub member: Option<Member>,
    /// What requests to the group have learned, by the names that the job gives it.
    pub learned: BTreeMap<String, String>,
    /// What serves root file systems until the job ends.
    pub nbd_servers: Vec<nbd::Server>,
    /// Who cleans up when this process is killed.
    pub guard: Option<Guard>,
    /// Where to post events of the job, once it is attached.
    pub timeline: Option<super::timeline::Timeline>,
}

/// The action that runs now.
#[derive(Debug, Clone)]
pub struct Now {
    pub action: &'static str,
    pub level: String,
    pub namespace: String,
    pub deadline: Instant,
    pub connection: Option<Duration>,
}

/// An action under way.
#[derive(Debug, Clone)]
pub struct Open {
    pub level: String,
    pub name: &'static str,
    pub namespace: String,
    pub begin: Instant,
}

/// What the actions of one namespace hand on to each other.
#[derive(Debug, Default)]
pub struct Shared {
    /// Downloaded files by the artefact's name.
    pub files: BTreeMap<String, PathBuf>,
    /// How the downloaded files are still packed.
    pub packed: BTreeMap<String, Compression>,
    /// What goes to the board beside its own system.
    pub overlay: Overlay,
    pub tests: Vec<TestRun>,
    /// The overlay as a cpio archive.
    pub archive: Option<PathBuf>,
    /// The files under the TFTP folder, relative to it, by the artefact's name.
    pub tftp: BTreeMap<String, String>,
    /// The root file system that the board mounts by NFS, as a folder of this host.
    pub nfs_root: Option<PathBuf>,
    /// The command that boots this kernel: `booti`, `bootz` or `bootm`.
    pub boot_command: Option<&'static str>,
    /// What is typed at the boot loader.
    pub commands: Vec<String>,
    /// The shell prompts of the booted system.
    pub prompts: Vec<String>,
    /// The message with which the boot loader hands over to the kernel.
    pub final_message: Option<String>,
    /// The overlay was put into one of the deployed images.
    pub overlay_is_in: bool,
    /// A file system image with the overlay, for a board that takes it as one more drive.
    pub overlay_drive: Option<OverlayDrive>,
    /// What the placeholders of boot commands stand for.
    pub values: Values,
    /// The TCP port of a model's console.
    pub model_port: Option<String>,
    /// Exported to the tests beside the job's own variables.
    pub environment: BTreeMap<String, String>,
    /// Facts that the running action adds to its result.
    pub extra: BTreeMap<String, String>,
}

/// A file system image that has nothing but the overlay's folder.
#[derive(Debug, Clone)]
pub struct OverlayDrive {
    pub image: PathBuf,
    /// By which the board finds it among its drives.
    pub uuid: String,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context of job {} in {}", self.settings.job_id, self.now.action)
    }
}

impl Context {
    pub fn new(
        job: Arc<Job>,
        device: Arc<Device>,
        settings: Arc<Settings>,
        log: Log,
        progress: Arc<dyn Progress>,
    ) -> Self {
        let now = Now {
            action: "job",
            level: String::new(),
            namespace: "common".into(),
            deadline: Instant::now(),
            connection: None,
        };
        Self {
            job,
            device,
            settings,
            log,
            progress,
            results: Results::default(),
            now,
            open: Vec::new(),
            namespaces: BTreeMap::new(),
            session: None,
            aside: None,
            machine: None,
            containers: Vec::new(),
            member: None,
            learned: BTreeMap::new(),
            nbd_servers: Vec::new(),
            guard: None,
            timeline: None,
        }
    }

    /// What the running action's namespace shares.
    pub fn shared(&mut self) -> &mut Shared {
        self.namespaces.entry(self.now.namespace.clone()).or_default()
    }

    /// There is a container of this name, to be removed at the job's end.
    pub async fn add_container(&mut self, name: String) {
        if let Some(guard) = &mut self.guard {
            guard.container(&name).await;
        }
        self.containers.push(name);
    }

    /// A fact for the running action's result.
    pub fn fact(&mut self, key: &str, value: impl Into<String>) {
        self.shared().extra.insert(key.to_owned(), value.into());
    }

    /// The console.
    ///
    /// # Errors
    /// [`Error::Bug`] before `connect-device` has run.
    pub fn session(&mut self) -> Result<&mut Session, Error> {
        let missing = || Error::Bug("there is no connection to the board yet".into());
        self.session.as_mut().ok_or_else(missing)
    }

    pub fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    pub fn connect(&mut self, session: Session) {
        self.session = Some(session);
    }

    /// Another connection is the console from now on. The one before it, a program's, stays open:
    /// the program ends with it.
    pub fn connect_beside(&mut self, console: Box<dyn Connection>) {
        let connection = match self.session.take() {
            None => console,
            Some(before) => Box::new(Beside::new(console, before.into_connection())),
        };
        self.session = Some(Session::new(connection, self.log.clone()));
    }

    /// How long the running action may wait for the console.
    pub fn wait(&self) -> Wait {
        let Now { action, deadline, connection, .. } = self.now;
        Wait { deadline, connection, ..Wait::of(action) }
    }

    /// What the board said last, or nothing.
    pub fn last_seen(&self) -> String {
        self.session.as_ref().map(Session::last_line).unwrap_or_default()
    }

    /// The folder on the board where the overlay is.
    pub fn lava_dir(&self) -> String {
        format!("/lava-{}", self.settings.job_id)
    }

    /// The folder for the job's own files on this host; removed at its end.
    pub fn scratch(&self) -> PathBuf {
        self.settings.output.join("scratch")
    }

    /// The job's folder under the one that is exported by NFS; removed at its end.
    pub fn nfs_folder(&self) -> Option<PathBuf> {
        Some(self.settings.nfs_dir.as_ref()?.join(&self.settings.job_id))
    }

    /// The job's folder under the TFTP folder; removed at its end.
    pub fn tftp_folder(&self) -> PathBuf {
        self.settings.tftp_dir.join(&self.settings.job_id)
    }

    /// Notes a result: in the results, in the log, and for whoever watches.
    pub fn result(&mut self, case: CaseResult) {
        self.log.results(&case);
        self.progress.case(&case);
        self.results.add(case);
    }
}
