//! A worker: takes jobs from a server and runs each as a process of its own, `lava-dispatcher run`.
//!
//! It asks the server and is never asked, so that it works from behind anything. Each job has a folder, in
//! which is all that its process needs and all that it leaves; what the worker knows of its jobs is these
//! folders. So the jobs go on when it is ended or killed, and the next one finds them: whether the process of
//! a folder lives is told by the lock that it has on its [`claim`].

pub mod claim;
mod folder;
mod job;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::claim::Life;
use self::folder::{JobFolder, Unreadable};
use crate::client::server::LabServer;
use crate::model::{
    Failure, Kind, LAB_SERVER, Name, PROTOCOL, Work, WorkEnd, WorkFailure, WorkerHello,
    WorkerOrders, units,
};

/// A server that says again and again what is being done already is not asked more often than this.
const NOTHING_NEW: Duration = Duration::from_secs(1);
/// So often it is tried to begin a job, with a pause of 5 s, before the server is told that it is not possible.
const BEGINNINGS: u32 = 12;
/// What runs in a folder that nobody understands has so long to end, and so often it is looked at.
const UNREADABLE: (Duration, Duration) = (Duration::from_secs(300), Duration::from_millis(100));
/// Says whose the folder is, and which of the workers of its name this one is.
const LOCK: &str = "lock";
/// So long is waited after a failure before the server is asked again: a little more each time.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];
/// A server that answers at once again and again is not asked more often than this.
const AT_MOST_EVERY: Duration = Duration::from_millis(20);
/// As long as the server has not said how long a worker may be silent.
const GONE: Duration = Duration::from_secs(150);
/// Of the time after which the server gives up a silent worker's jobs, the worker ends them itself after
/// four fifths.
const GIVE_UP: (u32, u32) = (4, 5);

/// What a worker is told by its command line.
#[derive(Debug)]
pub struct Settings {
    pub server: LabServer,
    pub name: Name,
    /// So many jobs at a time.
    pub slots: usize,
    /// The folder of its jobs.
    pub dir: PathBuf,
    /// The dispatcher, and more options for its `run`.
    pub program: PathBuf,
    /// The files and folders of this host that jobs may name.
    pub files: Vec<PathBuf>,
    /// The CA by which jobs know the daemons of their boards, an absolute path.
    pub ca: Option<PathBuf>,
    /// Scripts are run, too.
    pub scripts: Option<Scripts>,
    pub options: Vec<OsString>,
}

/// How scripts find the server.
#[derive(Debug)]
pub struct Scripts {
    pub server: String,
    pub ca: Option<PathBuf>,
}

/// What the tasks of a worker share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    jobs: Mutex<BTreeMap<u64, Orders>>,
    /// There is room again.
    room: Notify,
}

/// What a job's task is told.
#[derive(Debug, Clone, Default)]
struct Orders {
    /// End it in good order.
    cancel: CancellationToken,
    /// It is not ours any more.
    drop: CancellationToken,
}

/// A worker that has its folder.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
    instance: String,
    _lock: File,
}

impl Worker {
    /// Takes the folder, which is made if it is not there.
    ///
    /// # Errors
    /// When another worker has it.
    pub fn open(settings: Settings) -> Result<Self, Failure> {
        let dir = settings.dir.display().to_string();
        let infra = |error: std::io::Error| Failure::new(Kind::Infra, format!("{dir}: {error}"));
        DirBuilder::new().recursive(true).mode(0o700).create(&settings.dir).map_err(infra)?;
        let path = settings.dir.join(LOCK);
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&path).map_err(infra)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::Error(error)) => return Err(infra(error)),
            Err(std::fs::TryLockError::WouldBlock) => {
                let what = format!("another worker has the folder {dir}");
                return Err(Failure::new(Kind::Infra, what).hint("name another one with --dir"));
            }
        }
        let instance = instance(&lock, &path).map_err(infra)?;
        let (jobs, room) = (Mutex::default(), Notify::new());
        let shared = Arc::new(Shared { settings, jobs, room });
        Ok(Self { shared, instance, _lock: lock })
    }

    /// Takes up the jobs that are there, and then takes more from the server until `shutdown`. Jobs that run
    /// then go on.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn run(self, shutdown: &CancellationToken) -> Result<(), Failure> {
        let tasks = TaskTracker::new();
        let (folders, unreadable) = JobFolder::all(&self.shared.settings.dir)?;
        for folder in &unreadable {
            end(folder).await;
            folder.set_aside(&self.shared.settings.dir)?;
        }
        for folder in folders {
            tracing::info!(job = folder.id(), "it was here already");
            self.take(folder, &tasks, shutdown);
        }
        let (mut number, mut pause) = (0, AGAIN[0]);
        let (mut heard, mut gone) = (Instant::now(), Some(GONE));
        let (mut silent, mut vain) = (false, BTreeMap::new());
        while !shutdown.is_cancelled() {
            number = units::now_us().max(number + 1);
            let hello = self.hello(number);
            let begun = Instant::now();
            let give_up = gone.map(|gone| heard + gone * GIVE_UP.0 / GIVE_UP.1);
            let answered = tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.shared.room.notified() => continue,
                answered = self.shared.settings.server.poll(&self.shared.settings.name, &hello) => answered,
                () = until(give_up) => {
                    tracing::error!("nothing is heard of the server: its jobs are ended");
                    self.cancel_all();
                    gone = None;
                    continue;
                }
            };
            match answered {
                Ok(orders) => {
                    if std::mem::take(&mut silent) {
                        tracing::info!("the server answers again");
                    }
                    (heard, pause) = (begun, AGAIN[0]);
                    gone = Some(Duration::from_secs(orders.gone_s)).filter(|gone| !gone.is_zero());
                    number = number.max(orders.number);
                    let least = match self.obey(orders, &mut vain, &tasks, shutdown).await {
                        Obeyed::News => AT_MOST_EVERY,
                        Obeyed::NoNews => NOTHING_NEW,
                        Obeyed::InVain => AGAIN[1],
                    };
                    tokio::select! {
                        () = shutdown.cancelled() => break,
                        () = self.shared.room.notified() => {}
                        () = tokio::time::sleep_until(begun + least) => {}
                    }
                }
                Err(failure) => {
                    if !std::mem::replace(&mut silent, true) {
                        tracing::warn!("no work is had: {failure}");
                    }
                    tokio::select! {
                        () = shutdown.cancelled() => break,
                        () = tokio::time::sleep(pause) => {}
                        () = until(give_up) => {}
                    }
                    pause = (pause * 2).min(AGAIN[1]);
                }
            }
        }
        tasks.close();
        tasks.wait().await;
        Ok(())
    }

    fn hello(&self, number: u64) -> WorkerHello {
        WorkerHello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.instance.clone(),
            number,
            slots: self.shared.settings.slots,
            jobs: self.shared.those(|_| true),
            scripts: self.shared.settings.scripts.is_some(),
            canceling: self.shared.those(|orders| orders.cancel.is_cancelled()),
            dropping: self.shared.those(|orders| orders.drop.is_cancelled()),
        }
    }

    /// Does what the server says. `vain` has how often a job could not be begun.
    async fn obey(
        &self,
        orders: WorkerOrders,
        vain: &mut BTreeMap<u64, u32>,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Obeyed {
        let mut obeyed = Obeyed::NoNews;
        for work in orders.start {
            let id = work.id;
            if self.shared.jobs().contains_key(&id) {
                continue;
            }
            let dir = self.shared.settings.dir.clone();
            let url = self.shared.settings.server.url();
            let work = Work { definition: work.definition.replace(LAB_SERVER, &url), ..work };
            match job::blocking(move || JobFolder::make(&dir, &work)).await {
                Ok(folder) => {
                    tracing::info!(job = id, "begins");
                    vain.remove(&id);
                    self.take(folder, tasks, shutdown);
                    obeyed = obeyed.max(Obeyed::News);
                }
                // The server hands it over again.
                Err(error) => {
                    tracing::error!(job = id, "it cannot begin: {error}");
                    obeyed = Obeyed::InVain;
                    let tries = vain.entry(id).or_default();
                    *tries += 1;
                    if *tries >= BEGINNINGS {
                        vain.remove(&id);
                        self.refuse(id, &error).await;
                    }
                }
            }
        }
        let jobs = self.shared.jobs();
        let mut tell = |ids: Vec<u64>, of: fn(&Orders) -> &CancellationToken| {
            for orders in ids.iter().filter_map(|id| jobs.get(id)) {
                if !of(orders).is_cancelled() {
                    of(orders).cancel();
                    obeyed = obeyed.max(Obeyed::News);
                }
            }
        };
        tell(orders.cancel, |orders| &orders.cancel);
        tell(orders.drop, |orders| &orders.drop);
        obeyed
    }

    /// Tells the server that a job cannot be begun here.
    async fn refuse(&self, id: u64, error: &std::io::Error) {
        let Settings { server, name, dir, .. } = &self.shared.settings;
        let message = format!("its worker {name} cannot begin it: {}: {error}", dir.display());
        let failure = WorkFailure { class: "Infrastructure".into(), message };
        let end = WorkEnd { failure: Some(failure), ..WorkEnd::default() };
        if let Err(failure) = server.end_work(name, id, &end).await {
            tracing::warn!(job = id, "the server was not told that it cannot begin: {failure}");
        }
    }

    fn cancel_all(&self) {
        self.shared.jobs().values().for_each(|orders| orders.cancel.cancel());
    }

    /// Has a task look after a job until it is told and forgotten.
    fn take(&self, folder: JobFolder, tasks: &TaskTracker, shutdown: &CancellationToken) {
        let (id, orders) = (folder.id(), Orders::default());
        self.shared.jobs().insert(id, orders.clone());
        let (shared, shutdown) = (self.shared.clone(), shutdown.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = job::see_through(&shared.settings, &folder, &orders) => {
                    shared.jobs().remove(&id);
                    shared.room.notify_one();
                }
                () = shutdown.cancelled() => {}
            }
        });
    }
}

/// What has come of a server's orders; the last of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Obeyed {
    /// All of it is done already, or being done.
    NoNews,
    News,
    /// Not all of it could be done.
    InVain,
}

impl Shared {
    /// The jobs whose orders are so.
    fn those(&self, are: impl Fn(&Orders) -> bool) -> BTreeSet<u64> {
        self.jobs().iter().filter(|(_, orders)| are(orders)).map(|(id, _)| *id).collect()
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Orders>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what may still run in a folder that nobody understands.
async fn end(folder: &Unreadable) {
    let (output, begun) = (folder.output(), Instant::now());
    claim::signal(&output, Signal::TERM);
    while matches!(claim::life(&output), Life::Lives(_) | Life::Guarded) {
        if begun.elapsed() > UNREADABLE.0 {
            claim::signal(&output, Signal::KILL);
        }
        tokio::time::sleep(UNREADABLE.1).await;
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What tells this worker from others of its name: written once, when its folder is made.
fn instance(mut lock: &File, path: &Path) -> std::io::Result<String> {
    let known = std::fs::read_to_string(path)?;
    if !known.trim().is_empty() {
        return Ok(known.trim().to_owned());
    }
    let new = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    lock.write_all(new.as_bytes())?;
    lock.sync_all()?;
    Ok(new.trim().to_owned())
}
