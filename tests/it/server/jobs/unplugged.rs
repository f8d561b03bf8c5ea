//! A worker whose network cable is pulled: two network namespaces and a cable between them, the server in one of
//! them and the worker, with its board, in the other.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::yard::{path, steps};
use crate::common::job::JOB;
use crate::common::{Daemon, LIMIT, TestLab, http_unix, wait_until};
use crate::dispatch::host_board::{device, host_board};

/// The two ends of the cable.
const SERVER: &str = "10.77.0.1";
const WORKER: &str = "10.77.0.2";

/// Two hosts with a cable between them.
struct Hosts {
    server: Daemon,
    worker: Daemon,
}

impl Hosts {
    #[track_caller]
    fn new(lab: &TestLab) -> Self {
        let mut new = lab.tool("unshare");
        new.args(["--user", "--map-root-user"]);
        let wait = "ip link set lo up && echo ready: up && exec sleep 1000";
        let server = Daemon::start("a host", new.args(["--net", "sh", "-c", wait]));
        let mut new = enter(lab, &server);
        let worker = Daemon::start("a host", new.args(["unshare", "--net", "sh", "-c", wait]));
        let hosts = Self { server, worker };
        hosts.ip(&format!("link add cable type veth peer name cable netns {}", hosts.worker.pid()));
        hosts.ip(&format!("address add {SERVER}/24 dev cable"));
        hosts.ip("link set cable up");
        let there = format!("ip address add {WORKER}/24 dev cable && ip link set cable up");
        let mut plug = enter(lab, &hosts.worker);
        assert!(plug.args(["sh", "-c", &there]).status().unwrap().success());
        hosts
    }

    /// On the server's host.
    #[track_caller]
    fn ip(&self, words: &str) {
        let mut command = nsenter(Command::new("nsenter"), &self.server);
        let command = command.arg("ip").args(words.split(' '));
        assert!(command.status().unwrap().success(), "ip {words}");
    }
}

/// A command on one of these hosts.
fn enter(lab: &TestLab, host: &Daemon) -> Command {
    nsenter(lab.tool("nsenter"), host)
}

fn nsenter(mut command: Command, host: &Daemon) -> Command {
    command.args(["--target", &host.pid().to_string(), "--net"]);
    command.args(["--user", "--preserve-credentials", "--"]);
    command
}

#[test]
fn a_worker_that_is_unplugged_goes_on_and_tells_all_of_it_when_it_is_back() {
    unplugged_for(Duration::ZERO);
}

#[test]
fn a_worker_may_be_unplugged_for_a_minute() {
    // Longer than a greeting is waited for on either side (20 and 35 s), and than TCP tries a packet's answer three
    // times; shorter than what the server bears (`worker_gone`, 150 s).
    unplugged_for(Duration::from_secs(70));
}

/// The job of a worker begins, goes on for so long without a network, and longer if it has to, and ends there.
fn unplugged_for(time: Duration) {
    let lab = TestLab::new();
    host_board(&lab);
    let hosts = Hosts::new(&lab);
    let config = format!("[http]\nlisten = \"{SERVER}:7000\"\ninsecure = true\n");
    let config = lab.write("server.toml", &config);
    let mut server = enter(&lab, &hosts.server);
    server.arg(crate::common::program("lava-server")).args(["--config", &config]);
    let server = Daemon::start("lava-server", &mut server);
    let ask = |method: &str, path: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = http_unix(server.told("socket").as_ref(), method, path, &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    };
    let board = json!({"type": "docker", "dictionary": device("docker01")});
    ask("PUT", "/boards/docker01", &board);
    let mut worker = enter(&lab, &hosts.worker);
    worker.arg(crate::common::program("lava-dispatcher")).env("PATH", path(&lab));
    worker.args(["worker", "--name", "farm1", "--server", &format!("http://{SERVER}:7000")]);
    let _worker = Daemon::start("lava-dispatcher", &mut worker);

    let go = lab.path("go");
    let waits = format!("while ! test -e {}; do sleep 0.05; done", go.display());
    let job = ["first", "cut", "last"].map(|case| format!("lava-test-case {case} --result pass"));
    let job = steps(&[job[0].as_str(), &waits, &job[1], &job[2]]);
    let job = ask("POST", "/jobs", &json!({"definition": job, "user": "alice"})).json();
    let job = format!("/jobs/{}", job["id"]);
    let log = || ask("GET", &format!("{job}/log"), &Value::Null).text();
    wait_until(JOB, "the first test is told", || log().contains("\"case\":\"first\""));
    hosts.ip("link set cable down");
    // It is time itself that things are to stand.
    std::thread::sleep(time / 2);
    std::fs::write(&go, "").unwrap();
    let out = lab.path("state/worker/jobs/1/out");
    wait_until(JOB, "the job ends where nobody hears of it", || out.join("results.yaml").exists());
    assert!(!log().contains("\"case\":\"last\""));
    std::thread::sleep(time / 2);
    // Its board is its own as long as nobody knows.
    assert_eq!(ask("GET", &job, &Value::Null).json()["state"], "running");
    let leases = ask("GET", "/leases", &Value::Null).json();
    assert!(leases.as_array().is_some_and(|all| all.len() == 1), "{leases}");
    let whole = std::fs::read_to_string(out.join("output.jsonl")).unwrap();

    hosts.ip("link set cable up");
    let mut ended = Value::Null;
    wait_until(JOB, "the job's end is told", || {
        ended = ask("GET", &job, &Value::Null).json();
        ended["state"] == "finished"
    });
    assert_eq!(ended["health"], "complete", "{ended}");
    assert_eq!(ended["tally"], json!({"pass": 3, "fail": 0, "skip": 0, "unknown": 0}));
    assert!(log().starts_with(&whole), "what was told of the log is not what there was");
    assert_eq!(std::fs::read_dir(lab.path("boards")).unwrap().count(), 1, "it has run twice");
    wait_until(LIMIT, "the worker has forgotten it", || super::folders(&lab).is_empty());
}
