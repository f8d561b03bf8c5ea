//! What people and programs do at a console beside typing: its line, breaks, sending, who may.

mod idle;
mod line;
mod many;
mod modes;
mod send;
mod verbs;

use serde_json::Value;

use crate::common::{Answer, Daemon, LIMIT, TestLab, WebSocket, http, wait_until};

/// A daemon with the console `panda01` on a port, and more keys of its configuration.
#[track_caller]
fn one(lab: &TestLab, port: &str, keys: &str) -> Daemon {
    let capture = lab.path("capture");
    let config = lab.write(
        "serial.toml",
        &format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {capture:?}\n[[console]]\n\
             name = \"panda01\"\nport = {port:?}\nraw = \"127.0.0.1:0\"\ntelnet = \"127.0.0.1:0\"\n{keys}\n"
        ),
    );
    lab.start("lava-serial", ["--config", &config])
}

/// Somebody at the console.
#[track_caller]
fn attach(serial: &Daemon, query: &str) -> WebSocket {
    let client = WebSocket::attach(serial.address("http"), "panda01", query);
    client.expect_message("the hello", |m| m["type"] == "hello");
    client
}

/// Makes a request, and waits for its answer.
#[track_caller]
fn asked(client: &WebSocket, id: u64, request: &str) -> Value {
    client.ask(&format!("{{\"id\":{id},{request}}}"));
    client.expect_message(request, |m| m["type"] == "reply" && m["id"] == id)
}

/// `POST /consoles/panda01/WORD`.
#[track_caller]
fn post(serial: &Daemon, word: &str, body: &str) -> Answer {
    http(serial.address("http"), "POST", &format!("/consoles/panda01/{word}"), body)
}

fn status(serial: &Daemon) -> Value {
    http(serial.address("http"), "GET", "/consoles/panda01", "").json()
}

/// The events of a kind, as they are recorded.
fn events(serial: &Daemon, kind: &str) -> Vec<Value> {
    let events = http(serial.address("http"), "GET", "/consoles/panda01/events", "").json();
    let events = events.as_array().unwrap().iter().filter(|event| event["kind"] == kind);
    events.cloned().collect()
}

/// Waits until so many events of a kind are recorded.
#[track_caller]
fn wait_for_events(serial: &Daemon, kind: &str, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    wait_until(LIMIT, &format!("{count} events of the kind {kind}"), || {
        found = events(serial, kind);
        found.len() >= count
    });
    found
}

/// What the record has as typed by somebody.
fn typed_by(serial: &Daemon, who: &str) -> String {
    let typed = events(serial, "input").into_iter().filter(|event| event["who"] == who);
    typed.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
}
