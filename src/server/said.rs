//! What boards' consoles say: each daemon of a console is asked for all of its consoles at a glance, once for everybody
//! who looks, and for as long as somebody does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Server;
use crate::client::feed::Feed;
use crate::client::{Endpoint, Http, Resource};
use crate::model::Name;
use crate::wire::feed::{Row, Told};

/// So often a daemon tells what has changed.
const EVERY: Duration = Duration::from_secs(1);
/// A daemon that does not answer is asked again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// So long after the last who has looked the daemons are let go.
const INTEREST: Duration = Duration::from_secs(30);
/// So often it is looked where boards' consoles are, while that changes.
const LOOK: Duration = Duration::from_secs(1);

/// A console: its daemon, and its name there.
type Place = (Arc<str>, String);

/// What is known of consoles.
#[derive(Debug, Default)]
pub(super) struct Said {
    known: Mutex<Known>,
    /// When somebody looked last.
    asked: watch::Sender<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Known {
    boards: BTreeMap<Name, Place>,
    rows: HashMap<Place, Arc<Row>>,
}

impl Said {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, daemon: &Arc<str>, told: Told) {
        let mut known = self.known();
        match told {
            Told::Console(row) => {
                known.rows.insert((daemon.clone(), row.console.to_string()), Arc::from(row));
            }
            Told::Gone { console } => {
                known.rows.remove(&(daemon.clone(), console.to_string()));
            }
        }
    }

    fn forget(&self, daemon: &Arc<str>) {
        self.known().rows.retain(|(of, _), _| of != daemon);
    }
}

impl Server {
    /// What the boards' consoles say, as far as their daemons have told. Whoever asks is told more a moment later, and
    /// asks again within [`INTEREST`].
    pub fn said(&self) -> BTreeMap<Name, Arc<Row>> {
        self.0.said.asked.send_replace(Some(Instant::now()));
        let known = self.0.said.known();
        let row =
            |(name, place): (&Name, &Place)| Some((name.clone(), known.rows.get(place)?.clone()));
        known.boards.iter().filter_map(row).collect()
    }

    /// Listens to what consoles say whenever somebody wants to know, until `shutdown`.
    pub async fn listen(&self, shutdown: CancellationToken) {
        let mut asked = self.0.said.asked.subscribe();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                changed = asked.changed() => if changed.is_err() { return },
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.listen_on() => {}
            }
            *self.0.said.known() = Known::default();
        }
    }

    /// … until nobody does any more.
    async fn listen_on(&self) {
        let mut changes = self.changes();
        let mut heard: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        let mut asked: BTreeMap<Arc<str>, CancellationToken> = BTreeMap::new();
        while self.is_wanted() {
            changes.borrow_and_update();
            let daemons = self.find_consoles().await;
            asked.retain(|daemon, end| {
                let stays = daemons.contains_key(daemon);
                if !stays {
                    end.cancel();
                }
                stays
            });
            for (daemon, endpoint) in daemons {
                asked.entry(daemon.clone()).or_insert_with(|| {
                    let end = CancellationToken::new();
                    heard.push(Box::pin(self.listen_to(daemon, endpoint, end.clone())));
                    end
                });
            }
            let (looked, mut moved) = (Instant::now(), false);
            while looked.elapsed() < LOOK || !moved && looked.elapsed() < INTEREST / 3 {
                tokio::select! {
                    Some(()) = heard.next(), if !heard.is_empty() => {}
                    changed = changes.changed(), if !moved => moved = changed.is_ok(),
                    () = sleep(LOOK) => {}
                }
            }
        }
    }

    fn is_wanted(&self) -> bool {
        self.0.said.asked.borrow().is_some_and(|asked| asked.elapsed() < INTEREST)
    }

    /// Where the boards' consoles are, by their daemons.
    async fn find_consoles(&self) -> BTreeMap<Arc<str>, Endpoint> {
        let urls: Vec<(Name, String)> = {
            let state = self.looked().await;
            let url = |(name, board): (&Name, &super::state::Board)| {
                Some((name.clone(), board.console.as_ref()?.url.clone()))
            };
            state.boards.iter().filter_map(url).collect()
        };
        let mut daemons = BTreeMap::new();
        let mut boards = BTreeMap::new();
        for (name, url) in urls {
            let Ok(console) = url.parse::<Resource>() else { continue };
            let daemon: Arc<str> = console.endpoint.to_string().into();
            boards.insert(name, (daemon.clone(), console.name().to_owned()));
            daemons.insert(daemon, console.endpoint);
        }
        self.0.said.known().boards = boards;
        daemons
    }

    /// Listens to one daemon.
    async fn listen_to(&self, daemon: Arc<str>, endpoint: Endpoint, end: CancellationToken) {
        let said = &self.0.said;
        let listening = async {
            loop {
                let http = Http::new(endpoint.clone()).with_login(self.0.login.clone());
                if let Ok(mut feed) = Feed::begin(http, EVERY).await {
                    // One that ends or breaks off is asked again.
                    while let Ok(Some(told)) = feed.next().await {
                        said.put(&daemon, told);
                    }
                }
                said.forget(&daemon);
                sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = end.cancelled() => said.forget(&daemon),
            () = listening => {}
        }
    }
}
