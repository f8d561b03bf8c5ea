//! Sending: at a pace, with the certainty of what the board has got.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::process::Signal;
use serde_json::json;

use super::{asked, attach, events, one, post, typed_by, wait_for_events};
use crate::common::{Daemon, LIMIT, TestLab, WebSocket, http, signal, wait_until};

/// A board that is this test: a console on a Unix socket, and its other end.
fn board(lab: &TestLab, keys: &str) -> (Daemon, UnixStream) {
    let socket = lab.path("board");
    let listener = UnixListener::bind(&socket).unwrap();
    let serial = one(lab, &format!("unix:{}", socket.display()), keys);
    let (line, _) = listener.accept().unwrap();
    let state = || http(serial.address("http"), "GET", "/consoles/panda01", "").json();
    wait_until(LIMIT, "the port is open", || state()["state"] == "open");
    (serial, line)
}

/// Everything that differs from byte to byte.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// `POST /consoles/panda01/send` of plain bytes.
fn send_bytes(serial: &Daemon, query: &str, bytes: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(serial.address("http")).unwrap();
    let head = format!(
        "POST /consoles/panda01/send?{query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

#[test]
fn a_megabyte_arrives_at_a_slow_reader_each_byte_once() {
    let lab = TestLab::new();
    let (serial, mut line) = board(&lab, "");
    let file = noise(1 << 20);
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        let mut piece = [0; 700];
        while got.len() < 1 << 20 {
            let length = line.read(&mut piece).unwrap();
            got.extend_from_slice(&piece[..length]);
            // Nobody else waits for this one: it is what makes it slow.
            std::thread::yield_now();
        }
        (got, line)
    });
    let (status, answer) = send_bytes(&serial, "user=alice", &file);
    assert_eq!(status, 200, "{answer}");
    assert!(answer.ends_with(r#"{"answer":"sent","bytes":1048576}"#), "{answer}");
    let (got, _line) = reader.join().unwrap();
    assert!(got == file, "something else arrived");
    let recorded: Vec<u8> =
        typed_by(&serial, "alice").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    assert!(recorded == file, "something else is recorded: {} bytes", recorded.len());
}

#[test]
fn characters_and_lines_are_paced_by_configuration_and_by_request() {
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart", "pace = \"20ms\"");
    let alice = attach(&serial, "user=alice");
    // The plug sends everything back at once: each byte has the time at which it was sent.
    let times = |client: &WebSocket, text: &str| -> Vec<u64> {
        client.heard().find(LIMIT, 0, text.as_bytes()).unwrap();
        let end = client.heard().text().find(text).unwrap();
        client.times()[end..end + text.len()].to_vec()
    };
    alice.type_text("abcdef");
    let typed = times(&alice, "abcdef");
    assert!(typed.windows(2).all(|pair| pair[1] - pair[0] >= 20_000), "{typed:?}");
    let sent =
        asked(&alice, 1, r#""request":"send","text":"1\r\n2\n3","pace":"0","line_pace":"50ms""#);
    assert_eq!((&sent["answer"], &sent["bytes"]), (&json!("sent"), &json!(6)));
    let sent = times(&alice, "1\r\n2\n3");
    assert!(sent[3] - sent[2] >= 50_000 && sent[5] - sent[4] >= 50_000, "{sent:?}");
    assert!(sent[2] - sent[0] < 50_000, "CR LF is one end of a line: {sent:?}");
    let answer = post(&serial, "send", r#"{"text":"xy","pace":"100B/s","user":"bob"}"#);
    assert_eq!(answer.json(), json!({"answer": "sent", "bytes": 2}));
    // What goes byte by byte is recorded in pieces.
    assert_eq!(typed_by(&serial, "alice"), "abcdef1\r\n2\n3");
    assert!(events(&serial, "input").len() < 8, "{:?}", events(&serial, "input"));
}

#[test]
fn who_types_does_not_wait_behind_all_that_somebody_else_sends() {
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart", "");
    let alice = attach(&serial, "user=alice");
    let bob = attach(&serial, "user=bob");
    // An hour.
    alice.ask(r#"{"id":1,"request":"send","text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","pace":"1s"}"#);
    bob.heard().find(LIMIT, 0, b"a").unwrap();
    bob.type_text("bob");
    bob.heard().find(LIMIT, 0, b"bob").unwrap();
    let got = bob.heard().text();
    assert!(got.matches('a').count() < 20, "{got}");
    // She may do other things meanwhile, and call it back: what was sent is told exactly.
    assert_eq!(asked(&alice, 2, r#""request":"who""#)["answer"], "sessions");
    assert_eq!(asked(&alice, 3, r#""request":"cancel","send":1"#)["answer"], "done");
    let sent = alice.expect_message("what was sent", |m| m["id"] == 1 && m["answer"] == "sent");
    assert_eq!(sent["reason"], "cancelled");
    let (bytes, missing) = (sent["bytes"].as_u64().unwrap(), sent["missing"].as_u64().unwrap());
    assert_eq!(bytes + missing, 96);
    bob.type_text("end");
    bob.heard().find(LIMIT, 0, b"end").unwrap();
    assert_eq!(bob.heard().text().matches('a').count() as u64, bytes);
    let none = asked(&alice, 4, r#""request":"cancel","send":1"#);
    assert_eq!(none["answer"], "refused");
}

#[test]
fn a_file_is_announced_and_ends_where_somebody_takes_the_console() {
    let lab = TestLab::new();
    let (serial, mut line) = board(&lab, "");
    let alice = attach(&serial, "user=alice");
    let bob = attach(&serial, "user=bob");
    let part = |id: u64, at: u64, text: &str| {
        format!(
            r#"{{"id":{id},"request":"send","text":"{text}","pace":"100ms","file":"boot\n.scr","at":{at},"of":99}}"#
        )
    };
    // The second part waits behind the first.
    alice.ask(&part(1, 0, &"a".repeat(50)));
    alice.ask(&part(2, 50, &"b".repeat(49)));
    let begun = bob.expect_message("bob sees it", |m| m["kind"] == "send-file");
    let expected = (&json!("alice"), &json!("boot?.scr"), &json!("begin"));
    assert_eq!((&begun["who"], &begun["file"], &begun["phase"]), expected);
    let mut got = vec![0; 3];
    line.read_exact(&mut got).unwrap();
    assert_eq!(asked(&bob, 1, r#""request":"force""#)["answer"], "done");
    let first = alice.expect_message("the first", |m| m["id"] == 1);
    assert_eq!(first["reason"], "read-only: bob has the console");
    let second = alice.expect_message("the second", |m| m["id"] == 2);
    assert_eq!((&second["missing"], second["reason"].is_string()), (&json!(49), true));
    bob.type_text("B");
    while got.last() != Some(&b'B') {
        let mut byte = [0];
        line.read_exact(&mut byte).unwrap();
        got.extend(byte);
    }
    assert_eq!(got.len() as u64 - 1, first["bytes"].as_u64().unwrap());
    assert!(!got.contains(&b'b'), "no hole in it: {got:?}");
    let told = wait_for_events(&serial, "send-file", 2);
    assert_eq!(told[1]["phase"], "failed", "{told:?}");
}

#[test]
fn a_board_that_takes_nothing_ends_it_with_what_was_sent() {
    let lab = TestLab::new();
    // A pty whose program never reads takes some kilobytes, and then nothing.
    let serial = one(&lab, "exec:sh -c 'stty raw -echo; exec sleep 100'", "");
    let (status, answer) = send_bytes(&serial, "user=alice", &noise(1 << 20));
    assert_eq!(status, 502, "{answer}");
    let sent = typed_by(&serial, "alice").chars().count();
    assert!(answer.contains(&format!("only {sent} bytes were sent")), "{sent}: {answer}");
}

#[test]
fn who_goes_away_sends_nothing_more() {
    let lab = TestLab::new();
    let (serial, mut line) = board(&lab, "");
    let mut stream = TcpStream::connect(serial.address("http")).unwrap();
    let body = r#"{"text":"aaaaaaaaaaaaaaaaaaaa","pace":"500ms","user":"alice"}"#;
    let request = format!(
        "POST /consoles/panda01/send HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut byte = [0];
    line.read_exact(&mut byte).unwrap();
    drop(stream);
    let bob = attach(&serial, "user=bob");
    let mut count = 1;
    wait_until(LIMIT, "nothing of it comes any more", || {
        bob.type_text("b");
        line.read_exact(&mut byte).unwrap();
        count += usize::from(byte == [b'a']);
        byte == [b'b'] && events(&serial, "input").len() > 8
    });
    assert!(count < 20);
}

#[test]
fn what_is_wrong_with_it_is_said() {
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart", "");
    for (wrong, message) in [
        ("{}", "either text or bytes"),
        (r#"{"text":"a","bytes":"a"}"#, "either text or bytes"),
        (r#"{"text":""}"#, "nothing to send"),
        (r#"{"bytes":"€"}"#, "none of a byte"),
        (r#"{"text":"a","pace":"fast"}"#, "is no pace; write a time"),
    ] {
        let answer = post(&serial, "send", wrong);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(message), "{}", answer.text());
    }
}

#[test]
fn a_restart_in_the_middle_tells_what_is_missing_and_costs_nothing() {
    let lab = TestLab::new();
    let (serial, mut line) = board(&lab, "");
    let alice = attach(&serial, "user=alice");
    let text = "0123456789".repeat(20);
    let send = |id: u64, text: &str, pace: &str| {
        alice.ask(&format!(r#"{{"id":{id},"request":"send","text":"{text}","pace":"{pace}"}}"#));
        alice.expect_message("what was sent", |m| m["id"] == id && m["type"] == "reply")
    };
    alice.ask(&format!(r#"{{"id":1,"request":"send","text":"{text}","pace":"100ms"}}"#));
    let mut got = vec![0; 3];
    line.read_exact(&mut got).unwrap();
    signal(serial.pid(), Signal::USR2);
    let sent = alice.expect_message("what was sent", |m| m["id"] == 1);
    assert_eq!((&sent["answer"], &sent["again"]), (&json!("sent"), &json!(true)), "{sent}");
    let bytes = usize::try_from(sent["bytes"].as_u64().unwrap()).unwrap();
    let sent = send(2, &text[bytes..], "0");
    assert_eq!(sent["bytes"], text.len() - bytes);
    let mut rest = vec![0; text.len() - 3];
    line.read_exact(&mut rest).unwrap();
    got.extend(rest);
    assert_eq!(String::from_utf8(got).unwrap(), text);
}
