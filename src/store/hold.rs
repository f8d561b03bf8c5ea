//! Whose a database is. One server decides over a lab; others that share its database stand by.
//!
//! Of PostgreSQL it is an advisory lock, which belongs to a connection: it is free again when its holder has
//! died, also when nobody could hear it die, for PostgreSQL ends a session that says nothing for
//! [`SILENCE`]. A holder that has not been answered for [`TRUSTED`] begins nothing any more, and what it has begun is
//! fenced off ([`Fence`]), so that two never write at a time. Of SQLite it is a locked file beside the database's.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::any::AnyConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _, Row as _};
use tokio::time::timeout;

use super::fence::Fence;
use super::{PATIENCE, StoreError, check_url};

/// The lock's two numbers, the same for all versions: "lava", and which of its locks.
const CLASS: i64 = 0x6c61_7661;
const LOCK: i64 = 1;
/// So often the holder asks whether it still is one.
const LOOK: Duration = Duration::from_secs(2);
/// Who waits for the lock is told so often that somebody still has it. …
const WAIT: &str = "SET lock_timeout = '1s'";
/// … Who has it waits for other things as long as they take.
const WAITED: &str = "SET lock_timeout = DEFAULT";
/// What PostgreSQL says then: `lock_not_available`.
const TAKEN: &str = "55P03";
/// It is no holder any more after a silence of this length: PostgreSQL ends its session, …
const SILENCE: &str = "SET idle_session_timeout = '15s'";
/// … and itself it believes it for a shorter time.
const TRUSTED: Duration = Duration::from_secs(10);

/// Whose turn it is with a database.
#[derive(Debug)]
pub enum Turn {
    Ours(Hold),
    /// Another server's.
    Theirs(Leader),
}

/// The server that has a database, as far as it has said who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leader {
    /// For people: `lava-server at https://lab1:7000 on lab1`, cut off after 63 bytes.
    pub name: Option<String>,
    /// For the other servers: its URL, and the name of its host.
    pub place: Option<(String, String)>,
}

/// A database that is this process's alone; given back when dropped.
#[derive(Debug)]
pub struct Hold {
    by: By,
    trust: Trust,
    /// Of PostgreSQL.
    fence: Option<Fence>,
}

#[derive(Debug)]
enum By {
    File(#[expect(dead_code, reason = "held")] File),
    Session(Box<AnyConnection>),
    /// A database in memory is nobody else's.
    Nothing,
}

/// Until when the database is surely ours; `None` is for ever.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust(Option<Arc<Mutex<Instant>>>);

impl Turn {
    /// Asks for a database. Nothing of a lab is read or made in it.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn with(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        match check_url(url)? {
            true => of_file(url),
            false => of_session_in_time(url, false).await,
        }
    }

    /// The same for who waits for its turn: is back as soon as it is, and else after a second, with who has the
    /// database.
    ///
    /// # Errors
    /// At once when it cannot be reached.
    pub async fn awaited(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        of_session_in_time(url, true).await
    }
}

impl Hold {
    /// Has those who stand by know who its holder is: for people, and by its URL and the name of its host.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sign(&mut self, name: &str, (url, host): (&str, &str)) -> Result<(), StoreError> {
        if let (By::Session(session), Some(fence)) = (&mut self.by, self.fence) {
            let sign = "SELECT set_config('application_name', $1, false)";
            sqlx::query(sign).bind(name).execute(&mut **session).await?;
            fence.sign(session, &format!("{url} {host}")).await?;
        }
        Ok(())
    }

    /// Is back when the database is not ours any more, with why.
    pub async fn lost(&mut self) -> StoreError {
        let (By::Session(session), Some(until)) = (&mut self.by, &self.trust.0) else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(LOOK).await;
            let asked = Instant::now();
            match timeout(TRUSTED, sqlx::query("SELECT 1").execute(&mut **session)).await {
                Ok(Ok(_)) => {
                    *until.lock().unwrap_or_else(PoisonError::into_inner) = asked + TRUSTED;
                }
                Ok(Err(error)) => return error.into(),
                Err(_) => return StoreError::Silent,
            }
        }
    }

    pub(super) fn trust(&self) -> Trust {
        self.trust.clone()
    }

    pub(super) fn fence(&self) -> Option<Fence> {
        self.fence
    }
}

impl Trust {
    /// # Errors
    /// When the database may be another server's by now.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let Some(until) = &self.0 else { return Ok(()) };
        let until = *until.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() < until { Ok(()) } else { Err(StoreError::Silent) }
    }
}

async fn of_session_in_time(url: &str, waits: bool) -> Result<Turn, StoreError> {
    timeout(PATIENCE, of_session(url, waits)).await.unwrap_or(Err(StoreError::Silent))
}

async fn of_session(url: &str, waits: bool) -> Result<Turn, StoreError> {
    // Its queries are waits: that they last is nothing to be told.
    let options = url.parse::<AnyConnectOptions>()?.disable_statement_logging();
    let mut session = AnyConnection::connect_with(&options).await?;
    let asked = Instant::now();
    sqlx::query(SILENCE).execute(&mut session).await?;
    let ours = if waits { wait(&mut session).await? } else { try_it(&mut session).await? };
    if !ours {
        let holder = "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
                      WHERE locktype = 'advisory' AND granted AND objsubid = 1
                        AND classid::bigint = $1 AND objid::bigint = $2
                        AND pg_stat_activity.datname = current_database()
                        AND pg_locks.database = pg_stat_activity.datid";
        let holder =
            sqlx::query(holder).bind(CLASS).bind(LOCK).fetch_optional(&mut session).await?;
        let name = holder.map(|row| row.try_get::<String, _>(0)).transpose()?;
        let name = name.filter(|name| !name.is_empty());
        let place = Fence::signed(&mut session).await;
        let place = place.and_then(|place| {
            place.split_once(' ').map(|(url, host)| (url.to_owned(), host.to_owned()))
        });
        return Ok(Turn::Theirs(Leader { name, place }));
    }
    let fence = Some(Fence::raise(&mut session).await?);
    let trust = Trust(Some(Arc::new(Mutex::new(asked + TRUSTED))));
    Ok(Turn::Ours(Hold { by: By::Session(Box::new(session)), trust, fence }))
}

async fn try_it(session: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let ask = "SELECT pg_try_advisory_lock($1)";
    sqlx::query_scalar(ask).bind((CLASS << 32) | LOCK).fetch_one(session).await
}

/// In the lock's own queue: PostgreSQL tells it of the holder's end, however that came.
async fn wait(session: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    sqlx::query(WAIT).execute(&mut *session).await?;
    let ask = sqlx::query("SELECT pg_advisory_lock($1)::text").bind((CLASS << 32) | LOCK);
    let ours = match ask.execute(&mut *session).await {
        Ok(_) => true,
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(TAKEN) => false,
        Err(error) => return Err(error),
    };
    sqlx::query(WAITED).execute(session).await?;
    Ok(ours)
}

fn of_file(url: &str) -> Result<Turn, StoreError> {
    let trust = Trust::default();
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Ok(Turn::Ours(Hold { by: By::Nothing, trust, fence: None }));
    }
    let options = SqliteConnectOptions::from_str(url)?;
    let path = lock_of(options.get_filename());
    let failed = |error| StoreError::Lock { path: path.clone(), error };
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Turn::Ours(Hold { by: By::File(file), trust, fence: None })),
        Err(TryLockError::WouldBlock) => Ok(Turn::Theirs(Leader::default())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The file that is locked, by whatever link the database is reached. Not the database's own: who closes that
/// loses SQLite's own locks on it.
fn lock_of(database: &Path) -> PathBuf {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let mut name = database.into_os_string();
    name.push("-lock");
    name.into()
}
