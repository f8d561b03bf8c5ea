//! What is to be served: everything that can fail is done here, before anything is changed.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::listeners::{Bound, Purpose};
use super::serving::Serving;
use crate::config::conmux::ConmuxListen;
use crate::config::serial::{ConsoleConfig, HttpListen, Protocol, SerialConfig};
use crate::console::{Console, Handed};
use crate::model::{Failure, Kind, Name};

/// A configuration whose listeners are bound.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) http_config: Option<HttpListen>,
    pub(super) http: Option<Arc<TcpListener>>,
    pub(super) conmux: Option<(ConmuxListen, Arc<TcpListener>)>,
    pub(super) consoles: Vec<Planned>,
}

/// A console and its listeners.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) config: ConsoleConfig,
    pub(super) lines: BTreeMap<Protocol, Arc<TcpListener>>,
}

/// A plan whose new consoles have their captures open.
pub(super) struct Started {
    pub(super) plan: Plan,
    /// The consoles that are new, or record elsewhere than until now.
    pub(super) new: BTreeMap<Name, New>,
}

/// A console, and the future that owns its port.
pub(super) struct New {
    pub(super) console: Arc<Console>,
    pub(super) owner: Pin<Box<dyn Future<Output = Option<Handed>> + Send>>,
}

impl Plan {
    /// Binds what `config` asks for and is not bound yet.
    ///
    /// # Errors
    /// The first listener that cannot be bound.
    pub(super) async fn bind(config: SerialConfig, bound: &Bound) -> Result<Self, Failure> {
        let http = match &config.http {
            Some(http) => Some(bound.listen(Purpose::Http, http.listen, http.insecure).await?),
            None => None,
        };
        let conmux = match config.conmux {
            Some(conmux) => {
                let purpose = Purpose::ConmuxRegistry;
                let bound = bound.listen(purpose, conmux.registry, conmux.insecure).await?;
                Some((conmux, bound))
            }
            None => None,
        };
        let open_conmux = conmux.as_ref().is_some_and(|(conmux, _)| conmux.insecure);
        let mut consoles = Vec::with_capacity(config.consoles.len());
        for console in config.consoles {
            let mut lines = BTreeMap::new();
            for (protocol, address) in console.lines() {
                let purpose = Purpose::Line(console.name.clone(), protocol);
                let insecure = console.insecure || protocol == Protocol::Conmux && open_conmux;
                lines.insert(protocol, bound.listen(purpose, address, insecure).await?);
            }
            consoles.push(Planned { config: console, lines });
        }
        Ok(Self { http_config: config.http, http, conmux, consoles })
    }

    /// Opens the captures that are not open yet; consoles of another process go on where that ended.
    /// Nothing is served differently so far.
    ///
    /// # Errors
    /// The first capture that cannot be opened.
    pub(super) fn start(
        self,
        serving: &Serving,
        handed: &mut BTreeMap<Name, Handed>,
    ) -> Result<Started, Failure> {
        let mut new = BTreeMap::new();
        for Planned { config, .. } in &self.consoles {
            if serving.records_in(&config.name) != Some(config.capture.dir.as_path()) {
                let started = serving.start(config, handed.remove(&config.name));
                let (console, owner) =
                    started.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
                console.set_manners(config.manners.clone());
                new.insert(config.name.clone(), New { console, owner: Box::pin(owner) });
            }
        }
        Ok(Started { plan: self, new })
    }
}
