//! The listeners for the clients of other power daemons.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::power::PowerConfig;
use crate::daemon::{Safety, bind};
use crate::front::http::{Listener, Tls, serve};
use crate::front::{http, pdudaemon, powerman};
use crate::model::Failure;
use crate::power::Power;

/// Those that are configured.
#[derive(Debug, Default)]
pub(super) struct Fronts {
    pdudaemon: Option<TcpListener>,
    pdudaemon_tcp: Option<TcpListener>,
    /// Whether pdudaemon's clients may come from elsewhere.
    insecure: bool,
    powerman: Option<TcpListener>,
}

impl Fronts {
    /// # Errors
    /// The first one that cannot be bound, or may not be: none of them knows a login.
    pub(super) async fn bind(config: &PowerConfig) -> Result<Self, Failure> {
        let mut fronts = Self::default();
        if let Some(listen) = &config.pdudaemon {
            let safety = Safety::of_line(listen.insecure);
            fronts.insecure = listen.insecure;
            if let Some(address) = listen.http {
                fronts.pdudaemon = Some(bind("pdudaemon", address, safety).await?);
            }
            if let Some(address) = listen.tcp {
                fronts.pdudaemon_tcp = Some(bind("pdudaemon.tcp", address, safety).await?);
            }
        }
        if let Some(listen) = &config.powerman {
            let safety = Safety::of_line(listen.insecure);
            fronts.powerman = Some(bind("powerman", listen.listen, safety).await?);
        }
        Ok(fronts)
    }

    /// For the ready line: ` pdudaemon=127.0.0.1:16421`.
    pub(super) fn addresses(&self) -> String {
        let all = [
            ("pdudaemon", &self.pdudaemon),
            ("pdudaemon.tcp", &self.pdudaemon_tcp),
            ("powerman", &self.powerman),
        ];
        let told = all.into_iter().filter_map(|(name, listener)| {
            let address = listener.as_ref()?.local_addr().ok()?;
            Some(format!(" {name}={address}"))
        });
        told.collect()
    }

    /// Serves each of them until `shutdown`.
    pub(super) fn serve(
        self,
        power: &Arc<Power>,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) {
        if let Some(listener) = self.pdudaemon {
            let listener = Listener::Tcp {
                listener: Arc::new(listener),
                tls: Tls::new(None),
                insecure: self.insecure,
                // Its clients all find it at one port.
                other: Some(pdudaemon::lines(power.clone())),
            };
            let pages = http::pdudaemon::pages(power.clone());
            tasks.spawn(serve(listener, pages, shutdown.clone()));
        }
        if let Some(listener) = self.pdudaemon_tcp {
            let listener = Arc::new(listener);
            tasks.spawn(pdudaemon::serve(listener, power.clone(), shutdown.clone()));
        }
        if let Some(listener) = self.powerman {
            let listener = Arc::new(listener);
            tasks.spawn(powerman::serve(listener, power.clone(), shutdown.clone()));
        }
    }
}
