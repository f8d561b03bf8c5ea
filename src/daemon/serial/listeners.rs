//! The TCP listeners of a process: each bound once, and kept when another console gets its address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::config::serial::{ConsoleConfig, Protocol, SerialConfig};
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

    /// Closes those that a configuration does not want, so that others can have their ports; tells whose
    /// they were.
    pub(super) fn keep(&mut self, config: &SerialConfig) -> Vec<Purpose> {
        let lines = config.consoles.iter().flat_map(ConsoleConfig::lines);
        let mut wanted: BTreeSet<SocketAddr> = lines.map(|(_, address)| address).collect();
        wanted.extend(config.http.as_ref().map(|http| http.listen));
        wanted.extend(config.conmux.as_ref().map(|conmux| conmux.registry));
        let found =
            |address| config.discover.as_ref().is_some_and(|discover| discover.gives(address));
        let unwanted =
            self.0.extract_if(.., |_, (address, _)| !wanted.contains(address) && !found(*address));
        unwanted.map(|(purpose, _)| purpose).collect()
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
        bind(&told, address, safety)
            .await
            .map(Arc::new)
            .map_err(|failure| self.explain(failure, address))
    }

    /// That it may be ourselves who are in the way.
    fn explain(&self, failure: Failure, address: SocketAddr) -> Failure {
        let ours = self.0.values().find(|(asked, _)| asked.port() == address.port());
        match ours.filter(|_| address.port() != 0) {
            Some((asked, _)) => failure.hint(format!(
                "this process listens on {asked}, and cannot have both: stop it and start it again"
            )),
            None => failure,
        }
    }
}
