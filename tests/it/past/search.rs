//! `GET /search`: lines of all consoles, found by an index.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::{BEGIN_US, files, record, serial};
use crate::common::{Daemon, LIMIT, TestLab, http, wait_until};

/// The lines of boots, `count` of them, with something rare in one of them.
fn boots(count: usize, rare: &str) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for boot in 0..count {
        lines.push(format!("U-Boot 2023.01 (boot {boot:05})\r\n").into_bytes());
        for device in 0..40 {
            let line = format!("[{device:5}.{:06}] device {device}: ready\r\n", boot * 7919);
            lines.push(line.into_bytes());
        }
        if boot == count / 3 {
            lines.push(format!("[   12.345678] {rare}\r\n").into_bytes());
        }
    }
    lines
}

/// The lines that a search answers, and how it ended.
fn search(serial: &Daemon, query: &str) -> (Vec<Value>, Value) {
    let answer = http(serial.address("http"), "GET", &format!("/search?{query}"), "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let lines = text.lines().filter(|line| !line.is_empty());
    let mut lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = lines.pop().unwrap();
    assert_eq!(end["type"], "end", "{end}");
    (lines, end)
}

#[test]
fn a_rare_line_is_found_on_any_console_without_reading_the_others() {
    let lab = TestLab::new();
    let oops = "Internal error: Oops: 96000004";
    let log = boots(5000, oops);
    record(&lab, "panda01", log.iter().map(Vec::as_slice));
    record(&lab, "panda02", boots(5000, "all is well").iter().map(Vec::as_slice));
    let serial = serial(&lab, &["panda01", "panda02", "panda03"]);
    wait_until(LIMIT, "what was recorded before is indexed and compressed", || {
        ["panda01", "panda02"].iter().all(|console| {
            files(&lab, console, ".grams").len() == 2 && files(&lab, console, ".raw.zst").len() == 2
        })
    });
    for query in
        ["grep=Oops", "grep=oOPS:.*4$&ignore_case=true", "grep=Oops&console=panda03,panda01"]
    {
        let (lines, end) = search(&serial, query);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(line["console"], "panda01");
        assert_eq!(line["line"], "[   12.345678] Internal error: Oops: 96000004");
        let at = log.iter().position(|line| line.ends_with(b"Oops: 96000004\r\n")).unwrap();
        let offset: usize = log[..at].iter().map(Vec::len).sum();
        assert_eq!(
            (&line["offset"], &line["end"]),
            (&offset.into(), &(offset + log[at].len()).into())
        );
        assert_eq!(line["time_us"], BEGIN_US + at as u64 * 1000);
        let (held, read) = (end["held"].as_u64().unwrap(), end["read"].as_u64().unwrap());
        assert!(held > 6 << 20, "{end}");
        // What is open is not indexed, and here it may be up to 3 MiB of each console.
        assert!(read < held * 2 / 5, "{query}: {end}");
    }
    // Nothing of it is from the last ten minutes, or of panda02.
    for query in ["grep=Oops&from=10m", "grep=Oops&console=panda02", "grep=Oops&to=1000"] {
        assert_eq!(search(&serial, query).0, [Value::Null; 0], "{query}");
    }
    let (lines, end) = search(&serial, "grep=U-Boot&limit=7");
    assert_eq!((lines.len(), &end["more"]), (7, &Value::Bool(true)));
    for (wrong, status, told) in [
        ("grep=a(b", 400, "grep: an expression to look for is not understood: unclosed group"),
        ("grep=x&limit=1000001", 400, "limit: at most 1000000"),
        ("grep=x&console=panda04", 404, "there is no console \\\"panda04\\\""),
        ("grep=x&from=soon", 400, "from: \\\"soon\\\" is no point"),
        ("from=10m", 400, "grep"),
    ] {
        let answer = http(serial.address("http"), "GET", &format!("/search?{wrong}"), "");
        assert_eq!(answer.status, status, "{wrong}");
        assert!(answer.text().contains(told), "{wrong}: {}", answer.text());
    }
}

#[test]
fn searches_that_nobody_reads_hold_up_nobody() {
    let lab = TestLab::new();
    record(&lab, "panda01", boots(5000, "nothing").iter().map(Vec::as_slice));
    let serial = serial(&lab, &["panda01"]);
    // Every line matches; the answers are larger than what the kernel keeps.
    let stopped: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut client = TcpStream::connect(serial.address("http")).unwrap();
            client
                .write_all(b"GET /search?grep=.&limit=1000000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
                .unwrap();
            let mut first = [0; 12];
            client.read_exact(&mut first).unwrap();
            assert_eq!(&first, b"HTTP/1.1 200");
            client
        })
        .collect();
    assert_eq!(search(&serial, "grep=nothing").0.len(), 1);
    let status = http(serial.address("http"), "GET", "/consoles/panda01", "");
    assert_eq!(status.status, 200);
    drop(stopped);
}
