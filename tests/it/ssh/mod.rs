//! The stories of `lava-ssh`: OpenSSH's client at a lab of virtual boards, and at consoles with rights.

mod consoles;
mod files;
mod forwarding;
mod login;
mod rights;
mod verbs;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::common::{Daemon, LIMIT, TestLab, run};

/// A console whose board says back each line, and how large its terminal is when asked.
const ECHO: &str = "exec:sh -c 'stty -echo; while read a; do echo got $a; done'";

/// A `lava-serial` with the consoles panda01 and panda02, and a `lava-ssh` that finds it on its host.
struct SshLab {
    lab: TestLab,
    serial: Daemon,
    ssh: Daemon,
    /// The file of its configuration.
    file: String,
}

impl SshLab {
    /// alice may control panda*; `more` is what the configuration says beside that.
    #[track_caller]
    fn start(more: &str) -> Self {
        Self::with_ports(ECHO, more)
    }

    /// The same with another port behind panda01.
    #[track_caller]
    fn with_ports(port: &str, more: &str) -> Self {
        let lab = TestLab::new();
        let consoles = format!(
            "[capture]\ndir = \"captures\"\n[[console]]\nname = \"panda01\"\nport = {port:?}\n\
             [[console]]\nname = \"panda02\"\nport = {ECHO:?}\n"
        );
        let serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &consoles)]);
        Self::beside(lab, serial, more)
    }

    /// `lava-ssh` in a lab whose consoles run.
    #[track_caller]
    fn beside(lab: TestLab, serial: Daemon, more: &str) -> Self {
        make_key(&lab, "alice", "ed25519");
        let text = config(&lab, "control = \"panda*\"", more);
        let file = lab.write("ssh.toml", &text);
        let ssh = lab.start("lava-ssh", ["--config", &file]);
        Self { lab, serial, ssh, file }
    }

    fn address(&self) -> SocketAddr {
        self.ssh.address("ssh")
    }

    /// `ssh` with alice's key; what follows is the host, as `panda01@lab`, and a command.
    fn ssh(&self, args: &[&str]) -> Command {
        self.ssh_with("alice", args)
    }

    fn ssh_with(&self, key: &str, args: &[&str]) -> Command {
        let mut command = self.lab.tool("ssh");
        command.arg("-F").arg(self.client_config(key)).args(args);
        command
    }

    /// Runs it to its end.
    #[track_caller]
    fn run(&self, args: &[&str], input: &str) -> Output {
        run(&mut self.ssh(args), input, LIMIT)
    }

    /// What OpenSSH's clients are told: `lab` is this daemon, known by the key that it has.
    fn client_config(&self, key: &str) -> PathBuf {
        let (address, dir) = (self.address(), self.lab.dir().display());
        let known = format!("{dir}/known_hosts");
        let text = format!(
            "Host lab\n  HostName {}\n  Port {}\n  User tester\nHost *\n  IdentityFile {dir}/{key}\n  \
             IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {known}\n  \
             StrictHostKeyChecking accept-new\n  LogLevel ERROR\n  BatchMode yes\n  \
             ControlMaster no\n  ControlPath {dir}/master\n",
            address.ip(),
            address.port()
        );
        PathBuf::from(self.lab.write(&format!("ssh-{key}.config"), &text))
    }

    /// Has another configuration served.
    #[track_caller]
    fn reload(&self, text: &str) {
        let before = self.ssh.log().text().matches("were read again").count();
        std::fs::write(&self.file, text).unwrap();
        crate::common::signal(self.ssh.pid(), rustix::process::Signal::HUP);
        crate::common::wait_until(LIMIT, "the configuration is read again", || {
            self.ssh.log().text().matches("were read again").count() > before
        });
    }
}

/// A configuration in which alice has these rights.
fn config(lab: &TestLab, rights: &str, more: &str) -> String {
    let dir = lab.dir().display();
    format!(
        "[ssh]\nlisten = \"127.0.0.1:0\"\nhost_key = \"host_key\"\n[[user]]\nname = \"alice\"\n\
         keys_file = \"{dir}/alice.pub\"\n{rights}\n{more}"
    )
}

/// Makes a key pair with ssh-keygen, and gives the line of its public part.
#[track_caller]
fn make_key(lab: &TestLab, name: &str, kind: &str) -> String {
    let file = lab.path(name);
    let mut keygen = lab.tool("ssh-keygen");
    keygen.args(["-q", "-t", kind, "-N", "", "-C", name, "-f"]).arg(&file);
    let made = run(&mut keygen, "", LIMIT);
    assert!(made.status.success(), "{}", text(&made.stderr));
    std::fs::read_to_string(file.with_extension("pub")).unwrap().trim().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The exit code, and both outputs.
fn told(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

impl SshLab {
    /// How many sessions a console has.
    fn serial_sessions(&self, name: &str) -> usize {
        let path = format!("/consoles/{name}");
        let answer =
            crate::common::http_unix(self.serial.told("socket").as_ref(), "GET", &path, "");
        answer.json()["sessions"].as_array().unwrap().len()
    }
}
