//! The lab as a whole: its boards, who has them, and who waits. No HTTP here.
//!
//! One [`Server`] decides; what it has decided is in the [`Store`] before anybody is told. [`Server::run`]
//! is the loop that looks at the queue whenever anything has changed, and when a time has come, and
//! [`Server::tell_outlets`] the one that has `lava-power` know whose its boards are.

mod error;
pub mod images;
mod interlock;
mod lease;
mod load;
mod overview;
mod parts;
mod queue;
mod registry;
mod resolve;
mod share;
mod standing;
mod state;
#[cfg(test)]
mod tests;
mod users;

use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use crate::client::Login;
use crate::model::Right;
use crate::store::Store;

pub use error::ServerError;
pub use images::{ImageError, Images};
pub use overview::Overview;
use state::State;
pub use users::Door;

/// A daemon has to announce itself again within this time, in seconds.
pub const ANNOUNCE_S: u64 = 10;
/// … and is taken for dead after this one.
const STALE_S: u64 = 35;

/// A lab, shared by everybody who asks it.
#[derive(Debug, Clone)]
pub struct Server(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    /// How the daemons let us in.
    login: Login,
    state: Mutex<State>,
    /// What there was at a change of this number.
    overview: std::sync::Mutex<Option<(u64, Arc<Overview>)>>,
    /// Goes up by one with each change.
    changes: watch::Sender<u64>,
}

/// What somebody may do on the board of a name.
pub type OnBoard = Box<dyn Fn(&str) -> Option<Right> + Send + Sync>;

/// Who asks for something.
pub struct Asker {
    /// By what they are known.
    pub user: String,
    /// What they may do on everything.
    pub on_all: Option<Right>,
    /// What they may do on a board.
    pub on: OnBoard,
}

/// Somebody who is to use another's boards.
pub struct Recipient {
    pub user: String,
    pub rights: TheirRights,
}

/// What somebody may who does not ask.
pub enum TheirRights {
    /// Nobody has to log in.
    Open,
    /// Nobody of that name is let in.
    Unknown,
    Known(OnBoard),
}

impl Asker {
    fn may(&self, right: Right, board: &str) -> bool {
        (self.on)(board) >= Some(right)
    }
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Server {
    /// The lab as the store has it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(store: Store, login: Login) -> Result<Self, ServerError> {
        let state = load::load(&store).await?;
        let changes = watch::Sender::new(0);
        let (state, overview) = (Mutex::new(state), std::sync::Mutex::default());
        Ok(Self(Arc::new(Inner { store, login, state, overview, changes })))
    }

    /// Follows changes: the value is another one after each.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// # Errors
    /// When the store does not answer.
    pub async fn check(&self) -> Result<(), ServerError> {
        Ok(self.0.store.check().await?)
    }

    /// Writes what is open. Nothing can be asked any more.
    pub async fn close(&self) {
        self.0.store.close().await;
    }

    fn changed(&self) {
        self.0.changes.send_modify(|changes| *changes += 1);
    }
}
