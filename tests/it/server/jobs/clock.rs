//! A server whose host's clock is set while it runs. The others' clocks stay right.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Farm, longer};
use crate::common::{Daemon, TestLab, http_as, needs, wait_until};
use crate::server::Server;

/// Debian's libfaketime; the loader knows what stands for LIB.
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketime.so.1";
const HOUR_US: u64 = 3600 * 1_000_000;
/// A server looks at its clock every ten seconds at least.
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that is set by so many seconds.
struct Clock<'a>(&'a TestLab);

impl Clock<'_> {
    fn set(&self, by: i64) {
        // In one piece: half a number is another time.
        std::fs::write(self.0.path("clock.new"), format!("{by:+}\n")).unwrap();
        std::fs::rename(self.0.path("clock.new"), self.0.path("clock")).unwrap();
    }

    /// A lava-server that goes by it.
    #[track_caller]
    fn server(&self, config: &str) -> Server {
        needs(std::path::Path::new("/usr/bin/faketime"));
        let mut command = self.0.program("lava-server");
        command.args(["--config", config, "--listen", "127.0.0.1:0"]);
        command.env("LD_PRELOAD", FAKETIME).env("FAKETIME_TIMESTAMP_FILE", self.0.path("clock"));
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let daemon = Daemon::start("lava-server", &mut command);
        Server { address: daemon.address("http"), daemon }
    }
}

fn us(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no time: {value}"))
}

fn real_now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

#[test]
fn a_clock_that_is_set_ends_no_lease_and_no_job_before_its_time_and_none_is_for_ever() {
    let lab = TestLab::new();
    let clock = Clock(&lab);
    clock.set(0);
    Farm::configure(&lab, "worker_gone = \"30s\"\n");
    let server = clock.server(&lab.path("server.toml").display().to_string());
    for name in ["desk01", "desk02"] {
        let path = format!("/boards/{name}");
        assert_eq!(server.ask("PUT", &path, &json!({"type": "desk"})).status, 200);
    }
    let asked = |server: &Server, body: &Value| {
        let answer = server.ask("POST", "/requests", body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_u64().unwrap()
    };
    let hers = json!({"spec": "name=desk01", "for": "2h", "user": "alice", "heartbeat": "5m"});
    let hers = format!("/requests/{}", asked(&server, &hers));
    server.until("it is hers", &hers, |it| it["state"] == "leased");
    let his = json!({"spec": "name=desk01", "for": "1h", "user": "bob", "patience": "5m"});
    let his = format!("/requests/{}", asked(&server, &his));
    let farm = Farm::of(&lab, server);
    let job = farm.submit(&lab, longer(15));
    farm.until_logged(job, "nap-0");

    // A day ahead: everybody has what they had.
    clock.set(86_400);
    let is_in_an_hour = |at: &Value, ahead_us: u64| {
        let left = us(at).saturating_sub(real_now_us() + ahead_us);
        left > HOUR_US && left <= 2 * HOUR_US
    };
    let moved = farm
        .server
        .until("her lease ends tomorrow", &hers, |it| is_in_an_hour(&it["until_us"], 24 * HOUR_US));
    assert_eq!(moved["state"], "leased");
    let waits = farm.server.get(&his);
    assert_eq!((&waits["state"], &waits["waiting"]["position"]), (&"waiting".into(), &1.into()));
    let extended = json!({"for": "90m", "user": "alice"});
    let path = format!("/leases/{}/extend", hers.rsplit('/').next().unwrap());
    // Bob is to have it then, whatever the clock says.
    assert_ne!(farm.server.ask("POST", &path, &json!({"for": "3h", "user": "alice"})).status, 200);
    let extended = farm.server.ask("POST", &path, &extended).json();
    assert!(is_in_an_hour(&extended["until_us"], 24 * HOUR_US), "{extended}");
    assert_eq!(farm.server.get(&format!("/jobs/{job}"))["state"], "running");
    assert_eq!(farm.server.get("/workers")[0]["live"], true);

    // An hour back, in the middle of a lease that is nearly over, and before the job's end.
    let short = json!({"spec": "name=desk02", "for": "12s", "user": "carol"});
    let short = format!("/requests/{}", asked(&farm.server, &short));
    farm.server.until("it is hers", &short, |it| it["state"] == "leased");
    clock.set(86_400 - 3600);
    let moved = farm.server.until("alice's lease is moved back", &hers, |it| {
        is_in_an_hour(&it["until_us"], 23 * HOUR_US)
    });
    assert_eq!(moved["state"], "leased");
    wait_until(PATIENCE, "a short lease ends", || farm.server.get(&short)["state"] == "ended");
    assert_eq!(farm.server.get(&short)["ending"], "expired");

    let ended = farm.ended(job);
    assert_eq!(ended["health"], "complete", "{ended}");
    let time = |key: &str| us(&ended[key]);
    let ran = time("ended_us").checked_sub(time("started_us")).unwrap_or(u64::MAX);
    assert!(ran > 14_000_000 && ran < HOUR_US / 2, "{ended}");
    assert!(time("submitted_us") <= time("started_us"), "{ended}");
    assert_eq!(farm.cycles(ended["boards"][0]["name"].as_str().unwrap()), 1);
    assert_eq!(farm.server.get(&his)["state"], "waiting");

    // What was moved is in the database, too.
    let mut farm = farm;
    farm.server.daemon.kill();
    farm.server = clock.server(&lab.path("server.toml").display().to_string());
    let kept = farm.server.get(&hers);
    assert!(kept["state"] == "leased" && is_in_an_hour(&kept["until_us"], 23 * HOUR_US), "{kept}");
}

#[test]
fn a_token_is_over_by_the_clock_and_good_again_when_that_is_put_right() {
    let lab = TestLab::new();
    let clock = Clock(&lab);
    clock.set(0);
    let config = lab.write("server.toml", "");
    let server = clock.server(&config);
    let here = |args: &[&str]| {
        let output = lab.run("lava", args, "");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let lasting = here(&["user", "add", "root", "--control", "*"]);
    let hour = here(&["user", "token", "root", "--for", "1h"]);
    let status = |token: &str| http_as(server.address, Some(token), "GET", "/boards", "").status;
    wait_until(PATIENCE, "both let in", || [&lasting, &hour].map(|it| status(it)) == [200, 200]);
    clock.set(86_400);
    wait_until(PATIENCE, "one is over", || [&lasting, &hour].map(|it| status(it)) == [200, 401]);
    clock.set(0);
    wait_until(PATIENCE, "it is good again", || status(&hour) == 200);
}
