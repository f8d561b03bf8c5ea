//! Follows the boards of the lab, and the daemons that serve their consoles.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::missed::Missed;
use super::{Common, Daemon, News, power};
use crate::client::feed::Feed;
use crate::client::lab::Board;
use crate::client::{OutletRef, Resource};
use crate::front::tui::app::boards::same_daemon;
use crate::model::{Failure, Glob};

/// How often it is looked which boards there are.
const LOOK: Duration = Duration::from_secs(30);
/// … and while a daemon is away, which may be somewhere else when it is back: at first and at most.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(8));
/// How often a daemon tells what has changed.
const EVERY: Duration = Duration::from_secs(1);
/// The pause before a daemon is tried again, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));
/// So many daemons that are back may wait to be heard of.
const BACK: usize = 64;

/// A daemon that is followed.
struct Followed {
    daemon: Daemon,
    ending: CancellationToken,
}

/// What who follows a daemon tells who looks for boards.
#[derive(Debug, Clone)]
pub(super) struct Signs {
    /// One does not answer.
    pub(super) lost: Arc<Notify>,
    /// A daemon of outlets answers again.
    pub(super) back: mpsc::Sender<Daemon>,
}

pub(super) async fn follow(common: Common, meant: Vec<String>, power_every: Option<Duration>) {
    let meant = Meant::new(meant);
    let (back, mut returned) = mpsc::channel(BACK);
    let signs = Signs { lost: Arc::default(), back };
    let (mut feeds, mut leases) = (Vec::new(), Vec::new());
    let mut missed = Missed::default();
    let mut asked: HashSet<OutletRef> = HashSet::new();
    let mut ask_at = power_every.map(|every| Instant::now() + every);
    let mut again = LOOK_AGAIN.0;
    loop {
        let mut next = Instant::now() + LOOK;
        match common.lab.boards().await {
            Ok(mut boards) => {
                boards.retain(|board| meant.has(board));
                let boards = missed.kept(boards).await;
                if missed.is_empty() {
                    again = LOOK_AGAIN.0;
                }
                let consoles = boards.iter().filter_map(|board| board.console.clone());
                keep(
                    &mut feeds,
                    consoles,
                    |daemon, ending| {
                        common.spawn_until(ending, feed(common.clone(), daemon, signs.clone()));
                    },
                    &common.ending,
                );
                let outlets: HashSet<OutletRef> =
                    boards.iter().filter_map(|board| board.outlet.clone()).collect();
                keep(
                    &mut leases,
                    outlets.iter().cloned(),
                    |daemon, ending| {
                        let follow = power::leases(common.clone(), daemon, signs.clone());
                        common.spawn_until(ending, follow);
                    },
                    &common.ending,
                );
                common.tell(News::Boards(boards)).await;
                for outlet in outlets.difference(&asked) {
                    power::ask(&common, outlet.clone());
                }
                asked = outlets;
            }
            Err(failure) => {
                common.tell(News::NoBoards(failure)).await;
                next = Instant::now() + LOOK_AGAIN.0;
            }
        }
        let lost = async {
            signs.lost.notified().await;
            sleep(again).await;
        };
        tokio::select! {
            // Who asks for it does not wait until all daemons are back.
            biased;
            () = common.look.notified() => {
                missed = Missed::default();
                asked.clear();
            }
            Some(daemon) = returned.recv() => asked.retain(|outlet| !same_daemon(outlet, &daemon)),
            () = lost => again = (again * 2).min(LOOK_AGAIN.1),
            () = sleep_until(next) => {}
            () = sleep_until(ask_at.unwrap_or(next)), if ask_at.is_some() => {
                ask_at = power_every.map(|every| Instant::now() + every);
                asked.clear();
            }
        }
    }
}

/// Follows each daemon of some resources once, and no other any more.
fn keep(
    followed: &mut Vec<Followed>,
    resources: impl Iterator<Item = Resource>,
    begin: impl Fn(Daemon, &CancellationToken),
    ending: &CancellationToken,
) {
    let mut daemons: Vec<Resource> = Vec::new();
    for resource in resources {
        if !daemons.iter().any(|known| same_daemon(known, &resource)) {
            daemons.push(resource);
        }
    }
    followed.retain(|followed| {
        let stays = daemons.iter().any(|daemon| same_daemon(daemon, &followed.daemon));
        if !stays {
            followed.ending.cancel();
        }
        stays
    });
    for daemon in daemons {
        if !followed.iter().any(|followed| same_daemon(&followed.daemon, &daemon)) {
            let (daemon, ending) = (Arc::new(daemon), ending.child_token());
            begin(daemon.clone(), &ending);
            followed.push(Followed { daemon, ending });
        }
    }
}

/// Follows a daemon's consoles for ever.
async fn feed(common: Common, daemon: Daemon, signs: Signs) {
    let mut pause = PAUSE.0;
    loop {
        let why = match Feed::begin(daemon.http(), EVERY).await {
            Ok(mut feed) => {
                pause = PAUSE.0;
                passed_on(&common, &daemon, &mut feed).await
            }
            Err(failure) => failure,
        };
        common.tell(News::Away(daemon.clone(), why.message)).await;
        signs.lost.notify_one();
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Gives why it ended.
async fn passed_on(common: &Common, daemon: &Daemon, feed: &mut Feed) -> Failure {
    loop {
        match feed.next().await {
            Ok(Some(told)) => common.tell(News::Told(daemon.clone(), told)).await,
            Ok(None) => return Failure::new(crate::model::Kind::Lab, "its daemon has ended"),
            Err(failure) => return failure,
        }
    }
}

/// Which boards are wanted.
struct Meant {
    names: Vec<String>,
    globs: Vec<Glob>,
}

impl Meant {
    fn new(meant: Vec<String>) -> Self {
        let (patterns, names): (Vec<_>, Vec<_>) =
            meant.into_iter().partition(|text| Glob::is_pattern(text));
        // What is wrong with one was told before the screen was drawn.
        let globs = patterns.iter().filter_map(|text| text.parse().ok()).collect();
        Self { names, globs }
    }

    fn has(&self, board: &Board) -> bool {
        let name = board.name.as_str();
        let all = self.names.is_empty() && self.globs.is_empty();
        all || self.names.iter().any(|known| known == name)
            || self.globs.iter().any(|glob| glob.matches(name))
    }
}
