//! What goes on outside of the screen: daemons are followed, asked and told. Each piece of work is a task,
//! whose news come through one bounded queue.

mod boards;
mod pane;
mod past;
mod power;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::app::boards::Id;
use super::app::past::Page;
use super::app::{Effect, MAX_FOUND};
use crate::client::attach::{Hello, Item};
use crate::client::lab::{Board, Lab};
use crate::client::{OutletRef, Resource, control};
use crate::front::cli::operate;
use crate::model::{Event, Failure, Lease, Name, Report, State, Verb};
use crate::wire::feed::Told;
use crate::wire::request::Text;
use crate::wire::search::Match;
use pane::Order;

/// How many news may wait for the screen. Who has more waits.
const NEWS: usize = 512;
/// How many orders may wait for a console.
const ORDERS: usize = 64;
/// How many outlets are asked for their states at a time.
const ASKED: usize = 4;

/// A daemon, by one of the things that it serves.
pub(super) type Daemon = Arc<Resource>;

/// Something that has happened outside.
#[derive(Debug)]
pub(super) enum News {
    Boards(Vec<Board>),
    /// Boards cannot be looked up; those that are known are still there.
    NoBoards(String),
    Told(Daemon, Told),
    /// A daemon of consoles does not answer any more.
    Away(Daemon, String),
    /// `None` is not known.
    State(OutletRef, Option<State>),
    Leases(Daemon, BTreeMap<Name, Lease>),
    Pane(u64, PaneNews),
    Power {
        id: Id,
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
    /// What was typed was dropped.
    NotTaken,
    Page(Result<Page, Failure>),
    Found {
        pattern: String,
        offsets: Vec<u64>,
    },
    Searched {
        pattern: String,
        more: bool,
        trouble: Option<String>,
    },
}

/// Starts what is to be done. Everything ends when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    common: Common,
    panes: HashMap<u64, PaneWork>,
}

/// What all tasks have.
#[derive(Debug, Clone)]
struct Common {
    lab: Lab,
    user: String,
    news: mpsc::Sender<News>,
    tasks: TaskTracker,
    ending: CancellationToken,
    /// Boards are to be looked for now, and outlets asked.
    look: Arc<Notify>,
    asking: Arc<Semaphore>,
}

#[derive(Debug)]
struct PaneWork {
    orders: mpsc::Sender<Order>,
    ending: CancellationToken,
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
            asking: Arc::new(Semaphore::new(ASKED)),
        };
        common.spawn(boards::follow(common.clone(), meant, power_every));
        (Self { common, panes: HashMap::new() }, heard)
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        let common = self.common.clone();
        match effect {
            Effect::Look => common.look.notify_one(),
            Effect::Attach { pane, console, room, mode } => {
                let (orders, given) = mpsc::channel(ORDERS);
                let ending = self.common.ending.child_token();
                let work = pane::attach(common, pane, console, room, mode, given);
                self.common.spawn_until(&ending, work);
                self.panes.insert(pane, PaneWork { orders, ending });
            }
            Effect::Detach { pane } => {
                // It says goodbye when its orders end.
                self.panes.remove(&pane);
            }
            Effect::Type { pane, bytes } => self.order(pane, Order::Type(bytes)),
            Effect::Ask { pane, verb } => self.order(pane, Order::Ask(verb)),
            Effect::Page { pane, console, want } => self.in_pane(pane, async move {
                let page = past::page(&console, want).await;
                common.tell(News::Pane(pane, PaneNews::Page(page))).await;
            }),
            Effect::Search { pane, console, pattern } => {
                self.in_pane(pane, past::search(common, pane, console, pattern));
            }
            Effect::SearchAll { ticket, consoles, pattern } => {
                self.common.spawn(past::search_all(common, ticket, consoles, pattern, MAX_FOUND));
            }
            Effect::Events { ticket, console } => self.common.spawn(async move {
                let result = console.http().get(&format!("{}/events", console.path)).await;
                common.tell(News::Events { ticket, result }).await;
            }),
            Effect::Power { id, board, outlet, console, verb, request } => {
                self.common.spawn(async move {
                    let at = console.as_ref();
                    let result = operate(&outlet, at, &board, verb, &request).await;
                    common.tell(News::Power { id, verb, result }).await;
                });
            }
            Effect::State { outlet } => self.common.spawn(power::ask(common, outlet)),
            Effect::Message { console, text } => self.common.spawn(async move {
                let told = control::ask(&console, "message", &common.user, &Text { text }).await;
                common.tell(News::Sent(told.map(|_| ()))).await;
            }),
        }
    }

    /// What is typed at a console that takes nothing is dropped.
    fn order(&mut self, pane: u64, order: Order) {
        let Some(work) = self.panes.get(&pane) else { return };
        if work.orders.try_send(order).is_err() {
            // With a full queue the screen is told so another time.
            let _ = self.common.news.try_send(News::Pane(pane, PaneNews::NotTaken));
        }
    }

    fn in_pane(&self, pane: u64, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(PaneWork { ending, .. }) = self.panes.get(&pane) {
            self.common.spawn_until(ending, work);
        }
    }
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
