//! The TCP listeners of a process: each bound once, and kept when another console gets its address.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::config::serial::Protocol;
use crate::daemon::{Safety, bind, permit};
use crate::model::{Failure, Name};

/// Whose listener it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Purpose {
    Http,
    ConmuxRegistry,
    Line(Name, Protocol),
}

/// The listeners that are bound at the moment, with the addresses that were asked for.
#[derive(Debug, Default)]
pub(super) struct Bound(BTreeMap<Purpose, (SocketAddr, Arc<TcpListener>)>);

impl Bound {
    pub(super) fn add(
        &mut self,
        purpose: Purpose,
        address: SocketAddr,
        listener: Arc<TcpListener>,
    ) {
        self.0.insert(purpose, (address, listener));
    }

    pub(super) fn into_all(self) -> impl Iterator<Item = (Purpose, SocketAddr, Arc<TcpListener>)> {
        self.0.into_iter().map(|(purpose, (address, listener))| (purpose, address, listener))
    }

    /// The listener that is there already, else a new one.
    ///
    /// # Errors
    /// As [`bind`].
    pub(super) async fn listen(
        &self,
        purpose: Purpose,
        address: SocketAddr,
        safety: Safety,
    ) -> Result<Arc<TcpListener>, Failure> {
        let told = match &purpose {
            Purpose::Http => "http".to_owned(),
            Purpose::ConmuxRegistry => "conmux's registry".to_owned(),
            Purpose::Line(console, protocol) => format!("{protocol} of {console}"),
        };
        permit(&told, address, safety)?;
        let same = self.0.get(&purpose).filter(|(asked, _)| *asked == address);
        // Port 0 is a new port for everybody.
        let moved = || self.0.values().find(|(asked, _)| asked.port() != 0 && *asked == address);
        if let Some((_, listener)) = same.or_else(moved) {
            return Ok(listener.clone());
        }
        bind(&told, address, safety).await.map(Arc::new)
    }
}
