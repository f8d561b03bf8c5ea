//! People are let in by name, and have what they may have.

use serde_json::json;

use super::Server;
use crate::common::{TestLab, http_as};

#[test]
fn a_workers_token_is_that_workers_and_for_nothing_else() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let here = |args: &[&str]| {
        let output = lab.run("lava", args, "");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let root = here(&["user", "add", "root", "--control", "*"]);
    let token = here(&["user", "token", "root", "--worker", "farm1"]);
    assert!(here(&["user", "list"]).contains("worker farm1"));
    let ask = |token: &str, method: &str, path: &str, body: &str| {
        http_as(server.address, Some(token), method, path, body).status
    };
    // It has a job that the server knows nothing of, so that it is answered at once.
    let hello = r#"{"instance":"1","number":1,"slots":1,"jobs":[9]}"#;
    assert_eq!(ask(&token, "POST", "/workers/farm1/poll", hello), 200);
    assert_eq!(ask(&token, "POST", "/workers/farm1/jobs/9/end", "{}"), 409);
    assert_eq!(ask(&token, "POST", "/workers/farm2/poll", hello), 403);
    assert_eq!(ask(&token, "POST", "/workers/farm2/jobs/9/log?board=a&offset=0", ""), 403);
    for (method, path, body) in [
        ("GET", "/boards", ""),
        ("GET", "/jobs", ""),
        ("GET", "/workers", ""),
        ("GET", "/users", ""),
        ("POST", "/jobs", r#"{"definition":"job_name: a"}"#),
        ("PUT", "/users/eve", r#"{"rights":[["*","control"]]}"#),
        ("POST", "/daemons", "{}"),
    ] {
        assert_eq!(ask(&token, method, path, body), 403, "{method} {path}");
    }
    let alice = here(&["user", "add", "alice", "--write", "*"]);
    assert_eq!(ask(&alice, "POST", "/workers/farm1/poll", hello), 403);
    assert_eq!(ask(&root, "POST", "/workers/farm1/poll", hello), 200);
}

#[test]
fn people_have_the_boards_that_their_rights_name_and_tokens_have_scopes_and_ends() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/a"});
    assert_eq!(server.ask("PUT", "/boards/panda01", &panda).status, 200);
    let beagle = json!({"type": "beagle", "console": "http://127.0.0.1:1/consoles/b"});
    assert_eq!(server.ask("PUT", "/boards/beagle01", &beagle).status, 200);
    // On the server's own socket one may everything, whoever has to log in elsewhere.
    let here = |args: &[&str]| {
        let output = lab.run("lava", args, "");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    assert_eq!(here(&["group", "set", "kernel", "--write", "panda*"]).0, 0);
    let (code, token, err) = here(&["user", "add", "alice", "--group", "kernel", "--see", "*"]);
    assert_eq!(code, 0, "{err}");
    let alice = token.trim().to_owned();
    let ask = |token: &str, method: &str, path: &str, body: &str| {
        let answer = http_as(server.address, Some(token), method, path, body);
        (answer.status, answer.text())
    };
    assert_eq!(server.ask("GET", "/boards", &serde_json::Value::Null).status, 401);
    assert!(ask(&alice, "GET", "/whoami", "").1.contains("\"alice\""));
    let (status, told) = ask(&alice, "POST", "/requests", r#"{"spec":"panda","for":"1h"}"#);
    assert!(status == 200 && told.contains("\"user\":\"alice\""), "{told}");
    let (_, told) = ask(&alice, "POST", "/requests", r#"{"spec":"beagle","for":"1h"}"#);
    assert!(told.contains("no board is all of this that you may have"), "{told}");
    assert_eq!(ask(&alice, "PUT", "/users/eve", r#"{"rights":[["*","control"]]}"#).0, 403);
    assert_eq!(ask(&alice, "POST", "/daemons", "{}").0, 403);

    // Less than its user may, and only for a while.
    let (_, looks, _) =
        here(&["user", "token", "alice", "--scope", "see", "--note", "wall display"]);
    assert_eq!(ask(looks.trim(), "GET", "/boards/panda01", "").0, 200);
    let (status, told) = ask(looks.trim(), "POST", "/requests", r#"{"spec":"panda","for":"1h"}"#);
    assert!(status == 403 && told.contains("no board that you may have"), "{told}");
    for (method, path, body) in [
        ("DELETE", "/requests/1", ""),
        ("POST", "/leases/1/give", r#"{"to":"mallory"}"#),
        ("POST", "/leases/1/share", r#"{"to":"mallory"}"#),
        ("POST", "/leases/1/extend", r#"{"for":"9h"}"#),
    ] {
        assert_eq!(ask(looks.trim(), method, path, body).0, 403, "{path}");
    }
    assert_eq!(ask(&alice, "DELETE", "/requests/1", "").0, 200);
    let (_, users, _) = here(&["user", "list"]);
    assert!(users.contains("wall display") && users.contains("kernel"), "{users}");
    let id = users.lines().find(|line| line.contains("wall display")).unwrap();
    let id = id.split_whitespace().next().unwrap();
    assert_eq!(here(&["user", "untoken", "alice", id]).0, 0);
    assert_eq!(ask(looks.trim(), "GET", "/boards/panda01", "").0, 401);
    let (code, _, err) = here(&["group", "remove", "kernel"]);
    assert!(code == 2 && err.contains("alice is of the group kernel"), "{err}");
}
