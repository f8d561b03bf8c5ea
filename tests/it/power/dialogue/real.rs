//! Programs of others: powerman's simulator and its daemon, and OpenSSH.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::talking::{TalkingPdu, pdu};
use crate::common::{Heard, LIMIT, Process, TestLab, run, wait_until};
use crate::power::Power;

/// A program that may be where only root looks.
fn system(lab: &TestLab, program: &str) -> Command {
    let mut command = lab.tool(program);
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn listens(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.contains(&format!("0100007F:{port:04X} 00000000:0000 0A"))
        || table.contains(&format!("00000000:{port:04X} 00000000:0000 0A"))
}

#[test]
fn powermans_virtual_power_controller_is_switched() {
    let lab = TestLab::new();
    // It forgets its outlets with its session, so this is all in one.
    let config = pdu("vpc", "exec:/usr/sbin/vpcd", "powerman-vpc", "", "3");
    let power = Power::start(&lab, &config);
    for (verb, state) in [("status", "off"), ("on", "on"), ("cycle", "on"), ("off", "off")] {
        assert_eq!(power.done("vpc", verb), format!("{state} verified"), "{verb}");
    }
}

/// Debian has of powerman's simulators only the one above; whether ours is like a PDU, powerman says.
#[test]
fn powerman_itself_switches_the_menus_that_we_switch() {
    let lab = TestLab::new();
    let unit = TalkingPdu::start(&lab, "rack", "apc", "tcp");
    let spec = std::fs::read_to_string("/etc/powerman/apcpdu3.dev")
        .unwrap_or_else(|error| panic!("apcpdu3.dev: {error}; tests/run installs powerman"));
    // The second of these is the password.
    let (user, rest) = spec.split_once("apc\\r\\n").unwrap();
    let spec = format!("{user}apc\\r\\n{}", rest.replacen("apc\\r\\n", "s3cret\\r\\n", 1));
    let spec = lab.write("apc.dev", &spec);
    let (port, place) = (free_port(), unit.connect("tcp").replace("tcp:", ""));
    let config = lab.write(
        "powerman.conf",
        &format!(
            "include \"{spec}\"\nlisten \"127.0.0.1:{port}\"\n\
             device \"rack\" \"apcpdu3\" \"{place}\"\nnode \"panda03\" \"rack\" \"3\"\n"
        ),
    );
    let mut powermand = system(&lab, "powermand");
    powermand.args(["--foreground", "--conf", &config]).stdin(Stdio::null());
    let powermand = Process::spawn(powermand.stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until(LIMIT, "powermand listens", || listens(port));
    let on = run(
        lab.tool("powerman").args(["-h", &format!("127.0.0.1:{port}"), "--on", "panda03"]),
        "",
        LIMIT,
    );
    assert!(on.status.success(), "{}", String::from_utf8_lossy(&on.stdout));
    drop(powermand);
    let power =
        Power::start(&lab, &pdu("panda03", &unit.connect("telnet"), "apc-menu", super::APC, "3"));
    assert_eq!(power.done("panda03", "status"), "on verified");
    assert_eq!(power.done("panda03", "off"), "off verified");
    let switched = unit.switched();
    assert_eq!(switched.last().unwrap(), "3 0");
    assert!(switched.iter().rev().skip(1).all(|line| line == "3 1"), "{switched:?}");
}

/// OpenSSH's server on a loopback port, for one key, with an ACME's commands.
struct Sshd {
    process: Process,
    log: Heard,
    port: u16,
}

impl Sshd {
    fn start(lab: &TestLab) -> Self {
        for key in ["host", "ours", "others"] {
            let path = lab.path(key);
            let mut keygen = lab.tool("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
            assert!(run(&mut keygen, "", LIMIT).status.success());
        }
        for (name, state) in [("dut-switch-on", "1"), ("dut-switch-off", "0")] {
            let script = format!(
                "#!/bin/sh\n[ \"$1\" != 8 ] || {{ echo no such probe; exit 3; }}\n\
                 echo \"$1 {state}\" >> {}\n",
                lab.path("switched").display()
            );
            let path = lab.write(&format!("bin/{name}"), &script);
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(path, executable).unwrap();
        }
        let port = free_port();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {dir}/host\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nAuthorizedKeysFile {dir}/ours.pub\n\
             ForceCommand PATH={dir}/bin:/usr/bin:/bin exec /bin/sh\n",
            dir = lab.dir().display()
        );
        // As root it wants this folder.
        let _ = std::fs::create_dir("/run/sshd");
        let mut sshd = system(lab, "/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f", &lab.write("sshd_config", &config)]);
        let mut process =
            Process::spawn(sshd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()));
        let log = Heard::from(process.child().stderr.take().unwrap());
        wait_until(LIMIT, "sshd listens", || {
            assert!(process.exited().is_none(), "sshd has ended: {}", log.text());
            listens(port)
        });
        Self { process, log, port }
    }

    fn connect(&self, lab: &TestLab, key: &str) -> String {
        format!(
            "exec:ssh -T -F none -o BatchMode=yes -o StrictHostKeyChecking=accept-new \
             -o UserKnownHostsFile={known} -o IdentitiesOnly=yes -i {key} -p {port} {user}@127.0.0.1",
            known = lab.path("known").display(),
            key = lab.path(key).display(),
            port = self.port,
            user = user(),
        )
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- sshd {} said:\n{}", self.process.pid(), self.log.text());
        }
    }
}

fn user() -> String {
    let said = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

fn switched(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn a_pdu_behind_ssh_is_switched_by_key_and_by_nothing_else() {
    let lab = TestLab::new();
    let sshd = Sshd::start(&lab);
    let config = pdu("acme", &sshd.connect(&lab, "ours"), "acme-ssh", "", "3")
        + &super::outlet("panda08", "acme", "8")
        + &pdu("others", &sshd.connect(&lab, "others"), "acme-ssh", "", "3");
    let power = Power::start(&lab, &config);
    // It tells no state, so nothing is verified.
    assert_eq!(power.done("acme", "on"), "on accepted");
    assert_eq!(power.done("acme", "off"), "off accepted");
    assert_eq!(power.done("acme", "status"), "unknown unknown");
    let file = lab.path("switched");
    assert_eq!(switched(&file), "3 1\n3 0\n");
    let (kind, told) = power.fails("panda08", "on");
    assert!(
        kind == "failed" && told.contains("the PDU refuses; it says \"no such probe [3]\""),
        "{told}"
    );
    let (kind, told) = power.fails("others", "on");
    assert!(kind == "lab" && told.contains("the PDU denies us the login"), "{told}");
    assert!(told.contains("Permission denied (publickey"), "{told}");
    assert_eq!(switched(&file), "3 1\n3 0\n");
}
