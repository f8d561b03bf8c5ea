//! The server that waits for the lab.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Site, host};
use crate::client::{Endpoint, Login};
use crate::daemon::SHUTDOWN_LIMIT;
use crate::front::http::serve;
use crate::front::http::server::{Leading, Standby, standby_router};
use crate::store::{Hold, Leader, StoreError, Turn};

/// Who has the lab, as long as nobody has said who that is.
const ANOTHER: &str = "another lava-server";
/// So often it is asked whether a database is free that does not answer.
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

/// Asks `leader` for everybody who comes, until the lab is ours; `None` when `shutdown` came before.
pub(super) async fn stand_by(
    site: &Site,
    leader: Leader,
    shutdown: &CancellationToken,
    is_ready: &mut impl FnMut(),
) -> Option<Hold> {
    let leading = site.leading(leader);
    tracing::info!("stands by: {} has the lab", leading.name);
    tell_way(&leading);
    let (leading, told) = watch::channel(leading);
    let (tasks, end, cut) = (TaskTracker::new(), shutdown.child_token(), CancellationToken::new());
    let app = standby_router(Standby {
        leading: told,
        login: Login { ca: site.config.daemons.ca.clone(), ..Login::default() },
        tasks: tasks.clone(),
        cut: cut.clone(),
    });
    for listener in site.listeners() {
        tasks.spawn(serve(listener, app.clone(), end.clone()));
    }
    is_ready();
    let turn = async {
        let mut failing = false;
        loop {
            match Turn::awaited(&site.database).await {
                Ok(Turn::Ours(hold)) => break hold,
                Ok(Turn::Theirs(leader)) => {
                    failing = false;
                    if leader == Leader::default() {
                        continue;
                    }
                    let new = site.leading(leader);
                    leading.send_if_modified(|old| {
                        let changed = new != *old;
                        if changed {
                            tell_way(&new);
                            *old = new;
                        }
                        changed
                    });
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!("it cannot be told who has the lab: {error}");
                    }
                    tokio::time::sleep(ASK).await;
                }
            }
        }
    };
    let hold = tokio::select! {
        () = shutdown.cancelled() => None,
        hold = turn => Some(hold),
    };
    end.cancel();
    tasks.close();
    // Whoever had the lab answers nothing more; else there is a while for what is under way.
    if hold.is_none() {
        let _ = tokio::time::timeout(SHUTDOWN_LIMIT / 4, tasks.wait()).await;
    }
    cut.cancel();
    if tokio::time::timeout(SHUTDOWN_LIMIT / 4, tasks.wait()).await.is_err() {
        tracing::warn!("some clients did not end in time");
    }
    if hold.is_some() {
        tracing::info!("the lab is ours now");
    }
    hold
}

fn tell_way(leading: &Leading) {
    if let Err(why) = &leading.way {
        tracing::warn!("clients are not passed on to {}: {why}", leading.name);
    }
}

impl Site {
    /// Who has the lab, and how that one is reached from here.
    fn leading(&self, Leader { name, place }: Leader) -> Leading {
        let way =
            place.ok_or_else(|| "it has not said yet where it is; ask again in a while".into());
        let way = way.and_then(|(url, host)| self.way(&url, &host));
        Leading { name: name.unwrap_or_else(|| ANOTHER.into()), way }
    }

    fn way(&self, url: &str, on: &str) -> Result<Endpoint, String> {
        let endpoint: Endpoint = url.parse()?;
        if endpoint.is_local() && on != host() {
            return Err(format!(
                "{url} is found on {on} alone: [http] listen or url there says where others find it"
            ));
        }
        // Tokens that came to us by TLS could be read on the way.
        if matches!(endpoint, Endpoint::Tcp(_))
            && !endpoint.is_local()
            && !self.config.http.insecure
        {
            return Err(format!(
                "what is said to {url} can be read on the way: it needs [http] cert and key, or this server \
                 `insecure = true`"
            ));
        }
        Ok(endpoint)
    }
}
