//! CI jobs: the scripts, not their runs, which are jobs.

use sqlx::Row as _;

use super::{Store, StoreError};

/// A CI job; `document` is JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiRow {
    pub name: String,
    pub document: String,
}

impl Store {
    pub async fn ci_jobs(&self) -> Result<Vec<CiRow>, StoreError> {
        let sql = "SELECT name, document FROM ci_jobs ORDER BY name";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let ci = |row: &sqlx::any::AnyRow| {
            Ok(CiRow { name: row.try_get(0)?, document: row.try_get(1)? })
        };
        rows.iter().map(ci).collect()
    }

    pub async fn ci_job(&self, name: &str) -> Result<Option<CiRow>, StoreError> {
        let sql = "SELECT name, document FROM ci_jobs WHERE name = $1";
        let row = sqlx::query(sql).bind(name).fetch_optional(&self.pool).await?;
        let ci = |row: &sqlx::any::AnyRow| {
            Ok(CiRow { name: row.try_get(0)?, document: row.try_get(1)? })
        };
        row.as_ref().map(ci).transpose()
    }

    /// Writes one, new or changed.
    pub async fn put_ci_job(&self, ci: &CiRow) -> Result<(), StoreError> {
        self.write(
            sqlx::query(
                "INSERT INTO ci_jobs (name, document) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET document = excluded.document",
            )
            .bind(&ci.name)
            .bind(&ci.document),
        )
        .await?;
        Ok(())
    }

    /// Forgets one; whether there was one. Its runs stay.
    pub async fn remove_ci_job(&self, name: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM ci_jobs WHERE name = $1";
        Ok(self.write(sqlx::query(sql).bind(name)).await? > 0)
    }
}
