//! labgrid's exporter starts `lava-serial` where it looks for ser2net, and its clients do not notice.

use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::common::{Client, Daemon, LIMIT, Process, Terminal, TestLab, run, wait_until};

/// Python programs that import gRPC take their time to start when both cores are busy.
const SLOW: Duration = Duration::from_secs(120);

/// Logs in to the board of a place as labgrid's users do, and prints what a command printed.
const CLIENT: &str = "
import sys
from labgrid import Environment
target = Environment(sys.argv[1]).get_target('main')
print(target.get_driver('ShellDriver').run_check('echo $((6*7)) on the board'))
";

/// A program of labgrid, in a PATH where ser2net is `lava-serial`.
fn labgrid(lab: &TestLab, program: &str) -> Command {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/labgrid/bin");
    assert!(installed.exists(), "{} is missing: tests/run prepares it", installed.display());
    let mut command = lab.tool(installed.join(program));
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", lab.path("bin").display()));
    // As under systemd, so that root records into the lab too.
    command.env("STATE_DIRECTORY", lab.path("state"));
    command
}

/// Puts `ser2net` into the lab's folder of programs: a link to `lava-serial`, which ends with
/// whoever starts it.
fn link_ser2net(lab: &TestLab) -> PathBuf {
    let link = lab.path("ser2net");
    symlink(env!("CARGO_BIN_EXE_lava-serial"), &link).unwrap();
    let text = format!("#!/bin/sh\nexec setpriv --pdeathsig KILL -- {} \"$@\"\n", link.display());
    let script = lab.write("bin/ser2net", &text);
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    link
}

#[test]
fn labgrids_exporter_and_its_shell_driver_work_with_it_and_people_attach_beside_them() {
    let lab = TestLab::new();
    link_ser2net(&lab);
    let device = lab.path("ttyBoard");
    let mut socat = lab.tool("socat");
    socat.arg(format!("PTY,rawer,link={}", device.display()));
    socat.arg("EXEC:sh -i,pty,setsid,ctty,stderr").env("PS1", "board# ");
    let _board = Process::spawn(&mut socat);
    wait_until(LIMIT, "the board has its line", || device.exists());
    let device = std::fs::read_link(&device).unwrap();

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let coordinator = free.local_addr().unwrap().to_string();
    drop(free);
    let quiet =
        |command: &mut Command| Process::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let _coordinator = quiet(labgrid(&lab, "labgrid-coordinator").args(["-l", &coordinator]));
    let client = |args: &[&str]| {
        run(labgrid(&lab, "labgrid-client").args(["-x", &coordinator]).args(args), "", SLOW)
    };
    wait_until(SLOW, "the coordinator takes a place", || {
        client(&["-p", "panda01", "create"]).status.success()
    });
    let exported = lab.write(
        "exporter.yaml",
        &format!("panda01:\n  RawSerialPort:\n    port: {}\n    speed: 115200\n", device.display()),
    );
    let mut exporter = labgrid(&lab, "labgrid-exporter");
    exporter.args(["-c", &coordinator, "--name", "host1", "--hostname", "127.0.0.1", &exported]);
    let _exporter = quiet(&mut exporter);
    wait_until(SLOW, "the line is exported", || said(&client(&["resources"])).contains("panda01"));
    assert!(client(&["-p", "panda01", "add-match", "host1/panda01/*"]).status.success());
    let acquired = client(&["-p", "panda01", "acquire"]);
    assert!(acquired.status.success(), "{}", said(&acquired));

    // Somebody who knows nothing of labgrid sees what it does.
    let name = device.strip_prefix("/dev").unwrap().to_str().unwrap().replace('/', "-");
    let mut alice = Client::in_terminal(lab.program("lava-console").arg(&name));
    alice.expect("Connected to");
    let environment = lab.write(
        "env.yaml",
        "targets:\n  main:\n    resources:\n      RemotePlace:\n        name: panda01\n    drivers:\n\
        \x20     SerialDriver: {}\n      ShellDriver:\n        prompt: 'board# '\n        login_prompt: 'login: '\n\
        \x20       username: root\n",
    );
    let script = lab.write("client.py", CLIENT);
    let mut python = labgrid(&lab, "python3");
    python.env("LG_COORDINATOR", &coordinator).args([&script, &environment]);
    let answer = run(&mut python, "", SLOW);
    assert!(said(&answer).contains("42 on the board"), "{}", said(&answer));
    alice.expect("42 on the board");

    assert!(client(&["-p", "panda01", "release"]).status.success());
    wait_until(LIMIT, "the exporter has stopped it", || {
        !lab.path("run")
            .read_dir()
            .unwrap()
            .any(|entry| entry.unwrap().path().extension().is_some())
    });
}

#[test]
fn the_options_of_an_older_labgrid_serve_the_same_line() {
    let lab = TestLab::new();
    let wire = Terminal::wire();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let line =
        format!("{port}:telnet:0:{}:115200 NONE 8DATABITS 1STOPBIT LOCAL", wire.path().display());
    let mut ser2net = lab.program("lava-serial");
    ser2net.env("STATE_DIRECTORY", lab.path("state"));
    let _serial =
        Daemon::start("ser2net", ser2net.args(["ser2net", "-d", "-n", "-u", "-C", &line]));
    let mut board = Client::wire(&wire);
    let mut telnet = Client::telnet(SocketAddr::from(([127, 0, 0, 1], port)));
    telnet.type_text("reset");
    board.expect("reset");
    board.type_text("U-Boot");
    telnet.expect("U-Boot");
}

#[test]
fn it_tells_the_version_that_labgrid_looks_at_and_what_is_wrong() {
    let lab = TestLab::new();
    let ser2net = link_ser2net(&lab);
    let version = run(lab.tool(&ser2net).arg("-v"), "", LIMIT);
    assert!(version.status.success());
    // As labgrid takes it apart.
    let text = String::from_utf8_lossy(&version.stdout).into_owned();
    let words: Vec<&str> = text.split(' ').collect();
    let numbers: Vec<u32> =
        words[2].trim().split('.').map(|number| number.parse().unwrap()).collect();
    assert_eq!((words.len(), numbers.len()), (3, 3));
    assert!(numbers > vec![4, 2, 0]);

    let refused = run(
        lab.tool(&ser2net).args(["-n", "-Y", "connection: &a#  accepter: tcp,7001"]),
        "",
        LIMIT,
    );
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("-Y:1: connection: it has no accepter, or no connector"),
        "{}",
        said(&refused)
    );
    assert!(said(&refused).contains("no line is told that could be served"), "{}", said(&refused));
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
