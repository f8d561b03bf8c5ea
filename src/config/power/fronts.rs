//! `[pdudaemon]` and `[powerman]`: where the clients of other power daemons find us.
//!
//! None of their protocols knows a login.

use std::net::SocketAddr;

use crate::config::Table;

/// Where pdudaemon's clients find us; at least one of the two addresses is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PdudaemonListen {
    /// Its HTTP, and its older protocol, too.
    pub http: Option<SocketAddr>,
    /// Its older protocol, where a request is one line of text.
    pub tcp: Option<SocketAddr>,
    /// Allow addresses that are not loopback although nobody has to log in.
    pub insecure: bool,
}

/// Where powerman's clients find us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowermanListen {
    pub listen: SocketAddr,
    /// As above.
    pub insecure: bool,
}

impl PdudaemonListen {
    pub(super) fn from_table(table: &Table<'_>) -> Option<Self> {
        let (http, tcp) = (table.optional("listen"), table.optional("tcp"));
        let insecure = table.optional("insecure").unwrap_or(false);
        if table.node("listen").is_none() && table.node("tcp").is_none() {
            table.at().problem(table.place(), "\"listen\" (for HTTP) or \"tcp\" is missing");
        }
        Some(Self { http, tcp, insecure })
    }
}

impl PowermanListen {
    pub(super) fn from_table(table: &Table<'_>) -> Option<Self> {
        let listen = table.required("listen");
        let insecure = table.optional("insecure").unwrap_or(false);
        Some(Self { listen: listen?, insecure })
    }
}
