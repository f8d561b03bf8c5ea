//! The daemons know whose boards are, whatever is lost on the way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use serde_json::{Value, json};

use super::{Rack, Server, lava, text};
use crate::common::{LIMIT, TestLab, http, wait_until};

/// What a lava-serial answers to somebody who types: the status, and the body.
fn types(rack: &Rack, user: &str) -> (u16, String) {
    let body = json!({"text": "x", "user": user}).to_string();
    let answer = http(rack.serial.address("http"), "POST", "/consoles/panda01/send", &body);
    (answer.status, answer.text().to_owned())
}

#[test]
fn who_has_not_leased_a_board_does_not_type_there() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let mut rack = Rack::with_boards(&lab, &server);
    assert_eq!(types(&rack, "bob").0, 200);
    let (code, _, err) = lava(&lab, &server, "alice", &["reserve", "name=panda01"]);
    assert_eq!(code, 0, "{err}");
    server.until("her console knows", "/requests/1", |it| it["ready"] == true);
    let (status, told) = types(&rack, "bob");
    assert!(status == 409 && told.contains("the board is leased by alice until 20"), "{told}");
    assert_eq!(types(&rack, "alice").0, 200);

    // A lava-serial that was started anew is told again.
    rack.serial.kill();
    rack.serial = lab.start("lava-serial", ["--config", &rack.serial_config]);
    wait_until(LIMIT, "it is told again", || types(&rack, "bob").0 == 409);
    assert_eq!(lava(&lab, &server, "alice", &["share", "panda01", "bob"]).0, 0);
    wait_until(LIMIT, "bob may, too", || types(&rack, "bob").0 == 200);
    assert_eq!(types(&rack, "carol").0, 409);
    assert_eq!(lava(&lab, &server, "alice", &["release", "panda01"]).0, 0);
    wait_until(LIMIT, "everybody may", || types(&rack, "carol").0 == 200);
}

/// A lava-power that takes what it is told, and whose answers are lost; what it was asked.
fn mute(listener: TcpListener) -> mpsc::Receiver<String> {
    let (asked, questions) = mpsc::channel();
    std::thread::spawn(move || {
        let mut kept: Vec<TcpStream> = Vec::new();
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let mut line = String::new();
            let read = BufReader::new(&client).read_line(&mut line);
            if read.is_ok() && asked.send(line.clone()).is_err() {
                return;
            }
            if line.starts_with("DELETE") {
                let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                              content-length: 4\r\nconnection: close\r\n\r\nnull";
                let _ = (&client).write_all(answer.as_bytes());
            } else {
                kept.push(client);
            }
        }
    });
    questions
}

#[test]
fn a_lease_that_was_taken_without_an_answer_is_ended_all_the_same() {
    let lab = TestLab::new();
    let mut server = Server::start(&lab);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let questions = mute(listener);
    let outlets = json!([{"name": "panda01", "pdu": "rack1", "port": "1"}]);
    let daemon = json!({"kind": "power", "host": "farm1", "url": url, "outlets": outlets});
    assert_eq!(server.ask("POST", "/daemons", &daemon).status, 200);
    let panda = json!({"type": "panda", "outlet": "panda01"});
    assert_eq!(server.ask("PUT", "/boards/panda01", &panda).status, 200);
    let asked = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(server.ask("POST", "/requests", &asked).status, 200);
    let next = |beginning: &str| loop {
        let question = questions.recv_timeout(LIMIT).expect(beginning);
        if question.starts_with(beginning) {
            break;
        }
    };
    next("POST /leases/panda01");
    // Nobody here knows whether it was taken, not even when the server is started anew.
    server.daemon.kill();
    let server = Server::again(&lab, server.address);
    let ended = server.ask("DELETE", "/requests/1?user=alice", &Value::Null);
    assert_eq!(text(&ended.json()["ending"]), "released");
    next("DELETE /leases/panda01?user=alice");
}

#[test]
fn why_a_leased_board_is_not_ready_is_told() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    // Nobody listens there.
    let panda = json!({"type": "panda", "console": "http://127.0.0.1:1/consoles/panda01"});
    assert_eq!(server.ask("PUT", "/boards/panda01", &panda).status, 200);
    let asked = json!({"spec": "panda", "for": "1h", "user": "alice"});
    assert_eq!(server.ask("POST", "/requests", &asked).status, 200);
    let told = |it: &Value| it["unready"].as_str().is_some_and(|why| why.starts_with("panda01: "));
    let leased = server.until("what its console's daemon answered is told", "/requests/1", told);
    assert_eq!((&leased["state"], &leased["ready"]), (&"leased".into(), &false.into()));
}

/// A lava-power that says no to every lease: somebody has the board who is not of the server's.
fn refusing(listener: TcpListener) {
    let body = json!({"error": {"kind": "refused", "refusal": "leased",
                                "message": "panda01 is leased by carol until noon"}});
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            let mut line = String::new();
            let _ = BufReader::new(&client).read_line(&mut line);
            let (status, body) = match line.starts_with("POST") {
                true => ("409 Conflict", body.to_string()),
                false => ("200 OK", "null".to_owned()),
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = client.write_all(answer.as_bytes());
        }
    });
}

#[test]
fn a_board_that_somebody_has_past_the_server_goes_back_and_its_request_waits() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    refusing(listener);
    let outlets = json!([{"name": "panda01", "pdu": "rack1", "port": "1"}]);
    let daemon = json!({"kind": "power", "host": "farm1", "url": url, "outlets": outlets});
    assert_eq!(server.ask("POST", "/daemons", &daemon).status, 200);
    for panda in [json!({"type": "panda", "outlet": "panda01"}), json!({"type": "panda"})] {
        let name = if panda["outlet"].is_null() { "panda02" } else { "panda01" };
        assert_eq!(server.ask("PUT", &format!("/boards/{name}"), &panda).status, 200);
    }
    let asked = json!({"spec": "panda", "boards": 2, "for": "1h", "user": "alice"});
    assert_eq!(server.ask("POST", "/requests", &asked).status, 200);
    let waits = |it: &Value| {
        it["waiting"]["why"].as_str().is_some_and(|why| why.contains("is leased by carol until"))
    };
    let request = server.until("it waits with that reason", "/requests/1", waits);
    assert_eq!((&request["state"], &request["boards"]), (&"waiting".into(), &Value::Null));
    // The other one of its boards is nobody's.
    let asked = json!({"spec": "name=panda02", "for": "1h", "user": "bob"});
    assert_eq!(server.ask("POST", "/requests", &asked).status, 200);
    server.until("he has it", "/requests/2", |it| it["state"] == "leased");
    let history = server.get("/boards/panda01/history");
    let what: Vec<_> = history.as_array().unwrap().iter().map(|it| text(&it["what"])).collect();
    assert!(what.ends_with(&["leased", "given back"]), "{what:?}");
}
