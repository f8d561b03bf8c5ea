//! `lava import`: the configuration of another console server serves the same consoles, and what
//! could not be carried over is told.

mod conserver;
mod power;
mod ser2net;

use std::process::Output;

use crate::common::{Client, Daemon, LIMIT, Terminal, TestLab};

/// One console of what was printed: its name and its port.
type Console = (String, String);

fn import(lab: &TestLab, format: &str, file: &str) -> Output {
    lab.run("lava", ["import", format, file], "")
}

fn consoles(output: &Output) -> Vec<Console> {
    let printed: toml::Table = String::from_utf8_lossy(&output.stdout).parse().unwrap();
    let consoles = printed.get("console").map_or(&[][..], |list| list.as_array().unwrap());
    let text = |console: &toml::Value, key: &str| console[key].as_str().unwrap().to_owned();
    consoles.iter().map(|console| (text(console, "name"), text(console, "port"))).collect()
}

/// Serves what was imported, and records it in the lab's own folder.
#[track_caller]
fn serve(lab: &TestLab, imported: &Output) -> Daemon {
    // Many tests may run on a host, which has one port of this number.
    let printed = String::from_utf8_lossy(&imported.stdout).replace(":63000", ":0");
    let own = lab.write("serial.d/imported.toml", &printed);
    let capture = format!("[capture]\ndir = {:?}\n", lab.path("captures").display());
    let capture = lab.write("serial.d/capture.toml", &capture);
    lab.start("lava-serial", ["--config", &own, &capture])
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_board_of_conmux_is_attached_by_its_name_and_its_power_goes_to_lava_power() {
    let lab = TestLab::new();
    let board = Terminal::wire();
    let cf = lab.write(
        "panda01.cf",
        &format!(
            "# TYPE:panda\n# FLAGS: autoboot\nlistener localhost/panda01\n\
             application console 'panda01 console' 'exec sg dialout \"cu-loop {} 115200\"'\n\
             command hardreset 'initiated a hard reset' 'ssh acme dut-hard-reset 1'\n\
             command on 'switched it on' \"ssh acme 'dut-switch-on 1'\"\n\
             command off 'switched it off' 'ssh acme dut-switch-off\\ 1'\n\
             command b '' 'sysrq b'\nhelp b 'reboots by SysRq'\n",
            board.path().display()
        ),
    );
    let imported = import(&lab, "conmux", &cf);
    assert_eq!(imported.status.code(), Some(1), "{}", told(&imported));
    for line in [
        format!("{cf}:3: listener panda01: nobody logs in there, so it is on 127.0.0.1 only"),
        format!("{cf}:2: autoboot-helper: it is not started with the console"),
        format!("{cf}:5: note: command hardreset: lava-power does it by the commands off and on"),
        format!(
            "{cf}:8: command b: consoles have no commands of their own; run it yourself: sysrq b"
        ),
        "3 things were not carried over; they are told above".to_owned(),
    ] {
        assert!(told(&imported).contains(&line), "{line}\nis not in\n{}", told(&imported));
    }

    let serial = serve(&lab, &imported);
    // The registry that its own clients ask, and the port for them.
    let mut registry = Client::raw(serial.address("conmux-registry"));
    registry.type_text("LOOKUP service=panda01\n");
    registry.expect(&serial.address("panda01.conmux").port().to_string());
    let mut alice = Client::in_terminal(lab.program("lava-console").arg("panda01"));
    alice.expect("Connected to panda01");
    alice.type_text("help\r");
    let mut board = Client::wire(&board);
    board.expect("help\r");
    board.type_text("=> ");
    alice.expect("=> ");

    // What is for lava-power needs nothing but its comment signs taken off.
    let printed = String::from_utf8_lossy(&imported.stdout).into_owned();
    let power = printed.split_once("for lava-power").unwrap().1;
    let power: Vec<&str> = power.lines().skip(1).map(|line| line[1..].trim_start()).collect();
    let power = lab.write("power.toml", &power.join("\n"));
    lab.start("lava-power", ["--config", &power]);
    let words = std::fs::read_to_string(power).unwrap();
    assert!(words.contains(r#"on = ["ssh", "acme", "dut-switch-on 1"]"#), "{words}");
    assert!(words.contains(r#"off = ["ssh", "acme", "dut-switch-off 1"]"#), "{words}");
}

#[test]
fn conman_and_its_import_know_the_same_consoles() {
    let lab = TestLab::new();
    let board = Terminal::wire();
    let port = free_port();
    let conf = lab.write(
        "conman.conf",
        &format!(
            "# all of it\nSERVER port={port} loopback=on\nserver pidfile=\"{pid}\"\nGlobal SerOpts='115200,7E2'\n\
             console name=\"wired\" dev=\"{tty}\" \\\n  log=\"\"\n\
             CONSOLE name='behind' dev=\"127.0.0.1:1\" # a terminal server\nconsole name = u1 dev=\"unix:{dir}/u\"\n\
             console name=\"prog\" dev=\"/bin/cat -u %N 'x y'\"\nconsole name=\"odd\" dev=\"{tty}x\"\n",
            pid = lab.path("conman.pid").display(),
            tty = board.path().display(),
            dir = lab.dir().display(),
        ),
    );
    let mut conmand = lab.tool("/usr/sbin/conmand");
    conmand.args(["-F", "-c", &conf]).stdout(std::process::Stdio::null());
    let mut conmand = crate::common::Process::spawn(conmand.stderr(std::process::Stdio::null()));
    let asked = || {
        crate::common::run(
            lab.tool("conman").args(["-d", &format!("127.0.0.1:{port}"), "-q"]),
            "",
            LIMIT,
        )
    };
    let mut names = Vec::new();
    crate::common::wait_until(LIMIT, "conmand tells its consoles", || {
        let answer = asked();
        names =
            String::from_utf8_lossy(&answer.stdout).split_whitespace().map(str::to_owned).collect();
        answer.status.success()
    });
    assert!(conmand.exited().is_none());

    let imported = import(&lab, "conman", &conf);
    let mut found = consoles(&imported);
    // ConMan opens what it reads, and so leaves out a device that is not there.
    found.retain(|(name, _)| name != "odd");
    found.sort();
    assert_eq!(found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names);
    let ports: Vec<&str> = found.iter().map(|(_, port)| port.as_str()).collect();
    let wired = format!("tty:{},115200e72", board.path().display());
    let socket = format!("unix:{}/u", lab.dir().display());
    assert_eq!(ports, ["telnet:127.0.0.1:1", "exec:/bin/cat -u prog 'x y'", &socket, &wired]);
    assert!(
        told(&imported).contains("conman.conf:5: log=\"\": every console is recorded"),
        "{}",
        told(&imported)
    );
}

#[test]
fn a_file_that_cannot_be_read_or_is_something_else_prints_nothing() {
    let lab = TestLab::new();
    let good = lab.write("good.cf", "console a { master localhost; type exec; exec cat; }\n");
    let open = lab.write("open.cf", "console a {\n type exec;\n");
    let absent = lab.path("absent.cf");
    let absent = absent.to_str().unwrap();
    let refused = lab.run("lava", ["import", "conserver", &good, &open, absent], "");
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    let expected = format!(
        "{open}:1: the block has no end\n{absent}: cannot be read: No such file or directory (os error 2)\n"
    );
    assert_eq!(told(&refused), expected);

    let refused = import(&lab, "ser2net", &good);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    assert!(told(&refused).contains("there is no console to be had from"), "{}", told(&refused));
}

#[test]
fn what_is_all_carried_over_is_success_and_goes_to_a_new_file() {
    let lab = TestLab::new();
    let cf = lab.write(
        "c.cf",
        "default * { rw *; master localhost; }\nconsole a { type exec; exec cat; }\n",
    );
    let output = lab.path("serial.toml");
    let output = output.to_str().unwrap();
    let import = || lab.run("lava", ["import", "conserver", &cf, "--output", output], "");
    let done = import();
    assert_eq!((done.status.code(), told(&done).as_str()), (Some(0), ""));
    assert!(done.stdout.is_empty());
    let checked = lab.run("lava-serial", ["--config", output, "--check"], "");
    assert_eq!(checked.status.code(), Some(0), "{}", told(&checked));

    let again = import();
    assert_eq!(again.status.code(), Some(2));
    assert!(told(&again).contains("File exists"), "{}", told(&again));
}

/// A TCP port of this host that nobody listens at.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
