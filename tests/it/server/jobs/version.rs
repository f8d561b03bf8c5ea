//! A worker of another version than its server's: what one does not know of the other's words it leaves alone.

use serde_json::{Value, json};

use super::yard::{add_board, steps};
use crate::common::job::JOB;
use crate::common::{Daemon, TestLab, wait_until};
use crate::server::{Server, lava};

const WORKER: &str = include_str!("other_version.py");

#[test]
fn a_worker_of_another_version_runs_jobs() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    add_board(&server, "");
    let mut python = lab.tool("python3");
    python.args(["-c", WORKER, &server.url(), "farm9"]);
    let worker = Daemon::start("a worker of another version", &mut python);
    for id in 1..=2 {
        let asked = json!({"definition": steps(&["true"]), "user": "alice"});
        let answer = server.ask("POST", "/jobs", &asked);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut last = Value::Null;
        wait_until(JOB, "the job ends", || {
            last = server.get(&format!("/jobs/{id}"));
            last["state"] == "finished"
        });
        assert_eq!((&last["health"], &last["worker"]), (&json!("complete"), &json!("farm9")));
        assert_eq!(last["tally"], json!({"pass": 1, "fail": 0, "skip": 0, "unknown": 0}));
        let log = server.ask("GET", &format!("/jobs/{id}/log"), &Value::Null).text();
        assert!(log.contains("a level of its own") && log.contains("\"aura\""), "{log}");
        // The page of the job reads such a log, too.
        let lines = server.get(&format!("/jobs/{id}/log/lines"));
        assert_eq!((&lines["lines"], &lines["ended"]), (&json!(3), &json!(true)), "{lines}");
        worker.wait_for_output(&format!("has run {id}\n"));
    }
    let (code, out, err) = lava(&lab, &server, "alice", &["workers"]);
    let line = out.lines().nth(1).unwrap_or_default();
    assert!(code == 0 && line.contains(" live ") && line.contains(" 99.0 "), "{out}{err}");
    assert_eq!(server.get("/leases"), json!([]));
}
