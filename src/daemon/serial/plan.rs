//! What is to be served: everything that can fail is done here, before anything is changed.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::hotplug::Hotplug;
use super::listeners::{Bound, Purpose};
use super::serving::Serving;
use crate::config::conmux::ConmuxListen;
use crate::config::serial::{ConsoleConfig, Protocol, SerialConfig};
use crate::config::{AccessConfig, HttpListen, permit_all};
use crate::console::{Console, Handed};
use crate::daemon::Safety;
use crate::front::http::TlsConfig;
use crate::model::{Failure, Kind, Name};

/// A configuration whose listeners are bound.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) http_config: Option<HttpListen>,
    pub(super) http: Option<Arc<TcpListener>>,
    pub(super) tls: Option<TlsConfig>,
    pub(super) access: AccessConfig,
    pub(super) conmux: Option<(ConmuxListen, Arc<TcpListener>)>,
    pub(super) consoles: Vec<Planned>,
}

/// A console and its listeners.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) config: ConsoleConfig,
    pub(super) lines: BTreeMap<Protocol, Arc<TcpListener>>,
    /// It is an adapter that was found: the others do not depend on it.
    pub(super) found: bool,
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
    /// Binds what `config` asks for and is not bound yet. Adapters that were found make do with what
    /// there is.
    ///
    /// # Errors
    /// All listeners that may not be where they are to be, or the first that cannot be bound.
    pub(super) async fn bind(
        config: &SerialConfig,
        tls: Option<TlsConfig>,
        hotplug: &mut Hotplug,
        bound: &Bound,
    ) -> Result<Self, Failure> {
        permit_all(config)?;
        let http = match &config.http {
            Some(http) => {
                let safety = Safety::of_http(http, &config.access);
                Some(bound.listen(Purpose::Http, http.listen, safety).await?)
            }
            None => None,
        };
        let conmux = match config.conmux.clone() {
            Some(conmux) => {
                let purpose = Purpose::ConmuxRegistry;
                let bound =
                    bound.listen(purpose, conmux.registry, Safety::of_line(conmux.insecure));
                let bound = bound.await?;
                Some((conmux, bound))
            }
            None => None,
        };
        let open_conmux = conmux.as_ref().is_some_and(|(conmux, _)| conmux.insecure);
        let mut consoles = Vec::with_capacity(config.consoles.len());
        for console in &config.consoles {
            let mut lines = BTreeMap::new();
            for (protocol, address) in console.lines() {
                let purpose = Purpose::Line(console.name.clone(), protocol);
                let insecure = console.insecure || protocol == Protocol::Conmux && open_conmux;
                let safety = Safety::of_line(insecure);
                lines.insert(protocol, bound.listen(purpose, address, safety).await?);
            }
            consoles.push(Planned { config: console.clone(), lines, found: false });
        }
        consoles.extend(hotplug.find(config, bound).await);
        let (http_config, access) = (config.http.clone(), config.access.clone());
        Ok(Self { http_config, http, tls, access, conmux, consoles })
    }

    /// Opens the captures that are not open yet; consoles of another process go on where that ended.
    /// An adapter that was found is left out if its capture cannot be opened. Nothing is served
    /// differently so far.
    ///
    /// # Errors
    /// The first capture that cannot be opened.
    pub(super) fn start(
        mut self,
        hotplug: &mut Hotplug,
        serving: &Serving,
        handed: &mut BTreeMap<Name, Handed>,
    ) -> Result<Started, Failure> {
        let mut new = BTreeMap::new();
        let mut consoles = Vec::with_capacity(self.consoles.len());
        for planned in self.consoles {
            let config = &planned.config;
            if serving.records_in(&config.name) != Some(config.capture.dir.as_path()) {
                match serving.start(config, handed.remove(&config.name)) {
                    Ok((console, owner)) => {
                        console.set_manners(config.manners.clone());
                        new.insert(config.name.clone(), New { console, owner: Box::pin(owner) });
                    }
                    Err(error) if planned.found => {
                        hotplug.left_out(&config.name, &error);
                        continue;
                    }
                    Err(error) => return Err(Failure::from_error(Kind::Infra, &error)),
                }
            }
            consoles.push(planned);
        }
        self.consoles = consoles;
        Ok(Started { plan: self, new })
    }
}
