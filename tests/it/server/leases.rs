//! People ask for boards, wait for them, have them and give them back.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Rack, Server, lava, text};
use crate::common::{Heard, LIMIT, Process, TestLab, http, run, signal, wait_until};

/// Who has leased a board, as its outlet knows.
fn holder(rack: &Rack, board: &str) -> Value {
    let leases = http(rack.power.address("http"), "GET", "/leases", "").json();
    leases[board]["holder"].clone()
}

#[test]
fn boards_go_round_and_their_outlets_know_over_restarts_of_everything() {
    let lab = TestLab::new();
    let mut server = Server::start(&lab);
    let mut rack = Rack::with_boards(&lab, &server);
    let (code, out, err) =
        lava(&lab, &server, "alice", &["reserve", "panda", "--boards", "2", "--for", "2h"]);
    assert!(code == 0 && out.starts_with("panda01, panda02 are yours until 20"), "{out}{err}");
    assert!(out.contains("  lava-console panda01\n  lava reset panda01\n"), "{out}");
    assert_eq!(
        (holder(&rack, "panda01"), holder(&rack, "panda02")),
        ("alice".into(), "alice".into())
    );
    let (code, _, err) = lava(&lab, &server, "bob", &["off", "panda01"]);
    assert!(code == 4 && err.contains("panda01 is leased by alice"), "{err}");

    // Bob waits, and is told for whom.
    let mut waits = lab.program("lava");
    waits.args(["reserve", "panda", "--for", "1h"]).env("LAVA_USER", "bob");
    waits.env("LAVA_SERVER", server.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut bob = Process::spawn(&mut waits);
    let printed = Heard::from(bob.child().stdout.take().unwrap());
    let told = Heard::from(bob.child().stderr.take().unwrap());
    let place = told.find(LIMIT, 0, b"number 1 in the queue, in about ");
    place.and_then(|at| told.find(LIMIT, at, b"panda01 is alice's until 20")).unwrap();
    let why = lava(&lab, &server, "bob", &["why", "2"]).1;
    assert!(
        why.starts_with("panda for bob: number 1") && why.contains("50 for its priority"),
        "{why}"
    );
    let (_, queue, _) = lava(&lab, &server, "carol", &["queue"]);
    assert!(
        queue.contains("2        bob") && queue.contains("2 × panda: panda01, panda02"),
        "{queue}"
    );
    let (code, _, err) = lava(&lab, &server, "bob", &["release", "panda01"]);
    assert!(code == 4 && err.contains("request 1 is alice's"), "{err}");
    let (code, _, err) = lava(&lab, &server, "alice", &["extend", "panda01", "--for", "8h"]);
    assert!(code == 4 && err.contains("request 2"), "{err}");

    // Everything is killed but those who wait, and the board comes back while lava-power is away.
    server.daemon.kill();
    rack.power.kill();
    let server = Server::again(&lab, server.address);
    assert_eq!(server.get("/boards/panda01")["lease"]["holder"], "alice");
    let (code, out, err) = lava(&lab, &server, "alice", &["release", "panda01"]);
    assert_eq!((code, out.as_str()), (0, "request 1 is over; it had panda01, panda02\n"), "{err}");
    rack.power = lab.start("lava-power", ["--config", &rack.power_config]);
    server.until("it is bob's", "/requests/2", |it| it["state"] == "leased" && it["ready"] == true);
    wait_until(LIMIT, "lava-power knows", || {
        let both = (holder(&rack, "panda01"), holder(&rack, "panda02"));
        both == ("bob".into(), Value::Null) || both == (Value::Null, "bob".into())
    });
    printed.find(LIMIT, 0, b" is yours until 20").unwrap();
    assert!(bob.wait(LIMIT).success());
    let history = lava(&lab, &server, "root", &["board", "history", "panda02"]).1;
    assert!(history.contains("released    alice"), "{history}");
    let args = ["release", "2", "--force", "--reason", "it smokes"];
    assert_eq!(lava(&lab, &server, "root", &args).0, 0);
    let ended = server.get("/requests/2");
    assert_eq!((&ended["state"], &ended["ending"]), (&"ended".into(), &"taken".into()));
    drop(rack.serial);
}

#[test]
fn what_is_reserved_tells_every_way_there_and_one_goes_in_and_gives_it_back() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let rack = Rack::with_boards(&lab, &server);
    let ways = ["address=192.0.2.7", "ssh-port=2222", "ssh-user=debian"];
    let set: Vec<_> = ways.iter().flat_map(|way| ["--attribute", way]).collect();
    let (code, _, err) =
        lava(&lab, &server, "root", &[&["board", "set", "panda01"], &set[..]].concat());
    assert_eq!(code, 0, "{err}");
    let mut command = lab.program("lava");
    command.args(["reserve", "name=panda01", "--for", "1h", "--console", "--release"]);
    command.env("LAVA_USER", "alice").env("LAVA_SERVER", server.url());
    let output = run(&mut command, "~$who\n~$status\n", LIMIT);
    let (out, err) = (text_of(&output.stdout), text_of(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    let page = format!("  {}/ui/boards/panda01\n", server.url());
    let ways =
        ["  lava-console panda01\n  ssh -p 2222 debian@192.0.2.7\n  lava reset panda01\n", &page];
    assert!(out.starts_with("panda01 is yours until 20") && out.contains(&ways.concat()), "{out}");
    assert!(err.contains("alice") && err.contains("request 1 is over; it had panda01"), "{err}");
    assert_eq!(server.get("/requests/1")["state"], "ended");
    wait_until(LIMIT, "its outlet knows", || holder(&rack, "panda01").is_null());
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn who_leases_a_board_of_the_servers_has_it_there_or_not_at_all() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let rack = Rack::with_boards(&lab, &server);
    let (code, out, err) = lava(&lab, &server, "alice", &["lease", "panda01", "--for", "1h"]);
    assert!(code == 0 && out.starts_with("panda01 is yours until 20"), "{out}{err}");
    assert_eq!(holder(&rack, "panda01"), "alice");
    let first = server.get("/requests/1")["until_us"].clone();
    let (code, _, err) = lava(&lab, &server, "bob", &["lease", "panda0*", "--for", "1h"]);
    assert!(code == 4 && err.contains("panda01: ") && err.contains("is alice's until"), "{err}");
    assert!(err.contains("lava reserve name=panda01 waits"), "{err}");
    assert_eq!(server.get("/boards/panda02")["lease"]["holder"], "bob");
    // Again is longer, and of the same request.
    let (code, out, err) = lava(&lab, &server, "alice", &["lease", "panda01", "--for", "3h"]);
    assert_eq!(code, 0, "{out}{err}");
    let now = server.get("/boards/panda01")["lease"].clone();
    assert_eq!((&now["id"], now["until_us"].as_u64() > first.as_u64()), (&json!(1), true));
    let waiting = server.get("/requests").to_string();
    assert!(!waiting.contains("waiting"), "{waiting}");
    assert_eq!(lava(&lab, &server, "alice", &["release", "panda01"]).0, 0);
    wait_until(LIMIT, "its outlet knows", || holder(&rack, "panda01").is_null());
}

#[test]
fn a_lease_is_shared_handed_over_and_ends_with_silence() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let rack = Rack::with_boards(&lab, &server);
    let (code, _, err) = lava(&lab, &server, "alice", &["reserve", "name=panda01"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(lava(&lab, &server, "bob", &["on", "panda01"]).0, 4);
    let (code, out, err) = lava(&lab, &server, "alice", &["share", "panda01", "bob"]);
    assert!(code == 0 && out.contains("request 1 is alice's, shared with bob"), "{out}{err}");
    wait_until(LIMIT, "bob may, too", || lava(&lab, &server, "bob", &["on", "panda01"]).0 == 0);
    let (code, out, err) = lava(&lab, &server, "alice", &["unshare", "panda01", "bob"]);
    assert!(code == 0 && out.starts_with("request 1 is alice's: panda01"), "{out}{err}");
    wait_until(LIMIT, "bob may not", || lava(&lab, &server, "bob", &["on", "panda01"]).0 == 4);
    assert_eq!(lava(&lab, &server, "alice", &["share", "panda01", "bob"]).0, 0);
    // He uses it; whose it is remains hers to say.
    assert_eq!(lava(&lab, &server, "bob", &["share", "1", "eve", "--hand-over"]).0, 4);
    let (code, _, err) = lava(&lab, &server, "alice", &["share", "1", "carol", "--hand-over"]);
    assert_eq!(code, 0, "{err}");
    wait_until(LIMIT, "it is carol's", || holder(&rack, "panda01") == "carol");

    // A request that has to be heard of, and is not.
    let asked = json!({"spec": "name=panda01", "for": "1h", "user": "dave", "heartbeat": "5s"});
    let asked = server.ask("POST", "/requests", &asked).json();
    let path = format!("/requests/{}", asked["id"]);
    let ended = server.until("nothing was heard", &path, |it| it["state"] == "ended");
    assert_eq!(ended["ending"], "silent");
    let boards = server.get("/boards");
    assert_eq!(text(&boards[0]["lease"]["holder"]), "carol");
}

#[test]
fn who_gives_up_waiting_waits_no_more_and_what_is_booked_is_kept_free() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let _rack = Rack::with_boards(&lab, &server);
    let book = ["reserve", "name=panda01", "--for", "2h", "--at", "4h"];
    let (code, out, err) = lava(&lab, &server, "carol", &book);
    assert!(code == 0 && out.contains("request 1: panda01 from 20"), "{out}{err}");
    let (code, out, err) = lava(&lab, &server, "bob", &["reserve", "name=panda01", "--for", "3h"]);
    assert!(code == 0 && out.starts_with("panda01 is yours"), "{out}{err}");
    let (code, _, err) = lava(&lab, &server, "bob", &["extend", "panda01", "--for", "5h"]);
    assert!(code == 4 && err.contains("panda01 is not free then: request 1"), "{err}");
    // A wrong year books nothing, and has nobody lease at once.
    let past = ["reserve", "name=panda02", "--at", "2020-01-01T00:00Z", "--no-wait"];
    let (code, _, err) = lava(&lab, &server, "bob", &past);
    assert!(code == 2 && err.contains("2020-01-01T00:00:00Z is over"), "{err}");

    let args = ["reserve", "panda tag=hdmi", "--no-wait"];
    let (code, out, err) = lava(&lab, &server, "dave", &args);
    assert!(
        code == 0 && out.contains("no board that you may have answers to tag=hdmi"),
        "{out}{err}"
    );
    let mut waits = lab.program("lava");
    waits
        .args(["reserve", "name=panda01"])
        .env("LAVA_USER", "erin")
        .env("LAVA_SERVER", server.url());
    let mut erin = Process::spawn(waits.stdout(Stdio::null()).stderr(Stdio::piped()));
    let told = Heard::from(erin.child().stderr.take().unwrap());
    told.find(LIMIT, 0, b"in the queue").unwrap();
    signal(erin.pid(), Signal::INT);
    assert_eq!(erin.wait(LIMIT).code(), Some(130));
    assert!(told.text().contains("is called back"), "{}", told.text());
    let queue = server.get("/requests").to_string();
    assert!(!queue.contains("erin") && queue.contains("dave"), "{queue}");
    // Several words are one board; it would wait for ever, and does not.
    let (code, _, err) = lava(&lab, &server, "gina", &["reserve", "panda", "ram=1GB"]);
    assert!(code == 1 && err.contains("no board that you may have answers to ram=1GB"), "{err}");
    assert!(!server.get("/requests").to_string().contains("gina"));
    let both = ["reserve", "panda", "name=panda01", "+", "panda", "--no-wait", "--json"];
    let (_, out, err) = lava(&lab, &server, "gina", &both);
    assert!(out.contains(r#""specs":["name=panda01 panda","panda"]"#), "{out}{err}");
    let (code, _, err) = lava(&lab, &server, "frank", &["reserve", "beagle ram>=much"]);
    assert!(code == 2 && err.contains("is no number and no size"), "{err}");
}

#[test]
fn who_hangs_up_in_the_middle_of_it_keeps_nobody_from_a_board() {
    use std::io::Write as _;
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let _rack = Rack::with_boards(&lab, &server);
    let body = r#"{"spec":"name=panda01","for":"1s","user":"mallory"}"#;
    let request = format!(
        "POST /requests HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..40 {
        let mut client = std::net::TcpStream::connect(server.address).unwrap();
        client.write_all(request.as_bytes()).unwrap();
    }
    let asked = json!({"spec": "name=panda02", "for": "1h", "user": "alice"});
    let asked = server.ask("POST", "/requests", &asked);
    assert_eq!(asked.status, 200, "{}", asked.text());
    let path = format!("/requests/{}", asked.json()["id"]);
    server.until("alice has it", &path, |it| it["state"] == "leased");
}

#[test]
fn who_looks_after_a_request_is_heard_of() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let asked = json!({"spec": "panda", "for": "1h", "user": "dave", "heartbeat": "5s"});
    // A story in which we, or the server, were held up for long is told again.
    let heard = (0..10).any(|_| {
        let id = server.ask("POST", "/requests", &asked).json()["id"].clone();
        let begin = Instant::now();
        let (mut before, mut longest) = (begin, Duration::ZERO);
        let waits = loop {
            let state = server.get(&format!("/requests/{id}?user=dave"))["state"].clone();
            longest = longest.max(before.elapsed());
            before = Instant::now();
            if state != "waiting" || begin.elapsed() > Duration::from_secs(7) {
                break state == "waiting";
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        assert!(waits || longest > Duration::from_secs(3), "it ended after {:?}", begin.elapsed());
        waits
    });
    assert!(heard);
    // Who only looks at somebody else's keeps nothing.
    let path =
        format!("/requests/{}?user=erin", server.ask("POST", "/requests", &asked).json()["id"]);
    server.until("nothing was heard", &path, |it| it["ending"] == "silent");
}

#[test]
fn a_lease_goes_on_for_as_long_as_it_is_extended_for() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let rack = Rack::with_boards(&lab, &server);
    let reserve = ["reserve", "name=panda01", "--for", "1h"];
    assert_eq!(lava(&lab, &server, "alice", &reserve).0, 0);
    let until = || server.get("/requests/1")["until_us"].as_u64().unwrap();
    let of_outlet = || {
        let leases = http(rack.power.address("http"), "GET", "/leases", "").json();
        leases["panda01"]["until_us"].as_u64().unwrap()
    };
    let (before, hour_us) = (until(), 3600 * 1_000_000);
    let (code, out, err) = lava(&lab, &server, "alice", &["extend", "panda01", "--for", "3h"]);
    assert!(code == 0 && out.starts_with("request 1: panda01 until 20"), "{out}{err}");
    assert!(until() >= before + 2 * hour_us, "{} and was {before}", until());
    wait_until(LIMIT, "its outlet knows", || of_outlet() >= before + 2 * hour_us);
    // By its number, and to less than it was.
    let (code, _, err) = lava(&lab, &server, "alice", &["extend", "1", "--for", "30m"]);
    assert_eq!(code, 0, "{err}");
    assert!(until() < before, "{} and was {before}", until());
    wait_until(LIMIT, "its outlet knows that, too", || of_outlet() < before);
    assert_eq!(lava(&lab, &server, "bob", &["extend", "panda01"]).0, 4);
    let (code, _, err) = lava(&lab, &server, "alice", &["extend", "panda02"]);
    assert!(code == 2 && err.contains("nobody has reserved panda02"), "{err}");
}

#[test]
fn a_board_in_maintenance_is_nobodys_and_who_waits_for_it_is_told() {
    let lab = TestLab::new();
    let mut server = Server::start(&lab);
    for name in ["panda01", "panda02"] {
        let board =
            json!({"type": "panda", "console": format!("http://127.0.0.1:1/consoles/{name}")});
        assert_eq!(server.ask("PUT", &format!("/boards/{name}"), &board).status, 200);
    }
    let plan = |server: &Server, more: &[&str]| {
        lava(&lab, server, "root", &[&["board", "maintenance"], more].concat())
    };
    let (code, out, err) = plan(&server, &["panda01", "--for", "2h"]);
    assert!(code == 0 && out.starts_with("panda01 is in maintenance from 20"), "{out}{err}");
    let (code, out, err) = plan(&server, &["panda02", "--in", "2h", "--for", "1h"]);
    assert_eq!(code, 0, "{out}{err}");
    let (_, shown, _) = lava(&lab, &server, "alice", &["board", "show", "panda01"]);
    assert!(shown.contains("maintained  from 20"), "{shown}");
    let board = server.get("/boards/panda02")["maintenance"].clone();
    assert_eq!(board.as_array().map(Vec::len), Some(1), "{board}");
    let ask = |server: &Server, name: &str, length: &str, user: &str| {
        let asked = json!({"spec": format!("name={name}"), "for": length, "user": user});
        let answer = server.ask("POST", "/requests", &asked);
        assert_eq!(answer.status, 200, "{}", answer.text());
        format!("/requests/{}", answer.json()["id"])
    };
    let until_waits = |server: &Server, path: &str, words: &str| {
        let waits = |it: &Value| it["waiting"]["why"].as_str().is_some_and(|it| it.contains(words));
        server.until("it waits with that reason", path, waits)
    };
    let alices = ask(&server, "panda01", "1h", "alice");
    until_waits(&server, &alices, "panda01 is in maintenance until 20");
    // What is over by then goes on now; what is not waits.
    let bobs = ask(&server, "panda02", "1h", "bob");
    server.until("bob has it", &bobs, |it| it["state"] == "leased");
    let carols = ask(&server, "panda02", "3h", "carol");
    until_waits(&server, &carols, "its turn is at 20");
    // Neither the lease nor who comes after it goes on into the window.
    let (code, _, err) = lava(&lab, &server, "bob", &["extend", "panda02", "--for", "4h"]);
    assert!(code == 4 && err.contains("maintenance"), "{err}");
    let (code, _, err) = plan(&server, &["panda02", "--for", "1h"]);
    assert!(code == 4 && err.contains("panda02"), "{err}");
    for wrong in [json!([[20, 10]]), json!([[20, 20]])] {
        let answer = server.ask("POST", "/boards/panda01/maintenance", &json!({"windows": wrong}));
        assert_eq!(answer.status, 400, "{}", answer.text());
    }

    // It is kept over a restart, and ends when somebody says so.
    server.daemon.kill();
    let server = Server::again(&lab, server.address);
    until_waits(&server, &alices, "panda01 is in maintenance until 20");
    assert_eq!(plan(&server, &["panda01", "--none"]).1, "no maintenance of panda01 is planned\n");
    server.until("alice has it", &alices, |it| it["state"] == "leased");
    assert_eq!(server.get("/boards/panda01")["maintenance"], Value::Null);
    let history = server.get("/boards/panda01/history").to_string();
    assert!(history.matches("\"maintenance\"").count() >= 2, "{history}");
}

#[test]
fn who_does_not_use_a_board_gives_it_back_and_who_types_keeps_it() {
    let lab = TestLab::new();
    let server = Server::start(&lab);
    let rack = Rack::with_boards(&lab, &server);
    for (user, board) in [("alice", "panda01"), ("bob", "panda02")] {
        let spec = format!("name={board}");
        let reserve = ["reserve", &spec, "--for", "2h", "--idle", "30s"];
        let (code, _, err) = lava(&lab, &server, user, &reserve);
        assert_eq!(code, 0, "{err}");
    }
    let types = json!({"text": "x", "user": "alice"}).to_string();
    wait_until(3 * LIMIT, "bob has not typed for half a minute", || {
        let path = "/consoles/panda01/send";
        let typed = http(rack.serial.address("http"), "POST", path, &types);
        assert_eq!(typed.status, 200, "{}", typed.text());
        std::thread::sleep(Duration::from_millis(500));
        server.get("/requests/2")["state"] == "ended"
    });
    assert_eq!(server.get("/requests/2")["ending"], "idle");
    // She has typed all the time, which her console's daemon has told.
    assert_eq!(server.get("/requests/1")["state"], "leased");
    wait_until(LIMIT, "bob's outlet is free", || holder(&rack, "panda02") == Value::Null);
}
