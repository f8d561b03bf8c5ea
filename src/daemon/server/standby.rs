//! The server that waits for the lab.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Site;
use crate::daemon::SHUTDOWN_LIMIT;
use crate::front::http::serve;
use crate::front::http::server::standby_router;
use crate::store::{Hold, StoreError, Turn};

/// So often it is asked whether the database is free.
const ASK: Duration = Duration::from_secs(1);
/// So long a database may begin, less than systemd's time for a start, …
const TO_BEGIN: Duration = Duration::from_secs(60);
/// … and so often it is asked meanwhile.
const ASK_FIRST: Duration = Duration::from_millis(250);

/// Asks for the database for the first time. A PostgreSQL that has been started together with us has a while to begin.
///
/// # Errors
/// When it cannot be reached.
pub(super) async fn first_turn(database: &str) -> Result<Turn, StoreError> {
    let until = Instant::now() + TO_BEGIN;
    let mut told = false;
    loop {
        match Turn::with(database).await {
            Err(error) if error.may_begin() && Instant::now() < until => {
                if !std::mem::replace(&mut told, true) {
                    let patience = TO_BEGIN.as_secs();
                    tracing::warn!("{error}; it is asked again for {patience} s");
                }
                tokio::time::sleep(ASK_FIRST).await;
            }
            turn => return turn,
        }
    }
}

/// Answers everybody that `leader` has the lab, until it is ours; `None` when `shutdown` came before.
pub(super) async fn stand_by(
    site: &Site,
    leader: String,
    shutdown: &CancellationToken,
    is_ready: &mut impl FnMut(),
) -> Option<Hold> {
    tracing::info!("stands by: {leader} has the lab");
    let leader = Arc::new(Mutex::new(leader));
    let (tasks, end) = (TaskTracker::new(), shutdown.child_token());
    let told = leader.clone();
    let app = standby_router(move || told.lock().unwrap_or_else(PoisonError::into_inner).clone());
    for listener in site.listeners() {
        tasks.spawn(serve(listener, app.clone(), end.clone()));
    }
    tasks.close();
    is_ready();
    let turn = async {
        let mut failing = false;
        loop {
            tokio::time::sleep(ASK).await;
            match Turn::with(&site.database).await {
                Ok(Turn::Ours(hold)) => break hold,
                Ok(Turn::Theirs(place)) => {
                    failing = false;
                    let Some(place) = place else { continue };
                    *leader.lock().unwrap_or_else(PoisonError::into_inner) = place;
                }
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!("it cannot be told who has the lab: {error}");
                }
                Err(_) => {}
            }
        }
    };
    let hold = tokio::select! {
        () = shutdown.cancelled() => None,
        hold = turn => Some(hold),
    };
    end.cancel();
    if tokio::time::timeout(SHUTDOWN_LIMIT / 2, tasks.wait()).await.is_err() {
        tracing::warn!("some clients did not end in time");
    }
    if hold.is_some() {
        tracing::info!("the lab is ours now");
    }
    hold
}
