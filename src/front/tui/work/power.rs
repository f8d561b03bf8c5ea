//! The boards' outlets: whether they are on, and who has leased the boards.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::boards::Signs;
use super::{Common, Daemon, News};
use crate::client::{Endpoint, OutletRef, outlet};
use crate::model::{Kind, PowerRequest, State, Verb};

/// How often it is asked who has leased which board: one request for all boards of a daemon.
const LEASES_EVERY: Duration = Duration::from_secs(5);
/// How many outlets of a daemon are asked for their states at a time.
const ASKED: usize = 4;
/// An outlet whose PDU has not answered for so long is not known.
const ANSWER: Duration = Duration::from_secs(20);

/// The outlets that are to be asked for their states, each once.
#[derive(Debug, Default)]
pub(super) struct Asking(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    outlets: HashSet<OutletRef>,
    /// Those of a daemon whose PDUs hang do not hold up those of others.
    turns: HashMap<Endpoint, Arc<Semaphore>>,
}

impl Asking {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an outlet among those that wait, and gives their turns; `None` when it is there already.
    fn enter(&self, outlet: &OutletRef) -> Option<Arc<Semaphore>> {
        let mut waiting = self.waiting();
        if !waiting.outlets.insert(outlet.clone()) {
            return None;
        }
        // Daemons that are gone have none.
        waiting.turns.retain(|_, turns| Arc::strong_count(turns) > 1);
        let turns = waiting.turns.entry(outlet.endpoint.clone());
        Some(turns.or_insert_with(|| Arc::new(Semaphore::new(ASKED))).clone())
    }

    /// It is being asked: who wants to know of it from now on has it asked once more.
    fn leave(&self, outlet: &OutletRef) {
        self.waiting().outlets.remove(outlet);
    }
}

/// Has an outlet asked, which asks its PDU: only a few of a daemon at a time.
pub(super) fn ask(common: &Common, outlet: OutletRef) {
    if let Some(turns) = common.asking.enter(&outlet) {
        common.spawn(state(common.clone(), outlet, turns));
    }
}

async fn state(common: Common, outlet: OutletRef, turns: Arc<Semaphore>) {
    let Ok(_turn) = turns.acquire().await else { return };
    common.asking.leave(&outlet);
    let request = PowerRequest { user: Some(common.user.clone()), ..PowerRequest::default() };
    let asked = outlet::operate(&outlet, Verb::Status, &request);
    let state = match timeout(ANSWER, asked).await {
        Ok(Ok(report)) => Some(report.state),
        Ok(Err(failure)) if failure.kind != Kind::Lab => Some(State::Unknown),
        Ok(Err(_)) | Err(_) => None,
    };
    common.tell(News::State(outlet, state)).await;
}

/// Follows who has leased what, for ever. A daemon that has been away may not know any more what its
/// outlets were.
pub(super) async fn leases(common: Common, daemon: Daemon, signs: Signs) {
    let mut away = false;
    loop {
        match outlet::leases(&daemon.http().with_timeout(LEASES_EVERY)).await {
            Ok(leases) => {
                common.tell(News::Leases(daemon.clone(), Some(leases))).await;
                if std::mem::take(&mut away) {
                    // Whoever does not follow any more need not know.
                    let _ = signs.back.send(daemon.clone()).await;
                }
            }
            // Who may not know is no reason to know nothing of the outlets either.
            Err(failure) if failure.kind != Kind::Lab => {
                common.tell(News::Leases(daemon.clone(), Some(BTreeMap::new()))).await;
            }
            Err(_) => {
                if !std::mem::replace(&mut away, true) {
                    common.tell(News::Leases(daemon.clone(), None)).await;
                }
                signs.lost.notify_one();
            }
        }
        sleep(LEASES_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlet_waits_once_and_those_of_a_daemon_that_hangs_hold_up_no_others() {
        let outlet = |port: u16, name: &str| -> OutletRef {
            format!("http://127.0.0.1:{port}/outlets/{name}").parse().unwrap()
        };
        let asking = Asking::default();
        let hanging: Vec<_> = (0..ASKED)
            .map(|number| asking.enter(&outlet(1, &format!("panda{number}"))).unwrap())
            .collect();
        let turns: Vec<_> = hanging.iter().map(|turns| turns.try_acquire().unwrap()).collect();
        assert!(asking.enter(&outlet(1, "panda0")).is_none(), "it waits already");
        let next = asking.enter(&outlet(1, "panda9")).unwrap();
        assert!(next.try_acquire().is_err());
        assert!(asking.enter(&outlet(2, "panda0")).unwrap().try_acquire().is_ok());
        asking.leave(&outlet(1, "panda0"));
        assert!(asking.enter(&outlet(1, "panda0")).is_some(), "it is asked once more");
        drop(turns);
    }
}
