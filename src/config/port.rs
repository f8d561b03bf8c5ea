//! The text form of a port: `tty:/dev/ttyUSB0,115200n8`, `exec:PROGRAM ARGS`, `tcp:HOST:PORT`,
//! `telnet:HOST:PORT`, `rfc2217:HOST:PORT,115200n8`, `unix:PATH`, `sim:uart`, `sim:uart,timed`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::model::line::{Framing, FramingError};

/// What a console's port is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortSpec {
    /// A serial line.
    Tty { path: PathBuf, framing: Framing },
    /// A program on a pty. Its words are split as a shell would; no shell runs.
    Exec { program: String, arguments: Vec<String> },
    /// `HOST:PORT` of a TCP server that passes bytes through.
    Tcp(String),
    /// `HOST:PORT` of a telnet server.
    Telnet(String),
    /// A telnet server that sets its line by RFC 2217. Without `framing` the line is left as the
    /// server has it.
    Rfc2217 { address: String, framing: Option<Framing> },
    /// A Unix stream socket.
    Unix(PathBuf),
    /// A simulated serial adapter with a loop-back plug: TX to RX, RTS to CTS, DTR to DSR.
    SimUart {
        /// Bytes take the time that they take on a real line.
        timed: bool,
        /// A Unix socket that the adapter is plugged into: it is there while somebody listens, and
        /// is told over it what its far end is and does.
        control: Option<PathBuf>,
    },
}

/// Why a text is no [`PortSpec`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    #[error(
        "port {0:?} has no known kind; write tty:/dev/ttyUSB0,115200n8, exec:PROGRAM ARGS, \
         tcp:HOST:PORT, telnet:HOST:PORT, rfc2217:HOST:PORT,115200n8, unix:PATH or sim:uart"
    )]
    Kind(String),
    #[error("port {0:?} names no device, program, address or path")]
    Empty(String),
    #[error(transparent)]
    Framing(#[from] FramingError),
    #[error("port {text:?} is no host and port number; write {kind}:HOST:PORT")]
    Address { kind: String, text: String },
    #[error("there is no simulated {0:?}; write sim:uart, sim:uart,timed or sim:uart,control=PATH")]
    Sim(String),
    #[error("the words of {0:?} cannot be split: a quote is open")]
    Words(String),
}

impl FromStr for PortSpec {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let (kind, rest) = text.split_once(':').ok_or_else(|| PortError::Kind(text.to_owned()))?;
        if !matches!(kind, "tty" | "exec" | "tcp" | "telnet" | "rfc2217" | "unix" | "sim") {
            return Err(PortError::Kind(text.to_owned()));
        }
        if rest.trim().is_empty() {
            return Err(PortError::Empty(text.to_owned()));
        }
        match kind {
            "tty" => {
                let (path, framing) = rest.split_once(',').unwrap_or((rest, "115200n8"));
                Ok(Self::Tty { path: path.into(), framing: framing.parse()? })
            }
            "exec" => {
                let words = shlex::split(rest).ok_or_else(|| PortError::Words(rest.to_owned()))?;
                let mut words = words.into_iter();
                let program = words.next().ok_or_else(|| PortError::Empty(text.to_owned()))?;
                Ok(Self::Exec { program, arguments: words.collect() })
            }
            "tcp" => Ok(Self::Tcp(parse_address(kind, rest)?)),
            "telnet" => Ok(Self::Telnet(parse_address(kind, rest)?)),
            "rfc2217" => {
                let (address, framing) = match rest.split_once(',') {
                    Some((address, framing)) => (address, Some(framing.parse()?)),
                    None => (rest, None),
                };
                Ok(Self::Rfc2217 { address: parse_address(kind, address)?, framing })
            }
            "sim" => parse_sim(rest).ok_or_else(|| PortError::Sim(rest.to_owned())),
            _ => Ok(Self::Unix(rest.into())),
        }
    }
}

impl PortSpec {
    /// For people to see: the arguments of a program may be passwords, and are left out.
    pub fn shown(&self) -> String {
        match self {
            Self::Exec { program, arguments } if !arguments.is_empty() => {
                format!("exec:{program} …")
            }
            port => port.to_string(),
        }
    }

    /// How the line is set when the port is opened.
    pub fn framing(&self) -> Framing {
        match self {
            Self::Tty { framing, .. } | Self::Rfc2217 { framing: Some(framing), .. } => *framing,
            Self::Exec { .. }
            | Self::Tcp(_)
            | Self::Telnet(_)
            | Self::Rfc2217 { framing: None, .. }
            | Self::Unix(_)
            | Self::SimUart { .. } => Framing::default(),
        }
    }
}

/// Reads `uart` and its options.
fn parse_sim(text: &str) -> Option<PortSpec> {
    let mut words = text.split(',');
    if words.next() != Some("uart") {
        return None;
    }
    let (mut timed, mut control) = (false, None);
    for word in words {
        match word.split_once('=') {
            None if word == "timed" => timed = true,
            Some(("control", path)) if !path.is_empty() => control = Some(path.into()),
            _ => return None,
        }
    }
    Some(PortSpec::SimUart { timed, control })
}

/// Reads `HOST:PORT`, also in the form of a URL: `//HOST:PORT/`.
fn parse_address(kind: &str, text: &str) -> Result<String, PortError> {
    let address = match text.strip_prefix("//") {
        Some(url) => url.strip_suffix('/').unwrap_or(url),
        None => text,
    };
    let is_host =
        |host: &str| !host.is_empty() && !host.contains(|c: char| c == '/' || c.is_whitespace());
    match address.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0) => {
            Ok(address.to_owned())
        }
        _ => Err(PortError::Address { kind: kind.to_owned(), text: format!("{kind}:{text}") }),
    }
}

impl fmt::Display for PortSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tty { path, framing } => {
                write!(f, "tty:{},{framing}", path.display())
            }
            Self::Exec { program, arguments } => {
                let words = std::iter::once(program).chain(arguments).map(String::as_str);
                match shlex::try_join(words) {
                    Ok(words) => write!(f, "exec:{words}"),
                    Err(_) => write!(f, "exec:{program} …"),
                }
            }
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Telnet(address) => write!(f, "telnet:{address}"),
            Self::Rfc2217 { address, framing: Some(framing) } => {
                write!(f, "rfc2217:{address},{framing}")
            }
            Self::Rfc2217 { address, framing: None } => write!(f, "rfc2217:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::SimUart { timed, control } => {
                f.write_str(if *timed { "sim:uart,timed" } else { "sim:uart" })?;
                match control {
                    Some(path) => write!(f, ",control={}", path.display()),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_kind_of_port_is_read_and_written_back() {
        for text in [
            "tty:/dev/ttyUSB0,115200n8",
            "tty:/dev/ttyS1,9600e72",
            "tty:/dev/ttyS1,50m51.5",
            "exec:cat -u 'a b'",
            "tcp:console01:7001",
            "telnet:console01:7001",
            "rfc2217:console01:7001",
            "rfc2217:[::1]:7001,9600e72",
            "unix:/run/board.sock",
            "sim:uart",
            "sim:uart,timed",
            "sim:uart,timed,control=/run/far.sock",
        ] {
            let spec: PortSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
        let secret: PortSpec = "exec:ipmitool -P secret sol activate".parse().unwrap();
        assert_eq!(secret.shown(), "exec:ipmitool …");
        assert_eq!("exec:cat".parse::<PortSpec>().unwrap().shown(), "exec:cat");
        assert_eq!(
            "tty:/dev/ttyS0".parse::<PortSpec>().unwrap().to_string(),
            "tty:/dev/ttyS0,115200n8"
        );
    }

    #[test]
    fn addresses_may_be_urls() {
        for (url, normal) in [
            ("tcp://console01:7001", "tcp:console01:7001"),
            ("telnet://console01:7001/", "telnet:console01:7001"),
            ("rfc2217://console01:7001", "rfc2217:console01:7001"),
            ("rfc2217://[::1]:7001,9600e7", "rfc2217:[::1]:7001,9600e7"),
        ] {
            assert_eq!(url.parse::<PortSpec>().unwrap().to_string(), normal);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!("/dev/ttyS0".parse::<PortSpec>(), Err(PortError::Kind("/dev/ttyS0".into())));
        assert_eq!("tty:".parse::<PortSpec>(), Err(PortError::Empty("tty:".into())));
        let framing = PortError::Framing(FramingError("fast".into()));
        assert_eq!("tty:/dev/x,fast".parse::<PortSpec>(), Err(framing.clone()));
        assert_eq!("rfc2217:host:23,fast".parse::<PortSpec>(), Err(framing));
        for text in ["tcp:host", "tcp:host:0", "telnet::23", "telnet://host:23/x"] {
            let (kind, text) = (text.split(':').next().unwrap().to_owned(), text.to_owned());
            assert_eq!(text.parse::<PortSpec>(), Err(PortError::Address { kind, text }));
        }
        for sim in ["modem", "uart,fast", "uart,control=", "uarts"] {
            let told = Err(PortError::Sim(sim.to_owned()));
            assert_eq!(format!("sim:{sim}").parse::<PortSpec>(), told);
        }
        assert_eq!("exec:a 'b".parse::<PortSpec>(), Err(PortError::Words("a 'b".into())));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}", framing in "[0-9a-z]{0,12}") {
            let _ = text.parse::<PortSpec>();
            let _ = format!("tty:/dev/x,{framing}").parse::<PortSpec>();
        }
    }
}
