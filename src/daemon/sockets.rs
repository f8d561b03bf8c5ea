//! Binding listeners, with one clear line for what can go wrong.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::model::{Failure, Kind};

/// Listens on a TCP address. `purpose` names the listener in messages, as `http` or `telnet of
/// panda01`.
///
/// # Errors
/// [`Kind::Config`] when the address is not loopback and `insecure` was not set, since none of our
/// listeners can authenticate yet; [`Kind::Infra`] when it is in use or may not be bound.
pub async fn bind(
    purpose: &str,
    address: SocketAddr,
    insecure: bool,
) -> Result<TcpListener, Failure> {
    may_listen(purpose, address, insecure)?;
    TcpListener::bind(address).await.map_err(|error| {
        let failure =
            Failure::new(Kind::Infra, format!("{purpose}: cannot listen on {address}: {error}"));
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                failure.hint(format!("see who has it: ss -ltnp 'sport = :{}'", address.port()))
            }
            io::ErrorKind::PermissionDenied => {
                failure.hint("ports below 1024 need CAP_NET_BIND_SERVICE")
            }
            _ => failure,
        }
    })
}

/// Whether it is allowed to listen on an address.
///
/// # Errors
/// [`Kind::Config`] when the address is not loopback and `insecure` was not set.
pub fn may_listen(purpose: &str, address: SocketAddr, insecure: bool) -> Result<(), Failure> {
    if address.ip().is_loopback() || insecure {
        return Ok(());
    }
    let what = format!("{purpose}: {address} is open to the network, and nothing authenticates");
    Err(Failure::new(Kind::Config, what)
        .hint("listen on 127.0.0.1 and reach it through ssh -L, or set `insecure = true`"))
}
