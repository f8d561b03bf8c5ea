//! The daemons that have announced themselves.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, StoreError, count, number};

/// A daemon; `announcement` is JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonRow {
    pub url: String,
    pub announcement: String,
    pub seen_us: u64,
}

impl Store {
    pub async fn daemons(&self) -> Result<Vec<DaemonRow>, StoreError> {
        let sql = "SELECT url, announcement, seen_us FROM daemons ORDER BY url";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let daemon = |row: &AnyRow| {
            Ok(DaemonRow {
                url: row.try_get(0)?,
                announcement: row.try_get(1)?,
                seen_us: count(row.try_get(2)?),
            })
        };
        rows.iter().map(daemon).collect()
    }

    pub async fn put_daemon(&self, daemon: &DaemonRow) -> Result<(), StoreError> {
        self.write(
            sqlx::query(
                "INSERT INTO daemons (url, announcement, seen_us) VALUES ($1, $2, $3)
             ON CONFLICT (url) DO UPDATE SET announcement = excluded.announcement,
                seen_us = excluded.seen_us",
            )
            .bind(&daemon.url)
            .bind(&daemon.announcement)
            .bind(number(daemon.seen_us)),
        )
        .await?;
        Ok(())
    }

    pub async fn remove_daemon(&self, url: &str) -> Result<(), StoreError> {
        self.write(sqlx::query("DELETE FROM daemons WHERE url = $1").bind(url)).await?;
        Ok(())
    }
}
