//! What goes on outside of the screen: daemons are followed, asked and told. Each piece of work is a task,
//! whose news come through one bounded queue.

mod boards;
mod missed;
mod pane;
mod past;
mod power;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::app::boards::Id;
use super::app::past::{Page, Want};
use super::app::{Effect, MAX_FOUND};
use crate::client::attach::{Hello, Item};
use crate::client::lab::{Board, Lab};
use crate::client::{ConsoleRef, OutletRef, Resource, control};
use crate::front::cli::operate;
use crate::model::{Event, Failure, Lease, Name, Report, State, Verb};
use crate::wire::feed::Told;
use crate::wire::request::Text;
use crate::wire::search::Match;
pub(super) use pane::Matter;
use pane::{PaneWork, Way};
use power::Asking;

/// How many news may wait for the screen. Who has more waits.
const NEWS: usize = 512;

/// A daemon, by one of the things that it serves.
pub(super) type Daemon = Arc<Resource>;

/// Something that has happened outside.
#[derive(Debug)]
pub(super) enum News {
    Boards(Vec<Board>),
    /// Boards cannot be looked up; those that are known are still there.
    NoBoards(Failure),
    Told(Daemon, Told),
    /// A daemon of consoles does not answer any more.
    Away(Daemon, String),
    /// `None` is not known.
    State(OutletRef, Option<State>),
    /// Who has leased what; `None` when its daemon does not answer, and nothing is known of its outlets.
    Leases(Daemon, Option<BTreeMap<Name, Lease>>),
    Pane(u64, PaneNews),
    Power {
        id: Id,
        outlet: OutletRef,
        verb: Verb,
        result: Result<Report, Failure>,
    },
    Sent(Result<(), Failure>),
    Found {
        ticket: u64,
        rows: Vec<(Id, Match)>,
    },
    Searched {
        ticket: u64,
        trouble: Option<String>,
    },
    Events {
        ticket: u64,
        result: Result<Vec<Event>, Failure>,
    },
}

/// Something that has happened to a console that is looked at.
#[derive(Debug)]
pub(super) enum PaneNews {
    Attached(Box<Hello>),
    /// It cannot be attached to; unless it is over that is tried again.
    Failed {
        failure: Failure,
        over: bool,
    },
    Item(Item),
    /// What was typed or asked for was dropped: why.
    NotTaken(String),
    /// The request to type was refused.
    MayNotType(String),
    /// What came of something that was asked for, as lines.
    Said(Result<Vec<String>, Failure>),
    Page(Result<Page, Failure>),
    /// Of a search, which has a number.
    Found {
        ticket: u64,
        offsets: Vec<u64>,
    },
    Searched {
        ticket: u64,
        more: bool,
        trouble: Option<Failure>,
    },
}

/// Starts what is to be done. Everything ends when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    common: Common,
    panes: HashMap<u64, PaneWork>,
    /// What is gathered for the list over the rest: one at a time.
    listing: CancellationToken,
}

/// What all tasks have.
#[derive(Debug, Clone)]
struct Common {
    lab: Lab,
    user: String,
    news: mpsc::Sender<News>,
    tasks: TaskTracker,
    ending: CancellationToken,
    /// Boards are to be looked for now, those that are gone forgotten, and outlets asked.
    look: Arc<Notify>,
    asking: Arc<Asking>,
}

impl Worker {
    /// Begins to follow the boards: those that are meant by names and patterns, or all.
    pub(super) fn start(
        lab: Lab,
        user: String,
        meant: Vec<String>,
        power_every: Option<Duration>,
        tasks: TaskTracker,
    ) -> (Self, mpsc::Receiver<News>) {
        let (news, heard) = mpsc::channel(NEWS);
        let common = Common {
            lab,
            user,
            news,
            tasks,
            ending: CancellationToken::new(),
            look: Arc::default(),
            asking: Arc::default(),
        };
        common.spawn(boards::follow(common.clone(), meant, power_every));
        let listing = common.ending.child_token();
        (Self { common, panes: HashMap::new(), listing }, heard)
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        let common = self.common.clone();
        match effect {
            Effect::Look => common.look.notify_one(),
            Effect::Attach { pane, console, room, mode } => {
                let way = Way { console, room, mode };
                self.panes.insert(pane, PaneWork::begin(&common, pane, way));
            }
            Effect::Detach { pane } => drop(self.panes.remove(&pane)),
            Effect::Type { pane, bytes } => self.order(pane, |work| work.type_bytes(bytes.into())),
            Effect::Ask { pane, verb } => self.order(pane, |work| work.ask(verb)),
            Effect::Matter { pane, console, matter } => {
                common.spawn(pane::matter(common.clone(), pane, console, matter));
            }
            Effect::Page { pane, console, want } => {
                let Some(work) = self.panes.get_mut(&pane) else { return };
                let ending = renewed(&mut work.reading, &common);
                common.spawn_until(&ending, page(common.clone(), pane, console, want));
            }
            Effect::Search { pane, ticket, console, pattern } => {
                let Some(work) = self.panes.get_mut(&pane) else { return };
                let ending = renewed(&mut work.searching, &common);
                let search = past::search(common.clone(), pane, ticket, console, pattern);
                common.spawn_until(&ending, search);
            }
            Effect::LeavePast { pane } => {
                let Some(work) = self.panes.get(&pane) else { return };
                work.reading.cancel();
                work.searching.cancel();
            }
            Effect::SearchAll { ticket, consoles, pattern } => {
                let search = past::search_all(common.clone(), ticket, consoles, pattern, MAX_FOUND);
                common.spawn_until(&renewed(&mut self.listing, &common), search);
            }
            Effect::Events { ticket, console } => {
                let ending = renewed(&mut self.listing, &common);
                common.spawn_until(&ending, events(common.clone(), ticket, console));
            }
            Effect::LeaveList => self.listing.cancel(),
            Effect::Power { id, board, outlet, console, verb, request } => {
                self.common.spawn(async move {
                    let at = console.as_ref();
                    let result = operate(&outlet, at, &board, verb, &request).await;
                    common.tell(News::Power { id, outlet, verb, result }).await;
                });
            }
            Effect::State { outlet } => power::ask(&common, outlet),
            Effect::Message { console, text } => self.common.spawn(async move {
                let told = control::ask(&console, "message", &common.user, &Text { text }).await;
                common.tell(News::Sent(told.map(|_| ()))).await;
            }),
        }
    }

    fn order(&self, pane: u64, order: impl FnOnce(&PaneWork) -> Result<(), &'static str>) {
        let Some(work) = self.panes.get(&pane) else { return };
        if let Err(why) = order(work) {
            // With a full queue the screen is told so another time.
            let _ = self.common.news.try_send(News::Pane(pane, PaneNews::NotTaken(why.into())));
        }
    }
}

async fn page(common: Common, pane: u64, console: ConsoleRef, want: Want) {
    let page = past::page(&console, want).await;
    common.tell(News::Pane(pane, PaneNews::Page(page))).await;
}

async fn events(common: Common, ticket: u64, console: ConsoleRef) {
    let result = console.http().get(&format!("{}/events", console.path)).await;
    common.tell(News::Events { ticket, result }).await;
}

/// Ends what was under way, for the next of its kind.
fn renewed(ending: &mut CancellationToken, common: &Common) -> CancellationToken {
    ending.cancel();
    *ending = common.ending.child_token();
    ending.clone()
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.common.ending.cancel();
    }
}

impl Common {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn_until(&self.ending, work);
    }

    fn spawn_until(
        &self,
        ending: &CancellationToken,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let ending = ending.clone();
        // On the heap: some of it is large, and there may be many of them.
        let work = Box::pin(work);
        self.tasks.spawn(async move {
            ending.run_until_cancelled_owned(work).await;
        });
    }

    /// Tells the screen; when that is gone, nobody wants to know.
    async fn tell(&self, news: News) {
        let _ = self.news.send(news).await;
    }
}
