//! A board that somebody has leased is theirs, whether they are at its console or not.

use serde_json::{Value, json};

use super::relays::{Relays, outlet};
use super::{Power, text};
use crate::common::{Answer, LIMIT, TestLab, http, http_as, wait_until};
use crate::rights::{token, user};

fn ask(power: &Power, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    http(power.address, method, path, &body)
}

#[test]
fn a_leased_board_is_switched_by_its_holder_only_until_it_is_given_back() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let config = relays.pdu("rack", "5s") + &outlet("panda01", "rack", 1, "off_time = \"10ms\"\n");
    let mut power = Power::start(&lab, &config);
    assert_eq!(power.get("/leases/panda01").json(), Value::Null);
    let body = json!({"user": "alice", "for": "2h", "reason": "bisecting"});
    let leased = ask(&power, "POST", "/leases/panda01", &body);
    assert_eq!(leased.status, 200, "{}", leased.text());
    assert_eq!(leased.json()["holder"], "alice");

    let refused = ask(&power, "POST", "/outlets/panda01/off", &json!({"user": "bob"}));
    assert_eq!(refused.status, 409, "{}", refused.text());
    let message = text(&refused.json()["error"]["message"]);
    assert!(message.starts_with("panda01 is leased by alice since 20"), "{message}");
    assert!(message.ends_with(" (bisecting); nothing was switched"), "{message}");
    let hint = text(&refused.json()["error"]["hint"]);
    assert!(hint.contains("release it") && hint.contains("force"), "{hint}");
    assert_eq!(ask(&power, "POST", "/outlets/panda01/on", &json!({"user": "alice"})).status, 200);
    let body = json!({"user": "bob", "for": "1h"});
    assert_eq!(ask(&power, "POST", "/leases/panda01", &body).status, 409);
    assert_eq!(ask(&power, "DELETE", "/leases/panda01?user=bob", &Value::Null).status, 409);

    // It is still hers after a restart.
    power.daemon.kill();
    let power = Power::start(&lab, &config);
    let tried = lab.run("lava", ["power", "off", "panda01"], "");
    assert_eq!(tried.status.code(), Some(4), "{}", String::from_utf8_lossy(&tried.stderr));
    let body = json!({"user": "bob", "force": true, "reason": "it smokes"});
    assert_eq!(ask(&power, "POST", "/outlets/panda01/off", &body).status, 200);
    power.daemon.wait_for_log(LIMIT, "overrides=\"alice\"");

    assert_eq!(ask(&power, "DELETE", "/leases/panda01?user=alice", &Value::Null).status, 200);
    assert_eq!(ask(&power, "POST", "/outlets/panda01/on", &json!({"user": "bob"})).status, 200);
}

#[test]
fn a_lease_ends_by_itself() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let power = Power::start(&lab, &(relays.pdu("rack", "5s") + &outlet("panda01", "rack", 1, "")));
    let body = json!({"user": "alice", "for": "1s"});
    assert_eq!(ask(&power, "POST", "/leases/panda01", &body).status, 200);
    let bob = json!({"user": "bob"});
    wait_until(LIMIT, "bob may", || ask(&power, "POST", "/outlets/panda01/on", &bob).status == 200);
    assert_eq!(power.get("/leases/panda01").json(), Value::Null);
}

#[test]
fn what_is_no_lease_is_said_in_one_line() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let power = Power::start(&lab, &(relays.pdu("rack", "5s") + &outlet("panda01", "rack", 1, "")));
    let wrong = |path: &str, body: Value| {
        let answer = ask(&power, "POST", path, &body);
        (answer.status, super::failure(&answer).1)
    };
    assert_eq!(wrong("/leases/juno", json!({"for": "1h"})).0, 404);
    let (status, message) = wrong("/leases/panda01", json!({"for": "soon; rm -rf /"}));
    assert!(status == 400 && message.contains("is no duration"), "{message}");
    let (status, message) = wrong("/leases/panda01", json!({"user": "alice", "for": "400d"}));
    assert!(status == 400 && message.contains("at most 14 days"), "{message}");
    assert_eq!(wrong("/leases/panda01", json!({"for": "1h", "until": 1})).0, 400);
    assert_eq!(wrong("/leases/panda01", json!({"for": "1h", "user": "a\nb"})).0, 400);
}

#[test]
fn ending_somebody_elses_lease_needs_control_and_a_reason_and_is_told() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let (_serial, console) = super::console::serial(&lab, "unix:no-board");
    let tokens = [("alice", "write"), ("bob", "write"), ("root", "control")];
    let tokens = tokens.map(|(name, right)| user(name, &format!("{right} = \"*\""))).concat();
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, &format!("console = \"{console}\"\n"))
        + &tokens;
    let power = Power::start(&lab, &config);
    let ask = |name: &str, method: &str, path: &str, body: &str| {
        http_as(power.address, Some(&token(name)), method, path, body)
    };
    assert_eq!(ask("alice", "POST", "/leases/panda01", r#"{"for":"1h"}"#).status, 200);
    let path = "/leases/panda01?force=true&reason=holidays";
    let refused = ask("bob", "DELETE", path, "");
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(ask("root", "DELETE", "/leases/panda01?force=true", "").status, 400);
    let ended = ask("root", "DELETE", path, "");
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert_eq!(ended.json()["holder"], "alice");
    let address = console.split('/').nth(2).unwrap().parse().unwrap();
    wait_until(LIMIT, "it is told at the console", || {
        let events = http(address, "GET", "/consoles/panda01/events", "").text();
        events.contains("the lease of panda01 by alice is ended by root: holidays")
    });
}

#[test]
fn a_lease_is_somebodys_and_is_listed() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let power = Power::start(&lab, &(relays.pdu("rack", "5s") + &outlet("panda01", "rack", 1, "")));
    // An address is nobody's name: with the next request it could not be told whose lease it is.
    let nobody = ask(&power, "POST", "/leases/panda01", &json!({"for": "2h"}));
    assert_eq!(nobody.status, 400, "{}", nobody.text());
    assert!(text(&nobody.json()["error"]["hint"]).contains("\"user\":\"alice\""));
    assert_eq!(power.get("/outlets").json()[0].get("lease"), None);
    let body = json!({"user": "alice", "for": "2h", "reason": "bisecting"});
    assert_eq!(ask(&power, "POST", "/leases/panda01", &body).status, 200);
    let lease = &power.get("/outlets").json()[0]["lease"];
    assert_eq!((&lease["holder"], &lease["reason"]), (&"alice".into(), &"bisecting".into()));
    let unknown = super::failure(&ask(&power, "GET", "/leases/panda1", &Value::Null));
    assert_eq!(unknown.1, "there is no outlet \"panda1\"");
}

#[test]
fn a_lease_that_cannot_be_read_may_be_anybodys() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, "")
        + &outlet("panda02", "rack", 2, "")
        + "[leases]\ndir = \"leases\"\n";
    let power = Power::start(&lab, &config);
    lab.write("leases/panda01.json", "{\"holder\":");
    let refused = ask(&power, "POST", "/outlets/panda01/off", &json!({"user": "alice"}));
    assert_eq!(refused.status, 409, "{}", refused.text());
    let error = &refused.json()["error"];
    let message = text(&error["message"]);
    assert!(message.starts_with("it cannot be told who has leased panda01: "), "{message}");
    assert!(message.contains("leases/panda01.json: EOF while parsing"), "{message}");
    assert_eq!(error["refusal"], "leased");
    assert_eq!(ask(&power, "POST", "/outlets/panda02/off", &json!({"user": "alice"})).status, 200);
    let force = json!({"user": "alice", "force": true, "reason": "it smokes"});
    assert_eq!(ask(&power, "POST", "/outlets/panda01/off", &force).status, 200);
    let body = json!({"user": "alice", "for": "2h"});
    assert_eq!(ask(&power, "POST", "/leases/panda01", &body).status, 200);
    assert_eq!(ask(&power, "POST", "/outlets/panda01/off", &json!({"user": "alice"})).status, 200);
}

#[test]
fn who_has_the_lock_of_the_leases_stops_nothing_but_leases() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, "")
        + "[leases]\ndir = \"leases\"\n";
    let mut power = Power::start(&lab, &config);
    let lock = std::fs::File::create(lab.write("leases/.lock", "")).unwrap();
    lock.lock().unwrap();
    let address = power.address;
    let lease = std::thread::spawn(move || {
        http(address, "POST", "/leases/panda01", r#"{"user":"alice","for":"1h"}"#)
    });
    assert_eq!(power.done("panda01", "on"), "on verified");
    let lease = lease.join().unwrap();
    assert_eq!(lease.status, 500, "{}", lease.text());
    assert!(lease.text().contains("another daemon has the lock of the leases"), "{}", lease.text());
    assert!(power.daemon.terminate().success());
}
