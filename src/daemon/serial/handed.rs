//! Everything of a `lava-serial` that is not in files, on its way to the process that goes on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UnixListener};

use super::listeners::{Bound, Purpose};
use crate::adapter::Finder;
use crate::config::serial::SerialConfig;
use crate::console::{Handed, HandedState};
use crate::daemon::RuntimeSocket;
use crate::daemon::fd_store::Stored;
use crate::front::hand_over::{ClientState, HandedClient};
use crate::model::{Failure, Kind, Name};
use crate::port::{HandedKind, HandedPort};
use crate::sys::Luggage;

/// Changed whenever an older program could not read the document.
pub(super) const VERSION: u32 = 1;

/// What goes on elsewhere.
#[derive(Debug, Default)]
pub struct HandedSerial {
    pub(super) socket: Option<(RuntimeSocket, UnixListener)>,
    pub(super) bound: Bound,
    /// Which of the files they are.
    pub(super) places: BTreeMap<Purpose, usize>,
    pub(super) consoles: BTreeMap<Name, Handed>,
    pub(super) clients: Vec<HandedClient>,
    pub(super) finder: Finder,
    /// What was served last, where the program stays the same.
    pub(super) config: Option<SerialConfig>,
    /// What the service manager keeps of it until it is gone on with.
    pub(super) stored: Stored,
}

/// The same with indices instead of open files.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    socket: Option<(PathBuf, usize)>,
    listeners: Vec<(Purpose, SocketAddr, usize)>,
    consoles: Vec<DocumentedConsole>,
    clients: Vec<(ClientState, usize)>,
    /// Which adapters have become which consoles.
    #[serde(default)]
    finder: Finder,
}

#[derive(Serialize, Deserialize)]
struct DocumentedConsole {
    name: Name,
    state: HandedState,
    port: Option<(HandedKind, usize)>,
}

impl HandedSerial {
    /// The reverse of [`Self::pack`].
    ///
    /// # Errors
    /// When it was packed by a program of another version.
    pub(super) fn unpack(luggage: Luggage) -> Result<Self, Failure> {
        let Luggage { document, mut files } = luggage;
        let infra =
            |what: &str| Failure::new(Kind::Infra, format!("nothing is taken over: {what}"));
        let document: Document =
            serde_json::from_slice(&document).map_err(|error| infra(&error.to_string()))?;
        if document.version != VERSION {
            return Err(infra("the program before this one wrote it in another version"));
        }
        let mut file = |index: usize| files.get_mut(index).and_then(Option::take);
        let socket = document.socket.and_then(|(path, index)| {
            Some((RuntimeSocket::resume(path), UnixListener::from_std(file(index)?.into()).ok()?))
        });
        let mut handed = Self { socket, finder: document.finder, ..Self::default() };
        for (purpose, address, index) in document.listeners {
            if let Some(listener) = file(index).and_then(|f| TcpListener::from_std(f.into()).ok()) {
                handed.places.insert(purpose.clone(), index);
                handed.bound.add(purpose, address, Arc::new(listener));
            }
        }
        for DocumentedConsole { name, state, port } in document.consoles {
            let port = port.and_then(|(kind, index)| Some(HandedPort { fd: file(index)?, kind }));
            handed.consoles.insert(name, Handed { state, port });
        }
        for (state, index) in document.clients {
            handed.clients.extend(file(index).map(|fd| HandedClient { fd, state }));
        }
        Ok(handed)
    }

    /// As a document and open files.
    ///
    /// # Errors
    /// When the system has no file descriptors left.
    pub(super) fn pack(self) -> std::io::Result<Luggage> {
        let mut files = Vec::new();
        let mut put = |file: OwnedFd| {
            files.push(Some(file));
            files.len() - 1
        };
        let mut document = Document {
            version: VERSION,
            socket: None,
            listeners: Vec::new(),
            consoles: Vec::new(),
            clients: Vec::new(),
            finder: self.finder,
        };
        if let Some((socket, listener)) = self.socket {
            document.socket = Some((socket.leave(), put(listener.into_std()?.into())));
        }
        for (purpose, address, listener) in self.bound.into_all() {
            let index = put(listener.as_fd().try_clone_to_owned()?);
            document.listeners.push((purpose, address, index));
        }
        for (name, Handed { state, port }) in self.consoles {
            let port = port.map(|HandedPort { fd, kind }| (kind, put(fd)));
            document.consoles.push(DocumentedConsole { name, state, port });
        }
        for HandedClient { fd, state } in self.clients {
            document.clients.push((state, put(fd)));
        }
        let document = serde_json::to_vec(&document)?;
        Ok(Luggage { document, files })
    }
}
