//! CI jobs: scripts of a git repository that a worker runs, and that ask for boards by themselves.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::python::Board;
use super::{Server, lava};
use crate::common::job::JOB;
use crate::common::{Daemon, LIMIT, TestLab, wait_until};

/// A repository with a script; its folder.
#[track_caller]
pub(super) fn repository(lab: &TestLab, script: &str) -> String {
    lab.write("repository/ci/script.py", script);
    let folder = lab.path("repository").display().to_string();
    let git = |words: &[&str]| {
        let mut git = lab.tool("git");
        git.args(["-C", &folder, "-c", "user.name=a", "-c", "user.email=a@b"]).args(words);
        assert!(git.status().unwrap().success(), "git {words:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "a script"]);
    folder
}

#[track_caller]
pub(super) fn worker(lab: &TestLab, server: &Server, more: &[&str]) -> Daemon {
    let args = ["worker", "--server", &server.url(), "--name", "farm1", "--scripts"];
    lab.start("lava-dispatcher", [&args[..], more].concat())
}

/// What an administrator says on the server's host; what is printed.
#[track_caller]
pub(super) fn here(lab: &TestLab, args: &[&str]) -> String {
    let output = lab.run("lava", args, "");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A lab in which everybody logs in: alice may use the board panda01, and not beagle01, and a worker runs scripts.
pub(super) struct Closed {
    pub(super) server: Server,
    /// Her token.
    pub(super) alice: String,
    /// A CI job of the script.
    pub(super) ci: Value,
    _worker: Daemon,
}

impl Closed {
    #[track_caller]
    pub(super) fn start(lab: &TestLab, script: &str) -> Self {
        let server = Server::start(lab);
        for (board, kind) in [("panda01", "panda"), ("beagle01", "beagle")] {
            let added = server.ask("PUT", &format!("/boards/{board}"), &json!({"type": kind}));
            assert_eq!(added.status, 200, "{}", added.text());
        }
        here(lab, &["user", "add", "root", "--control", "*"]);
        let alice = here(lab, &["user", "add", "alice", "--write", "panda*", "--see", "*"]);
        let token = here(lab, &["user", "token", "root", "--worker", "farm1"]);
        let token = lab.write("token", &token);
        std::fs::set_permissions(&token, Permissions::from_mode(0o600)).unwrap();
        let repository = repository(lab, script);
        let _worker = worker(lab, &server, &["--files", &repository, "--token-file", &token]);
        let ci = json!({"git": format!("file://{repository}"), "script": "ci/script.py"});
        Self { server, alice, ci, _worker }
    }
}

#[test]
fn a_script_is_checked_out_has_boards_and_tells_results_and_its_leases_end_with_it() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let _board = Board::start(&lab, &server);
    let repository = repository(&lab, include_str!("ci.py"));
    let _worker = worker(&lab, &server, &["--files", &repository]);
    let secret = lab.write("secret", "x");
    let git = format!("file://{repository}");
    let as_alice = |args: &[&str]| lava(&lab, &server, "alice", args);
    let added = as_alice(&["ci", "add", "smoke", "--git", &git, "--script", "ci/script.py"]);
    assert_eq!(added.0, 0, "{}", added.2);
    assert!(as_alice(&["ci", "list"]).1.contains("smoke"));
    assert!(as_alice(&["ci", "show", "smoke"]).1.contains("script  ci/script.py\n"));
    let refused = lava(&lab, &server, "bob", &["ci", "run", "nosuch"]);
    assert!(refused.0 == 2 && refused.2.contains("there is no CI job \"nosuch\""), "{}", refused.2);

    let (code, out, err) = as_alice(&["ci", "run", "smoke", "--follow", &secret, "one", "--two"]);
    assert_eq!(code, 0, "{out}{err}");
    for said in [
        "given one --two",
        "token [MASKED]",
        "confined: PermissionError\n",
        "greeting: pass",
        "speed: pass 1.5 s",
        "job 1: complete, 2 passed, 0 failed, 0 others",
    ] {
        assert!(out.contains(said), "no {said:?} in {out}{err}");
    }
    assert!(!out.contains("not confined"), "{out}");
    let job = server.get("/jobs/1");
    let of = ["ci", "user", "worker", "name"].map(|key| job[key].clone());
    assert_eq!(of, ["smoke", "alice", "farm1", "smoke"]);
    let junit = server.ask("GET", "/jobs/1/results?format=junit", &Value::Null).text();
    assert!(junit.contains("<testsuite name=\"0_smoke\" tests=\"2\" failures=\"0\""), "{junit}");
    // It had one more board, and did not give it back.
    server.until("its leases have ended", "/leases", |leases| *leases == json!([]));
    let folder = lab.path("state/worker/jobs");
    wait_until(LIMIT, "the worker has forgotten it", || {
        std::fs::read_dir(&folder).unwrap().next().is_none()
    });
    assert_eq!(as_alice(&["ci", "remove", "smoke"]).0, 0);
    assert_eq!(server.get("/ci"), json!([]));

    // A script that is not there is a mistake of whoever said where it is.
    let added = as_alice(&["ci", "add", "none", "--git", &git, "--script", "ci/none.py"]);
    assert_eq!(added.0, 0, "{}", added.2);
    let (code, out, err) = as_alice(&["ci", "run", "none", "--follow"]);
    let why = format!("Job error: ci/none.py: {git} has no such file");
    assert!(code == 1 && format!("{out}{err}").contains(&why), "{code}: {out}{err}");
    assert!(!err.contains("worker --scripts"), "{err}");
}

#[test]
fn a_script_may_what_its_user_may_and_its_token_dies_with_it() {
    let lab = TestLab::new();
    let closed = Closed::start(&lab, include_str!("ci_rights.py"));
    let (alice, ci) = (&closed.alice, &closed.ci);
    let eve = &here(&lab, &["user", "add", "eve", "--see", "*"]);
    let ask = |token: &str, method: &str, path: &str, body: &Value| {
        closed.server.ask_as(token, method, path, body)
    };
    assert_eq!(ask(eve, "PUT", "/ci/rights", ci).status, 403);
    assert_eq!(ask(alice, "PUT", "/ci/rights", ci).status, 200);
    for wrong in [
        json!({"git": "https://a:b@host/r", "script": "a"}),
        json!({"git": "https://host/r", "script": "../a"}),
        json!({"git": "--upload-pack=id", "script": "a"}),
    ] {
        assert_eq!(ask(alice, "PUT", "/ci/wrong", &wrong).status, 400, "{wrong}");
    }
    assert_eq!(ask(eve, "POST", "/ci/rights/run", &json!({})).status, 403);
    let run = |args: Value| {
        let answer = ask(alice, "POST", "/ci/rights/run", &args);
        assert_eq!(answer.status, 200, "{}", answer.text());
        format!("/jobs/{}", answer.json()["id"])
    };
    let ended = |job: &str| {
        let mut last = Value::Null;
        wait_until(JOB, "the run ends", || {
            last = ask(alice, "GET", job, &Value::Null).json();
            last["state"] == "finished"
        });
        last
    };
    let log = |job: &str| {
        let text = ask(alice, "GET", &format!("{job}/log"), &Value::Null).text();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let lines = whole.map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter_map(|line| Some(line["msg"].as_str()?.to_owned())).collect::<Vec<_>>()
    };

    let job = run(json!({}));
    let done = ended(&job);
    let said = log(&job);
    let told = |words: &str| said.iter().any(|line| line.contains(words));
    assert_eq!(done["health"], "incomplete", "{done}");
    assert_eq!(done["error_msg"], "ci/script.py ended with exit code 3", "{done} {said:#?}");
    assert!(told("has ['panda01']") && told("waits: no board is all of this"), "{said:#?}");
    for path in ["/users/eve", "/users/alice/tokens", "/workers/farm1/poll"] {
        assert!(told(&format!("refused: {path} 403")), "{path}: {said:#?}");
    }
    assert!(told("refused: /ci/rights/run") && !told("let in"), "{said:#?}");
    let token = said.iter().find_map(|line| line.strip_prefix("token ")).unwrap();
    let token: String = token.trim().chars().rev().collect();
    assert!(token.starts_with("lava_"), "{token}");
    wait_until(LIMIT, "its token lets in no more", || {
        ask(&token, "GET", "/boards", &Value::Null).status == 401
    });
    wait_until(LIMIT, "its lease and its request have ended", || {
        ask(alice, "GET", "/requests", &Value::Null).json() == json!([])
    });

    // One that is ended while it runs.
    let job = run(json!({"args": ["sleep"]}));
    wait_until(JOB, "it sleeps", || log(&job).iter().any(|line| line == "sleeps"));
    assert_eq!(ask(eve, "POST", &format!("{job}/cancel"), &json!({})).status, 403);
    assert_eq!(ask(alice, "POST", &format!("{job}/cancel"), &json!({})).status, 200);
    assert_eq!(ended(&job)["health"], "canceled");
    wait_until(LIMIT, "its lease has ended, too", || {
        ask(alice, "GET", "/leases", &Value::Null).json() == json!([])
    });
}
