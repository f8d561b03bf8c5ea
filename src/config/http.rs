//! `[http]`: where a daemon serves HTTP beside its Unix socket.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Table, credential};
use crate::model::Name;

/// A listener for HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpListen {
    pub listen: SocketAddr,
    /// Allow an address that is not loopback although nobody has to log in, or what is said there can
    /// be read on the way.
    pub insecure: bool,
    /// By what DNS names browsers come here, beside those that are this host's by itself.
    pub names: Vec<Name>,
    /// HTTPS instead of HTTP.
    pub tls: Option<TlsFiles>,
}

/// Files in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, and behind it those between it and a CA that clients know.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// The CAs whose certificates clients may show.
    pub client_ca: Option<PathBuf>,
}

impl HttpListen {
    /// HTTP on an address, without anything else.
    pub fn plain(listen: SocketAddr) -> Self {
        Self { listen, insecure: false, names: Vec::new(), tls: None }
    }

    /// Reads `[http]`. Paths are seen from the folder of the configuration file; `credential:NAME` is one
    /// of systemd's.
    pub fn from_table(table: &Table<'_>) -> Option<Self> {
        let listen = table.required("listen");
        let insecure = table.optional("insecure").unwrap_or(false);
        let names = table.optional("names").unwrap_or_default();
        let file = |key| credential::file(table, key);
        let (cert, key, client_ca) = (file("cert"), file("key"), file("client_ca"));
        for (given, missing) in [("cert", "key"), ("key", "cert"), ("client_ca", "cert")] {
            if table.node(given).is_some() && table.node(missing).is_none() {
                table.problem(given, format!("{missing:?} is missing: TLS needs cert and key"));
            }
        }
        let tls = cert.zip(key).map(|(cert, key)| TlsFiles { cert, key, client_ca });
        Some(Self { listen: listen?, insecure, names, tls })
    }
}
