//! Who is let in: users, groups and tokens. Of tokens there are only hashes.

use sqlx::Row as _;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use super::{Store, StoreError, count, number};

/// A user; `groups` and `rights` are JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    pub name: String,
    pub groups: String,
    pub rights: String,
}

/// A group; `rights` is JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
    pub name: String,
    pub rights: String,
}

/// A token of a user. One that does not end has 0 as its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub hash: String,
    pub user: String,
    pub scope: String,
    pub note: String,
    pub made_us: u64,
    pub until_us: u64,
}

impl Store {
    pub async fn users(&self) -> Result<Vec<UserRow>, StoreError> {
        let sql = "SELECT name, groups_of, rights FROM users ORDER BY name";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let user = |row: &AnyRow| {
            let (name, groups, rights) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            Ok(UserRow { name, groups, rights })
        };
        rows.iter().map(user).collect()
    }

    /// The groups of a user; none of one who is not known.
    pub async fn groups_of(&self, user: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT groups_of FROM users WHERE name = $1";
        let groups: Option<String> =
            sqlx::query_scalar(sql).bind(user).fetch_optional(&self.pool).await?;
        let read = |groups: String| serde_json::from_str(&groups);
        let groups = groups.map(read).transpose();
        let damaged = |error| StoreError::Damaged(format!("the groups of {user}: {error}"));
        Ok(groups.map_err(damaged)?.unwrap_or_default())
    }

    pub async fn groups(&self) -> Result<Vec<GroupRow>, StoreError> {
        let sql = "SELECT name, rights FROM user_groups ORDER BY name";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let group = |row: &AnyRow| Ok(GroupRow { name: row.try_get(0)?, rights: row.try_get(1)? });
        rows.iter().map(group).collect()
    }

    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let sql = "SELECT hash, user_name, scope, note, made_us, until_us FROM tokens
                   ORDER BY user_name, made_us";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let token = |row: &AnyRow| {
            Ok(TokenRow {
                hash: row.try_get(0)?,
                user: row.try_get(1)?,
                scope: row.try_get(2)?,
                note: row.try_get(3)?,
                made_us: count(row.try_get(4)?),
                until_us: count(row.try_get(5)?),
            })
        };
        rows.iter().map(token).collect()
    }

    pub async fn put_user(&self, user: &UserRow) -> Result<(), StoreError> {
        self.write(
            sqlx::query(
                "INSERT INTO users (name, groups_of, rights) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET groups_of = excluded.groups_of,
                rights = excluded.rights",
            )
            .bind(&user.name)
            .bind(&user.groups)
            .bind(&user.rights),
        )
        .await?;
        Ok(())
    }

    /// Adds a user with their first token: both, or neither.
    pub async fn add_user(&self, user: &UserRow, token: &TokenRow) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        sqlx::query("INSERT INTO users (name, groups_of, rights) VALUES ($1, $2, $3)")
            .bind(&user.name)
            .bind(&user.groups)
            .bind(&user.rights)
            .execute(&mut *change)
            .await?;
        insert(token).execute(&mut *change).await?;
        Ok(change.commit().await?)
    }

    /// Forgets a user and all of their tokens. Whether there was one.
    pub async fn remove_user(&self, name: &str) -> Result<bool, StoreError> {
        let mut change = self.change().await?;
        let tokens = "DELETE FROM tokens WHERE user_name = $1";
        sqlx::query(tokens).bind(name).execute(&mut *change).await?;
        let user = "DELETE FROM users WHERE name = $1";
        let removed = sqlx::query(user).bind(name).execute(&mut *change).await?;
        change.commit().await?;
        Ok(removed.rows_affected() > 0)
    }

    pub async fn put_group(&self, group: &GroupRow) -> Result<(), StoreError> {
        self.write(
            sqlx::query(
                "INSERT INTO user_groups (name, rights) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET rights = excluded.rights",
            )
            .bind(&group.name)
            .bind(&group.rights),
        )
        .await?;
        Ok(())
    }

    /// Whether there was one.
    pub async fn remove_group(&self, name: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM user_groups WHERE name = $1";
        Ok(self.write(sqlx::query(sql).bind(name)).await? > 0)
    }

    pub async fn add_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        self.write(insert(token)).await?;
        Ok(())
    }

    pub async fn remove_token(&self, hash: &str) -> Result<(), StoreError> {
        self.write(sqlx::query("DELETE FROM tokens WHERE hash = $1").bind(hash)).await?;
        Ok(())
    }
}

fn insert(token: &TokenRow) -> Query<'_, sqlx::Any, AnyArguments> {
    sqlx::query(
        "INSERT INTO tokens (hash, user_name, scope, note, made_us, until_us)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&token.hash)
    .bind(&token.user)
    .bind(&token.scope)
    .bind(&token.note)
    .bind(number(token.made_us))
    .bind(number(token.until_us))
}
