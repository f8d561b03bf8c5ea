//! Where a daemon listens.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::model::{Failure, Kind};

/// How long to wait for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The address of a daemon: `http://HOST:PORT` or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `HOST:PORT`, the host as a name or an address.
    Tcp(String),
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
        let scheme = if url.starts_with("http://") { "http://".len() } else { 0 };
        let (host, path) = match url[scheme..].split_once('/') {
            Some((host, path)) => (&url[..scheme + host.len()], path),
            None => (url, ""),
        };
        Ok((host.parse()?, format!("/{path}")))
    }

    /// Connects.
    ///
    /// # Errors
    /// A [`Kind::Lab`] failure that names the address and what the system said. Cancel safe.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let connecting = async {
            Ok(match self {
                Self::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    Box::new(stream) as Box<dyn Stream>
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
                    _ => failure,
                }
            },
        )
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let host = text.strip_prefix("http://").ok_or_else(|| {
            format!("{text:?} is no daemon's address; write http://HOST:PORT or unix:PATH")
        })?;
        match host.trim_end_matches('/').rsplit_once(':') {
            Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(host.trim_end_matches('/').to_owned()))
            }
            _ => Err(format!("{text:?} has no port; write http://HOST:PORT")),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
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
        assert!(Endpoint::split("127.0.0.1/consoles").is_err());
        assert!(Endpoint::split("http://host").is_err());
    }
}
