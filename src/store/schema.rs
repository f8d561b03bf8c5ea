//! The schema, and how older ones become it. Steps are only ever added.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, AnyPool, AssertSqlSafe};

use super::StoreError;

/// Each step makes the schema of its number (from 1) of the one before, statement by statement.
const STEPS: &[&[&str]] = &[
    &[
        "CREATE TABLE boards (
        name TEXT PRIMARY KEY, description TEXT NOT NULL, health TEXT NOT NULL,
        reason TEXT NOT NULL, windows TEXT NOT NULL)",
        "CREATE TABLE board_events (
        board TEXT NOT NULL, time_us BIGINT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
        detail TEXT NOT NULL)",
        "CREATE INDEX board_events_of ON board_events (board, time_us)",
        "CREATE TABLE daemons (
        url TEXT PRIMARY KEY, announcement TEXT NOT NULL, seen_us BIGINT NOT NULL)",
        "CREATE TABLE requests (
        id BIGINT PRIMARY KEY, state TEXT NOT NULL, ended_us BIGINT NOT NULL,
        document TEXT NOT NULL)",
        "CREATE INDEX requests_ended ON requests (state, ended_us)",
        // Of whom the outlet of a board has been told that they have leased it.
        "CREATE TABLE told (
        board TEXT PRIMARY KEY, outlet TEXT NOT NULL, holder TEXT NOT NULL,
        until_us BIGINT NOT NULL)",
    ],
    &[
        "CREATE TABLE users (
        name TEXT PRIMARY KEY, groups_of TEXT NOT NULL, rights TEXT NOT NULL)",
        "CREATE TABLE user_groups (name TEXT PRIMARY KEY, rights TEXT NOT NULL)",
        "CREATE TABLE tokens (
        hash TEXT PRIMARY KEY, user_name TEXT NOT NULL, scope TEXT NOT NULL, note TEXT NOT NULL,
        made_us BIGINT NOT NULL, until_us BIGINT NOT NULL)",
    ],
    // Consoles are told as outlets are.
    &[
        "CREATE TABLE told_parts (
        board TEXT NOT NULL, part TEXT NOT NULL, url TEXT NOT NULL, holders TEXT NOT NULL,
        until_us BIGINT NOT NULL, PRIMARY KEY (board, part))",
        "INSERT INTO told_parts SELECT board, 'power', outlet, holder, until_us FROM told",
        "DROP TABLE told",
        "DROP INDEX requests_ended",
        "CREATE INDEX requests_by_end ON requests (ended_us)",
        "CREATE INDEX board_events_by_time ON board_events (time_us)",
    ],
    &[
        "CREATE TABLE jobs (
        id BIGINT PRIMARY KEY, state TEXT NOT NULL, ended_us BIGINT NOT NULL,
        document TEXT NOT NULL, definition TEXT NOT NULL)",
        "CREATE INDEX jobs_state ON jobs (state)",
    ],
    &["CREATE TABLE images (
        name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size BIGINT NOT NULL, user_name TEXT NOT NULL,
        note TEXT NOT NULL, made_us BIGINT NOT NULL, until_us BIGINT NOT NULL)"],
    &["CREATE TABLE ci_jobs (name TEXT PRIMARY KEY, document TEXT NOT NULL)"],
    // Who has brought a file, whether or not it has a name, and which place the files are in.
    &[
        "CREATE TABLE files (
        sha256 TEXT PRIMARY KEY, size BIGINT NOT NULL, user_name TEXT NOT NULL)",
        "INSERT INTO files SELECT sha256, MAX(size), MIN(user_name) FROM images GROUP BY sha256",
        "CREATE TABLE image_place (mark TEXT NOT NULL)",
    ],
    // What makes an image the disk of a virtual machine, a document; empty for others.
    &["ALTER TABLE images ADD COLUMN vm TEXT NOT NULL DEFAULT ''"],
];

/// The schema that this program reads and writes.
pub const VERSION: i64 = STEPS.len() as i64;

/// # Errors
/// When a newer program has been here, or the database refuses; nothing has changed then.
pub(super) async fn bring_up_to_date(pool: &AnyPool) -> Result<(), StoreError> {
    let mut change = pool.begin().await?;
    let version = match version(&mut change).await? {
        version if version > VERSION => return Err(StoreError::Newer { found: version }),
        version => version,
    };
    step(&mut change, version, VERSION).await?;
    Ok(change.commit().await?)
}

/// Makes a schema of an older one; of 0, which is none, too.
pub(super) async fn step(change: &mut AnyConnection, from: i64, to: i64) -> Result<(), StoreError> {
    for statement in steps(to).skip(usize::try_from(from).unwrap_or(0)).flatten() {
        sqlx::query(*statement).execute(&mut *change).await?;
    }
    if from < to {
        let sql = "UPDATE lava_schema SET version = $1";
        sqlx::query(sql).bind(to).execute(&mut *change).await?;
    }
    Ok(())
}

/// Why a database cannot be made empty.
pub(super) enum Clear {
    /// A table has rows.
    Has(String),
    Failed(StoreError),
}

impl<E: Into<StoreError>> From<E> for Clear {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes a database one of schema 0, if nothing is in it.
pub(super) async fn clear(change: &mut AnyConnection) -> Result<(), Clear> {
    let found = version(change).await?;
    if found > VERSION {
        return Err(StoreError::Newer { found }.into());
    }
    for table in tables(found) {
        let any = AssertSqlSafe(format!("SELECT 1 FROM {table} LIMIT 1"));
        if sqlx::query(any).fetch_optional(&mut *change).await?.is_some() {
            return Err(Clear::Has(table.to_owned()));
        }
        sqlx::query(AssertSqlSafe(format!("DROP TABLE {table}"))).execute(&mut *change).await?;
    }
    sqlx::query("UPDATE lava_schema SET version = 0").execute(&mut *change).await?;
    Ok(())
}

/// The tables of a schema, by their names.
pub(super) fn tables(version: i64) -> BTreeSet<&'static str> {
    let mut tables = BTreeSet::new();
    for statement in steps(version).flatten() {
        let mut words = statement.split_whitespace();
        match [words.next(), words.next(), words.next()] {
            [Some("CREATE"), Some("TABLE"), Some(table)] => _ = tables.insert(table),
            [Some("DROP"), Some("TABLE"), Some(table)] => _ = tables.remove(table),
            _ => {}
        }
    }
    tables
}

fn steps(to: i64) -> impl Iterator<Item = &'static [&'static str]> {
    STEPS.iter().copied().take(usize::try_from(to).unwrap_or(0))
}

/// Of which schema a database is. One that is new becomes one of schema 0.
async fn version(change: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    sqlx::query("CREATE TABLE IF NOT EXISTS lava_schema (version BIGINT NOT NULL)")
        .execute(&mut *change)
        .await?;
    let found: Option<i64> =
        sqlx::query_scalar("SELECT version FROM lava_schema").fetch_optional(&mut *change).await?;
    if found.is_none() {
        sqlx::query("INSERT INTO lava_schema VALUES (0)").execute(&mut *change).await?;
    }
    Ok(found.unwrap_or(0))
}
