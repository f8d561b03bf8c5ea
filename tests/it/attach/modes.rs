//! Who takes part in a console, and how: modes, force and release, messages, notes, letting go.

use serde_json::json;

use super::{asked, attach, events, one, post, status, wait_for_events};
use crate::common::{Client, LIMIT, TestLab, wait_until};

#[test]
fn a_session_changes_its_mode_and_others_see_it() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "");
    let alice = attach(&serial, "user=alice");
    let bob = attach(&serial, "user=bob");
    assert_eq!(asked(&bob, 1, r#""request":"mode","mode":"spy""#)["answer"], "done");
    bob.expect_message("bob's mode", |m| m["type"] == "mode" && m["mode"] == "spy");
    alice.expect_message("alice sees it", |m| m["kind"] == "mode" && m["who"] == "bob");
    bob.type_text("no\n");
    let refused = bob.expect_message("the refusal", |m| m["id"] == 0);
    assert_eq!(refused["reason"], "read-only: attached as a spy");

    assert_eq!(asked(&alice, 1, r#""request":"mode","mode":"exclusive""#)["answer"], "done");
    let refused = asked(&bob, 2, r#""request":"mode","mode":"rw""#);
    assert_eq!(refused["reason"], "read-only: alice has the console");
    assert_eq!(asked(&alice, 2, r#""request":"mode","mode":"rw""#)["answer"], "done");
    // He has it now as he asked for before.
    bob.expect_message("bob may type", |m| m["type"] == "mode" && m["mode"] == "rw");
    bob.type_text("yes\n");
    alice.heard().find(LIMIT, 0, b"yes").unwrap();
    assert!(!alice.heard().text().contains("no"));
}

#[test]
fn who_is_not_attached_may_not_write_while_somebody_has_the_console() {
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart", "");
    let job = attach(&serial, "user=job:7&mode=exclusive");
    for (word, body) in [
        ("break", r#"{"user":"bob"}"#),
        ("line", r#"{"user":"bob","baud":9600}"#),
        ("send", r#"{"user":"bob","text":"reboot\r"}"#),
    ] {
        let refused = post(&serial, word, body);
        assert_eq!(refused.status, 409, "{word}: {}", refused.text());
        let error = &refused.json()["error"];
        assert_eq!(error["message"], "read-only: job:7 has the console", "{word}");
        assert!(error["hint"].as_str().unwrap().contains("lava release"), "{word}");
    }
    // To ask is no writing; and whose the console is, may use it from elsewhere.
    assert_eq!(post(&serial, "line", "").status, 200);
    assert_eq!(post(&serial, "send", r#"{"user":"job:7","text":"x"}"#).status, 200);

    let session = status(&serial)["holder"]["session"].as_u64().unwrap();
    assert_eq!(post(&serial, "release", r#"{"user":"bob"}"#).status, 200);
    let told = job.expect_message("the job is told", |m| m["type"] == "mode");
    assert_eq!((&told["mode"], &told["by"]), (&json!("rw"), &json!("bob")));
    assert_eq!(post(&serial, "send", r#"{"user":"bob","text":"y"}"#).status, 200);
    job.heard().find(LIMIT, 0, b"xy").unwrap();
    let none = post(&serial, "release", r#"{"user":"bob"}"#);
    assert_eq!(
        (none.status, none.json()["error"]["message"] == "nobody holds the console"),
        (400, true)
    );

    // For somebody who cannot ask: a telnet client, say.
    let body = format!(r#"{{"user":"bob","session":{session}}}"#);
    assert_eq!(post(&serial, "force", &body).status, 200);
    let forced = wait_for_events(&serial, "forced", 1);
    assert_eq!((&forced[0]["who"], &forced[0]["to"]), (&json!("bob"), &json!("job:7")));
    assert_eq!(status(&serial)["holder"]["user"], "job:7");
    let unknown = post(&serial, "force", r#"{"session":9999}"#);
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("no session 9999"), "{}", unknown.text());
    assert_eq!(post(&serial, "force", "").status, 400, "whose it is to be must be said");
}

#[test]
fn a_message_is_shown_and_a_note_is_only_recorded() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "");
    let alice = attach(&serial, "user=alice");
    let mut telnet = Client::telnet(serial.address("telnet"));
    telnet.expect("Escape character");
    assert_eq!(post(&serial, "note", r#"{"user":"bob","text":"for\u001b later"}"#).status, 200);
    assert_eq!(post(&serial, "message", r#"{"user":"bob","text":"hands off"}"#).status, 200);
    telnet.expect("[bob: hands off]");
    alice.expect_message("the message", |m| m["kind"] == "message");
    assert!(!telnet.heard().text().contains("later"));
    let notes = wait_for_events(&serial, "note", 1);
    assert_eq!((&notes[0]["who"], &notes[0]["text"]), (&json!("bob"), &json!("for  later")));
    assert_eq!(asked(&alice, 1, r#""request":"note","text":"mine""#)["answer"], "done");
    assert_eq!(wait_for_events(&serial, "note", 2)[1]["who"], "alice");
    let empty = post(&serial, "note", r#"{"user":"bob"}"#);
    assert_eq!(empty.status, 400, "{}", empty.text());
}

#[test]
fn a_session_of_any_kind_is_let_go_and_told_by_whom() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "");
    let alice = attach(&serial, "user=alice");
    let bob = attach(&serial, "user=bob&mode=exclusive");
    let mut telnet = Client::telnet(serial.address("telnet"));
    telnet.expect("Escape character");
    let raw = Client::raw(serial.address("raw"));
    wait_until(LIMIT, "all are there", || sessions(&serial).len() == 4);
    for (via, who) in [("raw", None), ("telnet", None), ("websocket", Some("bob"))] {
        let row = sessions(&serial)
            .into_iter()
            .find(|row| row["via"] == via && who.is_none_or(|who| row["user"] == who));
        let id = row.unwrap()["session"].as_u64().unwrap();
        let answer = asked(&alice, id, &format!(r#""request":"kick","session":{id}"#));
        assert_eq!(answer["answer"], "done", "{answer}");
    }
    telnet.expect("[alice let you go]");
    telnet.expect("Connection closed");
    wait_until(LIMIT, "the raw client is gone", || raw.heard().ended());
    let ended = bob.expect_message("bob is told", |m| m["type"] == "ended");
    assert_eq!(ended["reason"], "alice let you go");
    drop(bob);
    wait_until(LIMIT, "only alice is left", || sessions(&serial).len() == 1);
    // What he held is free.
    assert_eq!(status(&serial)["holder"], json!(null));
    assert_eq!(wait_for_events(&serial, "kicked", 3).len(), 3);
    assert_eq!(events(&serial, "detach").len(), 3);
    let gone = asked(&alice, 99, r#""request":"kick","session":9999"#);
    assert_eq!(gone["reason"], "there is no session 9999 on this console");
}

#[test]
fn a_client_that_reads_nothing_is_let_go_all_the_same() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:sh -c 'stty -echo; read x; yes'", "");
    let alice = attach(&serial, "user=alice");
    // It asks for the stream, and never reads it.
    let mut stuck = std::net::TcpStream::connect(serial.address("http")).unwrap();
    let request = "GET /consoles/panda01/attach?user=stuck HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    std::io::Write::write_all(&mut stuck, request.as_bytes()).unwrap();
    wait_until(LIMIT, "it is attached", || sessions(&serial).len() == 2);
    alice.type_text("go\n");
    wait_until(LIMIT, "more has come than a socket holds", || {
        status(&serial)["head"].as_u64().unwrap() > 16 << 20
    });
    let row = sessions(&serial).into_iter().find(|row| row["user"] == "stuck").unwrap();
    assert_eq!(post(&serial, "kick", &format!(r#"{{"session":{}}}"#, row["session"])).status, 200);
    wait_until(LIMIT, "it is gone", || sessions(&serial).len() == 1);
}

fn sessions(serial: &crate::common::Daemon) -> Vec<serde_json::Value> {
    status(serial)["sessions"].as_array().unwrap().clone()
}
