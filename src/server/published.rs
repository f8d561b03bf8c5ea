//! What everybody who waits, and every list, is told: made once with each look at the queue, and read by all of
//! them without a lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::standing::points;
use super::state::{Record, State};
use super::{Server, seconds_now};
use crate::model::{RequestInfo, RequestState, Waiting};
use crate::sched::{InLine, RequestId, Seconds, View};

/// Who has asked why a request waits is told again for so long without a look of its own.
const INTEREST: Duration = Duration::from_secs(60);
/// So long it is waited for a look that has seen what its asker has changed.
const PATIENCE: Duration = Duration::from_secs(2);

/// All requests that have not ended, as they stood at one look.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// The change up to which all is in it.
    pub(super) seen: u64,
    /// When it was looked, if it was.
    pub(super) at: Option<Instant>,
    all: BTreeMap<RequestId, Standing>,
    /// Those that wait, who comes first first.
    order: Vec<RequestId>,
}

#[derive(Debug)]
struct Standing {
    record: Arc<Record>,
    /// Of a lease: its boards' daemons know, or what one of them has answered instead.
    ready: bool,
    unready: Option<String>,
    place: Option<InLine>,
    estimate: Option<Seconds>,
    /// What it waits for, for those whom somebody wants to know it of.
    waiting: Option<Waiting>,
}

/// Of which requests somebody wants to know why they wait.
#[derive(Debug, Default)]
pub(super) struct Interest(Mutex<HashMap<RequestId, Instant>>);

impl Interest {
    pub(super) fn of(&self, id: RequestId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Instant::now());
    }

    pub(super) fn now(&self) -> Vec<RequestId> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, asked| asked.elapsed() < INTEREST);
        all.keys().copied().collect()
    }
}

impl Published {
    pub(super) fn new(state: &State, view: &View, seen: u64, interest: &[RequestId]) -> Self {
        let standing = |(id, record): (&RequestId, &Arc<Record>)| {
            let (ready, unready) = state.readiness(&record.info);
            let place = view.in_line(*id).filter(|_| record.info.state == RequestState::Waiting);
            let estimate = view.plan(*id).map(|plan| plan.at);
            let (record, place) = (record.clone(), place.copied());
            (*id, Standing { record, ready, unready, place, estimate, waiting: None })
        };
        let mut all: BTreeMap<_, _> = state.requests.iter().map(standing).collect();
        for id in interest {
            if let Some(standing) = all.get_mut(id) {
                standing.waiting = state.waiting(view, *id);
            }
        }
        let order = view.order().iter().map(|place| place.id);
        let order = order.filter(|id| all.get(id).is_some_and(|it| it.place.is_some())).collect();
        Self { seen, at: Some(Instant::now()), all, order }
    }

    /// A request with all that is known of it; `None` also when it was not looked why it waits.
    pub(super) fn whole(&self, id: RequestId) -> Option<RequestInfo> {
        let standing = self.all.get(&id)?;
        let waits =
            matches!(standing.record.info.state, RequestState::Waiting | RequestState::Booked);
        let known = !waits || standing.waiting.is_some();
        known.then(|| RequestInfo { waiting: standing.waiting.clone(), ..standing.plain() })
    }

    /// The record of a request, and what is known of it without a look.
    pub(super) fn plain(&self, id: RequestId) -> Option<(&Record, RequestInfo)> {
        let standing = self.all.get(&id)?;
        Some((&standing.record, standing.plain()))
    }

    /// All: who waits, who comes first first, then bookings and leases. Why each waits is not told.
    pub(super) fn list(&self) -> Vec<RequestInfo> {
        let waiting = self.order.iter().enumerate().filter_map(|(at, id)| {
            let standing = self.all.get(id)?;
            let estimate_us = standing.estimate.map(|at| at.saturating_mul(1_000_000));
            let score = points(&standing.place?.score);
            let waiting =
                Waiting { position: at + 1, estimate_us, why: String::new(), never: false, score };
            Some(RequestInfo { waiting: Some(waiting), ..standing.plain() })
        });
        let others = self.all.values().filter(|standing| standing.place.is_none());
        waiting.chain(others.map(Standing::plain)).collect()
    }
}

impl Standing {
    fn plain(&self) -> RequestInfo {
        let (ready, unready) = (self.ready, self.unready.clone());
        RequestInfo { ready, unready, ..self.record.info.clone() }
    }
}

impl Server {
    /// All as it is, every change that was made before included.
    pub(super) async fn present(&self) -> Arc<Published> {
        let now = *self.0.changes.borrow();
        let mut published = self.0.published.subscribe();
        if self.0.looking.load(Ordering::Relaxed) {
            let seen = published.wait_for(|published| published.seen >= now);
            if let Ok(Ok(published)) = tokio::time::timeout(PATIENCE, seen).await {
                return published.clone();
            }
        }
        // Nobody looks, or whoever does is held up.
        let state = self.looked().await;
        let view = state.lab.view(seconds_now());
        Arc::new(Published::new(&state, &view, now, &self.0.interest.now()))
    }
}
