//! It starts without anything, and keeps what it was told.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::Server;
use crate::common::{LIMIT, Process, TestLab, needs, run, wait_until};

#[test]
fn without_any_file_it_serves_this_host_and_forgets_nothing() {
    let lab = TestLab::new();
    let mut server = Server::start(&lab);
    assert!(server.address.ip().is_loopback());
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/a"});
    assert_eq!(server.ask("PUT", "/boards/panda01?new=true", &panda).status, 200);
    let again = server.ask("PUT", "/boards/panda01?new=true", &panda);
    assert_eq!(again.status, 409, "{}", again.text());
    let bad = json!({"health": "bad", "reason": "no SD card", "user": "root"});
    assert_eq!(server.ask("POST", "/boards/panda01/health", &bad).status, 200);
    let nobodys = server.ask("POST", "/requests", &json!({"spec": "panda", "for": "1h"}));
    assert_eq!(nobodys.status, 400, "{}", nobodys.text());
    let waits = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(server.ask("POST", "/requests", &waits).json()["id"], 1);
    server.daemon.kill();

    let server = Server::again(&lab, server.address);
    let board = server.get("/boards/panda01");
    assert_eq!((&board["health"], &board["reason"]), (&"bad".into(), &"no SD card".into()));
    let waiting = server.get("/requests/1");
    assert_eq!(waiting["waiting"]["why"], "not to be had: panda01 is bad (no SD card)");
    let history = server.get("/boards/panda01/history");
    let what: Vec<_> = history.as_array().unwrap().iter().map(|it| &it["what"]).collect();
    assert_eq!(what, ["added", "health"]);
    assert_eq!(server.ask("GET", "/boards/panda1", &Value::Null).status, 404);

    // Two of them in one folder would each give the boards away.
    let second = lab.run("lava-server", ["--listen", "127.0.0.1:0"], "");
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(3), "{told}");
    assert!(told.contains("another lava-server has the folder"), "{told}");
}

#[test]
fn postgresql_keeps_the_same() {
    let lab = TestLab::new();
    let postgres = Postgres::start(&lab);
    let args = ["--listen", "127.0.0.1:0", "--database", &postgres.url];
    let start = || {
        let daemon = lab.start("lava-server", args);
        Server { address: daemon.address("http"), daemon }
    };
    let mut server = start();
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/a"});
    assert_eq!(server.ask("PUT", "/boards/panda01", &panda).status, 200);
    let asked = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(server.ask("POST", "/requests", &asked).status, 200);
    server.until("it is hers", "/requests/1", |it| it["state"] == "leased");
    server.daemon.kill();
    // PostgreSQL may not have seen yet that the first one is gone: this one stands by until then.
    let server = start();
    server.until("it is still hers", "/boards/panda01", |it| it["lease"]["holder"] == "alice");
    assert_eq!(server.ask("DELETE", "/requests/1?user=alice", &Value::Null).status, 200);
    assert_eq!(server.get("/requests?ended=true")[0]["ending"], "released");
}

#[test]
fn of_two_servers_on_one_database_one_stands_by_and_takes_over() {
    let lab = TestLab::new();
    let postgres = Postgres::start(&lab);
    let start = |dir: &str| {
        let dir = lab.path(dir).display().to_string();
        let args = ["--listen", "127.0.0.1:0", "--database", &postgres.url, "--dir", &dir];
        let daemon = lab.start("lava-server", args);
        Server { address: daemon.address("http"), daemon }
    };
    let mut first = start("first");
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/a"});
    assert_eq!(first.ask("PUT", "/boards/panda01", &panda).status, 200);
    let asked = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(first.ask("POST", "/requests", &asked).status, 200);
    first.until("it is hers", "/requests/1", |it| it["state"] == "leased");

    // The other one gives nothing away, and says who does.
    let second = start("second");
    let refused = second.ask("POST", "/requests", &asked);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(
        refused.text().contains(&format!("stands by: lava-server at {} on ", first.url())),
        "{}",
        refused.text()
    );
    assert_eq!(second.ask("GET", "/healthz", &Value::Null).status, 503);

    first.daemon.kill();
    second.until("it has the lab", "/requests/1", |it| it["state"] == "leased");
    let bobs = json!({"spec": "panda", "for": "1h", "user": "bob"});
    assert_eq!(second.ask("POST", "/requests", &bobs).json()["id"], 2);
    // Who comes back stands by in turn.
    let first = start("first");
    assert_eq!(first.ask("GET", "/boards", &Value::Null).status, 503);
}

#[test]
fn a_file_is_the_database_of_one_server_whatever_folders_they_have() {
    let lab = TestLab::new();
    let url = format!("sqlite:{}", lab.path("lab.db").display());
    let args = |dir: &str| {
        let dir = lab.path(dir).display().to_string();
        [
            "--listen".into(),
            "127.0.0.1:0".into(),
            "--database".into(),
            url.clone(),
            "--dir".into(),
            dir,
        ]
    };
    // It is made when it is not there.
    let _first = lab.start("lava-server", args("first"));
    let second = lab.run("lava-server", args("second"), "");
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(3), "{told}");
    assert!(told.contains("another lava-server has the database"), "{told}");
}

/// A PostgreSQL of our own, reached by its socket alone.
pub(super) struct Postgres {
    _process: Process,
    pub(super) url: String,
}

impl Postgres {
    pub(super) fn start(lab: &TestLab) -> Self {
        let programs = Path::new("/usr/lib/postgresql/15/bin");
        let (initdb, postgres) = (programs.join("initdb"), programs.join("postgres"));
        needs(&initdb);
        let (data, dir) = (lab.path("postgres"), lab.dir().to_owned());
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).unwrap();
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o777)).unwrap();
        // It does not run as root.
        let root = rustix::process::geteuid().is_root();
        let nobody = |program: &Path| {
            let mut command = lab.tool(if root { Path::new("setpriv") } else { program });
            if root {
                let as_user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
                command.args(as_user).arg(program);
            }
            command.current_dir(&data);
            command
        };
        let cluster = data.join("cluster");
        let mut init = nobody(&initdb);
        init.args(["-U", "lava", "-A", "trust", "--no-sync", "-D"]).arg(&cluster);
        let made = run(&mut init, "", LIMIT);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut serve = nobody(&postgres);
        serve.arg("-D").arg(&cluster).arg("-k").arg(&data);
        serve.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        let process = Process::spawn(serve.stdout(Stdio::null()).stderr(Stdio::null()));
        // It listens before it takes anybody.
        let mut ready = lab.tool(programs.join("pg_isready"));
        ready.arg("-h").arg(&data);
        wait_until(LIMIT, "PostgreSQL answers", || run(&mut ready, "", LIMIT).status.success());
        let url = format!("postgres://lava@localhost/postgres?host={}", data.display());
        Self { _process: process, url }
    }
}
