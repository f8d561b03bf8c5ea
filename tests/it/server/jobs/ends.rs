//! Jobs that are ended, handed in again, or wait; and what a health check says of its board.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{Farm, demo_job, folders, longer};
use crate::common::job::JOB;
use crate::common::{Heard, LIMIT, TestLab, wait_until};
use crate::server::lava;

#[test]
fn a_job_is_cancelled_in_the_queue_or_while_it_runs_and_handed_in_again() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let server = &farm.server;
    // Whoever follows the lab is told of jobs, too.
    let mut follower = TcpStream::connect(server.address).unwrap();
    follower.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let news = Heard::from(follower);
    let told = |job: u64, what: &str| {
        let event = format!(r#""about":"job","id":"{job}","what":{what}"#);
        news.find(JOB, 0, event.as_bytes()).unwrap();
    };
    news.find(LIMIT, 0, b"200 OK").unwrap();
    let (code, _, err) =
        lava(&lab, server, "bob", &["reserve", "lavamux-virtual", "--boards", "2"]);
    assert_eq!(code, 0, "{err}");
    let queued = farm.submit(&lab, |job| job);
    let why = server.get(&format!("/jobs/{queued}"))["waiting"].to_string();
    assert!(why.contains("number 1 in the queue") && why.contains("is bob's until"), "{why}");
    told(queued, r#""submitted""#);
    let path = format!("/jobs/{queued}/cancel");
    let refused = server.ask("POST", &path, &json!({"user": "alice"})).json();
    assert_eq!((&refused["state"], &refused["health"]), (&"finished".into(), &"canceled".into()));
    assert_eq!(server.ask("POST", &path, &json!({"user": "alice"})).status, 409);
    assert_eq!(lava(&lab, server, "bob", &["release", "panda01"]).0, 0);

    let long = farm.submit(&lab, longer(100));
    farm.until_logged(long, "nap-0");
    let board = server.get(&format!("/jobs/{long}"))["boards"][0]["name"].clone();
    let board = server.get(&format!("/boards/{}", board.as_str().unwrap()));
    assert_eq!((&board["state"], &board["job"]), (&"running".into(), &long.into()));
    let (code, out, err) = lava(&lab, server, "alice", &["job", "cancel", &long.to_string()]);
    assert!(code == 0 && out.ends_with(": canceling\n"), "{out}{err}");
    let ended = farm.ended(long);
    assert_eq!((&ended["health"], &ended["canceled_by"]), (&"canceled".into(), &"alice".into()));
    // The dispatcher has switched the board off, and told of it.
    let log = farm.log(long);
    assert!(log.iter().any(|line| line["msg"].to_string().contains("the job was cancelled")));
    assert_eq!(server.get("/leases"), json!([]));
    wait_until(LIMIT, "the worker has forgotten it", || folders(&lab).is_empty());

    let (code, out, err) = lava(&lab, server, "carol", &["job", "resubmit", &queued.to_string()]);
    assert_eq!(code, 0, "{out}{err}");
    let again = farm.ended(3);
    assert_eq!((&again["resubmit_of"], &again["user"]), (&queued.into(), &"carol".into()));
    assert_eq!(again["health"], "complete", "{again}");
    told(queued, r#""finished","health":"canceled""#);
    told(long, r#""running""#);
    told(long, r#""canceling""#);
    told(long, r#""finished","health":"canceled""#);
    told(3, r#""finished","health":"complete""#);
}

#[test]
fn a_health_check_says_how_its_board_is() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let server = &farm.server;
    let (_, _, err) = lava(&lab, server, "root", &["board", "check", "panda01"]);
    assert!(err.contains("panda01 has no health check"), "{err}");
    let bad = demo_job(&lab).replace("/job/Image", "/job/no-such-file");
    let bad = lab.write("bad.yaml", &bad);
    let none = lab.write("none.yaml", "job_name: x\n");
    let (code, _, err) =
        lava(&lab, server, "root", &["board", "set", "panda01", "--health-check", &none]);
    assert!(code == 2 && err.contains("the health check:1:1: "), "{err}");
    // It is checked because nobody knows how it is.
    let set = |check: &str| {
        let (code, _, err) =
            lava(&lab, server, "root", &["board", "set", "panda01", "--health-check", check]);
        assert_eq!(code, 0, "{err}");
    };
    set(&bad);
    let is = |health: &'static str| move |board: &Value| board["health"] == health;
    let board = server.until("the check has failed", "/boards/panda01", is("bad"));
    assert!(board["reason"].to_string().contains("its health check, job 1: "), "{board}");
    assert_eq!(server.get("/jobs/1")["checks"], "panda01");
    set(&lab.write("good.yaml", &demo_job(&lab)));
    let (code, out, err) = lava(&lab, server, "root", &["board", "check", "panda01"]);
    assert!(code == 0 && out == "panda01 is checked by job 2\n", "{out}{err}");
    farm.ended(2);
    let board = server.until("the check has passed", "/boards/panda01", is("good"));
    assert!(board["reason"].to_string().contains("job 2, has passed"), "{board}");
}
