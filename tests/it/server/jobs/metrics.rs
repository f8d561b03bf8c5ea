//! What Prometheus is told of a lab.

use serde_json::{Value, json};

use super::yard::{add_board, steps};
use crate::common::{LIMIT, TestLab, wait_until};
use crate::server::{Server, lava};

#[test]
fn boards_requests_jobs_workers_and_images_are_counted() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let told = || server.ask("GET", "/metrics", &Value::Null).text();
    let count = |what: &str| {
        let text = told();
        let value = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse::<u64>().unwrap())
    };
    for what in ["lava_images", "lava_image_bytes", "lava_worker_slots"] {
        assert!(told().contains(&format!("\n{what} 0\n")), "{}", told());
    }
    add_board(&server, "");
    let free = r#"lava_boards{state="idle",health="unknown",there="yes"}"#;
    assert_eq!(count(free), 1, "{}", told());

    for _ in 0..2 {
        let asked = json!({"definition": steps(&["true"]), "user": "alice"});
        let answer = server.ask("POST", "/jobs", &asked);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let jobs = |state: &str| count(&format!("lava_jobs{{state=\"{state}\"}}"));
    wait_until(LIMIT, "one waits for a worker, the other for the board", || {
        (jobs("scheduled"), jobs("submitted")) == (1, 1)
    });
    assert_eq!(count(r#"lava_requests{state="leased"}"#), 1, "{}", told());
    // It has a job that nobody knows of, so that it is answered at once.
    let hello = json!({"instance": "1", "number": 1, "slots": 4, "jobs": [9]});
    assert_eq!(server.ask("POST", "/workers/farm1/poll", &hello).status, 200);
    assert_eq!((count(r#"lava_workers{live="yes"}"#), count("lava_worker_slots")), (1, 4));
    let (code, out, err) = lava(&lab, &server, "alice", &["workers"]);
    let line = out.lines().nth(1).unwrap_or_default();
    assert!(code == 0 && line.starts_with("farm1 ") && line.contains(" of 4"), "{out}{err}");

    let file = lab.write("rootfs", &"x".repeat(1000));
    for name in ["a", "b"] {
        let (code, _, err) = lava(&lab, &server, "alice", &["image", "put", &file, "--name", name]);
        assert_eq!(code, 0, "{err}");
    }
    assert_eq!((count("lava_images"), count("lava_image_bytes")), (2, 1000), "{}", told());
    assert!(told().ends_with("# EOF\n"));
}
