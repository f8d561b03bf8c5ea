//! A real SNMP agent with the recording of a real PDU in it.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use snmp2::{Oid, SyncSession};

use crate::common::{Heard, LIMIT, Process, TestLab, rig, signal, udp_port, wait_until};

/// net-snmp's snmpd, whose outlets are those of an AP8641; see tests/rig/recorded_pdu.py.
pub(crate) struct Agent {
    process: Process,
    log: Heard,
    address: SocketAddr,
    recording: PathBuf,
}

/// May switch, as the users below may; `public` may only look.
pub(crate) const COMMUNITY: &str = "private";
/// Of every user.
pub(crate) const AUTH: &str = "authpass123";
pub(crate) const PRIV: &str = "privpass123";

const FIRST_OUTLET: &[u64] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 12, 3, 3, 1, 1, 4, 1];

const ACCESS: &str = "rwcommunity private 127.0.0.1
rocommunity public 127.0.0.1
createUser sha_aes SHA authpass123 AES privpass123
createUser sha256_aes256 SHA-256 authpass123 AES-256 privpass123
createUser sha_aes256 SHA authpass123 AES-256 privpass123
createUser md5_des MD5 authpass123 DES privpass123
createUser only_auth SHA-512 authpass123
createUser nothing
rwuser sha_aes priv
rwuser sha256_aes256 priv
rwuser sha_aes256 priv
rwuser md5_des priv
rwuser only_auth auth
rwuser nothing noauth
";

impl Agent {
    /// `stuck` outlets take every request and do not switch.
    pub(crate) fn start(lab: &TestLab, name: &str, stuck: &[u32]) -> Self {
        let recording = lab.path(&format!("{name}.snmprec"));
        std::fs::copy(rig("recordings/apc-8641.snmprec"), &recording).unwrap();
        let mut serve = format!("{} {}", rig("recorded_pdu.py").display(), recording.display());
        for (at, outlet) in stuck.iter().enumerate() {
            serve += &format!("{} {outlet}", if at == 0 { " --stuck" } else { "" });
        }
        let config = format!(
            "agentaddress udp:127.0.0.1:0\n{ACCESS}pass_persist .1.3.6.1.4.1.318.1.1 {serve}\n"
        );
        let mut snmpd = lab.tool("snmpd");
        snmpd.args(["-f", "-Lo", "-C", "-c", &lab.write(&format!("{name}.conf"), &config)]);
        snmpd.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
        snmpd.env("SNMP_PERSISTENT_DIR", lab.path(&format!("{name}.snmp"))).env("MIBS", "");
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
        // snmpd starts the recording's program with the first question about it.
        wait_until(LIMIT, "the recording is read", || {
            let limit = Some(Duration::from_secs(1));
            let mut session = SyncSession::new_v2c(address, b"public", limit, 1).unwrap();
            session.get(&Oid::from(FIRST_OUTLET).unwrap()).is_ok()
        });
        Self { process, log, address, recording }
    }

    /// A `[[pdu]]` of lava-power for this agent; `access` is the rest of its keys.
    pub(crate) fn pdu(&self, name: &str, access: &str) -> String {
        let address = self.address;
        format!(
            "[[pdu]]\nname = \"{name}\"\ndriver = \"snmp\"\naddress = \"{address}\"\n{access}\n"
        )
    }

    /// The same, behind a network that holds back every answer for `delay`.
    pub(crate) fn slow_pdu(&self, name: &str, access: &str, delay: Duration) -> String {
        let (near, far) = (UdpSocket::bind("127.0.0.1:0").unwrap(), self.address);
        let address = near.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut question = [0; 2048];
            while let Ok((length, asker)) = near.recv_from(&mut question) {
                let (near, question) = (near.try_clone().unwrap(), question[..length].to_vec());
                std::thread::spawn(move || {
                    let agent = UdpSocket::bind("127.0.0.1:0").unwrap();
                    agent.send_to(&question, far).unwrap();
                    let mut answer = [0; 2048];
                    let length = agent.recv(&mut answer).unwrap();
                    std::thread::sleep(delay);
                    // Who asked may have lost patience.
                    let _ = near.send_to(&answer[..length], asker);
                });
            }
        });
        self.pdu(name, access).replace(&far.to_string(), &address.to_string())
    }

    /// What outlets were asked for, in order: outlet number and value.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.recording.with_extension("snmprec.log"));
        log.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Stops the agent in its tracks, as a hung one is.
    pub(crate) fn stop(&self) {
        signal(self.process.pid(), Signal::STOP);
        let stat = PathBuf::from(format!("/proc/{}/stat", self.process.pid()));
        wait_until(LIMIT, "snmpd stands still", || state(&stat) == "T");
    }

    pub(crate) fn go_on(&self) {
        signal(self.process.pid(), Signal::CONT);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- snmpd said:\n{}", self.log.text());
        }
    }
}

/// The state letter of a process: after its name, which is in parentheses.
fn state(stat: &Path) -> String {
    let stat = std::fs::read_to_string(stat).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().next().unwrap().to_owned()
}
