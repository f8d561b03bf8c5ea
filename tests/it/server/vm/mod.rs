//! Virtual machines as boards: a disk of the image store on a QEMU of the worker's, with SSH, a seed, and the console
//! that a lava-serial has.

mod boot;
mod disk;
mod offered;
mod story;

use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::Value;

use super::{Server, lava};
use crate::common::{Daemon, LIMIT, Port, RealBoard, RealPdu, TestLab, needs, wait_until};

/// Where the real board is plugged in.
const OUTLET: u32 = 3;

/// A server with the virtual machine `vm01`, perhaps the real board `panda01`, and a worker.
struct Lab {
    server: Server,
    _worker: Daemon,
    _serial: Daemon,
    _power: Option<(Daemon, RealPdu, RealBoard)>,
    /// Where the machine's SSH server is.
    ssh: Port,
}

/// What the machine boots, as tests/run has prepared it.
fn disk() -> PathBuf {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/target/rig/vm/builder.qcow2");
    needs(file.as_ref()).to_owned()
}

impl Lab {
    #[track_caller]
    fn start(lab: &TestLab, with_board: bool) -> Self {
        let types = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/device-types");
        let config = lab.write("server.toml", &format!("[jobs]\ntemplates = [{types:?}]\n"));
        let daemon = lab.start("lava-server", ["--config", &config, "--listen", "127.0.0.1:0"]);
        let server = Server { address: daemon.address("http"), daemon };
        let announce = format!(
            "[server]\nurl = {:?}\nhost = \"farm1\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
            server.url()
        );
        let line = lab.path("vm01.line");
        let mut consoles = format!(
            "{announce}[capture]\ndir = {:?}\n[[console]]\nname = \"vm01\"\nport = \"unix:{}\"\n",
            lab.path("captures"),
            line.display()
        );
        let board = with_board.then(|| (RealBoard::start(lab, OUTLET), RealPdu::start(lab)));
        if let Some((board, _)) = &board {
            let tty = board.tty();
            consoles += &format!(
                "[[console]]\nname = \"panda01\"\nport = \"tty:{},115200n8\"\n",
                tty.display()
            );
        }
        let serial = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &consoles)]);
        let mut run = vec!["--dispatcher-ip".to_owned(), "10.0.2.2".into()];
        let power = board.map(|(board, pdu)| {
            run.extend(["--tftp-dir".into(), board.tftp().display().to_string()]);
            let config = format!(
                "{announce}[[pdu]]\nname = \"rack1\"\ndriver = \"snmp\"\naddress = \"{}\"\n\
                 profile = \"apc-rpdu\"\ncommunity = \"{}\"\ntimeout = \"30s\"\n\
                 [[outlet]]\nname = \"panda01\"\npdu = \"rack1\"\nport = {OUTLET}\noff_time = \"500ms\"\n\
                 console = \"http://{}/consoles/panda01\"\n",
                pdu.address(),
                RealPdu::COMMUNITY,
                serial.address("http"),
            );
            (lab.start("lava-power", ["--config", &lab.write("power.toml", &config)]), pdu, board)
        });
        let args = ["worker", "--server", &server.url(), "--name", "farm1", "--"];
        let args = args.into_iter().chain(run.iter().map(String::as_str));
        let worker = lab.start("lava-dispatcher", args);
        let ssh = Port::take();
        add_machine(lab, &server, &ssh, &line.display().to_string());
        if power.is_some() {
            for path in ["/consoles", "/outlets"] {
                let is_there = |all: &Value| all.to_string().contains("panda01");
                server.until("the board is announced", path, is_there);
            }
            let args = ["board", "add", "panda01", "--type", "qemu-uboot"];
            let parts = ["--console", "panda01", "--outlet", "panda01"];
            let arch = ["--attribute", "arch=aarch64"];
            let args = [&args[..], &parts, &arch].concat();
            let (code, _, err) = lava(lab, &server, "root", &args);
            assert_eq!(code, 0, "{err}");
        }
        Self { server, _worker: worker, _serial: serial, _power: power, ssh }
    }

    /// Stores the machine's disk.
    #[track_caller]
    fn store_disk(&self, lab: &TestLab, name: &str) {
        let file = disk().display().to_string();
        let put = ["image", "put", &file, "--name", name, "--vm", "x86_64", "--memory", "256MiB"];
        let (code, _, err) = lava(lab, &self.server, "alice", &put);
        assert_eq!(code, 0, "{err}");
    }
}

#[track_caller]
fn add_machine(lab: &TestLab, server: &Server, ssh: &Port, line: &str) {
    server.until("its console is announced", "/consoles", |all| all.to_string().contains("vm01"));
    let dictionary = lab.write("vm01.jinja2", &dictionary(line));
    let port = format!("ssh-port={}", ssh.address().port());
    let args =
        ["board", "add", "vm01", "--type", "vm-x86", "--console", "vm01", "--worker", "farm1"];
    let more = ["--dictionary", &dictionary, "--attribute", "arch=x86_64"];
    let place = ["--attribute", "address=127.0.0.1", "--attribute", &port];
    let (code, _, err) = lava(lab, server, "root", &[&args[..], &more, &place].concat());
    assert_eq!(code, 0, "{err}");
}

/// The machine as its type's template has it, but for where the line is, and a processor that this host may not have.
fn dictionary(line: &str) -> String {
    format!(
        "{{% extends 'vm-x86.jinja2' %}}\n{{% set board = 'vm01' %}}\n{{% set hostname = 'vm01' %}}\n\
         {{% set line = '{line}' %}}\n{{% set accel = 'tcg' %}}\n{{% set cpu = 'qemu64' %}}\n\
         {{% set memory = 384 %}}\n"
    )
}

/// A pair of keys: the file of the private one, which has the public one beside it.
#[track_caller]
fn key(lab: &TestLab) -> String {
    let file = lab.path("key").display().to_string();
    let mut keygen = lab.tool("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "alice@lab", "-f", &file]);
    assert!(keygen.status().unwrap().success());
    file
}

/// Waits until nobody is at a place any more.
#[track_caller]
fn until_gone(ssh: &Port) {
    wait_until(LIMIT, "the machine is gone", || TcpStream::connect(ssh.address()).is_err());
}
