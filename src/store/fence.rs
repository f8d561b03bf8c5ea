//! Who may write to a PostgreSQL. Each server that gets it takes the next number, and each change says with which number
//! it is made: one that comes late, of a server that was paused or cut off meanwhile, is not carried out, whatever that
//! one believes.
//!
//! A change has the number locked until it is over. So the next server, which raises it, waits for changes that are under
//! way, and then nothing more comes of them.

use sqlx::AnyConnection;

use super::StoreError;

/// No table of the schema: what is in it is of servers, and in no backup.
const MAKE: &str = "CREATE TABLE IF NOT EXISTS lava_turn (number BIGINT NOT NULL)";
const RAISE: &str = "UPDATE lava_turn SET number = number + 1 RETURNING number";
const BEGIN: &str = "INSERT INTO lava_turn VALUES (1) RETURNING number";
const CHECK: &str = "SELECT number FROM lava_turn WHERE number = $1 FOR SHARE";
/// What a server that is paused in the middle of a change has begun is undone after so long, before who waits for it gives up.
const PAUSED: &str = "SET idle_in_transaction_session_timeout = '5s'";

/// The number of a server's turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fence(i64);

impl Fence {
    /// Takes the next number, in the session by which the database is ours.
    pub(super) async fn raise(session: &mut AnyConnection) -> Result<Self, sqlx::Error> {
        sqlx::query(MAKE).execute(&mut *session).await?;
        let raised = sqlx::query_scalar(RAISE).fetch_optional(&mut *session).await?;
        match raised {
            Some(number) => Ok(Self(number)),
            None => Ok(Self(sqlx::query_scalar(BEGIN).fetch_one(session).await?)),
        }
    }

    /// Looks whether a change may be made that has just begun; it may until it is over then.
    ///
    /// # Errors
    /// [`StoreError::Lost`] when another server has the database.
    pub(super) async fn check(self, change: &mut AnyConnection) -> Result<(), StoreError> {
        let ours = sqlx::query(CHECK).bind(self.0).fetch_optional(change).await?;
        ours.map(drop).ok_or(StoreError::Lost)
    }

    /// What each connection is told on which changes are made.
    pub(super) async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        sqlx::query(PAUSED).execute(connection).await.map(drop)
    }
}
