//! A board that somebody holds keeps its power, unless its holder or somebody with a reason says else.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Power;
use super::service::virtual_board;
use crate::common::{Answer, Daemon, LIMIT, TestLab, WebSocket, http, wait_until};

/// A board with its console and its outlet, behind the real daemons.
struct Board {
    serial: SocketAddr,
    power: Power,
    /// What the virtual board itself was told.
    switched: Arc<Mutex<Vec<String>>>,
    _serial: Daemon,
}

impl Board {
    fn start(lab: &TestLab) -> Self {
        let switched = Arc::new(Mutex::new(Vec::new()));
        let control = lab.path("panda01.power");
        virtual_board(&control, &switched);
        let config = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\n\
             [[console]]\nname = \"panda01\"\nport = \"unix:{}\"\n",
            lab.path("capture").display(),
            lab.path("no-board").display()
        );
        let daemon = lab.start("lava-serial", ["--config", &lab.write("serial.toml", &config)]);
        let serial = daemon.address("http");
        let config = format!(
            "[[pdu]]\nname = \"rack\"\ndriver = \"sim\"\n\
             [[outlet]]\nname = \"panda01\"\npdu = \"rack\"\nport = 1\noff_time = \"10ms\"\n\
             console = \"http://{serial}/consoles/panda01\"\nboard = \"unix:{}\"\n",
            control.display()
        );
        let power = Power::start(lab, &config);
        Self { serial, power, switched, _serial: daemon }
    }

    /// Attaches to the console exclusively, and waits until it is so.
    fn held_by(&self, user: &str) -> WebSocket {
        let query = format!("mode=exclusive&user={user}");
        let session = WebSocket::attach(self.serial, "panda01", &query);
        session.expect_message("the hello", |message| message["mode"] == "exclusive");
        session
    }

    fn ask(&self, verb: &str, body: &Value) -> Answer {
        http(self.power.address, "POST", &format!("/outlets/panda01/{verb}"), &body.to_string())
    }

    fn switched(&self) -> Vec<String> {
        self.switched.lock().unwrap().clone()
    }

    /// Who, phase and detail of the power events on the console's timeline.
    fn timeline(&self) -> Vec<String> {
        let events = http(self.serial, "GET", "/consoles/panda01/events", "").json();
        let power = events.as_array().unwrap().iter().filter(|event| event["kind"] == "power");
        power
            .map(|e| ["who", "phase", "detail"].map(|key| e[key].as_str().unwrap_or("-")).join(" "))
            .collect()
    }
}

#[test]
fn nobody_takes_the_power_from_a_board_that_somebody_holds() {
    let lab = TestLab::new();
    let board = Board::start(&lab);
    let alice = board.held_by("alice");
    assert_eq!(board.ask("on", &json!({"user": "alice"})).status, 200);

    for verb in ["cycle", "off", "on"] {
        for body in [json!({"user": "bob"}), json!({}), json!({"user": "bob", "force": false})] {
            let refused = board.ask(verb, &body);
            assert_eq!(refused.status, 409, "{}", refused.text());
            let error = &refused.json()["error"];
            assert_eq!(error["kind"], "refused");
            let message = super::text(&error["message"]);
            assert!(message.starts_with("panda01 is held by alice since 20"), "{message}");
            assert!(message.ends_with("; nothing was switched"), "{message}");
            let hint = super::text(&error["hint"]);
            assert!(hint.contains("~$force") && hint.contains("reason"), "{hint}");
        }
    }
    assert_eq!(board.switched(), ["board on"]);
    assert_eq!(board.power.done("panda01", "status"), "on verified");
    board.power.daemon.wait_for_log(LIMIT, "result=\"refused\"");
    let metrics = board.power.get("/metrics").text();
    let refused = r#"lava_power_operations_total{outlet="panda01",verb="off",result="refused"} 3"#;
    assert!(metrics.contains(refused), "{metrics}");

    // Her own board is hers, however she is written.
    assert_eq!(board.ask("off", &json!({"user": "user:alice"})).status, 200);
    assert_eq!(board.ask("cycle", &json!({"user": "alice"})).status, 200);
    assert_eq!(board.switched(), ["board on", "board off", "board off", "board on"]);

    drop(alice);
    wait_until(LIMIT, "bob may", || board.ask("off", &json!({"user": "bob"})).status == 200);
}

#[test]
fn a_job_powers_the_board_that_it_holds_and_no_other_job_does() {
    let lab = TestLab::new();
    let board = Board::start(&lab);
    let _job = board.held_by("job:7");
    assert_eq!(board.ask("cycle", &json!({"user": "job:7"})).status, 200);
    let refused = board.ask("cycle", &json!({"user": "job:8"}));
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("panda01 is held by job:7 since "), "{}", refused.text());
}

#[test]
fn force_wants_a_reason_and_everybody_sees_it() {
    let lab = TestLab::new();
    let board = Board::start(&lab);
    let _alice = board.held_by("alice");
    for reason in [json!(null), json!(""), json!("  ")] {
        let body = json!({"user": "bob", "force": true, "reason": reason});
        let refused = board.ask("off", &body);
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert!(refused.text().contains("force needs a reason"), "{}", refused.text());
    }
    assert!(board.switched().is_empty());

    let done = board.ask("off", &json!({"user": "bob", "force": true, "reason": "it smokes"}));
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(board.switched(), ["board off"]);
    wait_until(LIMIT, "both events", || board.timeline().len() == 2);
    assert_eq!(
        board.timeline(),
        ["bob begin by force, held by alice: it smokes", "bob done off, verified"]
    );
    board.power.daemon.wait_for_log(LIMIT, "overrides=\"alice\"");
}

#[test]
fn the_command_line_is_refused_with_a_code_of_its_own_and_may_force() {
    let lab = TestLab::new();
    let board = Board::start(&lab);
    let _alice = board.held_by("alice");
    let power = |args: &[&str]| lab.run("lava", ["power", "off", "panda01"].iter().chain(args), "");
    let refused = power(&[]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains("held by alice") && said.contains("--force --reason"), "{said}");
    assert_eq!(power(&["--force"]).status.code(), Some(2));
    let forced = power(&["--force", "--reason", "it smokes"]);
    assert!(forced.status.success(), "{}", String::from_utf8_lossy(&forced.stderr));
    assert_eq!(board.switched(), ["board off"]);
}
