//! The addresses that daemons are told to listen on: does the right one, or can it?

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Finding, quoted};
use crate::client::{Endpoint, Http};
use crate::config::power::PowerConfig;
use crate::config::serial::SerialConfig;
use crate::config::ssh::SshConfig;
use crate::model::shown;
use crate::sys::user_name;

const CHECK: &str = "ports";
/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The state of a socket that listens, in /proc/net/tcp.
const LISTENS: &str = "0A";

/// An address of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port<'a> {
    at: SocketAddr,
    /// What is to be had there: `telnet of panda01`.
    what: String,
    /// It answers questions by HTTP, without TLS.
    asks: bool,
    /// The program that is to listen, and the configuration that says so.
    program: &'static str,
    file: &'a Path,
}

impl fmt::Display for Port<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.at, self.what)
    }
}

/// A socket that listens.
struct Listener {
    at: SocketAddr,
    uid: u32,
    /// The processes that have it, as far as we may see.
    programs: Vec<(String, u32)>,
}

pub(super) fn of_serial<'a>(config: &SerialConfig, file: &'a Path) -> Vec<Port<'a>> {
    let port = |at, what| Port { at, what, asks: false, program: "lava-serial", file };
    let mut ports: Vec<Port<'_>> = Vec::new();
    ports.extend(
        config
            .http
            .iter()
            .map(|http| Port { asks: http.tls.is_none(), ..port(http.listen, "[http]".into()) }),
    );
    ports.extend(config.conmux.iter().map(|conmux| port(conmux.registry, "[conmux]".into())));
    for console in &config.consoles {
        let lines = console.lines();
        ports.extend(lines.map(|(line, at)| port(at, format!("{line} of {}", console.name))));
    }
    ports
}

pub(super) fn of_power<'a>(config: &PowerConfig, file: &'a Path) -> Vec<Port<'a>> {
    let port =
        |at, what: &str| Port { at, what: what.into(), asks: false, program: "lava-power", file };
    let mut ports: Vec<Port<'_>> = Vec::new();
    let http = config.http.iter();
    ports.extend(http.map(|it| Port { asks: it.tls.is_none(), ..port(it.listen, "[http]") }));
    let pdudaemon = config.pdudaemon.iter().flat_map(|it| it.http.into_iter().chain(it.tcp));
    ports.extend(pdudaemon.map(|at| port(at, "[pdudaemon]")));
    ports.extend(config.powerman.iter().map(|it| port(it.listen, "[powerman]")));
    ports
}

pub(super) fn of_ssh<'a>(config: &SshConfig, file: &'a Path) -> Vec<Port<'a>> {
    let port = |at: &SocketAddr| {
        let (at, what) = (*at, "[ssh]".into());
        Port { at, what, asks: false, program: "lava-ssh", file }
    };
    config.listen.iter().map(port).collect()
}

/// Nothing is connected to but HTTP: who connects to a console is at it.
pub(super) async fn look(ports: Vec<Port<'_>>, findings: &mut Vec<Finding>) {
    let listeners = listeners();
    let (mut good, mut nobody) = (Vec::new(), Vec::new());
    for port in ports.into_iter().filter(|port| port.at.port() != 0) {
        match listeners.iter().find(|listener| listener.is_at(port.at)) {
            Some(listener) => match listener.is_ours() && (!port.asks || answers(port.at).await) {
                true => good.push(port.to_string()),
                false => findings.push(taken(&port, listener)),
            },
            None => match TcpListener::bind(port.at) {
                Ok(_) => nobody.push(port.to_string()),
                Err(error) => findings.push(impossible(&port, &error)),
            },
        }
    }
    if !good.is_empty() {
        findings.push(Finding::good(CHECK, format!("served: {}", good.join(", "))));
    }
    if !nobody.is_empty() {
        findings.push(Finding::unknown(CHECK, format!("nobody listens: {}", nobody.join(", "))));
    }
}

fn taken(port: &Port<'_>, listener: &Listener) -> Finding {
    let by = match &listener.programs[..] {
        [] => format!("a process of {}", user_name(listener.uid)),
        programs => {
            let each =
                programs.iter().map(|(program, pid)| format!("{} (pid {pid})", shown(program)));
            each.collect::<Vec<_>>().join(" and ")
        }
    };
    let what = match listener.is_ours() {
        true => format!("{port} is in use by {by}, which does not answer"),
        false => format!("{port} cannot be listened on: it is in use by {by}"),
    };
    let mend = format!("sudo ss -ltnp 'sport = :{}'   # who has it", port.at.port());
    Finding::wrong(CHECK, what, mend)
}

fn impossible(port: &Port<'_>, error: &std::io::Error) -> Finding {
    let Port { program, file, at, .. } = port;
    let file = quoted(file);
    let mend = match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "sudo setcap cap_net_bind_service=+ep \"$(command -v {program})\"   # or a port above 1023 in \
             {file}; the unit needs a drop-in, as lava-ssh.service tells"
        ),
        ErrorKind::AddrNotAvailable => {
            format!(
                "${{EDITOR:-vi}} {file}   # this host has no {}; `ip -br address` tells which it has",
                at.ip()
            )
        }
        _ => format!("sudo ss -ltnp 'sport = :{}'   # who has it", at.port()),
    };
    Finding::wrong(CHECK, format!("{port} cannot be listened on: {error}"), mend)
}

async fn answers(at: SocketAddr) -> bool {
    let ip = match at.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let at = SocketAddr::new(ip, at.port()).to_string();
    let http = Http::new(Endpoint::Tcp(at)).with_timeout(PATIENCE);
    http.get_bytes("/healthz").await.is_ok()
}

impl Listener {
    /// Whether nobody else can listen at an address.
    fn is_at(&self, at: SocketAddr) -> bool {
        let (own, ip) = (self.at.ip().to_canonical(), at.ip().to_canonical());
        let everywhere = own.is_unspecified() || ip.is_unspecified();
        self.at.port() == at.port() && (own == ip || everywhere)
    }

    /// Whether it is of one of our programs, or, where that is not to be seen, of their user's. systemd has
    /// it too, where it keeps it over a restart.
    fn is_ours(&self) -> bool {
        let ours = |program: &str| program.starts_with("lava") || program == "ser2net";
        match self.programs.is_empty() {
            true => user_name(self.uid) == "lava",
            false => self.programs.iter().any(|(program, _)| ours(program)),
        }
    }
}

/// All that listen on this host by TCP.
fn listeners() -> Vec<Listener> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    let rows = tables.iter().flatten().flat_map(|table| table.lines().skip(1)).filter_map(row);
    let mut found: Vec<(u64, Listener)> = rows.collect();
    let processes = Path::new("/proc").read_dir().into_iter().flatten().flatten();
    for process in processes {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let open = process.path().join("fd").read_dir().into_iter().flatten().flatten();
        let number = |link: PathBuf| {
            link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        };
        let numbers: Vec<u64> =
            open.filter_map(|file| number(std::fs::read_link(file.path()).ok()?)).collect();
        for (_, listener) in found.iter_mut().filter(|(inode, _)| numbers.contains(inode)) {
            let program = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            listener.programs.push((program.trim_end().to_owned(), pid));
        }
    }
    found.into_iter().map(|(_, listener)| listener).collect()
}

/// A line of /proc/net/tcp, if it is of a socket that listens, and the socket's number: proc(5).
fn row(line: &str) -> Option<(u64, Listener)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, state, _, _, _, uid, _, inode, ..] = fields[..] else { return None };
    let (ip, port) = local.split_once(':')?;
    let at = SocketAddr::new(address(ip)?, u16::from_str_radix(port, 16).ok()?);
    let listener = Listener { at, uid: uid.parse().ok()?, programs: Vec::new() };
    (state == LISTENS).then_some((inode.parse().ok()?, listener))
}

/// An address as words of 32 bits, each in the byte order of this host.
fn address(hex: &str) -> Option<IpAddr> {
    let words = hex.as_bytes().chunks(8).map(|word| {
        let word = std::str::from_utf8(word).ok()?;
        u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes)
    });
    let bytes = words.collect::<Option<Vec<[u8; 4]>>>()?.concat();
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_listener_is_read_from_the_kernels_table() {
        let line = "   0: 0100007F:1BBC 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0";
        let (inode, listener) = row(line).unwrap();
        assert_eq!((inode, listener.uid), (4711, 1000));
        assert_eq!(listener.at, "127.0.0.1:7100".parse().unwrap());
        assert!(row(&line.replace(" 0A ", " 01 ")).is_none());
        let at = |text: &str| listener.is_at(text.parse().unwrap());
        assert!(at("127.0.0.1:7100") && at("0.0.0.0:7100") && at("[::]:7100"));
        assert!(!at("127.0.0.1:7101") && !at("127.0.0.2:7100"));
        assert_eq!(
            address("00000000000000000000000001000000"),
            Some(IpAddr::from(Ipv6Addr::LOCALHOST))
        );
    }
}
