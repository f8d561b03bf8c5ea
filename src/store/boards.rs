//! Boards, and what has happened to them.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, StoreError, count, number};

/// A board; `description` and `windows` are JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardRow {
    pub name: String,
    pub description: String,
    pub health: String,
    pub reason: String,
    pub windows: String,
}

/// Something that has happened to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    pub board: String,
    pub time_us: u64,
    pub who: String,
    pub what: String,
    pub detail: String,
}

impl Store {
    pub async fn boards(&self) -> Result<Vec<BoardRow>, StoreError> {
        let sql = "SELECT name, description, health, reason, windows FROM boards ORDER BY name";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let board = |row: &AnyRow| {
            Ok(BoardRow {
                name: row.try_get(0)?,
                description: row.try_get(1)?,
                health: row.try_get(2)?,
                reason: row.try_get(3)?,
                windows: row.try_get(4)?,
            })
        };
        rows.iter().map(board).collect()
    }

    /// The boards of which their history says that they are away.
    pub async fn boards_away(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT board FROM board_events AS last WHERE what = 'away' AND time_us =
                       (SELECT MAX(time_us) FROM board_events
                        WHERE board = last.board AND what IN ('away', 'back', 'added'))";
        Ok(sqlx::query_scalar(sql).fetch_all(&self.pool).await?)
    }

    /// Writes a board, new or changed, and what it came by.
    pub async fn put_board(&self, board: &BoardRow, event: &EventRow) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        sqlx::query(
            "INSERT INTO boards (name, description, health, reason, windows)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO UPDATE SET description = excluded.description,
                health = excluded.health, reason = excluded.reason, windows = excluded.windows",
        )
        .bind(&board.name)
        .bind(&board.description)
        .bind(&board.health)
        .bind(&board.reason)
        .bind(&board.windows)
        .execute(&mut *change)
        .await?;
        add_event(&mut change, event).await?;
        Ok(change.commit().await?)
    }

    /// Forgets a board; its history stays.
    pub async fn remove_board(&self, event: &EventRow) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        sqlx::query("DELETE FROM boards WHERE name = $1")
            .bind(&event.board)
            .execute(&mut *change)
            .await?;
        add_event(&mut change, event).await?;
        Ok(change.commit().await?)
    }

    /// The newest of what has happened to a board, the oldest of it first.
    pub async fn board_events(&self, board: &str, most: u32) -> Result<Vec<EventRow>, StoreError> {
        let sql = "SELECT board, time_us, who, what, detail FROM board_events WHERE board = $1
                   ORDER BY time_us DESC LIMIT $2";
        let rows = sqlx::query(sql).bind(board).bind(i64::from(most)).fetch_all(&self.pool).await?;
        let event = |row: &AnyRow| {
            Ok(EventRow {
                board: row.try_get(0)?,
                time_us: count(row.try_get(1)?),
                who: row.try_get(2)?,
                what: row.try_get(3)?,
                detail: row.try_get(4)?,
            })
        };
        rows.iter().rev().map(event).collect()
    }
}

pub(super) async fn add_event(
    change: &mut sqlx::Transaction<'_, sqlx::Any>,
    event: &EventRow,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO board_events (board, time_us, who, what, detail) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&event.board)
    .bind(number(event.time_us))
    .bind(&event.who)
    .bind(&event.what)
    .bind(&event.detail)
    .execute(&mut **change)
    .await?;
    Ok(())
}
