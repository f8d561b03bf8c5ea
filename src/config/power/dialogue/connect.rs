//! The way to a PDU: a port as consoles have them, or a console of ours with the PDU on it.

use std::fmt;

use crate::config::lab::LoginFiles;
use crate::config::url::resource_url;
use crate::config::{PortError, PortSpec};

/// Where a PDU is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connect {
    Port(PortSpec),
    /// The URL of a console that a relay board is on, and how its daemon lets us in.
    Console {
        url: String,
        login: LoginFiles,
    },
}

/// The port of telnet (RFC 854).
const TELNET: u16 = 23;

impl Connect {
    /// Reads `telnet:HOST[:PORT]`, any other port, or `console:URL`. `tcp_port` is where such PDUs
    /// listen.
    ///
    /// # Errors
    /// How to write one.
    pub(super) fn parse(text: &str, tcp_port: Option<u16>) -> Result<Self, String> {
        if let Some(url) = text.strip_prefix("console:") {
            let url = resource_url(url, "console")?;
            return Ok(Self::Console { url, login: LoginFiles::default() });
        }
        let spec = match (text.split_once(':'), tcp_port) {
            (Some(("telnet", host)), port) if !has_port(host) => {
                format!("telnet:{host}:{}", port.unwrap_or(TELNET)).parse()
            }
            (Some(("tcp", host)), Some(port)) if !has_port(host) => {
                format!("tcp:{host}:{port}").parse()
            }
            _ => text.parse(),
        };
        match spec {
            Ok(PortSpec::SimUart { .. }) | Err(PortError::Kind(_) | PortError::Sim(_)) => {
                Err(format!(
                    "{text:?} leads nowhere; write telnet:HOST, tcp:HOST:PORT, tty:/dev/ttyUSB0,9600n8, \
                 exec:ssh -T USER@HOST, unix:PATH or console:URL"
                ))
            }
            Ok(spec) => Ok(Self::Port(spec)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Connect {
    /// Where that is, for messages: of a program only its name.
    pub fn place(&self) -> String {
        match self {
            Self::Port(spec) => spec.shown(),
            Self::Console { url, .. } => format!("console:{url}"),
        }
    }
}

/// Whether the end of `HOST:PORT` is there; a bare IPv6 address has none.
fn has_port(host: &str) -> bool {
    match host.rsplit_once(':') {
        Some((host, _)) => !host.contains(':') || host.ends_with(']'),
        None => false,
    }
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(spec) => spec.fmt(f),
            Self::Console { url, .. } => write!(f, "console:{url}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_the_pdus_is_added() {
        for (text, tcp_port, full) in [
            ("telnet:pdu1", None, "telnet:pdu1:23"),
            ("telnet:pdu1", Some(1234), "telnet:pdu1:1234"),
            ("telnet:pdu1:7001", Some(1234), "telnet:pdu1:7001"),
            ("tcp:[fd00::7]", Some(17494), "tcp:[fd00::7]:17494"),
            ("tcp:[fd00::7]:1", Some(17494), "tcp:[fd00::7]:1"),
            ("tty:/dev/ttyUSB0,9600n8", None, "tty:/dev/ttyUSB0,9600n8"),
            ("exec:ssh -T root@acme", None, "exec:ssh -T root@acme"),
            ("unix:/run/vpc", Some(1), "unix:/run/vpc"),
            (
                "console:http://127.0.0.1:7100/consoles/relays",
                None,
                "console:http://127.0.0.1:7100/consoles/relays",
            ),
        ] {
            assert_eq!(Connect::parse(text, tcp_port).unwrap().to_string(), full);
        }
        for wrong in ["tcp:pdu1", "pdu1", "sim:uart", "console:relays", "telnet:", "exec:a 'b"] {
            assert!(Connect::parse(wrong, None).is_err(), "{wrong}");
        }
    }
}
