//! A worker: takes jobs from a server and runs each as a process of its own, `lava-dispatcher run`.
//!
//! It asks the server and is never asked, so that it works from behind anything. Each job has a folder, in
//! which is all that its process needs and all that it leaves; what the worker knows of its jobs is these
//! folders. So the jobs go on when it is ended or killed, and the next one finds them: whether the process of
//! a folder lives is told by the lock that it has on its [`claim`].
//!
//! A job that it finds and that was never begun it begins only when the server has said that it is still its own, and
//! what becomes of jobs when the server is not heard of is said by [`CutOff`], counted from the last [`contact`], also
//! by a worker that is started anew, and by the jobs themselves.

pub mod claim;
pub mod contact;
mod ending;
mod folder;
mod job;
mod removal;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::claim::Life;
use self::contact::{Contacts, now_ms};
use self::ending::EndOf;
use self::folder::{JobFolder, Unreadable};
use crate::client::server::LabServer;
use crate::model::{
    CutOff, Failure, Kind, LAB_SERVER, Machine, Name, PROTOCOL, Work, WorkEnd, WorkFailure,
    WorkerHello, WorkerOrders, units,
};

/// A server that says again and again what is being done already is not asked more often than this.
const NOTHING_NEW: Duration = Duration::from_secs(1);
/// So often it is tried to begin a job, with a pause of 5 s, before the server is told that it is not possible.
const BEGINNINGS: u32 = 12;
/// Says whose the folder is, and which of the workers of its name this one is.
const LOCK: &str = "lock";
/// So long is waited after a failure before the server is asked again: a little more each time.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];
/// A server that answers at once again and again is not asked more often than this.
const AT_MOST_EVERY: Duration = Duration::from_millis(20);
/// A server of these words says of the jobs that it is asked for whether they are to begin; one of an older version
/// only which are not.
const SAYS_WHAT_BEGINS: u32 = 2;

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
    /// The virtual machines that are boards as long as it lives.
    pub machines: BTreeMap<Name, Machine>,
    pub options: Vec<OsString>,
}

/// How scripts find the server.
#[derive(Debug)]
pub struct Scripts {
    pub server: String,
    pub ca: Option<PathBuf>,
    /// How much the files of each may take, in bytes.
    pub space: u64,
}

/// What the tasks of a worker share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    jobs: Mutex<BTreeMap<u64, Orders>>,
    contacts: Arc<Contacts>,
    /// There is room again.
    room: Notify,
}

/// What a job's task is told.
#[derive(Debug, Clone, Default)]
struct Orders {
    /// It is ours.
    begin: CancellationToken,
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
        let contacts = Arc::new(Contacts::open(&settings.dir).map_err(infra)?);
        let (jobs, room) = (Mutex::default(), Notify::new());
        let shared = Arc::new(Shared { settings, jobs, contacts, room });
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
        for folder in unreadable {
            let (shared, shutdown) = (self.shared.clone(), shutdown.clone());
            // The server hears of it as of any that runs: its boards are not free before it is over.
            if let Some(id) = folder.id() {
                let orders = Orders::default();
                orders.begin.cancel();
                shared.jobs().insert(id, orders);
            }
            tasks.spawn(async move {
                tokio::select! {
                    () = end(&folder) => folder.set_aside(&shared.settings.dir),
                    () = shutdown.cancelled() => return,
                }
                if let Some(id) = folder.id() {
                    shared.jobs().remove(&id);
                }
                shared.room.notify_one();
            });
        }
        for folder in folders {
            tracing::info!(job = folder.id(), "it was here already");
            let is_new = claim::life(&folder.output()) == Life::None;
            self.take(folder, is_new, &tasks, shutdown);
        }
        let (mut number, mut pause) = (0, AGAIN[0]);
        let (mut silent, mut vain, mut cut_off) = (None, BTreeMap::new(), false);
        while !shutdown.is_cancelled() {
            number = units::now_us().max(number + 1);
            let hello = self.hello(number);
            let (begun, begun_ms) = (Instant::now(), now_ms());
            let left = self.shared.contacts.left(CutOff::ends);
            let give_up = (!cut_off).then(|| begun + left);
            let answered = tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.shared.room.notified() => continue,
                answered = self.shared.settings.server.poll(&self.shared.settings.name, &hello) => answered,
                () = until(give_up) => {
                    // It is not that time by this clock while the host sleeps.
                    if self.shared.contacts.left(CutOff::ends).is_zero() {
                        tracing::error!("nothing is heard of the server: its jobs are ended");
                        self.cancel_all();
                        cut_off = true;
                    }
                    continue;
                }
            };
            match answered {
                Ok(orders) => {
                    if silent.take().is_some() {
                        tracing::info!("the server answers again");
                    }
                    (cut_off, pause) = (false, AGAIN[0]);
                    self.note(begun_ms, orders.gone_s).await;
                    number = number.max(orders.number);
                    let obeyed = self.obey(orders, &hello.unsure, &mut vain, &tasks, shutdown);
                    let least = match obeyed.await {
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
                    let why = failure.to_string();
                    if silent.as_ref() != Some(&why) {
                        tracing::warn!("no work is had: {why}");
                        silent = Some(why);
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
            unsure: self.shared.those(|orders| !orders.begin.is_cancelled()),
            gone_s: self.shared.contacts.gone_s(),
            canceling: self.shared.those(|orders| orders.cancel.is_cancelled()),
            dropping: self.shared.those(|orders| orders.drop.is_cancelled()),
            machines: self.shared.settings.machines.clone(),
        }
    }

    /// A greeting of that moment was answered.
    async fn note(&self, at_ms: u64, gone_s: u64) {
        let contacts = self.shared.contacts.clone();
        if let Err(error) = job::blocking(move || contacts.note(at_ms, gone_s)).await {
            tracing::error!("its jobs may end as if the server were gone: {error}");
        }
    }

    /// Does what the server says. `unsure` are the jobs of which it was asked whether they are to begin; `vain` has
    /// how often a job could not be begun.
    async fn obey(
        &self,
        orders: WorkerOrders,
        unsure: &BTreeSet<u64>,
        vain: &mut BTreeMap<u64, u32>,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Obeyed {
        let mut obeyed = Obeyed::NoNews;
        for work in orders.start {
            let id = work.id;
            // An answer that has come too late is no word any more.
            let late = self.shared.contacts.left(CutOff::ends).is_zero();
            if late || self.shared.jobs().contains_key(&id) {
                continue;
            }
            let dir = self.shared.settings.dir.clone();
            let url = self.shared.settings.server.url();
            let work = Work { definition: work.definition.replace(LAB_SERVER, &url), ..work };
            match job::blocking(move || JobFolder::make(&dir, &work)).await {
                Ok(folder) => {
                    tracing::info!(job = id, "begins");
                    vain.remove(&id);
                    self.take(folder, false, tasks, shutdown);
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
        let ended = [&orders.cancel[..], &orders.drop].concat();
        tell(orders.cancel, |orders| &orders.cancel);
        tell(orders.drop, |orders| &orders.drop);
        let begin = match orders.protocol >= SAYS_WHAT_BEGINS {
            true => orders.begin,
            false => unsure.iter().copied().filter(|id| !ended.contains(id)).collect(),
        };
        if !self.shared.contacts.left(CutOff::ends).is_zero() {
            tell(begin, |orders| &orders.begin);
        }
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

    /// Has a task look after a job until it is told and forgotten. One that is `unsure` begins when the server says so.
    fn take(
        &self,
        folder: JobFolder,
        unsure: bool,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) {
        let (id, orders) = (folder.id(), Orders::default());
        if !unsure {
            orders.begin.cancel();
        }
        self.shared.jobs().insert(id, orders.clone());
        let (shared, shutdown) = (self.shared.clone(), shutdown.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = job::see_through(&shared, &folder, &orders) => {
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
    let (output, mut end) = (folder.output(), EndOf::begin());
    loop {
        match claim::life(&output) {
            Life::Lives(number) => end.press(number, false),
            Life::Guarded => {}
            Life::None | Life::Ended => return,
        }
        tokio::time::sleep(job::LOOK).await;
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
