//! lava-power as a service: its start, its end, its answers, its records.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Power, failure, timed};
use crate::common::{LIMIT, TestLab, http, http_unix, wait_until};

const SIM: &str = "[[pdu]]\nname = \"rack\"\ndriver = \"sim\"\n";

fn outlets(names: &[&str]) -> String {
    let outlet = |(port, name): (u32, &&str)| {
        format!(
            "[[outlet]]\nname = \"{name}\"\npdu = \"rack\"\nport = {port}\noff_time = \"10ms\"\n"
        )
    };
    (1..).zip(names).map(outlet).collect()
}

/// A virtual board that notes what it is told, with whatever else is noted there.
pub(super) fn virtual_board(socket: &Path, notes: &Arc<Mutex<Vec<String>>>) {
    let listener = UnixListener::bind(socket).unwrap();
    let notes = Arc::clone(notes);
    std::thread::spawn(move || {
        let mut state = "off".to_owned();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            if line != "status\n" {
                state = line.trim().to_owned();
                notes.lock().unwrap().push(format!("board {state}"));
            }
            writeln!(stream, "{state}").unwrap();
        }
    });
}

#[test]
fn outlets_are_listed_and_switched_by_name() {
    let lab = TestLab::new();
    let power = Power::start(&lab, &(SIM.to_owned() + &outlets(&["panda01", "panda02"])));
    let list = power.get("/outlets").json();
    assert_eq!(list[0]["name"], "panda01");
    assert_eq!(list[0]["pdu"], "rack");
    assert_eq!(list[0]["port"], "1");
    assert!(list[0]["console"].is_null());
    assert_eq!(list.as_array().unwrap().len(), 2);

    assert_eq!(power.done("panda01", "status"), "off verified");
    assert_eq!(power.done("panda01", "on"), "on verified");
    assert_eq!(power.done("panda02", "status"), "off verified");
    assert_eq!(power.done("panda01", "cycle"), "on verified");

    // The socket in the runtime folder serves the same.
    let pid = power.daemon.pid();
    let socket = lab.path(&format!("run/power-{pid}.sock"));
    assert_eq!(http_unix(&socket, "GET", "/outlets", "").json(), list);
    assert_eq!(power.get("/healthz").status, 200);
    let served = power.get("/openapi.json").json();
    let checked_in = include_str!("../../../conf/openapi/lava-power.json");
    assert_eq!(served, serde_json::from_str::<serde_json::Value>(checked_in).unwrap());
}

#[test]
fn every_refusal_is_one_clear_line_of_json() {
    let lab = TestLab::new();
    let power = Power::start(&lab, &(SIM.to_owned() + &outlets(&["panda01"])));
    let refused = |method: &str, path: &str, body: &str| {
        let answer = http(power.address, method, path, body);
        let (_, message) = failure(&answer);
        (answer.status, message, answer.text())
    };
    let (status, message, text) = refused("POST", "/outlets/pnada01/on", "");
    assert_eq!((status, message.as_str()), (404, "there is no outlet \"pnada01\""));
    assert!(text.contains(r#"did you mean \"panda01\"?"#), "{text}");
    assert_eq!(refused("GET", "/outlets/juno", "").0, 404);
    assert_eq!(refused("GET", "/nothing", "").0, 404);
    assert_eq!(refused("GET", "/outlets/panda01/on", "").0, 405);
    assert_eq!(refused("POST", "/outlets/panda01/on", "{").0, 400);
    assert_eq!(refused("POST", "/outlets/panda01/on", r#"{"usr":"x"}"#).0, 400);
    assert_eq!(refused("POST", "/outlets/panda01/on", r#"{"user":"x\nINFO forged"}"#).0, 400);
    let large = format!(r#"{{"user":"{}"}}"#, "x".repeat(20_000));
    assert_eq!(refused("POST", "/outlets/panda01/on", &large).0, 413);
    // None of them did anything.
    assert_eq!(power.done("panda01", "status"), "off verified");
}

#[test]
fn a_strangers_web_page_switches_nothing() {
    let lab = TestLab::new();
    let power = Power::start(&lab, &(SIM.to_owned() + &outlets(&["panda01"])));
    let page = |origin: &str| {
        let mut stream = TcpStream::connect(power.address).unwrap();
        let host = power.address;
        write!(
            stream,
            "POST /outlets/panda01/on HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\n\
             connection: close\r\ncontent-length: 0\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    };
    assert!(page("https://evil.example").contains(" 403 "));
    assert_eq!(power.done("panda01", "status"), "off verified");
    assert!(page(&format!("http://{}", power.address)).contains(" 200 "));
}

#[test]
fn whoever_hung_up_before_its_turn_switches_nothing() {
    let lab = TestLab::new();
    // Switching on takes as long as this file is there.
    let busy = lab.write("busy", "");
    let script = |verb: &str| {
        let does = format!("echo {verb} >> log; while test -e busy; do sleep 0.01; done");
        format!("[\"sh\", \"-c\", \"{does}\", \"relay {{port}}\"]")
    };
    let config = format!(
        "[[pdu]]\nname = \"rack\"\ndriver = \"exec\"\non = {}\noff = {}\n{}",
        script("on"),
        script("off"),
        outlets(&["panda01", "panda02"])
    );
    let power = Power::start(&lab, &config);
    let log = || std::fs::read_to_string(lab.path("log")).unwrap_or_default();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| power.done("panda01", "on"));
        wait_until(LIMIT, "the PDU is busy", || log() == "on\n");
        let mut gone = TcpStream::connect(power.address).unwrap();
        write!(
            gone,
            "POST /outlets/panda02/off HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
        )
        .unwrap();
        // A second request on another connection shows that the first has arrived.
        assert_eq!(power.get("/healthz").status, 200);
        drop(gone);
        assert_eq!(power.get("/healthz").status, 200);
        std::fs::remove_file(&busy).unwrap();
        assert_eq!(first.join().unwrap(), "on accepted");
    });
    assert_eq!(power.done("panda02", "on"), "on accepted");
    assert_eq!(log(), "on\non\n");
}

#[test]
fn every_operation_leaves_one_audit_line() {
    let lab = TestLab::new();
    let power = Power::start(&lab, &(SIM.to_owned() + &outlets(&["panda01"])));
    power.done("panda01", "cycle");
    power.done("panda01", "status");
    let audit = || -> Vec<String> {
        let log = power.daemon.log().text();
        log.lines().filter(|line| line.contains("INFO audit: ")).map(str::to_owned).collect()
    };
    wait_until(LIMIT, "the audit line", || !audit().is_empty());
    let lines = audit();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let facts = [
        r#"who="alice""#,
        r#"outlet="panda01""#,
        r#"pdu="rack""#,
        "verb=cycle",
        r#"result="verified""#,
        "state=on",
        "ms=",
        r#"reason="a test""#,
    ];
    for fact in facts {
        assert!(lines[0].contains(fact), "{fact} is not in {}", lines[0]);
    }
}

#[test]
fn it_ends_in_time_and_leaves_no_board_off() {
    let lab = TestLab::new();
    let notes = Arc::new(Mutex::new(Vec::new()));
    let board = lab.path("panda01.power");
    virtual_board(&board, &notes);
    let config = format!(
        "{SIM}[[outlet]]\nname = \"panda01\"\npdu = \"rack\"\nport = 1\noff_time = \"5m\"\n\
         board = \"unix:{}\"\n",
        board.display()
    );
    let mut power = Power::start(&lab, &config);
    let address = power.address;
    let cycle = std::thread::spawn(move || http(address, "POST", "/outlets/panda01/cycle", ""));
    let noted = || notes.lock().unwrap().clone();
    wait_until(LIMIT, "the board is off", || noted() == ["board off"]);
    let (status, took) = timed(|| power.daemon.terminate());
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
    assert_eq!(noted(), ["board off", "board on"]);
    // Whoever asked for it is still told.
    assert_eq!(cycle.join().unwrap().json()["state"], "on");
    assert!(std::fs::read_dir(lab.path("run")).unwrap().next().is_none());
}

#[test]
fn an_operation_that_outlasts_the_daemon_is_given_up_and_said_so() {
    let lab = TestLab::new();
    let config = "[[pdu]]\nname = \"rack\"\ndriver = \"exec\"\ntimeout = \"1m\"\n\
                  on = [\"sh\", \"-c\", \"echo $$ > pid; exec sleep 1000\"]\noff = [\"true\"]\n";
    let mut power = Power::start(&lab, &(config.to_owned() + &outlets(&["panda01"])));
    let address = power.address;
    let on = std::thread::spawn(move || http(address, "POST", "/outlets/panda01/on", ""));
    wait_until(LIMIT, "the program runs", || lab.path("pid").exists());
    let (status, took) = timed(|| power.daemon.terminate());
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
    let answer = on.join().unwrap();
    assert_eq!(answer.status, 503);
    assert!(failure(&answer).1.ends_with("it may be on or off"), "{}", answer.text());
    power.daemon.wait_for_log(LIMIT, "error=\"given up half-way");
}

#[test]
fn what_is_wrong_with_a_configuration_is_told_at_once_and_nothing_is_started() {
    let lab = TestLab::new();
    let folder = lab.path("conf");
    lab.write("conf/a.toml", "[[pdu]]\nname = \"rack\"\ndriver = \"sin\"\n");
    lab.write("conf/b.toml", &outlets(&["panda01", "panda01"]).replace("rack", "rakc"));
    lab.write("conf/not-ours.txt", "?");
    let said = lab.run("lava-power", ["--config", folder.to_str().unwrap()], "");
    assert_eq!(said.status.code(), Some(2));
    assert!(said.stdout.is_empty());
    let errors = String::from_utf8_lossy(&said.stderr).into_owned();
    for part in [
        "a.toml:3:10: pdu[0].driver: unknown driver \"sin\"; did you mean \"sim\"?",
        "b.toml:3:7: outlet[0].pdu: there is no PDU \"rakc\"; did you mean \"rack\"?",
        "b.toml:7:8: outlet[1].name: there is another outlet \"panda01\"",
    ] {
        assert!(errors.contains(part), "{part}\nis not in\n{errors}");
    }
    assert!(!lab.path("run/power").exists());

    let empty = lab.run("lava-power", ["--config", &lab.write("empty.toml", "")], "");
    assert_eq!(empty.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&empty.stderr).into_owned();
    assert!(errors.contains("there is no [[outlet]] in any file"), "{errors}");

    let text = SIM.to_owned() + &outlets(&["panda01"]) + "[http]\nlisten = \"0.0.0.0:0\"\n";
    let open = lab.write("open.toml", &text);
    let said = lab.run("lava-power", ["--config", &open], "");
    assert_eq!(said.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(errors.contains("0.0.0.0:0 is open to the network"), "{errors}");

    let missing = lab.run("lava-power", ["--config", "/no/such.toml"], "");
    assert_eq!(missing.status.code(), Some(2));
    assert_eq!(lab.run("lava-power", [""; 0], "").status.code(), Some(2));
}

#[test]
fn a_hang_up_has_the_rights_read_again_and_nothing_else() {
    use rustix::process::Signal;

    use crate::common::{http_as, signal};
    let lab = TestLab::new();
    let (alice, sim) = (crate::rights::user("alice", "see = \"*\""), SIM.to_owned());
    let power = Power::start(&lab, &(alice.clone() + &sim + &outlets(&["panda01"])));
    let address = power.address;
    let status =
        |method: &str, path: &str| http_as(address, Some("lava_alice"), method, path, "").status;
    assert_eq!(status("POST", "/outlets/panda01/on"), 403);
    let changed = |text: &str, logged: &str, times: usize| {
        lab.write("power.toml", &format!("{text}\n[http]\nlisten = \"127.0.0.1:0\"\n"));
        signal(power.daemon.pid(), Signal::HUP);
        wait_until(LIMIT, logged, || power.daemon.log().text().matches(logged).count() == times);
    };
    let alice_writes = crate::rights::user("alice", "write = \"*\"");
    changed(&(alice_writes.clone() + &sim + &outlets(&["panda01"])), "were read again", 1);
    assert_eq!(status("POST", "/outlets/panda01/on"), 200);
    changed("nonsense = true", "nothing is changed", 1);
    assert_eq!(status("POST", "/outlets/panda01/off"), 200);
    let other = alice + &sim + &outlets(&["panda01", "panda02"]);
    changed(&other, "restart lava-power", 1);
    assert_eq!(
        (status("POST", "/outlets/panda01/on"), status("GET", "/outlets/panda02")),
        (403, 404)
    );
}
