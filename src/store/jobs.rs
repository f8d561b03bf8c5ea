//! Jobs. Their logs are files.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, StoreError, count, number};

/// A job but for its definition; `document` is JSON. One that has not ended has 0 as its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    pub id: u64,
    pub state: String,
    pub ended_us: u64,
    pub document: String,
}

impl Store {
    /// Those that have not ended, by their numbers.
    pub async fn live_jobs(&self) -> Result<Vec<JobRow>, StoreError> {
        let sql = "SELECT id, state, ended_us, document FROM jobs
                   WHERE state <> 'finished' ORDER BY id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter().map(job).collect()
    }

    /// Those with numbers below one, the newest first, so many at most.
    pub async fn jobs_before(&self, before: u64, most: u32) -> Result<Vec<JobRow>, StoreError> {
        let sql = "SELECT id, state, ended_us, document FROM jobs
                   WHERE id < $1 ORDER BY id DESC LIMIT $2";
        let query = sqlx::query(sql).bind(number(before)).bind(i64::from(most));
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(job).collect()
    }

    pub async fn job(&self, id: u64) -> Result<Option<JobRow>, StoreError> {
        let sql = "SELECT id, state, ended_us, document FROM jobs WHERE id = $1";
        let row = sqlx::query(sql).bind(number(id)).fetch_optional(&self.pool).await?;
        row.as_ref().map(job).transpose()
    }

    /// The job as it was handed in.
    pub async fn job_definition(&self, id: u64) -> Result<Option<String>, StoreError> {
        let sql = "SELECT definition FROM jobs WHERE id = $1";
        Ok(sqlx::query_scalar(sql).bind(number(id)).fetch_optional(&self.pool).await?)
    }

    /// Those that have ended before a time, by their numbers, so many at most; never the last one, whose number stays
    /// known so.
    pub async fn jobs_ended_before(&self, time_us: u64, most: u32) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT id FROM jobs WHERE state = 'finished' AND ended_us < $1
                   AND id < (SELECT MAX(id) FROM jobs) ORDER BY id LIMIT $2";
        let query = sqlx::query_scalar::<_, i64>(sql).bind(number(time_us));
        let all = query.bind(i64::from(most)).fetch_all(&self.pool).await?;
        Ok(all.into_iter().map(count).collect())
    }

    pub async fn job_numbers(&self) -> Result<Vec<u64>, StoreError> {
        let all: Vec<i64> = sqlx::query_scalar("SELECT id FROM jobs").fetch_all(&self.pool).await?;
        Ok(all.into_iter().map(count).collect())
    }

    /// Removes jobs that have ended.
    pub async fn remove_jobs(&self, ids: &[u64]) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        for id in ids {
            sqlx::query("DELETE FROM jobs WHERE id = $1 AND state = 'finished'")
                .bind(number(*id))
                .execute(&mut *change)
                .await?;
        }
        Ok(change.commit().await?)
    }

    /// The highest number that any job has had; 0 when there was none.
    pub async fn last_job(&self) -> Result<u64, StoreError> {
        let last: Option<i64> =
            sqlx::query_scalar("SELECT MAX(id) FROM jobs").fetch_one(&self.pool).await?;
        Ok(last.map_or(0, count))
    }

    /// Writes a job that nobody has written before.
    ///
    /// # Errors
    /// When there is one of its number.
    pub async fn add_job(&self, job: &JobRow, definition: &str) -> Result<(), StoreError> {
        self.write(
            sqlx::query(
                "INSERT INTO jobs (id, state, ended_us, document, definition)
             VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(number(job.id))
            .bind(&job.state)
            .bind(number(job.ended_us))
            .bind(&job.document)
            .bind(definition),
        )
        .await?;
        Ok(())
    }

    /// Writes what has become of a job.
    pub async fn put_job(&self, job: &JobRow) -> Result<(), StoreError> {
        self.write(
            sqlx::query("UPDATE jobs SET state = $2, ended_us = $3, document = $4 WHERE id = $1")
                .bind(number(job.id))
                .bind(&job.state)
                .bind(number(job.ended_us))
                .bind(&job.document),
        )
        .await?;
        Ok(())
    }
}

fn job(row: &AnyRow) -> Result<JobRow, StoreError> {
    Ok(JobRow {
        id: count(row.try_get(0)?),
        state: row.try_get(1)?,
        ended_us: count(row.try_get(2)?),
        document: row.try_get(3)?,
    })
}
