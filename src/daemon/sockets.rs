//! Binding listeners, with one clear line for what can go wrong.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::config::{Safety, permit};
use crate::model::{Failure, Kind};

/// Listens on a TCP address where that is permitted.
///
/// # Errors
/// As [`permit`]; [`Kind::Infra`] when the address is in use or may not be bound.
pub async fn bind(
    purpose: &str,
    address: SocketAddr,
    safety: Safety,
) -> Result<TcpListener, Failure> {
    permit(purpose, address, safety)?;
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
