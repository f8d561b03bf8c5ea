//! Servers and workers that are killed: nothing is lost, and nothing is run twice.

use serde_json::json;

use super::{Farm, folders, longer};
use crate::common::{LIMIT, TestLab, wait_until};

#[test]
fn a_job_goes_on_while_its_server_and_its_worker_are_killed() {
    let lab = TestLab::new();
    let mut farm = Farm::start(&lab, "");
    let job = farm.submit(&lab, longer(8));
    farm.until_logged(job, "nap-0");
    // The board goes on by itself; who looks after it is away, one after the other and both at once.
    farm.server.daemon.kill();
    farm.worker.kill();
    farm.server = Farm::server(&lab, &farm.server.address.to_string());
    assert_eq!(farm.server.get(&format!("/jobs/{job}"))["state"], "running");
    farm.worker = Farm::worker(&lab, &farm.server);
    farm.until_logged(job, "nap-3");
    farm.server.daemon.kill();
    farm.server = Farm::server(&lab, &farm.server.address.to_string());
    let ended = farm.ended(job);
    assert_eq!(ended["health"], "complete", "{ended}");
    assert_eq!(ended["tally"], json!({"pass": 12, "fail": 0, "skip": 0, "unknown": 0}));
    assert_eq!(farm.cycles(ended["boards"][0]["name"].as_str().unwrap()), 1);
    let log = farm.log(job);
    let of = |definition: &str, case: &str| {
        let is = |line: &&serde_json::Value| {
            let msg = &line["msg"];
            line["lvl"] == "results" && msg["definition"] == definition && msg["case"] == case
        };
        log.iter().filter(is).count()
    };
    assert_eq!(of("lava", "job"), 1);
    for nap in 0..8 {
        assert_eq!(of("0_demo", &format!("nap-{nap}")), 1, "nap-{nap}");
    }
    // Each line of the board's is there once, in its order.
    let offsets: Vec<u64> = log.iter().filter_map(|line| line["offset"].as_u64()).collect();
    assert!(offsets.len() > 20 && offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    wait_until(LIMIT, "the worker has forgotten it", || folders(&lab).is_empty());
}

#[test]
fn a_worker_that_stays_away_loses_its_jobs_and_ends_them_when_it_is_back() {
    let lab = TestLab::new();
    let mut farm = Farm::start(&lab, "worker_gone = \"3s\"\n");
    let job = farm.submit(&lab, longer(100));
    farm.until_logged(job, "nap-0");
    farm.worker.kill();
    let ended = farm.ended(job);
    assert_eq!(
        (&ended["health"], &ended["error_type"]),
        (&"incomplete".into(), &"Infrastructure".into())
    );
    let why = ended["error_msg"].as_str().unwrap();
    assert!(why.starts_with("nothing was heard of its worker farm1 for"), "{why}");
    assert_eq!(farm.server.get("/leases"), json!([]));
    assert_eq!(folders(&lab).len(), 1);
    farm.worker = Farm::worker(&lab, &farm.server);
    wait_until(LIMIT, "its process is ended, and its folder gone", || folders(&lab).is_empty());
    assert_eq!(farm.cycles(ended["boards"][0]["name"].as_str().unwrap()), 1);
    assert_eq!(farm.server.get(&format!("/jobs/{job}")), ended);
}
