//! Binding listeners, with one clear line for what can go wrong.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::config::{AccessConfig, HttpListen};
use crate::model::{Failure, Kind};

/// What a listener does against those who should not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Nothing can be done: its protocol knows no login.
    None,
    /// HTTP: whether clients have to log in, and whether nobody can read along.
    Http { login: bool, tls: bool },
    /// It is open to everyone who reaches it: `insecure = true`.
    Insecure,
}

impl Safety {
    /// Of a listener for HTTP.
    pub fn of_http(http: &HttpListen, access: &AccessConfig) -> Self {
        match http.insecure {
            true => Self::Insecure,
            false => Self::Http { login: !access.is_open(), tls: http.tls.is_some() },
        }
    }

    /// Of a listener whose clients cannot log in.
    pub fn of_line(insecure: bool) -> Self {
        if insecure { Self::Insecure } else { Self::None }
    }
}

/// Whether a listener may be at an address. `purpose` names it in messages, as `http` or `telnet of
/// panda01`.
///
/// # Errors
/// [`Kind::Config`] when the address is not loopback, and what is needed for that is not there.
pub fn permit(purpose: &str, address: SocketAddr, safety: Safety) -> Result<(), Failure> {
    let (why, how) = match safety {
        _ if address.ip().is_loopback() => return Ok(()),
        Safety::Insecure | Safety::Http { login: true, tls: true } => return Ok(()),
        Safety::None => (
            "nobody has to log in there",
            "listen on 127.0.0.1 and reach it through ssh -L, or set `insecure = true`",
        ),
        Safety::Http { login: false, .. } => (
            "nobody has to log in",
            "let people in by name: a [[token]] each (`lava token new NAME` makes one), and TLS \
             ([http] cert and key); or listen on 127.0.0.1 and reach it through ssh -L, or set \
             `insecure = true`",
        ),
        Safety::Http { login: true, tls: false } => (
            "tokens could be read on the way",
            "use TLS: [http] cert = FILE, key = FILE; or listen on 127.0.0.1 and reach it through \
             ssh -L or a proxy that speaks TLS, or set `insecure = true`",
        ),
    };
    let what = format!("{purpose}: {address} is open to the network, and {why}");
    Err(Failure::new(Kind::Config, what).hint(how))
}

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
