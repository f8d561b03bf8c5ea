//! Requests with their leases.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::boards::{EventRow, add_event};
use super::{Store, StoreError, count, number};

/// A request; `document` is JSON. One that has not ended has 0 as its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    pub id: u64,
    pub state: String,
    pub ended_us: u64,
    pub document: String,
}

impl Store {
    /// Those that have not ended, or not before a time.
    pub async fn requests(&self, ended_after_us: u64) -> Result<Vec<RequestRow>, StoreError> {
        let sql = "SELECT id, state, ended_us, document FROM requests
                   WHERE ended_us = 0 OR ended_us >= $1 ORDER BY id";
        let rows = sqlx::query(sql).bind(number(ended_after_us)).fetch_all(&self.pool).await?;
        rows.iter().map(request).collect()
    }

    /// The newest of those that have ended, the newest first.
    pub async fn ended_requests(
        &self,
        ended_after_us: u64,
        most: u32,
    ) -> Result<Vec<RequestRow>, StoreError> {
        let sql = "SELECT id, state, ended_us, document FROM requests
                   WHERE ended_us > 0 AND ended_us >= $1 ORDER BY ended_us DESC LIMIT $2";
        let query = sqlx::query(sql).bind(number(ended_after_us)).bind(i64::from(most));
        query.fetch_all(&self.pool).await?.iter().map(request).collect()
    }

    /// Forgets requests that have ended before a time, and what has happened to boards before it. The highest
    /// number of a request stays known.
    pub async fn forget_before(&self, time_us: u64) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        for sql in [
            "DELETE FROM requests WHERE ended_us > 0 AND ended_us < $1
                AND id < (SELECT MAX(id) FROM requests)",
            "DELETE FROM board_events WHERE time_us < $1",
        ] {
            sqlx::query(sql).bind(number(time_us)).execute(&mut *change).await?;
        }
        Ok(change.commit().await?)
    }

    pub async fn request(&self, id: u64) -> Result<Option<RequestRow>, StoreError> {
        let sql = "SELECT id, state, ended_us, document FROM requests WHERE id = $1";
        let row = sqlx::query(sql).bind(number(id)).fetch_optional(&self.pool).await?;
        row.as_ref().map(request).transpose()
    }

    /// The newest time that is known for having passed, in microseconds since the epoch; 0 when none is.
    pub async fn newest_us(&self) -> Result<u64, StoreError> {
        let mut newest = 0;
        for sql in [
            "SELECT MAX(time_us) FROM board_events",
            "SELECT MAX(seen_us) FROM daemons",
            "SELECT MAX(ended_us) FROM requests",
            "SELECT MAX(ended_us) FROM jobs",
        ] {
            let time: Option<i64> = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
            newest = newest.max(time.map_or(0, count));
        }
        Ok(newest)
    }

    /// The highest number that any request has had; 0 when there was none.
    pub async fn last_request(&self) -> Result<u64, StoreError> {
        let last: Option<i64> =
            sqlx::query_scalar("SELECT MAX(id) FROM requests").fetch_one(&self.pool).await?;
        Ok(last.map_or(0, count))
    }

    /// Writes a request that nobody has written before.
    ///
    /// # Errors
    /// When there is one of its number.
    pub async fn add_request(&self, request: &RequestRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO requests (id, state, ended_us, document) VALUES ($1, $2, $3, $4)";
        self.write(
            sqlx::query(sql)
                .bind(number(request.id))
                .bind(&request.state)
                .bind(number(request.ended_us))
                .bind(&request.document),
        )
        .await?;
        Ok(())
    }

    /// Writes requests that have changed, with what happened to boards by them: all of it, or nothing.
    pub async fn put_requests(
        &self,
        requests: &[RequestRow],
        events: &[EventRow],
    ) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        for request in requests {
            let sql = "UPDATE requests SET state = $2, ended_us = $3, document = $4 WHERE id = $1";
            sqlx::query(sql)
                .bind(number(request.id))
                .bind(&request.state)
                .bind(number(request.ended_us))
                .bind(&request.document)
                .execute(&mut *change)
                .await?;
        }
        for event in events {
            add_event(&mut change, event).await?;
        }
        Ok(change.commit().await?)
    }
}

fn request(row: &AnyRow) -> Result<RequestRow, StoreError> {
    Ok(RequestRow {
        id: count(row.try_get(0)?),
        state: row.try_get(1)?,
        ended_us: count(row.try_get(2)?),
        document: row.try_get(3)?,
    })
}
