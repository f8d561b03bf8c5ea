//! The server that has the lab.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Site, host};
use crate::client::Login;
use crate::config::AccessConfig;
use crate::config::server::ServerConfig;
use crate::daemon::page_key::page_key;
use crate::daemon::{SHUTDOWN_LIMIT, runtime_dir};
use crate::front::http::access::Pages;
use crate::front::http::serve;
use crate::front::http::server::{Doors, router};
use crate::model::{Failure, Kind};
use crate::server::{Images, Server};
use crate::store::{Hold, Store, StoreError};

/// So often it is looked which tokens are over.
const LOOK_AT_TOKENS: std::time::Duration = std::time::Duration::from_secs(10);

/// A lab, and the right to decide over it.
#[derive(Debug)]
pub(super) struct Lead {
    hold: Hold,
    server: Server,
    images: Images,
    doors: Doors,
    access: AccessConfig,
}

/// Why nothing is decided any more.
pub(super) enum Over {
    Shutdown,
    Lost(StoreError),
}

impl Lead {
    /// Brings the database up to date and reads the lab.
    ///
    /// # Errors
    /// When the database cannot be read, or is another server's meanwhile.
    pub(super) async fn open(
        config: &ServerConfig,
        database: &str,
        mut hold: Hold,
    ) -> Result<Self, Failure> {
        let store = Store::open(database).await?.under(&hold);
        let opened = async {
            let login = Login::from(&config.daemons);
            let jobs = config.jobs.clone().within(&config.dir);
            let images = Images::open(store.clone(), config.images())?;
            if !database.starts_with("sqlite:") {
                images.check_place().await?;
            }
            let server = Server::load(store, login, jobs).await.map_err(Failure::from)?;
            let doors = Doors::new(config.access.clone(), Pages::new(|| page_key(&runtime_dir())));
            let access = doors.refresh(&server).await?;
            Ok::<_, Failure>((server, images, doors, access))
        };
        let (server, images, doors, access) = tokio::select! {
            opened = opened => opened?,
            why = hold.lost() => return Err(why.into()),
        };
        Ok(Self { hold, server, images, doors, access })
    }

    /// Who is let in.
    pub(super) fn access(&self) -> &AccessConfig {
        &self.access
    }

    /// Serves until `shutdown`, or until the database is another server's.
    ///
    /// # Errors
    /// When one of its tasks has ended by itself: a lab in which nothing is decided is not served.
    pub(super) async fn serve(
        self,
        site: &Site,
        shutdown: &CancellationToken,
        is_ready: &mut impl FnMut(),
    ) -> Result<Over, Failure> {
        let Self { mut hold, server, images, doors, .. } = self;
        if let Err(why) = hold.sign(&site.name(), (&site.url(), &host())).await {
            return Ok(Over::Lost(why));
        }
        let (tasks, end) = (TaskTracker::new(), shutdown.child_token());
        let app = router(server.clone(), images.clone(), doors.clone(), tasks.clone());
        for listener in site.listeners() {
            tasks.spawn(serve(listener, app.clone(), end.clone()));
        }
        let (queue, outlets, users) = (server.clone(), server.clone(), server.clone());
        let (of_queue, of_outlets, of_users) = (end.clone(), end.clone(), end.clone());
        let (of_images, of_consoles, consoles) = (end.clone(), end.clone(), server.clone());
        tasks.spawn(async move { consoles.listen(of_consoles).await });
        tasks.spawn(async move { images.tidy(of_images).await });
        let (jobs, of_jobs) = (server.clone(), end.clone());
        tasks.spawn(async move { jobs.tidy_jobs(of_jobs).await });
        let mut queue = tasks.spawn(async move { queue.run(of_queue).await });
        let mut outlets = tasks.spawn(async move { outlets.tell_daemons(of_outlets).await });
        let mut users = tasks.spawn(async move { keep_doors(&doors, &users, of_users).await });
        tasks.close();
        is_ready();
        let over = tokio::select! {
            () = shutdown.cancelled() => Ok(Over::Shutdown),
            why = hold.lost() => Ok(Over::Lost(why)),
            failure = broken("who gives boards away", &mut queue) => Err(failure),
            failure = broken("who tells daemons of leases", &mut outlets) => Err(failure),
            failure = broken("who lets clients in", &mut users) => Err(failure),
        };
        end.cancel();
        if tokio::time::timeout(SHUTDOWN_LIMIT / 2, tasks.wait()).await.is_err() {
            tracing::warn!("some clients did not end in time");
        }
        if tokio::time::timeout(SHUTDOWN_LIMIT / 4, server.close()).await.is_err() {
            tracing::warn!("the database was not closed in time");
        }
        over
    }
}

/// Waits for a task that only ends when all does: what it is when it ends before. Cancel safe.
async fn broken(what: &str, task: &mut JoinHandle<()>) -> Failure {
    let why = match task.await {
        // It has seen the end a moment before.
        Ok(()) => return std::future::pending().await,
        Err(error) => error,
    };
    Failure::new(Kind::Bug, format!("{what} in the server has stopped: {why}"))
}

/// Shuts the doors to those whose tokens are over.
async fn keep_doors(doors: &Doors, server: &Server, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_AT_TOKENS) => {}
        }
        if let Err(failure) = doors.refresh(server).await {
            tracing::error!("who is let in is as it was: {failure}");
        }
    }
}
