//! snmpsim, a real SNMP agent, as PDUs of any family.

use std::net::SocketAddr;
use std::process::Stdio;

use crate::common::{Heard, LIMIT, Process, TestLab, rig, udp_port, wait_until};

/// One snmpsim with a recording for each PDU: the PDU's name is its community, and its context for
/// version 3. Users and passphrases are those of [`super::agent`].
pub(crate) struct Simulated {
    process: Process,
    log: Heard,
    pub(crate) address: SocketAddr,
}

const SYSTEM: &str = "1.3.6.1.2.1.1";

/// The recording of a PDU: what it says of itself, and its other objects, a line each.
pub(crate) fn recording(description: &str, object_id: &str, objects: &[String]) -> String {
    let mut lines = vec![
        format!("{SYSTEM}.1.0|4|{description}"),
        format!("{SYSTEM}.2.0|6|1.3.6.1.4.1.{object_id}"),
    ];
    lines.extend_from_slice(objects);
    let oid = |line: &str| -> Vec<u32> {
        line.split('|').next().unwrap().split('.').map(|part| part.parse().unwrap()).collect()
    };
    lines.sort_by_key(|line| oid(line));
    lines.dedup();
    lines.join("\n") + "\n"
}

impl Simulated {
    pub(crate) fn start(lab: &TestLab, pdus: &[(&str, String)]) -> Self {
        Self::start_at(lab, "127.0.0.1:0".parse().unwrap(), pdus)
    }

    /// At this address, as one that was restarted. What outlets were is forgotten: they are on.
    pub(crate) fn start_at(lab: &TestLab, address: SocketAddr, pdus: &[(&str, String)]) -> Self {
        let root = lab.path("snmpsim");
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("cache")).unwrap();
        for (name, recording) in pdus {
            lab.write(&format!("snmpsim/data/{name}.snmprec"), recording);
        }
        let program = rig("../../target/rig/snmpsim/bin/snmpsim-command-responder");
        assert!(program.exists(), "snmpsim is missing: tests/rig/snmpsim installs it");
        // Named once, the folder of its own variations is not looked into any more.
        let environment = rig("../../target/rig/snmpsim/lib");
        let own = std::fs::read_dir(environment).unwrap().next().unwrap().unwrap().path();
        let own = own.join("site-packages/snmpsim/variation");
        let mut snmpsim = lab.tool(program.to_str().unwrap());
        let option = |name: &str, value: &str| format!("--{name}={value}");
        let path = |name: &str| root.join(name).to_str().unwrap().to_owned();
        snmpsim.args([
            option("data-dir", &path("data")),
            option("cache-dir", &path("cache")),
            option("variation-modules-dir", own.to_str().unwrap()),
            option("variation-modules-dir", rig("snmpsim.d").to_str().unwrap()),
            option("agent-udpv4-endpoint", &address.to_string()),
            option("v3-user", "sha_aes"),
            option("v3-auth-key", super::agent::AUTH),
            option("v3-auth-proto", "SHA"),
            option("v3-priv-key", super::agent::PRIV),
            option("v3-priv-proto", "AES"),
        ]);
        if rustix::process::getuid().is_root() {
            // It would become nobody, who may not read the recordings.
            snmpsim.args([option("process-user", "root"), option("process-group", "root")]);
        }
        snmpsim.env("HOME", &root).env("PYTHONUNBUFFERED", "1");
        snmpsim.env("PYTHONDONTWRITEBYTECODE", "1");
        snmpsim.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::spawn(&mut snmpsim);
        let log = Heard::from(process.child().stdout.take().unwrap());
        let errors = Heard::from(process.child().stderr.take().unwrap());
        let mut port = None;
        wait_until(LIMIT, "snmpsim listens", || {
            assert!(process.exited().is_none(), "snmpsim: {}{}", log.text(), errors.text());
            port = udp_port(process.pid());
            port.is_some()
        });
        let address = SocketAddr::new(address.ip(), port.unwrap());
        Self { process, log, address }
    }

    /// A `[[pdu]]` of lava-power for one of its PDUs, without a profile.
    pub(crate) fn pdu(&self, name: &str, version: &str) -> String {
        let address = self.address;
        let access = match version {
            "3" => format!(
                "user = \"sha_aes\"\ncontext = \"{name}\"\nauth = \"sha\"\nauth_passphrase = \"{}\"\n\
                 priv = \"aes\"\npriv_passphrase = \"{}\"",
                super::agent::AUTH,
                super::agent::PRIV
            ),
            _ => format!("community = \"{name}\""),
        };
        format!(
            "[[pdu]]\nname = \"{name}\"\ndriver = \"snmp\"\naddress = \"{address}\"\n\
             version = \"{version}\"\n{access}\n"
        )
    }

    /// What was asked for so far, as `OID VALUE`, OIDs without 1.3.6.1.
    pub(crate) fn requests(&self) -> Vec<String> {
        let text = self.log.text();
        let sets = text.lines().filter_map(|line| line.trim_start().strip_prefix("SET 1.3.6.1."));
        sets.map(str::to_owned).collect()
    }

    /// Ends it as a power cut does.
    pub(crate) fn cut(mut self) -> SocketAddr {
        self.process.child().kill().unwrap();
        self.process.child().wait().unwrap();
        self.address
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.log.text();
            let tail: Vec<&str> = text.lines().rev().take(30).collect();
            eprintln!(
                "--- snmpsim said last:\n{}",
                tail.into_iter().rev().collect::<Vec<_>>().join("\n")
            );
        }
    }
}
