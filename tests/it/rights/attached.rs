//! Who is attached already when the rights change, or the daemon does.

use rustix::process::Signal;
use serde_json::json;

use super::{Guarded, user};
use crate::common::{LIMIT, signal, wait_until};

#[test]
fn who_may_only_read_is_a_spy_whatever_was_asked_for() {
    let people = [
        user("alice", "write = \"*\""),
        user("bob", "spy = \"*\""),
        user("eve", "control = \"*\""),
    ];
    let lab = Guarded::start(&people.concat());
    let bob = lab.attach("bob", "mode=exclusive");
    let hello = bob.expect_message("the hello", |m| m["type"] == "hello");
    assert_eq!((&hello["mode"], &hello["holder"]), (&json!("spy"), &json!(null)));
    bob.type_text("sneaky\n");
    bob.expect_message("the refusal", |m| m["id"] == 0 && m["answer"] == "refused");
    bob.ask(r#"{"id":1,"request":"force"}"#);
    let refused = bob.expect_message("another", |m| m["id"] == 1);
    assert!(refused["reason"].as_str().unwrap().contains("the right to control"), "{refused}");
    bob.ask(r#"{"id":2,"request":"who"}"#);
    bob.expect_message("an answer", |m| m["id"] == 2 && m["answer"] == "sessions");

    let alice = lab.attach("alice", "");
    alice.ask(r#"{"id":1,"request":"break"}"#);
    alice.expect_message("her refusal", |m| m["id"] == 1 && m["answer"] == "refused");
    alice.type_text("honest\n");
    bob.heard().find(LIMIT, 0, b"got honest").unwrap();
    assert!(!bob.heard().text().contains("sneaky"));

    // Not even when somebody who may gives him the lock.
    let session = hello["session"].as_u64().unwrap();
    lab.ask("eve", "POST", "/consoles/panda01/force", &format!("{{\"session\":{session}}}"));
    bob.expect_message("he has the lock", |m| m["type"] == "mode" && m["mode"] == "exclusive");
    bob.type_text("sneaky again\n");
    bob.expect_message("and may not write", |m| {
        m["reason"].as_str().is_some_and(|reason| reason.contains("do not have the right to write"))
    });
}

#[test]
fn a_right_that_is_taken_away_ends_or_restricts_who_has_it_and_they_are_told() {
    let write = user("alice", "write = \"*\"");
    let bob = user("bob", "write = \"*\"");
    let lab = Guarded::start(&(write + &bob));
    let alice = lab.attach("alice", "mode=exclusive");
    alice.expect_message("the hello", |m| m["mode"] == "exclusive");
    let watcher = lab.attach("bob", "");
    watcher.expect_message("bob's hello", |m| m["mode"] == "spy");

    lab.reload(&(user("alice", "spy = \"*\"") + &bob));
    alice.expect_message("she is told", |m| m["type"] == "mode" && m["mode"] == "spy");
    watcher.expect_message("it is free", |m| m["type"] == "mode" && m["mode"] == "rw");
    alice.type_text("sneaky\n");
    alice.expect_message("she is refused", |m| m["answer"] == "refused");
    watcher.type_text("free\n");
    alice.heard().find(LIMIT, 0, b"got free").unwrap();

    lab.reload(&(user("alice", "see = \"*\"") + &bob));
    let ended = alice.expect_message("she is told again", |m| m["type"] == "ended");
    assert!(ended["reason"].as_str().unwrap().contains("may not read"), "{ended}");
    wait_until(LIMIT, "she is let go", || alice.heard().ended());
    assert_eq!(lab.told("alice", "GET", "/consoles/panda01/history").0, 403);
    watcher.type_text("secret\n");
    watcher.heard().find(LIMIT, 0, b"got secret").unwrap();
    assert!(!alice.heard().text().contains("got secret"));

    // A token that is gone is as good as none; and others do not notice.
    lab.reload(&bob);
    assert_eq!(lab.told("alice", "GET", "/consoles").0, 401);
    watcher.type_text("still\n");
    watcher.heard().find(LIMIT, 0, b"got still").unwrap();
}

#[test]
fn who_never_had_to_log_in_is_let_go_when_that_changes() {
    let lab = Guarded::start("");
    let anybody = lab.attach("anybody", "user=zoe");
    anybody.expect_message("the hello", |m| m["mode"] == "rw");
    lab.reload(&user("alice", "control = \"*\""));
    anybody.expect_message("the goodbye", |m| m["type"] == "ended");
    wait_until(LIMIT, "it is over", || anybody.heard().ended());
}

#[test]
fn a_restart_forgets_nobodys_rights() {
    let lab = Guarded::start(&(user("alice", "write = \"*\"") + &user("bob", "spy = \"*\"")));
    let (alice, bob) = (lab.attach("alice", ""), lab.attach("bob", ""));
    for client in [&alice, &bob] {
        client.expect_message("the hello", |m| m["type"] == "hello");
    }
    signal(lab.serial.pid(), Signal::USR2);
    wait_until(LIMIT, "the next program is ready", || {
        lab.serial.output().text().matches("ready: ").count() == 2
    });
    alice.type_text("after\n");
    bob.heard().find(LIMIT, 0, b"got after").unwrap();
    bob.ask(r#"{"id":1,"request":"force"}"#);
    bob.expect_message("bob is who he was", |m| m["id"] == 1 && m["answer"] == "refused");
    lab.reload(&user("alice", "write = \"*\""));
    bob.expect_message("and is told", |m| m["type"] == "ended");
    alice.type_text("more\n");
    alice.heard().find(LIMIT, 0, b"got more").unwrap();
}

#[test]
fn a_request_under_way_ends_with_the_right_to_it() {
    let lab = Guarded::start(&user("alice", "write = \"*\""));
    let body = format!("{{\"text\":\"{}\",\"pace\":\"100ms\"}}", "x".repeat(8000));
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| lab.ask("alice", "POST", "/consoles/panda01/send", &body));
        wait_until(LIMIT, "it has begun", || {
            let socket = lab.serial.told("socket");
            let path = "/consoles/panda01/events";
            crate::common::http_unix(socket.as_ref(), "GET", path, "").text().contains("\"input\"")
        });
        lab.reload(&user("alice", "spy = \"*\""));
        let refused = sending.join().unwrap();
        assert_eq!(refused.status, 403, "{}", refused.text());
        let sent = refused.json()["error"]["sent"].as_u64().unwrap();
        assert!((1..8000).contains(&sent), "{sent}");
    });
}

#[test]
fn two_requests_of_one_id_are_not_mixed_up() {
    let lab = Guarded::start(&user("alice", "write = \"*\""));
    let alice = lab.attach("alice", "");
    alice.ask(r#"{"id":5,"request":"send","text":"slow","pace":"1s"}"#);
    alice.ask(r#"{"id":5,"request":"send","text":"other"}"#);
    let first = alice.expect_message("the second is refused", |m| m["id"] == 5);
    assert!(first["reason"].as_str().unwrap().contains("under way already"), "{first}");
    alice.ask(r#"{"id":6,"request":"cancel","send":5}"#);
    alice.expect_message("the first is answered", |m| m["id"] == 5 && m["answer"] == "sent");
    // Then it is free again.
    alice.ask(r#"{"id":5,"request":"send","text":"more\n"}"#);
    alice.expect_message("it is sent", |m| m["id"] == 5 && m["bytes"] == 5);
}
