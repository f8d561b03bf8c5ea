//! A real board and a real power unit: QEMU behind a pty, and snmpd whose outlets switch it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::daemon::Daemon;
use super::heard::Heard;
use super::lab::{TestLab, run};
use super::process::{Process, needs};
use super::wait::{LIMIT, wait_until};

/// U-Boot and Linux on QEMU. Its serial line outlives its power; see tests/rig/board.py.
pub(crate) struct RealBoard {
    /// Takes QEMU down with it.
    _process: Daemon,
    folder: PathBuf,
}

/// A net-snmp agent that speaks as an APC rack PDU; see tests/rig/pdu.py.
pub(crate) struct RealPdu {
    _process: Process,
    log: Heard,
    address: SocketAddr,
}

impl RealBoard {
    /// An arm64 board that is off, behind outlet number `outlet` of the lab's [`RealPdu`].
    pub(crate) fn start(lab: &TestLab, outlet: u32) -> Self {
        Self::of("arm64", lab, outlet)
    }

    /// A board of one of the kinds that board.py knows.
    pub(crate) fn of(kind: &str, lab: &TestLab, outlet: u32) -> Self {
        needs(Path::new(match kind {
            "ipxe" => "/usr/lib/ipxe/qemu/pxe-virtio.rom",
            "grub" | "menu" | "shell" => "/usr/share/OVMF/OVMF_CODE.fd",
            "direct-arm64" => "/usr/bin/qemu-system-aarch64",
            "direct-amd64" => "/usr/bin/qemu-system-x86_64",
            "mps2" => "/usr/bin/qemu-system-arm",
            _ => "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
        }));
        let folder = lab.path(&format!("outlets/{outlet}"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = lab.tool(rig("board.py"));
        Self { _process: Daemon::start("board.py", command.arg(&folder).arg(kind)), folder }
    }

    /// The serial adapter, which is always there.
    pub(crate) fn tty(&self) -> PathBuf {
        self.folder.join("tty")
    }

    /// What the board can fetch by TFTP.
    pub(crate) fn tftp(&self) -> PathBuf {
        self.folder.join("tftp")
    }

    /// Where a board without a boot loader has what it begins with.
    pub(crate) fn flash(&self) -> PathBuf {
        self.folder.join("flash")
    }

    /// Switches the power past the PDU, or asks with `status`; gives `on` or `off`.
    pub(crate) fn power(&self, word: &str) -> String {
        let mut outlet = Command::new(rig("outlet.py"));
        outlet.arg(self.folder.parent().unwrap()).arg(self.folder.file_name().unwrap()).arg(word);
        let said = run(&mut outlet, "", LIMIT);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }
}

impl RealPdu {
    /// The community that may switch.
    pub(crate) const COMMUNITY: &str = "private";

    pub(crate) fn start(lab: &TestLab) -> Self {
        let hook = format!("{} {}", rig("outlet.py").display(), lab.path("outlets").display());
        let config = lab.write(
            "snmpd.conf",
            &format!(
                "agentaddress udp:127.0.0.1:0\n\
                 rocommunity public 127.0.0.1\n\
                 rwcommunity {} 127.0.0.1\n\
                 createUser lava SHA authpass123 AES privpass123\n\
                 rwuser lava priv\n\
                 pass_persist .1.3.6.1.4.1.318.1.1.12 {} --hook {hook}\n",
                Self::COMMUNITY,
                rig("pdu.py").display(),
            ),
        );
        let mut snmpd = lab.tool("snmpd");
        snmpd.args(["-f", "-Lo", "-C", "-c", &config]);
        snmpd.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
        snmpd.env("SNMP_PERSISTENT_DIR", lab.path("snmp")).env("MIBS", "");
        snmpd.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::spawn(&mut snmpd);
        let log = Heard::from(process.child().stdout.take().unwrap());
        let mut port = None;
        wait_until(LIMIT, "snmpd listens", || {
            assert!(process.exited().is_none(), "snmpd has ended: {}", log.text());
            port = udp_port(process.pid());
            port.is_some()
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port.unwrap()));
        Self { _process: process, log, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for RealPdu {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- snmpd said:\n{}", self.log.text());
        }
    }
}

pub(crate) fn rig(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rig").join(script)
}

/// What the board boots over the network, as tests/run has prepared it.
pub(crate) fn boot_file(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/boot").join(name);
    needs(&file).to_owned()
}

/// A UDP port of this host that was free a moment ago.
pub(crate) fn free_udp_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The UDP port on 127.0.0.1 that a process listens on: snmpd does not tell which it was given.
pub(crate) fn udp_port(pid: u32) -> Option<u16> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let sockets: Vec<String> = open
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
            Some(target)
        })
        .collect();
    let table = std::fs::read_to_string("/proc/net/udp").ok()?;
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = fields.get(1)?.strip_prefix("0100007F:")?;
        let ours = sockets.iter().any(|inode| fields.get(9) == Some(&inode.as_str()));
        u16::from_str_radix(port, 16).ok().filter(|_| ours)
    })
}
