//! Clients on their way from one process to the next: their connections, and how far each has come.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::console::SessionMark;
use crate::front::conmux::ConmuxState;
use crate::front::http::access::Who;
use crate::front::line::TelnetState;
use crate::model::{Name, latin1};

/// Asks every client's task to give its client away, and takes them.
#[derive(Debug, Clone, Default)]
pub struct HandOver {
    asked: CancellationToken,
    given: Arc<Mutex<Vec<HandedClient>>>,
}

/// A client without a task.
#[derive(Debug)]
pub struct HandedClient {
    pub fd: OwnedFd,
    pub state: ClientState,
}

/// How far a client has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientState {
    pub console: Name,
    pub session: SessionMark,
    /// Who it is.
    #[serde(default)]
    pub who: Who,
    pub protocol: ProtocolState,
    /// What it has typed, and the console has not taken yet.
    #[serde(with = "latin1")]
    pub typing: Bytes,
    /// What is to be sent to it before anything else.
    #[serde(with = "latin1")]
    pub unsent: Bytes,
}

/// What is spoken with a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtocolState {
    Raw,
    Telnet(TelnetState),
    Conmux(ConmuxState),
    WebSocket {
        /// The begin of a message that was received.
        #[serde(with = "latin1")]
        unread: Bytes,
    },
}

/// Why a client is not served any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked for, and has come to rest: it can be given away.
    Asked,
    /// It has gone, or was let go.
    Over,
}

impl HandOver {
    /// Asks for all clients.
    pub fn ask(&self) {
        self.asked.cancel();
    }

    /// Waits until clients are asked for. Cancel safe.
    pub async fn asked(&self) {
        self.asked.cancelled().await;
    }

    pub fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Gives a client away.
    pub fn give(&self, client: HandedClient) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).push(client);
    }

    /// All that were given.
    pub fn take(&self) -> Vec<HandedClient> {
        std::mem::take(&mut *self.given.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
