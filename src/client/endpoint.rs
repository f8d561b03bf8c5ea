//! Where a daemon listens.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hyper::header::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::Login;
use crate::model::{Failure, Kind};

const HTTP: &str = "http://";
const HTTPS: &str = "https://";
/// How long to wait for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The address of a daemon: `http://HOST:PORT`, `https://HOST:PORT` or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `HOST:PORT`, the host as a name or an address.
    Tcp(String),
    /// The same with TLS.
    Tls(String),
    Unix(PathBuf),
}

/// A connection to a daemon.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Endpoint {
    /// Splits a resource's URL into its daemon and the path there:
    /// `http://127.0.0.1:7100/consoles/panda01` or `unix:/run/lava/serial.sock:/consoles/panda01`.
    ///
    /// # Errors
    /// Says how to write one when the text is no such URL.
    pub fn split(url: &str) -> Result<(Self, String), String> {
        if let Some(rest) = url.strip_prefix("unix:") {
            let (socket, path) = rest.split_once(":/").unwrap_or((rest, ""));
            return Ok((format!("unix:{socket}").parse()?, format!("/{path}")));
        }
        let schemes = [HTTP, HTTPS].into_iter().filter(|scheme| url.starts_with(scheme));
        let scheme = schemes.map(str::len).max().unwrap_or(0);
        let (host, path) = match url[scheme..].split_once('/') {
            Some((host, path)) => (&url[..scheme + host.len()], path),
            None => (url, ""),
        };
        Ok((host.parse()?, format!("/{path}")))
    }

    /// What the Host header of a request says.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Tcp(address) | Self::Tls(address) => address,
            Self::Unix(_) => "localhost",
        }
    }

    /// Whether nobody can read along on the way there.
    pub(super) fn is_private(&self) -> bool {
        match self {
            Self::Tls(_) => true,
            Self::Tcp(_) | Self::Unix(_) => self.is_local(),
        }
    }

    /// Whether each host finds another one there, itself.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(address) | Self::Tls(address) => {
                let host = host_of(address).trim_start_matches('[').trim_end_matches(']');
                let address: Result<IpAddr, _> = host.parse();
                host == "localhost" || address.is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// The Authorization header of requests to it; `None` without a token, and where others could read
    /// it on the way.
    ///
    /// # Errors
    /// When a file of a token is not as it should be.
    pub(super) fn authorization(&self, login: &Login) -> Result<Option<HeaderValue>, Failure> {
        if self.is_private() { login.authorization() } else { Ok(None) }
    }

    /// Connects.
    ///
    /// # Errors
    /// A [`Kind::Lab`] failure that names the address and what the system said. Cancel safe.
    pub async fn connect(&self, login: &Login) -> Result<Box<dyn Stream>, Failure> {
        let connecting = async {
            Ok(match self {
                Self::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    Box::new(stream) as Box<dyn Stream>
                }
                Self::Tls(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    Box::new(login.encrypt(stream, host_of(address)).await?) as Box<dyn Stream>
                }
                Self::Unix(path) => Box::new(UnixStream::connect(path).await?) as Box<dyn Stream>,
            })
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(
            |error: io::Error| {
                let failure = Failure::new(Kind::Lab, format!("cannot connect to {self}: {error}"));
                match error.kind() {
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                        failure.hint("is the daemon running, and is this its address?")
                    }
                    // Of a certificate that we do not know, and of something that is no TLS.
                    io::ErrorKind::InvalidData if error.to_string().contains("certificate") => {
                        failure.hint("name the file of its CA as `ca` in lab.toml, or in $LAVA_CA")
                    }
                    io::ErrorKind::InvalidData => {
                        failure.hint("does it speak TLS? else it is http://")
                    }
                    _ => failure,
                }
            },
        )
    }
}

/// The host of `HOST:PORT`.
fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let (make, rest): (fn(String) -> Self, _) = match (
            text.strip_prefix(HTTPS),
            text.strip_prefix(HTTP),
        ) {
            (Some(rest), _) => (Self::Tls, rest),
            (None, Some(rest)) => (Self::Tcp, rest),
            (None, None) => {
                return Err(format!(
                    "{text:?} is no daemon's address; write http://HOST:PORT, https://HOST:PORT or \
                         unix:PATH"
                ));
            }
        };
        let host = rest.trim_end_matches('/');
        match host.rsplit_once(':') {
            Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(make(host.to_owned()))
            }
            _ => Err(format!("{text:?} has no port; write http://HOST:PORT or https://HOST:PORT")),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{HTTP}{address}"),
            Self::Tls(address) => write!(f, "{HTTPS}{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_splits_into_its_daemon_and_path() {
        let (endpoint, path) = Endpoint::split("http://127.0.0.1:7100/consoles/panda01").unwrap();
        assert_eq!(endpoint, Endpoint::Tcp("127.0.0.1:7100".into()));
        assert_eq!(path, "/consoles/panda01");
        let (endpoint, path) = Endpoint::split("unix:/run/lava/a.sock:/consoles/x").unwrap();
        assert_eq!(endpoint, Endpoint::Unix("/run/lava/a.sock".into()));
        assert_eq!(path, "/consoles/x");
        let (endpoint, path) = Endpoint::split("https://lab.example:7100/consoles/x").unwrap();
        assert_eq!(endpoint, Endpoint::Tls("lab.example:7100".into()));
        assert_eq!((path.as_str(), endpoint.host()), ("/consoles/x", "lab.example:7100"));
        assert!(Endpoint::split("127.0.0.1/consoles").is_err());
        assert!(Endpoint::split("http://host").is_err());
    }

    #[test]
    fn a_token_goes_only_where_nobody_reads_along() {
        let private = |text: &str| text.parse::<Endpoint>().unwrap().is_private();
        for text in
            ["https://h:1", "unix:/x", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"]
        {
            assert!(private(text), "{text}");
        }
        assert!(!private("http://lab.example:1") && !private("http://192.0.2.1:1"));
    }
}
