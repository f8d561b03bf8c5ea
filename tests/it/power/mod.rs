//! The stories of outlets: the real lava-power with real SNMP agents, programs and virtual boards.

mod agent;
mod budget;
mod cli;
mod console;
mod dialogue;
mod exec;
mod families;
mod feeds;
mod fronts;
mod interlock;
mod ipmi;
mod leases;
mod libvirt;
mod meters;
mod mqtt;
mod qmp;
mod relays;
mod secrets;
mod service;
mod simulated;
mod snmp;
mod talking;
mod truth;
mod typing;
mod web;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Answer, Daemon, TestLab, http};

/// A running lava-power.
struct Power {
    daemon: Daemon,
    address: SocketAddr,
}

impl Power {
    /// Starts it with these PDUs and outlets; the listener is added.
    #[track_caller]
    fn start(lab: &TestLab, config: &str) -> Self {
        let text = format!("{config}\n[http]\nlisten = \"127.0.0.1:0\"\n");
        let daemon = lab.start("lava-power", ["--config", &lab.write("power.toml", &text)]);
        let address = daemon.address("http");
        Self { daemon, address }
    }

    fn get(&self, path: &str) -> Answer {
        http(self.address, "GET", path, "")
    }

    /// `on`, `off`, `cycle` or `status`, asked by alice.
    fn ask(&self, outlet: &str, verb: &str) -> Answer {
        match verb {
            "status" => self.get(&format!("/outlets/{outlet}")),
            verb => {
                let path = format!("/outlets/{outlet}/{verb}");
                http(self.address, "POST", &path, r#"{"user":"alice","reason":"a test"}"#)
            }
        }
    }

    /// State and verification of an operation that has to succeed: `on verified`.
    #[track_caller]
    fn done(&self, outlet: &str, verb: &str) -> String {
        let answer = self.ask(outlet, verb);
        assert_eq!(answer.status, 200, "{verb} of {outlet}: {}", answer.text());
        let report = answer.json();
        assert_eq!((&report["outlet"], &report["verb"]), (&outlet.into(), &verb.into()));
        format!("{} {}", text(&report["state"]), text(&report["verified"]))
    }

    /// Kind and message of an operation that has to fail.
    #[track_caller]
    fn fails(&self, outlet: &str, verb: &str) -> (String, String) {
        let answer = self.ask(outlet, verb);
        assert_eq!(answer.status, 502, "{verb} of {outlet}: {}", answer.text());
        failure(&answer)
    }
}

/// Kind and message of an answer that is a failure. The message is one line.
#[track_caller]
fn failure(answer: &Answer) -> (String, String) {
    let error = &answer.json()["error"];
    let (kind, message) = (text(&error["kind"]), text(&error["message"]));
    assert!(!message.contains('\n'), "{message}");
    (kind, message)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// What something gave and how long it took.
fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = act();
    (result, begin.elapsed())
}
