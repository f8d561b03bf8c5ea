//! The lab as a whole: its boards, who has them, and who waits. No HTTP here.
//!
//! One [`Server`] decides; what it has decided is in the [`Store`] before anybody is told. [`Server::run`]
//! is the loop that looks at the queue whenever anything has changed, and when a time has come, and
//! [`Server::tell_daemons`] the one that has daemons know whose their boards are.

mod audience;
mod claim;
mod clock;
mod clock_set;
mod conflict;
mod daemons;
mod error;
mod heard;
mod identity;
pub mod images;
mod interlock;
mod jobs;
mod lease;
mod load;
mod machines;
mod overview;
mod parts;
mod published;
mod queue;
mod registry;
mod resolve;
mod said;
mod share;
mod standing;
mod state;
#[cfg(test)]
mod tests;
mod users;
mod views;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};

use crate::client::Login;
use crate::config::server::JobsConfig;
use crate::model::{Announcement, Name, Right, Rights, units};
use crate::sched::{RequestId, Seconds};
use crate::store::Store;

pub use claim::LetIn;
pub use error::ServerError;
use heard::Heard;
pub use images::{ImageError, Images};
pub use jobs::{JobError, JobList, RunToken, boot};
use jobs::{Logs, WorkerKey};
pub use overview::{JobStanding, Overview};
use published::{Interest, Published};
use said::Said;
use state::State;
pub use users::Door;
pub use views::LogView;
use views::Views;

/// A daemon has to announce itself again within this time, in seconds.
pub const ANNOUNCE_S: u64 = 10;
/// … and is taken for dead after this one.
const STALE: Duration = Duration::from_secs(35);

/// Who the history says it was when we did something by ourselves.
const US: &str = "lava-server";

/// A queue that nobody has looked at for so long stands still.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// A lab, shared by everybody who asks it.
#[derive(Debug, Clone)]
pub struct Server(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    /// How the daemons let us in.
    login: Login,
    config: JobsConfig,
    logs: Logs,
    views: Views,
    said: Said,
    state: Mutex<State>,
    /// Who changes CI jobs has it.
    ci: Mutex<()>,
    /// What there was at a change of this number.
    overview: std::sync::Mutex<Option<(u64, Arc<Overview>)>>,
    /// Goes up by one with each change.
    changes: watch::Sender<u64>,
    /// The requests as the last look has seen them; somebody looks again and again.
    published: watch::Sender<Arc<Published>>,
    looking: AtomicBool,
    interest: Interest,
    /// When the holders of requests were heard of, …
    holders: Heard<RequestId>,
    /// … and daemons, by their URLs, with what they said.
    daemons: Heard<String, Announcement>,
    /// … and when boards were used.
    used: Heard<Name>,
    /// … and workers, by their names and which of that name they are.
    workers: Heard<WorkerKey>,
}

/// What somebody may do on the board of a name.
pub type OnBoard = Box<dyn Fn(&str) -> Option<Right> + Send + Sync>;

/// Who asks for something.
pub struct Asker {
    /// By what they are known.
    pub user: String,
    /// What they may do on everything.
    pub on_all: Option<Right>,
    /// What they may do on a board.
    pub on: OnBoard,
    /// The same, to be given to a script of theirs, …
    pub rights: Rights,
    /// … and what it hangs on.
    pub basis: Basis,
    /// Another one asks for them, and has said what they may.
    pub spoken_for: bool,
    /// The run of a script that asks in their name.
    pub job: Option<u64>,
}

/// What somebody's rights hang on, for what goes on in their name when they have asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// On their name: they can do what is let in by it now.
    #[default]
    Name,
    /// On nobody having to log in.
    Open,
    /// On nothing that is known here: this host is theirs.
    Given,
}

/// Somebody who is to use another's boards.
#[derive(Debug)]
pub struct Recipient {
    pub user: String,
    pub rights: TheirRights,
}

/// What somebody may who does not ask.
pub enum TheirRights {
    /// Nobody has to log in.
    Open,
    /// Nobody of that name is let in.
    Unknown,
    Known(OnBoard),
}

impl std::fmt::Debug for TheirRights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Unknown => "Unknown",
            Self::Known(_) => "Known",
        })
    }
}

impl Asker {
    fn may(&self, right: Right, board: &str) -> bool {
        (self.on)(board) >= Some(right)
    }
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Server {
    /// The lab as the store has it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(store: Store, login: Login, config: JobsConfig) -> Result<Self, ServerError> {
        let state = load::load(&store).await?;
        let (holders, daemons, used) = (Heard::default(), Heard::default(), Heard::default());
        // Whoever was there before we went away has its time to be heard of again.
        state.requests.keys().for_each(|id| holders.say(*id, ()));
        state.leased.keys().for_each(|board| used.say(board.clone(), ()));
        let announced = state.daemons.iter();
        announced.for_each(|(url, it)| daemons.say(url.clone(), it.announcement.clone()));
        let server = Self(Arc::new(Inner {
            store,
            login,
            logs: Logs::new(config.dir.clone()),
            views: Views::default(),
            said: Said::default(),
            config,
            state: Mutex::new(state),
            ci: Mutex::default(),
            overview: std::sync::Mutex::default(),
            changes: watch::Sender::new(0),
            published: watch::Sender::default(),
            looking: AtomicBool::new(false),
            interest: Interest::default(),
            holders,
            daemons,
            used,
            workers: Heard::default(),
        }));
        server.find_types().await;
        server.load_jobs().await?;
        Ok(server)
    }

    /// Follows changes: the value is another one after each.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// # Errors
    /// When the store does not answer, or nothing was decided for too long.
    pub async fn check(&self) -> Result<(), ServerError> {
        self.0.store.check().await?;
        match self.idle().filter(|idle| *idle > LONGEST_IDLE) {
            Some(idle) => Err(ServerError::Stuck(idle)),
            None => Ok(()),
        }
    }

    /// How long it is that somebody has looked at the queue, if somebody is to.
    pub fn idle(&self) -> Option<Duration> {
        self.0.published.borrow().at.map(|at| at.elapsed())
    }

    /// The folder of a job's log of a board: what its dispatcher's output folder was.
    pub fn log_folder(&self, job: u64, board: &str) -> std::path::PathBuf {
        self.0.logs.folder(job, board)
    }

    /// Follows how many bytes a job's log has; `None` when the job has ended.
    pub async fn log_growth(&self, job: u64, board: &str) -> Option<watch::Receiver<u64>> {
        let state = self.0.state.lock().await;
        let lives = state.jobs.live.contains_key(&job);
        lives.then(|| self.0.logs.open(job, board).held())
    }

    /// Writes what is open. Nothing can be asked any more.
    pub async fn close(&self) {
        self.0.store.close().await;
    }

    fn changed(&self) {
        self.0.changes.send_modify(|changes| *changes += 1);
    }
}

fn seconds_now() -> Seconds {
    units::now_us() / 1_000_000
}
