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
/// Where the server of a turn is found: that of another turn, as of a server that does not say it, is none.
const PLACE: &str = "ALTER TABLE lava_turn ADD COLUMN IF NOT EXISTS place TEXT NOT NULL DEFAULT ''";
const PLACED: &str =
    "ALTER TABLE lava_turn ADD COLUMN IF NOT EXISTS placed BIGINT NOT NULL DEFAULT 0";
const SIGN: &str = "UPDATE lava_turn SET place = $1, placed = $2 WHERE number = $2";
const SIGNED: &str = "SELECT place FROM lava_turn WHERE placed = number";
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
        for make in [MAKE, PLACE, PLACED] {
            sqlx::query(make).execute(&mut *session).await?;
        }
        let raised = sqlx::query_scalar(RAISE).fetch_optional(&mut *session).await?;
        match raised {
            Some(number) => Ok(Self(number)),
            None => Ok(Self(sqlx::query_scalar(BEGIN).fetch_one(session).await?)),
        }
    }

    /// Has those who stand by know where the server of this turn is found.
    pub(super) async fn sign(
        self,
        session: &mut AnyConnection,
        place: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(SIGN).bind(place).bind(self.0).execute(session).await.map(drop)
    }

    /// Where the server whose turn it is is found; `None` when it has not said.
    pub(super) async fn signed(session: &mut AnyConnection) -> Option<String> {
        // Of a server that knows nothing of places there is no such column.
        sqlx::query_scalar(SIGNED).fetch_optional(session).await.ok().flatten()
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
