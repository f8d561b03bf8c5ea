//! The schema, and how older ones become it. Steps are only ever added.

use sqlx::AnyPool;

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
];

/// The schema that this program reads and writes.
pub const VERSION: i64 = STEPS.len() as i64;

/// # Errors
/// When a newer program has been here, or the database refuses; nothing has changed then.
pub(super) async fn bring_up_to_date(pool: &AnyPool) -> Result<(), StoreError> {
    let mut change = pool.begin().await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS lava_schema (version BIGINT NOT NULL)")
        .execute(&mut *change)
        .await?;
    let found: Option<i64> =
        sqlx::query_scalar("SELECT version FROM lava_schema").fetch_optional(&mut *change).await?;
    let version = match found {
        Some(version) if version > VERSION => return Err(StoreError::Newer { found: version }),
        Some(version) => version,
        None => {
            sqlx::query("INSERT INTO lava_schema VALUES (0)").execute(&mut *change).await?;
            0
        }
    };
    for statement in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)).copied().flatten() {
        sqlx::query(*statement).execute(&mut *change).await?;
    }
    if version < VERSION {
        sqlx::query("UPDATE lava_schema SET version = $1")
            .bind(VERSION)
            .execute(&mut *change)
            .await?;
    }
    change.commit().await?;
    Ok(())
}
