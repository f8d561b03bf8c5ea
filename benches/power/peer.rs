//! The daemons that are measured: lava-power, and pdudaemon as tests/rig/pdudaemon installs it.

use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};

use crate::pdu::{OID, Pdus};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    LavaPower,
    Pdudaemon,
}

/// How long a start may take, and an end.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is tried whether it listens.
const TRY: Duration = Duration::from_micros(500);

/// A running daemon.
pub(crate) struct Peer {
    name: Name,
    child: Child,
    /// From its start to listening.
    pub(crate) start: Duration,
    pub(crate) address: SocketAddr,
    hosts: Vec<Ipv4Addr>,
    _dir: tempfile::TempDir,
}

impl Name {
    pub(crate) fn is_there(self) -> bool {
        self == Self::LavaPower || pdudaemon().exists()
    }

    fn command(self, dir: &Path, listen: SocketAddr, hosts: &[Ipv4Addr]) -> Result<Command> {
        let config = dir.join("config.toml");
        let mut text = String::new();
        let mut command = match self {
            Self::LavaPower => {
                write!(text, "[pdudaemon]\nlisten = \"{listen}\"\n")?;
                for (at, host) in hosts.iter().enumerate() {
                    write!(
                        text,
                        "[[pdu]]\nname = \"pdu{at}\"\ndriver = \"snmp\"\naddress = \"{host}\"\n\
                         profile = \"apc-rpdu\"\nversion = \"1\"\ncommunity = \"private\"\n\
                         [[outlet]]\nname = \"board{at}\"\npdu = \"pdu{at}\"\nport = 1\n"
                    )?;
                }
                let mut command = Command::new(env!("CARGO_BIN_EXE_lava-power"));
                command.arg("--config");
                command
            }
            Self::Pdudaemon => {
                let (host, port) = (listen.ip(), listen.port());
                let pdu = |host: &Ipv4Addr| {
                    format!(
                        r#""{host}": {{"driver": "snmpv1", "community": "private", "oid": "{OID}.*", "onsetting": 1, "offsetting": 2}}"#
                    )
                };
                let pdus: Vec<String> = hosts.iter().map(pdu).collect();
                write!(
                    text,
                    r#"{{"daemon": {{"hostname": "{host}", "port": {port}, "listener": "http"}}, "pdus": {{{}}}}}"#,
                    pdus.join(",\n")
                )?;
                let mut command = Command::new(pdudaemon());
                command.args(["--loglevel", "ERROR", "--conf"]);
                command
            }
        };
        std::fs::write(&config, text)?;
        command.arg(config).env("LAVA_RUNTIME_DIR", dir).env("STATE_DIRECTORY", dir);
        command.env("LAVA_LOG", "error").stdin(Stdio::null()).stdout(Stdio::null());
        Ok(command)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LavaPower => "lava-power",
            Self::Pdudaemon => "pdudaemon",
        })
    }
}

fn pdudaemon() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/pdudaemon/bin/pdudaemon")
}

impl Peer {
    /// Starts it with all of the PDUs, and waits until it listens.
    pub(crate) fn start(name: Name, pdus: &Pdus) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let hosts: Vec<Ipv4Addr> = pdus.hosts().collect();
        let mut command = name.command(dir.path(), address, &hosts)?;
        let begin = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        while TcpStream::connect(address).is_err() {
            if child.try_wait()?.is_some() || begin.elapsed() > LIMIT {
                bail!("{name} does not listen");
            }
            std::thread::sleep(TRY);
        }
        Ok(Self { name, child, start: begin.elapsed(), address, hosts, _dir: dir })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a client asks for: pdudaemon knows its PDUs by their addresses.
    pub(crate) fn path(&self, pdu: usize, on: bool) -> String {
        let word = if on { "on" } else { "off" };
        match self.name {
            Name::LavaPower => format!("/power/control/{word}?hostname=pdu{pdu}&port=1"),
            Name::Pdudaemon => {
                format!("/power/control/{word}?hostname={}&port=1", self.hosts[pdu])
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // pdudaemon waits for what its threads still do.
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
