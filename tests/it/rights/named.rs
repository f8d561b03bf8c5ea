//! The name that others see, and that is recorded, is the one that was proved.

use serde_json::{Value, json};

use super::{Guarded, user};

#[test]
fn what_one_calls_oneself_only_adds_to_the_name_of_the_token() {
    let people = [user("alice", "control = \"*\""), user("bob", "control = \"*\"")];
    let lab = Guarded::start(&people.concat());
    let bob = lab.attach("bob", "");
    bob.expect_message("bob's hello", |m| m["type"] == "hello");
    let alice = lab.attach("alice", "user=bob");
    let hello = alice.expect_message("alice's hello", |m| m["type"] == "hello");
    assert_eq!(hello["others"][0]["user"], "bob");
    bob.expect_message("her coming", |m| m["kind"] == "attach" && m["who"] == "alice (bob)");
    alice.type_text("hello\n");

    let job = r#"{"who":"bob","kind":"job","id":"7","phase":"begin"}"#;
    let posted = lab.ask("alice", "POST", "/consoles/panda01/events", job).json();
    assert_eq!(posted["who"], "alice (bob)");
    for said in [r#"{"user":"ci-42","text":"one"}"#, r#"{"user":"alice","text":"two"}"#] {
        let answer = lab.ask("alice", "POST", "/consoles/panda01/message", said);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    lab.ask("alice", "POST", "/consoles/panda01/send?user=bob", r#"{"text":"sent\n"}"#);
    bob.heard().find(crate::common::LIMIT, 0, b"got sent").unwrap();

    bob.heard().find(crate::common::LIMIT, 0, b"got hello").unwrap();
    let events = lab.ask("bob", "GET", "/consoles/panda01/events", "").json();
    let events = events.as_array().unwrap();
    let typed: Vec<&Value> = events.iter().filter(|event| event["kind"] == "input").collect();
    let typists: Vec<&Value> = typed.iter().map(|event| &event["who"]).collect();
    assert_eq!(typists, [&json!("alice (bob)"), &json!("alice (bob)")]);
    let told = events.iter().filter(|event| event["kind"] == "message");
    let tellers: Vec<&Value> = told.map(|event| &event["who"]).collect();
    assert_eq!(tellers, [&json!("alice (ci-42)"), &json!("alice")]);
    let proved = |event: &&Value| event["who"].as_str().is_some_and(|who| who == "bob");
    let of_bob: Vec<&Value> = events.iter().filter(proved).map(|event| &event["kind"]).collect();
    assert_eq!(of_bob, [&json!("attach")], "nothing else is bob's: {events:?}");
}

#[test]
fn nobody_writes_on_other_peoples_terminals_by_a_name() {
    let lab = Guarded::start("");
    let bob = lab.attach("bob", "user=bob");
    bob.expect_message("the hello", |m| m["type"] == "hello");
    let alice = lab.attach("alice", "user=alice");
    let hello = alice.expect_message("her hello", |m| m["type"] == "hello");
    let post = |word: &str, body: String| {
        let answer = lab.ask("", "POST", &format!("/consoles/panda01/{word}"), &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    let evil = r"\u001b[2J\r\nroot";
    post("message", format!("{{\"user\":\"{evil}\",\"text\":\"{evil}\"}}"));
    post("send", format!("{{\"user\":\"{evil}\",\"text\":\"x\\n\"}}"));
    let session = hello["session"].as_u64().unwrap();
    post("kick", format!("{{\"user\":\"{evil}\",\"session\":{session}}}"));
    let power = r#""kind":"power","outlet":"panda01","phase":"done""#;
    post(
        "events",
        format!("{{\"who\":\"{evil}\",{power},\"verb\":\"{evil}\",\"detail\":\"{evil}\"}}"),
    );
    post("events", format!("{{\"kind\":\"job\",\"phase\":\"begin\",\"id\":\"{evil}\"}}"));
    bob.expect_message("the last of it", |m| m["kind"] == "job");
    let ended = alice.expect_message("she is let go", |m| m["type"] == "ended");
    let mut told = bob.messages();
    told.push(ended);
    let events = lab.ask("", "GET", "/consoles/panda01/events", "").json();
    told.extend(events.as_array().unwrap().iter().cloned());
    for event in told {
        // What was typed is the board's.
        let shown = match event["kind"].as_str() {
            Some("input") => event["who"].to_string(),
            _ => event.to_string(),
        };
        for control in [r"\u001b", r"\r", r"\n"] {
            assert!(!shown.contains(control), "{shown}");
        }
    }
}
