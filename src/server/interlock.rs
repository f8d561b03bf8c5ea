//! Has the daemons know who has leased a board of the server's, so that nobody else uses it: `lava-power` for
//! its outlet, and `lava-serial` for its console.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::resolve::is_at;
use super::state::{Part, State, Told};
use super::{Server, ServerError};
use crate::client::{Resource, lease};
use crate::model::{
    Announcement, DaemonKind, Failure, Kind, LeaseRequest, Refusal, RequestInfo, RequestState,
    calls_oneself, units,
};
use crate::store::ToldRow;

/// A daemon has this long to take what it is told.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What it has not taken is told again after this.
const AGAIN: Duration = Duration::from_secs(3);
/// A daemon is told of so much of a lease at a time, in microseconds: it takes no more than two weeks.
const AT_A_TIME_US: u64 = 13 * 24 * 3600 * 1_000_000;
/// … and of more when less than this is left.
const MORE_US: u64 = 7 * 24 * 3600 * 1_000_000;
/// A job's boards are claimed for so much longer than its lease.
const OVERTIME_US: u64 = 60 * 1_000_000;
/// Which parts of a board are told.
const PARTS: [DaemonKind; 2] = [DaemonKind::Serial, DaemonKind::Power];

/// What a part's daemon is to be told.
#[derive(Debug, Clone)]
struct Change {
    part: Part,
    /// What it was told last: that is over.
    over: Option<Told>,
    /// What is so from now on, and why.
    now: Option<(Told, Option<String>)>,
}

/// A part, and whether its daemon was told.
type Answered = (Part, Result<(), Failure>);

/// Which parts are being told, and which are told again later.
#[derive(Debug, Default)]
struct Line {
    busy: BTreeSet<Part>,
    later: BTreeMap<Part, Instant>,
}

impl Server {
    /// Tells daemons of leases, again and again, until `shutdown`.
    pub async fn tell_daemons(&self, shutdown: CancellationToken) {
        let mut changes = self.changes();
        let mut under_way: FuturesUnordered<BoxFuture<'_, Answered>> = FuturesUnordered::new();
        let mut line = Line::default();
        loop {
            changes.borrow_and_update();
            // Who tells needs the state, too, and gets on only while it is waited for here.
            let untold = async { self.0.state.lock().await.untold() };
            let untold = tokio::select! {
                () = shutdown.cancelled() => return,
                untold = untold => untold,
                Some(answered) = under_way.next() => {
                    line.answered(answered);
                    continue;
                }
            };
            for change in untold.into_iter().filter(|change| line.begins(&change.part)) {
                under_way.push(Box::pin(self.tell_and_say(change)));
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(line.next()) => {}
                Some(answered) = under_way.next() => line.answered(answered),
            }
        }
    }

    /// What a daemon may know of is written down before it is told, and is kept until it has said that it is
    /// over: an answer that is lost leaves no lease there that nobody ends.
    async fn tell(&self, change: Change) -> Result<(), Failure> {
        let Change { part, over, now } = change;
        let same = over.as_ref().zip(now.as_ref()).is_some_and(|(over, (now, _))| {
            over.url == now.url && over.holders.first() == now.holders.first()
        });
        if let Some(over) = over.filter(|_| !same) {
            let holder = over.holders.first().map_or("", String::as_str);
            // What has ended by itself need not be ended.
            if over.until_us > units::now_us() {
                let released = async { lease::release(&self.part(&over.url)?, holder, None).await };
                match answer(released).await {
                    // It is nobody's of ours any more: somebody else's, or the part is gone. Who does not let
                    // us in may still have it.
                    Err(failure)
                        if matches!(failure.kind, Kind::Refused | Kind::User)
                            && failure.refusal != Some(Refusal::Rights) => {}
                    released => drop(released?),
                }
            }
            self.note(&part, None).await?;
        }
        let Some((told, reason)) = now else { return Ok(()) };
        self.note(&part, Some(told.clone())).await?;
        let left_us = told.until_us.saturating_sub(units::now_us());
        let request = LeaseRequest {
            user: told.holders.first().cloned(),
            length: format!("{}ms", left_us.div_ceil(1000).max(1)),
            shared_with: told.holders.iter().skip(1).cloned().collect(),
            reason,
        };
        let taken = async { lease::take(&self.part(&told.url)?, &request).await };
        match answer(taken).await {
            Ok(_) => Ok(self.note(&part, Some(Told { confirmed: true, ..told })).await?),
            // A console server of another kind, or an older one, knows no leases: nothing is to be had there.
            Err(failure) if part.1 == DaemonKind::Serial && failure.kind == Kind::User => {
                let (board, error) = (part.0.as_str(), &failure.message);
                tracing::warn!(board, error, "its console takes no lease: anybody types there");
                Ok(self.note(&part, Some(Told { confirmed: true, ..told })).await?)
            }
            Err(failure) => {
                // It has said no: there is nothing of ours to end.
                if failure.kind == Kind::Refused {
                    self.note(&part, None).await?;
                }
                Err(failure)
            }
        }
    }

    pub fn part(&self, url: &str) -> Result<Resource, Failure> {
        let part: Resource =
            url.parse().map_err(|error: String| Failure::new(Kind::Config, error))?;
        Ok(Resource { login: self.0.login.clone(), ..part })
    }

    /// Tells a part, and whoever waits for its board why it is not told of.
    async fn tell_and_say(&self, change: Change) -> Answered {
        let part = change.part.clone();
        let told = self.tell(change).await;
        let refused = told.as_ref().err().map(|failure| format!("{}: {}", part.0, failure.message));
        let mut state = self.0.state.lock().await;
        let held = told.as_ref().err().filter(|it| it.refusal == Some(Refusal::Leased));
        if let Some(failure) = held
            && let Err(error) = self.take_back(&mut state, &part, &failure.message).await
        {
            // It is told again, and refused.
            tracing::error!(board = part.0.as_str(), "its lease is not given back: {error}");
        }
        let before = match refused.clone() {
            Some(refused) => state.refused.insert(part.clone(), refused),
            None => state.refused.remove(&part),
        };
        drop(state);
        if before != refused {
            self.changed();
        }
        (part, told)
    }

    /// Writes down what a part's daemon knows or may know.
    async fn note(&self, part: &Part, told: Option<Told>) -> Result<(), ServerError> {
        let mut state = self.0.state.lock().await;
        let before = state.told.get(part);
        if before == told.as_ref() {
            return Ok(());
        }
        let (board, kind) = (part.0.as_str(), part.1.as_str());
        match (&told, before) {
            (None, _) => self.0.store.remove_told(board, kind).await?,
            // Whether it has answered is not kept.
            (Some(told), Some(before)) if told.is_like(before) => {}
            (Some(told), _) => self.0.store.put_told(&row(part, told)).await?,
        }
        match told {
            Some(told) => {
                state.told.insert(part.clone(), told);
                state.settle(&part.0);
            }
            None => {
                state.told.remove(part);
                if let Some(said) = state.forget_lease_at(part) {
                    self.0.daemons.amend(&said.url.clone(), said);
                }
            }
        }
        state.look_at(&part.0);
        self.changed();
        Ok(())
    }
}

impl Line {
    /// Whether a part can be told now; it is being told from then on.
    fn begins(&mut self, part: &Part) -> bool {
        let now = Instant::now();
        self.later.retain(|_, at| *at > now);
        !self.later.contains_key(part) && self.busy.insert(part.clone())
    }

    fn answered(&mut self, (part, told): Answered) {
        self.busy.remove(&part);
        if let Err(failure) = told {
            let (board, daemon, error) = (part.0.as_str(), part.1.as_str(), &failure.message);
            tracing::warn!(board, daemon, error, "it was not told of the board's lease");
            self.later.insert(part, Instant::now() + AGAIN);
        }
    }

    /// When something can be told again, and it is looked in any case.
    fn next(&self) -> Instant {
        self.later.values().min().copied().unwrap_or_else(|| Instant::now() + AGAIN * 10)
    }
}

/// What a daemon answers, as long as it answers in time.
async fn answer<T>(asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = |_| Err(Failure::new(Kind::Lab, format!("no answer within {TIMEOUT:?}")));
    tokio::time::timeout(TIMEOUT, asked).await.unwrap_or_else(late)
}

fn row((board, kind): &Part, told: &Told) -> ToldRow {
    ToldRow {
        board: board.to_string(),
        part: kind.as_str().to_owned(),
        url: told.url.clone(),
        holders: told.holders.join("\n"),
        until_us: told.until_us,
    }
}

impl State {
    /// What daemons do not know yet.
    fn untold(&self) -> Vec<Change> {
        let leased = self.leased.keys();
        let leased = leased.flat_map(|board| PARTS.map(|kind| (board.clone(), kind)));
        let parts: BTreeSet<Part> = leased.chain(self.told.keys().cloned()).collect();
        let mut changes = Vec::new();
        for part in parts {
            let told = self.told.get(&part);
            let wanted = self.lease_of(&part.0).and_then(|info| self.to_tell(&part, info));
            let known = match (told, &wanted) {
                (None, None) => true,
                (Some(told), Some((wanted, _))) => is_known(told, wanted),
                _ => false,
            };
            if !known {
                let over = told.map(|told| self.moved(&part, told));
                changes.push(Change { part, over, now: wanted });
            }
        }
        changes
    }

    /// What a part was told, where it is now: its daemon may be at another address since.
    fn moved(&self, part: &Part, told: &Told) -> Told {
        let known = self.daemons.keys().any(|url| is_at(&told.url, url));
        match self.place(part).filter(|_| !known) {
            Some(place) => Told { url: place.url.clone(), ..told.clone() },
            None => told.clone(),
        }
    }

    /// A daemon has begun anew, and may have forgotten what it was told.
    pub(super) fn doubt(&mut self, url: &str) {
        let told = self.told.values_mut().filter(|told| is_at(&told.url, url));
        told.for_each(|told| told.confirmed = false);
    }

    /// Whether all parts of a lease know of it.
    pub(super) fn is_told(&self, info: &RequestInfo) -> bool {
        let parts = info.boards.iter().flat_map(|board| PARTS.map(|kind| (board.clone(), kind)));
        info.state == RequestState::Leased
            && parts.into_iter().all(|part| match self.to_tell(&part, info) {
                Some((wanted, _)) => self.told.get(&part).is_some_and(|it| is_known(it, &wanted)),
                None => true,
            })
    }

    fn to_tell(&self, part: &Part, info: &RequestInfo) -> Option<(Told, Option<String>)> {
        let url = self.place(part)?.url.clone();
        let holders = std::iter::once(&info.user).chain(&info.shared_with).cloned().collect();
        let until_us = self.claimed_until(info)?.min(units::now_us() + AT_A_TIME_US);
        Some((Told { url, holders, until_us, confirmed: false }, info.reason.clone()))
    }

    /// Until when daemons are to know of a lease. A job that is not over in time has its boards until it is: they
    /// hear of it before they would let go.
    fn claimed_until(&self, info: &RequestInfo) -> Option<u64> {
        let until_us = info.until_us?;
        // It is looked for a boot, among all jobs, only where the lease is nearly over.
        let nearly = until_us <= units::now_us().saturating_add(OVERTIME_US);
        if info.job.is_none() && !(nearly && self.boots_in_hand(info.id).next().is_some()) {
            return Some(until_us);
        }
        let lease = self.lab.lease(info.id).map_or(0, |lease| lease.until);
        Some(until_us.max(lease.saturating_mul(1_000_000)).saturating_add(OVERTIME_US))
    }

    /// What the outlet's daemon has announced of our lease is over: what it says without that.
    fn forget_lease_at(&mut self, part: &Part) -> Option<Announcement> {
        let place = self.place(part)?.url.clone();
        let (_, daemon) = self.daemons.iter_mut().find(|(url, _)| is_at(&place, url))?;
        let said = &mut daemon.announcement;
        let outlet = said.outlets.iter_mut().find(|outlet| {
            place.rsplit('/').next().is_some_and(|name| name == outlet.name.as_str())
        })?;
        outlet.lease.take()?;
        Some(said.clone())
    }
}

impl Told {
    /// Whether a lease that the daemon tells of is this one; where we have shown a token it is `lab (alice)`.
    pub(super) fn is_of(&self, holder: &str) -> bool {
        self.holders.first().is_some_and(|told| calls_oneself(holder, told))
    }

    fn is_like(&self, other: &Self) -> bool {
        (&self.url, &self.holders, self.until_us) == (&other.url, &other.holders, other.until_us)
    }
}

/// Whether a part need not be told again. Of a long lease it knows the beginning.
fn is_known(told: &Told, wanted: &Told) -> bool {
    let long = told.until_us < wanted.until_us && told.until_us > units::now_us() + MORE_US;
    told.confirmed
        && told.url == wanted.url
        && told.holders == wanted.holders
        && (told.until_us == wanted.until_us || long)
}
