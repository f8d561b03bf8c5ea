//! Getting in, and not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::Signal;

use super::{Guarded, token, user};
use crate::common::{LIMIT, TestLab, http, http_as, http_unix, run, signal, wait_until};

#[test]
fn each_request_needs_its_right_and_what_one_may_not_see_is_not_there() {
    let people = [
        user("admin", "control = \"*\""),
        user("alice", "write = \"panda*\""),
        user("bob", "spy = \"panda01\""),
        user("carol", "see = [\"panda01\", \"panda02\"]"),
    ];
    let lab = Guarded::start(&people.concat());
    let status = |name: &str, method: &str, path: &str| lab.told(name, method, path).0;

    assert_eq!(http(lab.http(), "GET", "/healthz", "").status, 200);
    assert_eq!(http(lab.http(), "GET", "/openapi.json", "").status, 401);
    let nobody = lab.ask("", "GET", "/consoles", "");
    assert_eq!((nobody.status, nobody.header("www-authenticate").is_some()), (401, true));
    assert!(nobody.text().contains("LAVA_TOKEN"), "{}", nobody.text());
    assert_eq!(status("mallory", "GET", "/consoles"), 401);

    let names = |name: &str| {
        let consoles = lab.ask(name, "GET", "/consoles", "").json();
        let names = consoles.as_array().unwrap().iter();
        names.map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("admin"), ["panda01", "panda02", "secret"]);
    assert_eq!(names("alice"), ["panda01", "panda02"]);
    assert_eq!(names("bob"), ["panda01"]);
    let metrics = lab.ask("carol", "GET", "/metrics", "").text();
    assert!(metrics.contains("panda02") && !metrics.contains("secret"), "{metrics}");

    for (name, method, path, expected) in [
        ("carol", "GET", "/consoles/panda01", 200),
        ("carol", "GET", "/consoles/panda01/history", 403),
        ("carol", "GET", "/consoles/secret", 404),
        ("carol", "POST", "/consoles/secret/break", 404),
        ("bob", "GET", "/consoles/panda01/history", 200),
        ("bob", "HEAD", "/consoles/panda01/history", 200),
        ("bob", "GET", "/consoles/panda01/events", 200),
        ("bob", "GET", "/consoles/panda02", 404),
        ("bob", "POST", "/consoles/panda01/break", 403),
        ("bob", "POST", "/consoles/panda01/events", 403),
        ("alice", "POST", "/consoles/panda01/break", 403),
        ("alice", "POST", "/consoles/panda01/kick", 403),
        ("alice", "POST", "/consoles/panda01/line", 403),
        ("bob", "POST", "/consoles/panda01/send", 403),
        ("bob", "POST", "/consoles/panda01/note", 403),
        ("carol", "GET", "/search?grep=x&console=panda01", 403),
        ("bob", "GET", "/search?grep=x&console=panda01,secret", 404),
        ("alice", "POST", "/reload", 403),
        ("alice", "DELETE", "/consoles", 405),
        ("admin", "POST", "/reload", 200),
        ("admin", "GET", "/nowhere", 404),
    ] {
        let answer = lab.ask(name, method, path, "");
        assert_eq!(answer.status, expected, "{name} {method} {path}: {}", answer.text());
    }
    let (_, told) = lab.told("bob", "POST", "/consoles/panda01/break");
    assert_eq!(told, "bob may spy on panda01, and this needs control");
    // As if it were not there, in every word.
    let absent = lab.told("bob", "GET", "/consoles/absent").1;
    assert_eq!(lab.told("bob", "GET", "/consoles/secret").1.replace("secret", "absent"), absent);
    assert!(!lab.told("bob", "GET", "/consoles/panda02").1.contains("did you mean"));
}

#[test]
fn what_was_typed_is_read_by_those_who_may_type() {
    let people = [user("alice", "write = \"*\""), user("bob", "spy = \"*\"")];
    let lab = Guarded::start(&people.concat());
    let alice = lab.attach("alice", "");
    alice.type_text("hunter2\n");
    alice.heard().find(LIMIT, 0, b"got hunter2").unwrap();
    let events = |name: &str| lab.ask(name, "GET", "/consoles/panda01/events", "").text();
    wait_until(LIMIT, "it is recorded", || events("alice").contains("hunter2"));
    let told = events("bob");
    assert!(told.contains("\"attach\"") && !told.contains("hunter2"), "{told}");

    let inventory = lab.lab.write(
        "lab.toml",
        &format!(
            "[[board]]\nname = \"panda01\"\nconsole = \"http://{}/consoles/panda01\"\n",
            lab.http()
        ),
    );
    let log = |name: &str, what: &str| {
        let mut log = lab.lab.program("lava");
        log.args(["log", "panda01", "--lab", &inventory, what, "--who"]);
        let said = run(log.env("LAVA_TOKEN", token(name)), "", LIMIT);
        String::from_utf8([said.stdout, said.stderr].concat()).unwrap()
    };
    assert!(log("alice", "--events").contains("hunter2"));
    assert!(!log("bob", "--events").contains("hunter2"));
    assert!(!log("bob", "--asciicast").contains("\"i\", \"hunter2"));
}

#[test]
fn a_name_that_a_stranger_can_make_lead_here_is_not_served_on_loopback() {
    let lab = Guarded::start("");
    let status = |token: &str, host: &str| {
        let mut stream = TcpStream::connect(lab.http()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let request = format!(
            "POST /consoles/panda01/note HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\n\
             connection: close\r\n{token}content-length: 12\r\n\r\n{{\"text\":\"x\"}}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (answer.split(' ').nth(1).unwrap().to_owned(), answer)
    };
    let (refused, told) = status("", "evil.example:7100");
    assert_eq!(refused, "403");
    assert!(told.contains("write localhost or the address"), "{told}");
    for host in ["localhost:7100", "127.0.0.1:7100", "[::1]"] {
        assert_eq!(status("", host).0, "200", "{host}");
    }
    // A token is nothing that a browser has for a stranger's page.
    lab.reload(&user("alice", "write = \"*\""));
    let token = format!("authorization: Bearer {}\r\n", token("alice"));
    assert_eq!(status(&token, "lab.example").0, "200");
}

#[test]
fn without_tokens_nobody_has_to_log_in_and_the_owner_never_has_to() {
    let lab = Guarded::start("");
    assert_eq!(lab.told("", "GET", "/consoles/secret").0, 200);
    // A token that nobody asks for does no harm.
    assert_eq!(lab.told("anybody", "GET", "/consoles/secret").0, 200);
    lab.reload(&user("alice", "see = \"*\""));
    assert_eq!(lab.told("", "GET", "/consoles/secret").0, 401);
    let socket = lab.serial.told("socket").to_owned();
    assert_eq!(http_unix(socket.as_ref(), "GET", "/consoles/secret", "").status, 200);
    assert_eq!(http_unix(socket.as_ref(), "POST", "/consoles/secret/break", "{}").status, 502);
}

#[test]
fn wrong_tokens_are_counted_logged_without_the_token_and_lock_nobody_out() {
    let lab = Guarded::start(&user("alice", "see = \"*\""));
    let mut statuses = Vec::new();
    for number in 0..30 {
        statuses.push(lab.told(&format!("guess{number}"), "GET", "/consoles").0);
    }
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[10..], [429; 20]);
    assert_eq!(lab.told("alice", "GET", "/consoles").0, 200, "who has a token is served");
    lab.serial.wait_for_log(LIMIT, "a login was refused");
    let log = lab.serial.log().text();
    assert_eq!(log.matches("a login was refused").count(), 10, "{log}");
    assert!(!log.contains("guess") && log.contains("127.0.0.1"), "{log}");
}

#[test]
fn a_browser_shows_its_token_as_a_protocol() {
    let lab = Guarded::start(&user("alice", "spy = \"*\""));
    let upgrade = |protocols: &str| {
        let mut stream = TcpStream::connect(lab.http()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let request = format!(
            "GET /consoles/panda01/attach HTTP/1.1\r\nhost: lab\r\norigin: http://lab\r\n\
             connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: {protocols}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap().to_lowercase()
    };
    let answer = upgrade(&format!("lava-attach, lava-token.{}", token("alice")));
    assert!(answer.starts_with("http/1.1 101"), "{answer}");
    assert!(answer.contains("sec-websocket-protocol: lava-attach\r\n"), "{answer}");
    assert!(!answer.contains(&token("alice")), "{answer}");
    assert!(upgrade("lava-attach, lava-token.wrong").starts_with("http/1.1 401"));
    assert!(upgrade("lava-attach").starts_with("http/1.1 401"));
}

#[test]
fn a_new_token_is_printed_with_what_the_daemon_is_to_know() {
    let lab = TestLab::new();
    let args = ["token", "new", "alice", "--see", "*", "--write", "panda*", "--write", "b1"];
    let printed = lab.run("lava", args, "");
    assert!(printed.status.success());
    let text = String::from_utf8(printed.stdout).unwrap();
    let (token, toml) = text.split_once('\n').unwrap();
    assert!(token.starts_with("lava_") && token.len() == 69, "{token}");
    assert!(toml.contains("write = [\"panda*\", \"b1\"]"), "{toml}");
    assert!(!toml.contains(token), "{toml}");

    let daemon = Guarded::start(toml);
    let answer = http_as(daemon.http(), Some(token), "GET", "/consoles/panda01", "");
    assert_eq!(answer.status, 200, "{}", answer.text());

    let again = String::from_utf8(lab.run("lava", args, "").stdout).unwrap();
    assert!(!again.starts_with(token), "no two are the same");
    let wrong = lab.run("lava", ["token", "new", "alice", "--spy", "a/b"], "");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn beyond_loopback_there_are_tokens_and_tls_or_nothing() {
    let refused = |access: &str, http: &str| {
        let lab = TestLab::new();
        let text = format!(
            "{access}\n[http]\nlisten = \"0.0.0.0:0\"\n{http}\n[capture]\ndir = {:?}\n\
             [[console]]\nname = \"panda01\"\nport = \"exec:cat\"\n",
            lab.path("captures")
        );
        let file = lab.write("serial.toml", &text);
        let said = lab.run("lava-serial", ["--config", &file], "");
        assert_eq!(said.status.code(), Some(2));
        String::from_utf8(said.stderr).unwrap()
    };
    let open = refused("", "");
    assert!(open.contains("http: 0.0.0.0:0 is open to the network, and nobody has to"), "{open}");
    assert!(open.contains("lava token new"), "it tells how to do it right: {open}");
    let plain = refused(&user("alice", "see = \"*\""), "");
    assert!(plain.contains("could be read on the way") && plain.contains("cert"), "{plain}");

    // A changed configuration does not open it either.
    let lab = Guarded::start("");
    let text = std::fs::read_to_string(&lab.file).unwrap();
    let before = lab.ask("", "GET", "/consoles", "").status;
    std::fs::write(&lab.file, text.replace("127.0.0.1:0", "0.0.0.0:0")).unwrap();
    signal(lab.serial.pid(), Signal::HUP);
    wait_until(LIMIT, "it is refused", || lab.serial.log().text().contains("nothing is changed"));
    assert_eq!((before, lab.ask("", "GET", "/consoles", "").status), (200, 200));
}

#[test]
fn what_would_be_refused_is_told_by_a_check_all_at_once() {
    let lab = TestLab::new();
    let text = format!(
        "[http]\nlisten = \"0.0.0.0:0\"\n[capture]\ndir = {:?}\n[[console]]\nname = \"panda01\"\n\
         port = \"exec:cat\"\nraw = \"0.0.0.0:0\"\ntelnet = \"0.0.0.0:1\"\n",
        lab.path("captures")
    );
    let file = lab.write("serial.toml", &text);
    for args in [vec!["--config", &file, "--check"], vec!["--config", &file]] {
        let said = lab.run("lava-serial", args, "");
        assert_eq!(said.status.code(), Some(2));
        let told = String::from_utf8(said.stderr).unwrap();
        for part in ["http: 0.0.0.0:0 is open", "raw of panda01: ", "telnet of panda01: 0.0.0.0:1"]
        {
            assert!(told.contains(part), "no {part:?} in {told}");
        }
    }
}

#[test]
fn rights_of_local_users_alone_leave_no_door_open_by_tcp() {
    let lab = Guarded::start("[local]\nsee = \"*\"\n");
    assert_eq!(lab.told("", "GET", "/consoles/panda01").0, 401);
    let socket = lab.serial.told("socket").to_owned();
    assert_eq!(http_unix(socket.as_ref(), "GET", "/consoles/panda01", "").status, 200);

    let lab = TestLab::new();
    let text = "[[certificate]]\nname = \"farm\"\nsee = \"*\"\n[[console]]\nname = \"a\"\nport = \"exec:cat\"\n";
    let said = lab.run("lava-serial", ["--check", "--config", &lab.write("a.toml", text)], "");
    let told = String::from_utf8(said.stderr).unwrap();
    assert!(told.contains("a.toml:1:1: certificate[0]: nobody can show a certificate"), "{told}");
}

#[test]
fn what_a_port_runs_is_shown_without_its_arguments() {
    let lab = Guarded::start("");
    let status = lab.ask("", "GET", "/consoles/panda01", "").json();
    assert_eq!(status["port"], "exec:sh …");
    let events = lab.ask("", "GET", "/consoles/panda01/events", "").text();
    assert!(events.contains("exec:sh …") && !events.contains("echo got"), "{events}");
}
