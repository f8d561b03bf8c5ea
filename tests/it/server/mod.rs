//! The stories of `lava-server`: real daemons announce themselves, people ask for boards.

mod backup;
mod boards;
mod certificates;
mod ci;
mod ci_limits;
mod hosts;
mod identity;
mod images;
mod interlock;
mod jobs;
mod leases;
mod let_in;
mod on_postgres;
mod pages;
mod python;
mod rights;
mod standby;
mod start;
mod tls;
mod users;
mod vm;

use std::net::SocketAddr;

use serde_json::Value;

use crate::common::job::JOB;
use crate::common::{Answer, Daemon, LIMIT, TestLab, http, http_as, run, wait_until};

/// A running lava-server.
struct Server {
    daemon: Daemon,
    address: SocketAddr,
}

impl Server {
    #[track_caller]
    fn start(lab: &TestLab) -> Self {
        let daemon = lab.start("lava-server", ["--listen", "127.0.0.1:0"]);
        let address = daemon.address("http");
        Self { daemon, address }
    }

    /// The same again where it was, after its end.
    #[track_caller]
    fn again(lab: &TestLab, address: SocketAddr) -> Self {
        let daemon = lab.start("lava-server", ["--listen", &address.to_string()]);
        Self { daemon, address }.with_the_lab()
    }

    /// Waits until it has the lab: of PostgreSQL it is free a moment after the end of who had it.
    #[track_caller]
    fn with_the_lab(self) -> Self {
        wait_until(LIMIT, "it has the lab", || {
            self.ask("GET", "/healthz", &Value::Null).status == 200
        });
        self
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http(self.address, method, path, &body)
    }

    /// The same with a token.
    fn ask_as(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http_as(self.address, Some(token), method, path, &body)
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).json()
    }

    /// Waits until the answer to a question is so.
    #[track_caller]
    fn until(&self, what: &str, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        wait_until(LIMIT, what, || {
            let answer = self.ask("GET", path, &Value::Null);
            last = if answer.status == 200 { answer.json() } else { Value::Null };
            is(&last)
        });
        last
    }
}

/// The daemons of two boards, which announce themselves: `panda01` and `panda02`.
struct Rack {
    power: Daemon,
    power_config: String,
    serial: Daemon,
    serial_config: String,
}

impl Rack {
    #[track_caller]
    fn start(lab: &TestLab, server: &Server) -> Self {
        let announce = format!("[server]\nurl = {:?}\nhost = \"farm1\"\n", server.url());
        let http = "[http]\nlisten = \"127.0.0.1:0\"\n";
        let capture = format!("[capture]\ndir = {:?}\n", lab.path("captures"));
        let consoles = ["panda01", "panda02"]
            .map(|name| format!("[[console]]\nname = {name:?}\nport = \"sim:uart\"\n"));
        let serial = format!("{announce}{http}{capture}{}", consoles.concat());
        let outlets = [("panda01", 1), ("panda02", 2)].map(|(name, port)| {
            format!("[[outlet]]\nname = {name:?}\npdu = \"rack1\"\nport = {port}\n")
        });
        let power = format!(
            "{announce}{http}[[pdu]]\nname = \"rack1\"\ndriver = \"sim\"\n{}",
            outlets.concat()
        );
        let serial = lab.write("serial.toml", &serial);
        let power_config = lab.write("power.toml", &power);
        let power = lab.start("lava-power", ["--config", &power_config]);
        let serial_config = serial;
        let serial = lab.start("lava-serial", ["--config", &serial_config]);
        Self { power, power_config, serial, serial_config }
    }

    /// … and both boards are added, as what is announced by their names.
    #[track_caller]
    fn with_boards(lab: &TestLab, server: &Server) -> Self {
        let rack = Self::start(lab, server);
        for name in ["panda01", "panda02"] {
            let announced = |all: &Value| all.to_string().contains(name);
            server.until("the console is announced", "/consoles", announced);
            server.until("the outlet is announced", "/outlets", announced);
            let added = lava(lab, server, "root", &["board", "add", name, "--type", "panda"]);
            assert_eq!(added.0, 0, "{}", added.2);
        }
        rack
    }
}

/// Runs `lava` as a user of a server: its exit code, standard output and standard error.
#[track_caller]
fn lava(lab: &TestLab, server: &Server, user: &str, args: &[&str]) -> (i32, String, String) {
    let mut command = lab.program("lava");
    command.args(args).env("LAVA_USER", user).env("LAVA_SERVER", server.url());
    let output = run(&mut command, "", JOB);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
