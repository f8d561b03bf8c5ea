//! What runs of CI jobs may not: more than their users can now, and more than their share of a worker.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::ci::{Closed, here, repository, worker};
use super::python::Board;
use super::{Server, text};
use crate::common::job::JOB;
use crate::common::{Daemon, LIMIT, TestLab, http_with, program, wait_until};
use crate::rights::{token, user};

const SLEEPS: &str = r#"
import os, time
print("token", open(os.environ["LAVA_TOKEN_FILE"]).read().strip()[::-1])
time.sleep(1000)
"#;

const FILLS: &str = r#"
import os, time
os.makedirs("module/cache")
open("module/cache/file", "w").close()
for folder in ("module/cache", "module"):
    os.chmod(folder, 0o555)
try:
    with open("large", "wb") as file:
        file.write(bytes(20 << 20))
    print("written")
except OSError as error:
    print("refused:", error.strerror)
os.remove("large")
for number in range(300):
    with open("file-%d" % number, "wb") as file:
        file.write(bytes(1 << 20))
    time.sleep(0.05)
"#;

#[test]
fn a_run_can_do_no_more_than_who_has_begun_it_can_now() {
    let lab = TestLab::new();
    let closed = Closed::start(&lab, SLEEPS);
    let (alice, ci) = (&closed.alice, &closed.ci);
    let ask = |token: &str, method: &str, path: &str, body: &Value| {
        closed.server.ask_as(token, method, path, body)
    };
    assert_eq!(ask(alice, "PUT", "/ci/sleeps", ci).status, 200);
    assert_eq!(ask(alice, "POST", "/ci/sleeps/run", &json!({})).status, 200);
    let mut token = String::new();
    wait_until(JOB, "the script has told its token", || {
        let log = ask(alice, "GET", "/jobs/1/log", &Value::Null).text();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut said = lines.filter_map(|line| line["msg"].as_str().map(str::to_owned));
        let told = said.find_map(|line| Some(line.strip_prefix("token ")?.chars().rev().collect()));
        told.map(|told| token = told).is_some()
    });
    let wants = |spec: &str| ask(&token, "POST", "/requests", &json!({"spec": spec, "for": "5m"}));
    assert_eq!(wants("panda").status, 200);
    // Less than before, from the moment at which it is said.
    here(&lab, &["user", "add", "alice", "--see", "*"]);
    let refused = wants("panda");
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(ask(&token, "GET", "/boards/panda01", &Value::Null).status, 200);
    // More than before: the run has what it was given.
    here(&lab, &["user", "add", "alice", "--write", "*"]);
    assert_eq!(wants("panda").status, 200);
    let waits = wants("beagle").json();
    assert_eq!(waits["waiting"]["never"], true, "{waits}");
    here(&lab, &["user", "remove", "alice"]);
    assert_eq!(ask(&token, "GET", "/boards/panda01", &Value::Null).status, 401);
    // … and is told to end, which it would not do by itself for a long time.
    let run =
        || serde_json::from_str::<Value>(&here(&lab, &["job", "show", "1", "--json"])).unwrap();
    wait_until(JOB, "it has ended", || run()["state"] == "finished");
    assert_eq!(run()["error_msg"], "alice is not let in any more", "{}", run());
}

#[test]
fn a_run_begun_on_somebodys_behalf_has_their_rights_as_they_are_now() {
    let lab = TestLab::new();
    let door = user("door", "control = \"*\"\nspeaks_for_others = true");
    let config = lab.write("server.toml", &door);
    let daemon = lab.start("lava-server", ["--config", &config, "--listen", "127.0.0.1:0"]);
    let server = Server { address: daemon.address("http"), daemon };
    let alone = format!("authorization: Bearer {}\r\n", token("door"));
    let ask = |headers: &str, method: &str, path: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        http_with(server.address, method, path, headers, &body)
    };
    // As lava-ssh asks, whatever it lets them do.
    let on_behalf = |name: &str| {
        let behalf = json!({"user": name, "rights": [["*", "control"]]});
        format!("{alone}lava-for: {behalf}\r\n")
    };
    assert_eq!(ask(&alone, "PUT", "/boards/panda01", &json!({"type": "panda"})).status, 200);
    let ci = json!({"git": "https://host/r.git", "script": "a.py"});
    assert_eq!(ask(&on_behalf("alice"), "PUT", "/ci/smoke", &ci).status, 200);
    let begin = || ask(&on_behalf("alice"), "POST", "/ci/smoke/run", &json!({}));
    // What somebody may who is not known here cannot be looked up when it goes on without them.
    let refused = begin();
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("the server knows no alice"), "{}", refused.text());
    here(&lab, &["user", "add", "alice", "--write", "panda*"]);
    let begun = begin();
    assert_eq!(begun.status, 200, "{}", begun.text());

    let hello = json!({"instance": "a", "number": 1, "slots": 1, "jobs": [], "scripts": true});
    let mut work = Value::Null;
    wait_until(LIMIT, "a worker has it", || {
        work = ask(&alone, "POST", "/workers/farm1/poll", &hello).json()["start"][0].clone();
        work["id"] == 1
    });
    let run = format!("authorization: Bearer {}\r\n", text(&work["token"]));
    let wants = || ask(&run, "POST", "/requests", &json!({"spec": "panda", "for": "5m"}));
    wait_until(LIMIT, "its token lets in", || wants().status == 200);
    here(&lab, &["user", "add", "alice", "--see", "*"]);
    assert_eq!(wants().status, 403);
    assert_eq!(ask(&run, "GET", "/boards/panda01", &Value::Null).status, 200);
    assert_eq!(ask(&on_behalf("alice"), "POST", "/jobs/1/resubmit", &json!({})).status, 200);
    here(&lab, &["user", "remove", "alice"]);
    assert_eq!(ask(&run, "GET", "/boards/panda01", &Value::Null).status, 401);
    wait_until(LIMIT, "the run that waits for a worker has ended", || {
        let waits = ask(&alone, "GET", "/jobs/2", &Value::Null).json();
        waits["state"] == "finished" && waits["error_msg"] == "alice is not let in any more"
    });
    assert_eq!(ask(&on_behalf("alice"), "POST", "/jobs/1/resubmit", &json!({})).status, 403);
}

const USES: &str = r##"
from lavamux import Lab

with Lab().reserve("panda", minutes=5) as board:
    print("power", board.power.cycle(), board.power.status())
    board.wait_ready(timeout=60)
    with board.console() as console:
        console.sendline("root")
        console.expect(r"# $")
    print("board says", board.run("echo $((20 + 3))").output)
"##;

#[test]
fn a_script_uses_boards_whose_daemons_know_only_the_server() {
    let lab = TestLab::new();
    let secret = |name: &str| {
        let file = lab.write(name, &token(name));
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        file
    };
    let config = format!("[daemons]\ntoken_file = {:?}\n", secret("lab"));
    let config = lab.write("server.toml", &config);
    let args = ["--config", &config, "--listen", "127.0.0.1:0"];
    let daemon = lab.start("lava-server", args);
    let server = Server { address: daemon.address("http"), daemon };
    let all = "control = \"*\"\nspeaks_for_others = true";
    let access = user("lab", all) + &user("power", all);
    let of_power = format!("[consoles]\ntoken_file = {:?}\n", secret("power"));
    let _board = Board::with(&lab, &server, &access, &of_power);
    let repository = repository(&lab, USES);
    let _worker = worker(&lab, &server, &["--files", &repository]);
    let ci = json!({"git": format!("file://{repository}"), "script": "ci/script.py"});
    assert_eq!(server.ask("PUT", "/ci/uses?user=alice", &ci).status, 200);
    assert_eq!(server.ask("POST", "/ci/uses/run", &json!({"user": "alice"})).status, 200);
    let mut ended = Value::Null;
    wait_until(JOB, "the run ends", || {
        ended = server.get("/jobs/1");
        ended["state"] == "finished"
    });
    let log = server.ask("GET", "/jobs/1/log", &Value::Null).text();
    assert_eq!(ended["health"], "complete", "{ended} {log}");
    // Its outlet's program cannot tell the state.
    assert!(log.contains("power on unknown") && log.contains("board says 23"), "{log}");
}

#[test]
fn a_run_has_its_share_of_the_disk_and_leaves_nothing() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let repository = repository(&lab, FILLS);
    // Root, too, keeps to what folders say then.
    let mut worker = lab.tool("setpriv");
    worker.args(["--bounding-set", "-dac_override,-dac_read_search"]);
    worker.arg(program("lava-dispatcher")).args(["worker", "--server", &server.url()]);
    worker.args(["--name", "farm1", "--scripts", "--script-space", "16MiB"]);
    let _worker = Daemon::start("lava-dispatcher", worker.args(["--files", &repository]));
    let ci = json!({"git": format!("file://{repository}"), "script": "ci/script.py"});
    assert_eq!(server.ask("PUT", "/ci/fills?user=alice", &ci).status, 200);
    let run = server.ask("POST", "/ci/fills/run", &json!({"user": "alice"}));
    assert_eq!(run.status, 200, "{}", run.text());
    let mut ended = Value::Null;
    wait_until(JOB, "the run ends", || {
        ended = server.get("/jobs/1");
        ended["state"] == "finished"
    });
    let log = server.ask("GET", "/jobs/1/log", &Value::Null).text();
    assert_eq!(ended["health"], "incomplete", "{ended} {log}");
    let why = text(&ended["error_msg"]);
    assert!(why.starts_with("the files of the run take more than 16 MiB"), "{why}");
    assert!(log.contains("refused: File too large"), "{log}");
    let folder = lab.path("state/worker/jobs");
    wait_until(LIMIT, "nothing of it is left", || {
        std::fs::read_dir(&folder).unwrap().next().is_none()
    });
}
