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
