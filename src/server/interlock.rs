//! Has `lava-power` know who has leased a board of the server's, so that nobody else switches it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Server;
use super::state::{State, Told};
use crate::client::{OutletRef, lease};
use crate::model::{Failure, Kind, LeaseRequest, Name, RequestInfo, RequestState, units};

/// A daemon has this long to take what it is told.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What it has not taken is told again after this.
const AGAIN: Duration = Duration::from_secs(3);
/// An outlet is told of so much of a lease at a time, in microseconds: `lava-power` takes no more than two weeks.
const AT_A_TIME_US: u64 = 13 * 24 * 3600 * 1_000_000;
/// … and of more when less than this is left.
const MORE_US: u64 = 7 * 24 * 3600 * 1_000_000;

/// What an outlet is to be told.
#[derive(Debug, Clone)]
struct Change {
    board: Name,
    /// What it was told last: that is over.
    over: Option<Told>,
    /// What is so from now on, and why.
    now: Option<(Told, Option<String>)>,
}

/// What has come of it.
struct Done {
    board: Name,
    /// What the outlet knows now, as far as it has answered.
    told: Option<Told>,
    failure: Option<Failure>,
}

impl Server {
    /// Tells outlets of leases, again and again, until `shutdown`.
    pub async fn tell_outlets(&self, shutdown: CancellationToken) {
        let mut changes = self.changes();
        let mut under_way: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
        let mut busy: BTreeSet<Name> = BTreeSet::new();
        let mut later: BTreeMap<Name, Instant> = BTreeMap::new();
        loop {
            let now = Instant::now();
            later.retain(|_, at| *at > now);
            changes.borrow_and_update();
            for change in self.0.state.lock().await.untold() {
                if later.contains_key(&change.board) || !busy.insert(change.board.clone()) {
                    continue;
                }
                under_way.push(Box::pin(self.tell(change)));
            }
            let next = later.values().min().copied().unwrap_or(now + AGAIN * 10);
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(next) => {}
                Some(done) = under_way.next() => {
                    busy.remove(&done.board);
                    if let Some(failure) = &done.failure {
                        later.insert(done.board.clone(), Instant::now() + AGAIN);
                        let (board, error) = (done.board.as_str(), &failure.message);
                        tracing::warn!(board, error, "its outlet was not told of its lease");
                    }
                    self.settle(done).await;
                }
            }
        }
    }

    async fn tell(&self, change: Change) -> Done {
        let Change { board, over, now } = change;
        let mut told = over.clone();
        let telling = async {
            let same = over.as_ref().zip(now.as_ref()).is_some_and(|(over, (now, _))| {
                over.outlet == now.outlet && over.holders.first() == now.holders.first()
            });
            if let Some(over) = over.filter(|_| !same) {
                let holder = over.holders.first().map_or("", String::as_str);
                match lease::release(&self.outlet(&over.outlet)?, holder, None).await {
                    // It is nobody's of ours any more: somebody else's, or the outlet is gone.
                    Err(failure) if matches!(failure.kind, Kind::Refused | Kind::User) => {}
                    released => drop(released?),
                }
                told = None;
            }
            if let Some((now, reason)) = now {
                let left_us = now.until_us.saturating_sub(units::now_us());
                let request = LeaseRequest {
                    user: now.holders.first().cloned(),
                    length: format!("{}ms", left_us.div_ceil(1000).max(1)),
                    shared_with: now.holders.iter().skip(1).cloned().collect(),
                    reason,
                };
                lease::take(&self.outlet(&now.outlet)?, &request).await?;
                told = Some(now);
            }
            Ok(())
        };
        let told_it: Result<Result<(), Failure>, _> = tokio::time::timeout(TIMEOUT, telling).await;
        let failure = match told_it {
            Ok(result) => result.err(),
            Err(_) => Some(Failure::new(Kind::Lab, format!("no answer within {TIMEOUT:?}"))),
        };
        Done { board, told, failure }
    }

    fn outlet(&self, url: &str) -> Result<OutletRef, Failure> {
        let outlet: OutletRef =
            url.parse().map_err(|error: String| Failure::new(Kind::Config, error))?;
        Ok(OutletRef { login: self.0.login.clone(), ..outlet })
    }

    async fn settle(&self, done: Done) {
        let mut state = self.0.state.lock().await;
        let board = done.board;
        let refused = done.failure.map(|failure| format!("{board}: {}", failure.message));
        let before = match refused.clone() {
            Some(refused) => state.refused.insert(board.clone(), refused),
            None => state.refused.remove(&board),
        };
        if before != refused {
            self.changed();
        }
        let kept = match &done.told {
            Some(told) => {
                let holders = told.holders.join("\n");
                let store = &self.0.store;
                store.put_told(board.as_str(), &told.outlet, &holders, told.until_us).await
            }
            None => self.0.store.remove_told(board.as_str()).await,
        };
        if let Err(error) = kept {
            // It is told once more after a restart, which does no harm.
            tracing::error!(board = board.as_str(), "{error}");
        }
        let before = match &done.told {
            Some(told) => state.told.insert(board.clone(), told.clone()),
            None => state.told.remove(&board),
        };
        if before != done.told {
            if done.told.is_none() {
                state.forget_lease_at_outlet(&board);
            }
            state.unlooked = true;
            self.changed();
        }
    }
}

impl State {
    /// What outlets do not know yet.
    fn untold(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        let boards: BTreeSet<&Name> = self.leased.keys().chain(self.told.keys()).collect();
        for board in boards {
            let told = self.told.get(board);
            let wanted = self.lease_of(board).and_then(|info| self.to_tell(board, info));
            let known = match (told, &wanted) {
                (None, None) => true,
                (Some(told), Some((wanted, _))) => is_known(told, wanted),
                _ => false,
            };
            if !known {
                let (board, over) = (board.clone(), told.map(|told| self.moved(board, told)));
                changes.push(Change { board, over, now: wanted });
            }
        }
        changes
    }

    /// What an outlet was told, where it is now: its daemon may be at another address since.
    fn moved(&self, board: &Name, told: &Told) -> Told {
        let known = self.daemons.keys().any(|url| told.outlet.starts_with(url.as_str()));
        let outlet = self.boards.get(board).and_then(|board| board.outlet.as_ref());
        match outlet.filter(|_| !known) {
            Some(outlet) => Told { outlet: outlet.url.clone(), ..told.clone() },
            None => told.clone(),
        }
    }

    /// Whether all outlets of a lease know of it.
    pub(super) fn is_told(&self, info: &RequestInfo) -> bool {
        info.state == RequestState::Leased
            && info.boards.iter().all(|board| match self.to_tell(board, info) {
                Some((wanted, _)) => self.told.get(board).is_some_and(|it| is_known(it, &wanted)),
                None => true,
            })
    }

    fn to_tell(&self, board: &Name, info: &RequestInfo) -> Option<(Told, Option<String>)> {
        let outlet = self.boards.get(board)?.outlet.as_ref()?.url.clone();
        let holders = std::iter::once(&info.user).chain(&info.shared_with).cloned().collect();
        let until_us = info.until_us?.min(units::now_us() + AT_A_TIME_US);
        Some((Told { outlet, holders, until_us }, info.reason.clone()))
    }

    /// What the outlet's daemon has announced of our lease is over.
    fn forget_lease_at_outlet(&mut self, board: &Name) {
        let Some(place) = self.boards.get(board).and_then(|board| board.outlet.clone()) else {
            return;
        };
        for (url, daemon) in &mut self.daemons {
            for outlet in &mut daemon.announcement.outlets {
                let here = place.url.strip_prefix(url.as_str());
                if here.is_some_and(|path| path.ends_with(&format!("/{}", outlet.name))) {
                    outlet.lease = None;
                }
            }
        }
    }
}

/// Whether an outlet need not be told again. Of a long lease it knows the beginning.
fn is_known(told: &Told, wanted: &Told) -> bool {
    let long = told.until_us < wanted.until_us && told.until_us > units::now_us() + MORE_US;
    told.outlet == wanted.outlet
        && told.holders == wanted.holders
        && (told.until_us == wanted.until_us || long)
}
