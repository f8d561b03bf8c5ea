//! Two servers on one PostgreSQL: one is killed in the middle of jobs, and the other one goes on.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;

use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::json;

use super::{Farm, folders, longer};
use crate::common::postgres::Postgres;
use crate::common::{Heard, LIMIT, Process, TestLab, command, wait_until};
use crate::server::Server;

/// The address at which clients find whichever server has the lab: HAProxy, as conf/ has it.
struct Front {
    address: SocketAddr,
    _haproxy: Process,
}

impl Front {
    fn of(lab: &TestLab, servers: [SocketAddr; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        fcntl_setfd(listener.as_fd(), FdFlags::empty()).unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/haproxy.cfg");
        let config = fs::read_to_string(example).unwrap();
        let config = config
            .replace("127.0.0.1:7000", &format!("fd@{}", listener.as_raw_fd()))
            .replace("127.0.0.1:7001", &servers[0].to_string())
            .replace("127.0.0.1:7002", &servers[1].to_string());
        let config = lab.write("haproxy.cfg", &config);
        let haproxy = Process::spawn(command("haproxy").args(["-db", "-f", &config]));
        Self { address: listener.local_addr().unwrap(), _haproxy: haproxy }
    }
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_jobs_loses_none_and_runs_none_twice() {
    killed_in_the_middle(|lab, servers| {
        let front = Front::of(lab, servers);
        (front.address, Some(front))
    });
}

#[test]
fn nor_does_it_for_those_who_know_only_the_one_that_stood_by() {
    killed_in_the_middle(|_, [_, second]| (second, None));
}

/// `way` is by which address people and the worker find the servers.
fn killed_in_the_middle(way: impl Fn(&TestLab, [SocketAddr; 2]) -> (SocketAddr, Option<Front>)) {
    let lab = TestLab::new();
    let postgres = Postgres::start();
    let (dir, images, url) = (lab.path("jobs"), lab.path("images"), postgres.url());
    let images = format!("[images]\nplace = {images:?}\n");
    Farm::configure(&lab, &format!("dir = {dir:?}\n[database]\nurl = {url:?}\n{images}"));
    let start = |dir: &str| {
        let (config, dir) = (lab.path("server.toml"), lab.path(dir));
        let [config, dir] = [config, dir].map(|path| path.display().to_string());
        let args = ["--config", &config, "--listen", "127.0.0.1:0", "--dir", &dir];
        lab.start("lava-server", args)
    };
    let (first, second) = (start("first"), start("second"));
    let (address, _front) = way(&lab, [first.address("http"), second.address("http")]);
    let mut farm = Farm::of(&lab, Server { daemon: first, address });
    // Whichever of the boards it gets.
    let on_any = |job: String| job.replace("root@panda01:", "root@panda0[12]:");
    let running = [(); 2].map(|()| farm.submit(&lab, |job| longer(6)(on_any(job))));
    let queued = farm.submit(&lab, on_any);
    running.iter().for_each(|job| farm.until_logged(*job, "nap-0"));
    let mut follower = TcpStream::connect(address).unwrap();
    let follow = format!("/jobs/{}/log/follow?user=alice", running[0]);
    write!(follower, "GET {follow} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    Heard::from(follower).find(LIMIT, 0, b"nap-0").unwrap();

    farm.server.daemon.kill();
    farm.server.daemon = second;
    let is_ours = |it: &serde_json::Value| it.as_array().is_some_and(|jobs| jobs.len() == 3);
    farm.server.until("the other one has the lab", "/jobs", is_ours);
    let ended = running.map(|job| farm.ended(job));
    let boards = ended.each_ref().map(|job| job["boards"][0]["name"].as_str().unwrap());
    assert_ne!(boards[0], boards[1]);
    for job in &ended {
        assert_eq!(job["health"], "complete", "{job}");
        assert_eq!(job["tally"], json!({"pass": 10, "fail": 0, "skip": 0, "unknown": 0}));
        let log = farm.log(job["id"].as_u64().unwrap());
        let naps = log.iter().filter(|line| {
            line["lvl"] == "results" && line["msg"]["case"].to_string().contains("nap-")
        });
        assert_eq!(naps.count(), 6, "each once");
    }
    let last = farm.ended(queued);
    assert_eq!(last["health"], "complete", "{last}");
    // Each board was switched once for each of its jobs.
    let of_last = last["boards"][0]["name"].as_str().unwrap();
    for board in boards {
        assert_eq!(farm.cycles(board), 1 + usize::from(board == of_last), "{board}");
    }
    assert_eq!(farm.server.get("/leases"), json!([]));
    wait_until(LIMIT, "the worker has forgotten them", || folders(&lab).is_empty());
}
