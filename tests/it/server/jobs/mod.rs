//! Jobs: handed in, run by a worker, and what is left of them.

mod boot;
mod clock;
mod cut_off;
mod ends;
mod faults;
mod full;
mod group;
mod identity;
mod images;
mod metrics;
mod passes;
mod run;
mod takeover;
mod unplugged;
mod version;
mod yard;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Server, lava};
use crate::common::job::JOB;
use crate::common::{Daemon, TestLab, wait_until};

/// A server with the two virtual boards of a demo, and a worker.
pub(super) struct Farm {
    pub(super) server: Server,
    demo: Daemon,
    worker: Daemon,
}

impl Farm {
    /// With more lines for the server's `[jobs]`.
    #[track_caller]
    pub(super) fn start(lab: &TestLab, jobs: &str) -> Self {
        Self::configure(lab, jobs);
        let server = Self::server(lab, "127.0.0.1:0");
        Self::of(lab, server)
    }

    /// Writes the server's file, with more lines for its `[jobs]`, and what comes after them.
    fn configure(lab: &TestLab, jobs: &str) {
        let types = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/device-types");
        lab.write("server.toml", &format!("[jobs]\ntemplates = [{types:?}]\n{jobs}"));
    }

    /// The boards and the worker of a server that runs.
    #[track_caller]
    fn of(lab: &TestLab, server: Server) -> Self {
        let dir = lab.path("demo");
        let mut demo = lab.program("lava");
        demo.arg("demo").arg("--dir").arg(&dir);
        let demo = Daemon::start("lava demo", &mut demo);
        for board in ["panda01", "panda02"] {
            let url = |what: &str, key: &str| format!("http://{}/{what}/{board}", demo.told(key));
            let device = std::fs::read_to_string(dir.join("job/device.yaml")).unwrap();
            let device = lab.write(&format!("{board}.yaml"), &device.replace("panda01", board));
            let (console, outlet) = (url("consoles", "http"), url("outlets", "power"));
            let args = ["board", "add", board, "--type", "lavamux-virtual", "--dictionary"];
            let parts = [&device, "--console", &console, "--outlet", &outlet];
            let (code, _, err) = lava(lab, &server, "root", &[&args[..], &parts].concat());
            assert_eq!(code, 0, "{err}");
        }
        let worker = Self::worker(lab, &server);
        Self { server, demo, worker }
    }

    #[track_caller]
    fn server(lab: &TestLab, listen: &str) -> Server {
        let config = lab.path("server.toml").display().to_string();
        let daemon = lab.start("lava-server", ["--config", &config, "--listen", listen]);
        Server { address: daemon.address("http"), daemon }.with_the_lab()
    }

    #[track_caller]
    fn worker(lab: &TestLab, server: &Server) -> Daemon {
        let tftp = lab.path("demo/tftp").display().to_string();
        let images = concat!(env!("CARGO_MANIFEST_DIR"), "/target/rig/boot");
        let demo = lab.path("demo").display().to_string();
        let args = ["worker", "--server", &server.url(), "--name", "farm1"];
        let files = ["--files", &demo, "--files", images, "--"];
        let run = ["--tftp-dir", &tftp, "--dispatcher-ip", "10.0.2.2"];
        lab.start("lava-dispatcher", [&args[..], &files, &run].concat())
    }

    /// Hands in a job of the demo's virtual boards, changed: its number.
    #[track_caller]
    pub(super) fn submit(&self, lab: &TestLab, change: impl FnOnce(String) -> String) -> u64 {
        let definition = change(demo_job(lab));
        let asked = json!({"definition": definition, "user": "alice"});
        let answer = self.server.ask("POST", "/jobs", &asked);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_u64().unwrap()
    }

    /// The kernel and the ramdisk of the demo's virtual boards.
    pub(super) fn boot_files(&self, lab: &TestLab) -> [String; 2] {
        let job = demo_job(lab);
        let files = job.lines().filter_map(|line| line.trim().strip_prefix("url: \"file://"));
        let mut files = files.map(|file| file.trim_end_matches('"').to_owned());
        std::array::from_fn(|_| files.next().unwrap())
    }

    /// Waits until a job is so.
    #[track_caller]
    fn until(&self, what: &str, job: u64, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        wait_until(JOB, what, || {
            last = self.server.get(&format!("/jobs/{job}"));
            is(&last)
        });
        last
    }

    /// The job's end.
    #[track_caller]
    pub(super) fn ended(&self, job: u64) -> Value {
        self.until("the job ends", job, |job| job["state"] == "finished")
    }

    /// The log as far as it is.
    fn log(&self, job: u64) -> Vec<Value> {
        let text = self.server.ask("GET", &format!("/jobs/{job}/log"), &Value::Null).text();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until a job's log has these words.
    #[track_caller]
    fn until_logged(&self, job: u64, words: &str) {
        wait_until(JOB, words, || {
            self.log(job).iter().any(|line| line["msg"].to_string().contains(words))
        });
    }

    /// Adds the shipped QEMU board.
    #[track_caller]
    pub(super) fn add_qemu(&self, lab: &TestLab, name: &str) {
        let device = crate::common::job::shipped("qemu-arm64.yaml");
        let add = ["board", "add", name, "--type", "qemu", "--dictionary", &device];
        let (code, _, err) = lava(lab, &self.server, "root", &add);
        assert_eq!(code, 0, "{err}");
    }

    /// How often a board was switched off and on.
    fn cycles(&self, board: &str) -> usize {
        let path = format!("/outlets/{board}/history");
        let history = crate::common::http(self.demo.address("power"), "GET", &path, "").json();
        let all = history.as_array().unwrap();
        all.iter().filter(|record| record["verb"] == "cycle").count()
    }
}

/// The job of a demo, without its name.
fn demo_job(lab: &TestLab) -> String {
    std::fs::read_to_string(lab.path("demo/job/job.yaml")).unwrap()
}

/// The same with so many more seconds of tests.
pub(super) fn longer(seconds: usize) -> impl FnOnce(String) -> String {
    move |job| {
        let begin = job.find("          - lava-test-case linux").unwrap();
        let naps =
            (0..seconds).map(|i| format!("          - lava-test-case nap-{i} --shell sleep 1\n"));
        [&job[..begin], &naps.collect::<String>(), &job[begin..]].concat()
    }
}

/// What a worker has of its jobs.
fn folders(lab: &TestLab) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(lab.path("state/worker/jobs")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
