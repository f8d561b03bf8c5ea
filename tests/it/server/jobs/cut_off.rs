//! Workers that are cut off from their server, or are started anew: no board is two people's meanwhile.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::yard::{Yard, steps};
use super::{Farm, folders};
use crate::common::job::JOB;
use crate::common::{LIMIT, TestLab, signal, wait_until};

const NAP: &str = "lava-test-case nap --shell sleep 1000";

/// How often a board has begun.
fn begun(lab: &TestLab) -> usize {
    std::fs::read_dir(lab.path("boards")).unwrap().count()
}

/// Whether nobody has this lock any more.
fn is_free(lock: &Path) -> bool {
    File::open(lock).unwrap().try_lock().is_ok()
}

impl Yard {
    #[track_caller]
    fn until_it_naps(&self, job: u64) {
        wait_until(JOB, "the test runs", || {
            let log = self.server.ask("GET", &format!("/jobs/{job}/log"), &Value::Null).text();
            log.contains("<STARTRUN") || log.contains("STARTTC nap")
        });
    }
}

#[test]
fn a_worker_that_is_started_anew_begins_no_job_that_is_over_by_then() {
    let lab = TestLab::new();
    Farm::configure(&lab, "");
    let mut yard = Yard::of(&lab, Farm::server(&lab, "127.0.0.1:0"), "", &[]);
    let (address, url) = (yard.server.address, yard.server.url());
    let job = yard.submit(&steps(&[NAP]));
    yard.until_it_naps(job);
    // Its folder as it is when the worker is killed before the process begins.
    let (folder, kept) = (lab.path("state/worker/jobs/1"), lab.path("kept"));
    std::fs::create_dir(&kept).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), kept.join(entry.file_name())).unwrap();
        }
    }
    let cancel = format!("/jobs/{job}/cancel");
    assert_eq!(yard.server.ask("POST", &cancel, &json!({"user": "alice"})).status, 200);
    assert_eq!(yard.ended(job)["health"], "canceled");
    wait_until(LIMIT, "the worker has forgotten it", || folders(&lab).is_empty());
    yard.worker.kill();
    yard.server.daemon.kill();
    std::fs::rename(&kept, &folder).unwrap();
    yard.worker = Yard::worker(&lab, &url, &[]);
    for _ in 0..40 {
        assert!(!folder.join("out").exists(), "the server was not asked");
        std::thread::sleep(Duration::from_millis(50));
    }
    yard.server = Farm::server(&lab, &address.to_string());
    wait_until(LIMIT, "the worker has forgotten it again", || folders(&lab).is_empty());
    assert_eq!(begun(&lab), 1);
}

#[test]
fn a_job_is_dead_before_its_board_is_free_whatever_becomes_of_its_worker() {
    let lab = TestLab::new();
    Farm::configure(&lab, "worker_gone = \"6s\"\n");
    let mut yard = Yard::of(&lab, Farm::server(&lab, "127.0.0.1:0"), "", &[]);
    for stopped in [false, true] {
        let job = yard.submit(&steps(&[NAP]));
        yard.until_it_naps(job);
        let out = lab.path(&format!("state/worker/jobs/{job}/out"));
        yard.worker.kill();
        if stopped {
            // It does not even hear that it is to end.
            let process = std::fs::read_to_string(out.join("claim")).unwrap();
            signal(process.trim().parse().unwrap(), Signal::STOP);
        }
        let ended = yard.ended(job);
        assert!(is_free(&out.join("claim")), "its process lives: {ended}");
        assert!(is_free(&out.join("watch")), "its guard is not done: {ended}");
        let why = ended["error_msg"].as_str().unwrap();
        assert!(why.starts_with("nothing was heard of its worker farm1 for"), "{why}");
        assert_eq!(yard.server.get("/leases"), json!([]));
        yard.worker = Yard::worker(&lab, &yard.server.url(), &[]);
        wait_until(LIMIT, "its folder is gone", || folders(&lab).is_empty());
    }
    assert_eq!(begun(&lab), 2);
}
