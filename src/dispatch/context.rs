//! What actions share while a job runs.

mod aside;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::aside::Aside;
use super::actions::boot::Values;
use super::actions::test::Account;
use super::ahead::Ahead;
use super::avh::AvhPackage;
use super::connection::{Beside, Connection};
use super::consoles::Consoles;
use super::device::Device;
use super::error::Error;
use super::host::Started;
use super::job::{Compression, Job};
use super::leavings::Leavings;
use super::log::Log;
use super::multinode::Member;
use super::overlay::{Overlay, TestRun};
use super::progress::Progress;
use super::qemu::Machine;
use super::results::{CaseResult, Results};
use super::serve::Served;
use super::session::{Session, Wait};
use crate::image::{Files, nbd};

/// Another console has said what it had to say after so much silence, and is not listened to for longer than
/// the second of these, which is LAVA's.
const FEEDBACK: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// Where containers have the files that a job keeps, as in LAVA.
pub const LAVA_DOWNLOADS: &str = "/lava-downloads";

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
    /// The files of this host that the job may name.
    pub files: Files,
    /// The inventory that names boards.
    pub lab: Option<PathBuf>,
    /// The folder that this process has claimed, for others to know whether its guards are still at work.
    pub claimed: Option<PathBuf>,
    /// The worker's file that tells when its server was heard of last.
    pub contact: Option<PathBuf>,
    /// How long the board is held for people when the job has failed; else the job says.
    pub pause_on_failure: Option<Duration>,
    /// The board stays on when the job is complete.
    pub leave_on: bool,
    /// Where the kernel shows this host's USB devices, if it is not `/sys`.
    pub sysfs: Option<PathBuf>,
}

impl Settings {
    /// The folder for the job's own files on this host; removed at its end.
    pub fn scratch(&self) -> PathBuf {
        self.output.join("scratch")
    }
}

/// The context of a running job.
pub struct Context {
    pub job: Arc<Job>,
    pub device: Arc<Device>,
    pub settings: Arc<Settings>,
    pub log: Log,
    pub progress: Arc<dyn Progress>,
    pub results: Results,
    /// What the test shell that runs has said until now.
    pub account: Option<Account>,
    /// The namespaces whose consoles a test wants to be listened to for a moment.
    pub feedback: BTreeSet<String>,
    /// The action that runs now.
    pub now: Now,
    /// The actions that were begun and have not ended, outermost first.
    pub open: Vec<Open>,
    namespaces: BTreeMap<String, Shared>,
    consoles: Consoles,
    /// What is the board's, while tests run in a container beside it.
    aside: Option<Aside>,
    /// The board, where it is a QEMU of the job's own.
    pub machine: Option<Machine>,
    /// The job is done, and its board is not switched off.
    pub left_on: bool,
    /// What of the job is to be cleaned up at its end.
    pub leavings: Leavings,
    /// The job's place in its group, if it is one of several.
    pub member: Option<Member>,
    /// What requests to the group have learned, by the names that the job gives it.
    pub learned: BTreeMap<String, String>,
    /// What serves root file systems until the job ends.
    pub nbd_servers: Vec<nbd::Server>,
    /// What is fetched before its turn.
    pub ahead: Ahead,
    /// Where to post events of the job, once it is attached.
    pub timeline: Option<super::timeline::Timeline>,
}

/// The action that runs now.
#[derive(Debug, Clone)]
pub struct Now {
    pub action: &'static str,
    pub level: String,
    pub namespace: String,
    /// The namespace of its connection.
    pub line: String,
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
    /// What has the shell of the booted system.
    pub shell: ShellUse,
    /// The message with which the boot loader hands over to the kernel.
    pub final_message: Option<String>,
    /// The overlay was put into one of the deployed images.
    pub overlay_is_in: bool,
    /// A file system image with the overlay, for a board that takes it as one more drive.
    pub overlay_drive: Option<OverlayDrive>,
    pub installer: Installer,
    /// What the placeholders of boot commands stand for.
    pub values: Values,
    /// The board waits for images on USB.
    pub takes_images: bool,
    /// What is deployed to Arm's service, and the names of what was made of it there.
    pub avh: Option<AvhPackage>,
    pub avh_rented: Vec<String>,
    /// The container of a network boot server.
    pub nodebooter: Option<Started>,
    /// The TCP port of a model's console.
    pub model_port: Option<String>,
    /// The names of its other consoles, and their ports.
    pub model_feedbacks: Vec<(String, String)>,
    /// Exported to the tests beside the job's own variables.
    pub environment: BTreeMap<String, String>,
    /// Facts that the running action adds to its result.
    pub extra: BTreeMap<String, String>,
}

/// What has a system's shell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ShellUse {
    /// Nothing that we know of.
    #[default]
    Free,
    /// The test runner of this stage was started there, and nobody has followed it to its end.
    Runner(usize),
    /// A test runner has told of its end; the prompt after that may not have been read.
    RunnerEnded,
}

/// What an installer is started with, and what it installs to.
#[derive(Debug, Default)]
pub struct Installer {
    /// Its kernel and its ramdisk, as they were on its CD.
    pub kernel: PathBuf,
    pub initrd: PathBuf,
    pub disk: PathBuf,
    /// QEMU's words, but for what the installer is told.
    pub line: Vec<String>,
    /// What it fetches its answers from.
    pub answers: Option<Served>,
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
            line: "common".into(),
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
            account: None,
            feedback: BTreeSet::new(),
            now,
            open: Vec::new(),
            namespaces: BTreeMap::new(),
            consoles: Consoles::default(),
            aside: None,
            machine: None,
            left_on: false,
            leavings: Leavings::default(),
            member: None,
            learned: BTreeMap::new(),
            nbd_servers: Vec::new(),
            ahead: Ahead::default(),
            timeline: None,
        }
    }

    /// What the running action's namespace shares.
    pub fn shared(&mut self) -> &mut Shared {
        self.namespaces.entry(self.now.namespace.clone()).or_default()
    }

    /// Makes the folder for the job's own files, if it is not there. Nobody else reads it: there are the
    /// job's secrets in it.
    ///
    /// # Errors
    /// As [`Leavings::make_folder`].
    pub async fn make_scratch(&mut self) -> Result<PathBuf, Error> {
        self.leavings.make_folder(self.scratch(), 0o700).await
    }

    /// Makes the job's folder under the TFTP folder, if it is not there. The TFTP server, which may be another
    /// user, reads it.
    ///
    /// # Errors
    /// As [`Leavings::make_folder`].
    pub async fn make_tftp_folder(&mut self) -> Result<PathBuf, Error> {
        let folder = self.tftp_folder();
        // Our own server's folder goes with the last job that has made it: it may just have gone.
        if let (Some(_), Some(parent)) = (self.settings.tftp_listen, folder.parent()) {
            let made = std::fs::create_dir_all(parent);
            made.map_err(|error| {
                Error::Infrastructure(format!("cannot make {}: {error}", parent.display()))
            })?;
        }
        self.leavings.make_folder(folder, 0o755).await
    }

    /// A fact for the running action's result.
    pub fn fact(&mut self, key: &str, value: impl Into<String>) {
        self.shared().extra.insert(key.to_owned(), value.into());
    }

    /// The console of the running action's connection.
    ///
    /// # Errors
    /// [`Error::Bug`] before `connect-device` has run.
    pub fn session(&mut self) -> Result<&mut Session, Error> {
        let missing = || Error::Bug("there is no connection to the board yet".into());
        self.consoles.any_mut(&self.now.line).ok_or_else(missing)
    }

    /// All consoles that the job is attached to.
    pub fn sessions(&mut self) -> impl Iterator<Item = &mut Session> {
        self.consoles.all_mut()
    }

    /// Whether blocks of the job have this namespace.
    pub fn has_namespace(&self, namespace: &str) -> bool {
        self.job.blocks.iter().any(|block| block.namespace() == namespace)
    }

    /// Takes in what the consoles of other namespaces have to say that a test has asked for. The running
    /// action's own is followed anyway.
    pub async fn take_in_feedback(&mut self) {
        for namespace in std::mem::take(&mut self.feedback) {
            let Some(session) = self.consoles.other_mut(&namespace, &self.now.line) else {
                continue;
            };
            session.set_beside(true);
            // A console that breaks now is told to who needs it.
            if let Err(error) = session.drain(FEEDBACK[0], FEEDBACK[1]).await {
                self.log.debug(error.to_string());
            }
            session.flush();
            session.set_beside(false);
        }
    }

    /// What consoles say is no feedback any more, also where it was cut off while it was taken in.
    pub fn end_feedback(&mut self) {
        self.sessions().for_each(|session| session.set_beside(false));
    }

    pub fn is_connected(&self) -> bool {
        self.consoles.own(&self.now.line).is_some_and(|session| !session.is_lost())
    }

    /// Whether the connection to the board has failed, so that another one is needed.
    pub fn has_lost_console(&self) -> bool {
        self.consoles.own(&self.now.line).is_some_and(Session::is_lost)
    }

    /// Lets go of a connection that has failed, and of its program with it.
    pub fn forget_lost_console(&mut self) {
        if self.has_lost_console() {
            self.consoles.take(&self.now.line);
        }
    }

    /// The running action's connection is one of its own from now on.
    pub fn connect(&mut self, session: Session) {
        let target = format!("of {}", self.now.line);
        self.connect_to(&target, session);
    }

    /// The running action's connection is this one from now on, and may be others' as well.
    pub fn connect_to(&mut self, target: &str, mut session: Session) {
        session.set_silences(self.device.silences);
        self.consoles.put(&self.now.line, target, session);
    }

    /// Connects to what another namespace is connected to already, if one is.
    pub fn join(&mut self, target: &str) -> bool {
        self.consoles.join(&self.now.line, target)
    }

    /// Another connection is the console from now on. The one before it, a program's, stays open:
    /// the program ends with it.
    pub fn connect_beside(&mut self, console: Box<dyn Connection>) {
        self.forget_lost_console();
        let connection = match self.consoles.take(&self.now.line) {
            None => console,
            Some(before) => Box::new(Beside::new(console, before.into_connection())),
        };
        self.connect(Session::new(connection, self.log.clone()));
    }

    /// A program's terminal stays open as long as the console, and is read from, so that the program goes on.
    pub fn keep_beside(&mut self, program: Box<dyn Connection>) {
        self.consoles.put_beside(&self.now.line, program);
    }

    /// Ends what [`Context::keep_beside`] has kept.
    pub fn end_beside(&mut self) {
        if let Some(session) = self.consoles.any_mut(&self.now.line) {
            session.end_beside();
        }
    }

    /// How long the running action may wait for the console.
    pub fn wait(&self) -> Wait {
        let Now { action, deadline, connection, .. } = self.now;
        Wait { deadline, connection, ..Wait::of(action) }
    }

    /// What the board said last, perhaps nothing; `None` where nobody listens to it.
    pub fn last_seen(&self) -> Option<String> {
        self.consoles.any(&self.now.line).map(Session::last_line)
    }

    /// Who has taken the console from the job.
    pub fn console_holder(&self) -> Option<String> {
        self.consoles.any(&self.now.line).and_then(Session::holder)
    }

    /// The folder on the board where the overlay is.
    /// A system has come up that shows one of these prompts: nothing runs at its shell.
    pub fn has_booted(&mut self, prompts: Vec<String>) {
        let shared = self.shared();
        (shared.prompts, shared.shell) = (prompts, ShellUse::Free);
    }

    pub fn lava_dir(&self) -> String {
        self.device.lava_dir(&self.settings.job_id)
    }

    /// The folder for the job's own files on this host; removed at its end.
    pub fn scratch(&self) -> PathBuf {
        self.settings.scratch()
    }

    /// The folder of the files that the job keeps in a namespace, for `downloads://` and for containers.
    pub fn downloads(&self, namespace: &str) -> PathBuf {
        self.scratch().join("downloads").join(namespace)
    }

    /// The volume with which docker gives a container the files that the job keeps, if it keeps any: those of
    /// another namespace than the running action's, where one is named.
    pub fn downloads_volume(&self, namespace: Option<&str>) -> Option<String> {
        let folder = self.downloads(namespace.unwrap_or(&self.now.namespace));
        folder.is_dir().then(|| format!("{}:{LAVA_DOWNLOADS}", folder.display()))
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
        let mut case = case;
        self.log.mask(&mut case);
        self.log.results(&case);
        self.progress.case(&case);
        self.results.add(case);
    }
}
