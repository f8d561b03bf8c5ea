//! What daemons were told of leases, and not yet told to be over.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, StoreError, count, number};

/// A lease that a part of a board, `serial` or `power`, knows of, or may know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRow {
    pub board: String,
    pub part: String,
    pub url: String,
    /// Whose it is, then with whom they share it, a line each.
    pub holders: String,
    pub until_us: u64,
}

impl Store {
    pub async fn told(&self) -> Result<Vec<ToldRow>, StoreError> {
        let sql = "SELECT board, part, url, holders, until_us FROM told_parts";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let told = |row: &AnyRow| {
            Ok(ToldRow {
                board: row.try_get(0)?,
                part: row.try_get(1)?,
                url: row.try_get(2)?,
                holders: row.try_get(3)?,
                until_us: count(row.try_get(4)?),
            })
        };
        rows.iter().map(told).collect()
    }

    pub async fn put_told(&self, told: &ToldRow) -> Result<(), StoreError> {
        self.write(
            sqlx::query(
                "INSERT INTO told_parts (board, part, url, holders, until_us)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (board, part) DO UPDATE SET url = excluded.url,
                holders = excluded.holders, until_us = excluded.until_us",
            )
            .bind(&told.board)
            .bind(&told.part)
            .bind(&told.url)
            .bind(&told.holders)
            .bind(number(told.until_us)),
        )
        .await?;
        Ok(())
    }

    pub async fn remove_told(&self, board: &str, part: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM told_parts WHERE board = $1 AND part = $2";
        self.write(sqlx::query(sql).bind(board).bind(part)).await?;
        Ok(())
    }
}
