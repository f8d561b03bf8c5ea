//! What `lava-server` remembers: the only SQL, and the files of images. One text for SQLite and PostgreSQL: numbered parameters,
//! portable types (TEXT and BIGINT), no NULL; what has parts of its own is a JSON document.

mod boards;
mod ci;
mod daemons;
mod dump;
mod fence;
mod hold;
mod images;
mod jobs;
mod objects;
mod requests;
mod schema;
mod told;
mod users;

use std::path::{Path, PathBuf};

use sqlx::any::{AnyArguments, AnyPoolOptions};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Transaction};

pub use boards::{BoardRow, EventRow};
pub use ci::CiRow;
pub use daemons::DaemonRow;
pub use dump::DumpError;
pub use hold::{Hold, Leader, Turn};
pub use images::{FileRow, ImageRow};
pub use jobs::JobRow;
pub use objects::{Objects, ObjectsError, Pieces};
pub use requests::RequestRow;
pub use schema::VERSION;
pub use told::ToldRow;
pub use users::{GroupRow, TokenRow, UserRow};

use crate::model::{Failure, Kind, failure::chain};
use fence::Fence;

/// Connections to PostgreSQL. SQLite has one, on which everything stands in line.
const CONNECTIONS: u32 = 4;
/// How long a connection may take to be made, or to become free.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// An open database whose schema is this program's.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    trust: hold::Trust,
    fence: Option<Fence>,
}

/// Why something cannot be remembered or recalled.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0:?} is no database; write sqlite:FILE or postgres://USER@HOST/NAME")]
    Url(String),
    #[error(
        "the database is of schema {found}, and this program knows schemas up to {VERSION}: a newer \
         lava-server has written it"
    )]
    Newer { found: i64 },
    #[error("the database does not answer; it may be another server's by now")]
    Silent,
    #[error("the database is another server's now")]
    Lost,
    #[error("{}: {error}", path.display())]
    Lock { path: PathBuf, error: std::io::Error },
    #[error("the database has something that cannot be read: {0}")]
    Damaged(String),
    #[error("the database: {}", chain(.0))]
    Sql(#[from] sqlx::Error),
}

impl Store {
    /// Opens a database, and makes it or brings it up to date first: `sqlite:FILE` or `postgres://…`.
    ///
    /// # Errors
    /// When it cannot be opened, or a newer program has written it.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let sqlite = check_url(url)?;
        let options = AnyPoolOptions::new()
            .max_connections(if sqlite { 1 } else { CONNECTIONS })
            // A database in memory lives as long as its connection.
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(PATIENCE);
        let options = match sqlite {
            true => {
                options.after_release(|connection, _| Box::pin(end_lost_transaction(connection)))
            }
            false => options.after_connect(|connection, _| Box::pin(Fence::prepare(connection))),
        };
        let made = if sqlite { Self::creating(url) } else { url.to_owned() };
        let pool = options.connect(&made).await?;
        if sqlite {
            // Readers and the writer do not wait for each other; what is written is on the disk.
            sqlx::query("PRAGMA journal_mode = WAL").execute(&pool).await?;
        }
        schema::bring_up_to_date(&pool).await?;
        Ok(Self { pool, trust: hold::Trust::default(), fence: None })
    }

    /// The same, but it is written only while the database is ours.
    #[must_use]
    pub fn under(self, hold: &Hold) -> Self {
        Self { trust: hold.trust(), fence: hold.fence(), ..self }
    }

    /// Begins a change: all of it is made, or nothing.
    ///
    /// # Errors
    /// [`StoreError::Silent`] or [`StoreError::Lost`] when the database may be another server's, or is.
    async fn change(&self) -> Result<Transaction<'static, Any>, StoreError> {
        self.trust.check()?;
        let mut change = self.pool.begin().await?;
        if let Some(fence) = self.fence {
            fence.check(&mut change).await?;
        }
        Ok(change)
    }

    /// Makes a change that is one statement: how many rows are other ones.
    ///
    /// # Errors
    /// As [`Self::change`].
    async fn write(&self, statement: Query<'_, Any, AnyArguments>) -> Result<u64, StoreError> {
        if self.fence.is_none() {
            self.trust.check()?;
            return Ok(statement.execute(&self.pool).await?.rows_affected());
        }
        let mut change = self.change().await?;
        let written = statement.execute(&mut *change).await?;
        change.commit().await?;
        Ok(written.rows_affected())
    }

    /// The URL of a file of SQLite, which is made when it is not there.
    pub fn file_url(path: &Path) -> String {
        // What has a meaning in a URL is written as its number.
        let text = path.display().to_string();
        let text = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        format!("sqlite://{text}?mode=rwc")
    }

    /// Whether the database is surely still ours: what is outside of it may be changed for a moment more.
    ///
    /// # Errors
    /// [`StoreError::Silent`] when it is not.
    pub fn check_trust(&self) -> Result<(), StoreError> {
        self.trust.check()
    }

    /// A URL of SQLite by which a file that is not there is made, unless it says how it is to be opened.
    fn creating(url: &str) -> String {
        if url.contains("mode=") || url.contains(":memory:") {
            return url.to_owned();
        }
        format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' })
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// When it does not. So for all that is asked of it.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT version FROM lava_schema").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Writes what is open, and lets go of it.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl StoreError {
    /// Whether it may be there in a moment: a PostgreSQL that begins takes nobody (57P03), or does not listen yet.
    pub fn may_begin(&self) -> bool {
        use std::io::ErrorKind::{ConnectionRefused, NotFound};
        match self {
            Self::Sql(sqlx::Error::Io(error)) => {
                matches!(error.kind(), ConnectionRefused | NotFound)
            }
            Self::Sql(sqlx::Error::Database(error)) => error.code().as_deref() == Some("57P03"),
            _ => false,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Url(_) => Self::new(Kind::User, error.to_string()),
            StoreError::Newer { .. } => Self::new(Kind::Config, error.to_string())
                .hint("install that version again, or name another database"),
            StoreError::Sql(_)
            | StoreError::Damaged(_)
            | StoreError::Silent
            | StoreError::Lost
            | StoreError::Lock { .. } => Self::new(Kind::Infra, error.to_string()),
        }
    }
}

/// Ends a transaction that SQLite has ended by itself or half of it, as it does on a full disk. sqlx counts it for good, and
/// makes a savepoint of each later one: behind one that is not committed, all that is confirmed would be lost.
async fn end_lost_transaction(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    // What a transaction that was dropped has left to do is done then.
    connection.ping().await?;
    if connection.is_in_transaction() {
        // Mostly there is none, and SQLite says so.
        let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
    }
    Ok(true)
}

/// Whether a URL is SQLite's; the others are PostgreSQL's.
fn check_url(url: &str) -> Result<bool, StoreError> {
    let postgres = url.starts_with("postgres:") || url.starts_with("postgresql:");
    match url.starts_with("sqlite:") {
        false if !postgres => Err(StoreError::Url(without_password(url))),
        sqlite => Ok(sqlite),
    }
}

/// As it may be shown.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.find('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}…{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
impl Store {
    /// Has the database do something that no server would.
    pub(crate) async fn meddle(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }
}

#[cfg(test)]
#[path = "../../tests/it/common/postgres.rs"]
pub(crate) mod postgres;
#[cfg(test)]
pub(crate) mod tests;
