//! `lava boards` asks each daemon once, however many boards there are.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::lava;
use crate::common::TestLab;

const BOARDS: usize = 1000;

/// Answers one request with what a daemon with so many consoles, or outlets, lists.
fn answer(stream: &mut TcpStream, listing: &str) {
    let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
    while head.next().is_some_and(|line| !line.unwrap().is_empty()) {}
    let length = listing.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{listing}"
    )
    .unwrap();
}

#[test]
fn a_thousand_boards_are_one_request_to_each_daemon() {
    let lab = TestLab::new();
    let requests = Arc::new(AtomicUsize::new(0));
    let console = |at| {
        json!({"name": format!("b{at:04}"), "port": "sim:uart", "state": "open", "sessions": [],
               "holder": null, "first": 0, "head": 0})
    };
    let outlet = |at| {
        let lease = (at == 7).then(|| json!({"holder": "alice", "since_us": 1, "until_us": 2}));
        json!({"name": format!("b{at:04}"), "pdu": "rack1", "port": "1", "console": null, "lease": lease})
    };
    let consoles: Vec<Value> = (0..BOARDS).map(console).collect();
    let outlets: Vec<Value> = (0..BOARDS).map(outlet).collect();
    let mut addresses = Vec::new();
    for listing in [json!(consoles).to_string(), json!(outlets).to_string()] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        addresses.push(listener.local_addr().unwrap());
        let requests = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                requests.fetch_add(1, Ordering::SeqCst);
                answer(&mut stream.unwrap(), &listing);
            }
        });
    }
    let board = |at| {
        format!(
            "[[board]]\nname = \"b{at:04}\"\nconsole = \"http://{}/consoles/b{at:04}\"\n\
             outlet = \"http://{}/outlets/b{at:04}\"\n",
            addresses[0], addresses[1]
        )
    };
    let file = lab.write("lab.toml", &(0..BOARDS).map(board).collect::<String>());
    let (code, out, err) = lava(&lab, &["boards", "--lab", &file]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out.lines().count(), BOARDS + 1);
    let leased = out.lines().find(|line| line.starts_with("b0007")).unwrap();
    assert!(leased.contains("alice") && leased.contains("open"), "{leased}");
    assert_eq!(requests.load(Ordering::SeqCst), 2);
    assert_eq!(lava(&lab, &["power", "list", "--lab", &file]).1.lines().count(), BOARDS + 1);
    assert_eq!(requests.load(Ordering::SeqCst), 4);
}
