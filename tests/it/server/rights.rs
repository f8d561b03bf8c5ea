//! What somebody may who may not everything: of boards, of bookings, and of others' requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use super::{Server, lava};
use crate::common::{LIMIT, TestLab, http_as};

/// A server at whose Unix socket we may everything, and by TCP nobody anything without a token.
struct Lab {
    lab: TestLab,
    server: Server,
}

impl Lab {
    /// It knows of a daemon, whose consoles are `mine1` and `beagle01`.
    fn new() -> Self {
        let lab = TestLab::new();
        let server = Server::start(&lab);
        let daemon = json!({"kind": "serial", "host": "farm1", "url": "http://127.0.0.1:1",
                            "consoles": ["mine1", "beagle01"]});
        assert_eq!(server.ask("POST", "/daemons", &daemon).status, 200);
        Self { lab, server }
    }

    /// Runs `lava` as root.
    #[track_caller]
    fn here(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.lab.run("lava", args, "");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Adds a user, whose token it gives.
    #[track_caller]
    fn user(&self, name: &str, rights: &[&str]) -> String {
        let (code, token, err) = self.here(&[&["user", "add", name], rights].concat());
        assert_eq!(code, 0, "{err}");
        token.trim().to_owned()
    }

    fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = http_as(self.server.address, Some(token), method, path, &body);
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    fn get(&self, token: &str, path: &str) -> (u16, Value) {
        self.ask(token, "GET", path, &Value::Null)
    }

    /// Two boards that need no daemon: `panda01` and `beagle01`.
    fn boards(&self, root: &str) {
        for (name, kind) in [("panda01", "panda"), ("beagle01", "beagle")] {
            let board =
                json!({"type": kind, "console": format!("http://127.0.0.1:1/consoles/{name}")});
            assert_eq!(self.ask(root, "PUT", &format!("/boards/{name}"), &board).0, 200);
        }
    }
}

#[test]
fn a_board_is_put_together_from_what_is_ones_own_to_give() {
    let lab = Lab::new();
    let root = lab.user("root", &["--control", "*"]);
    let bob = lab.user("bob", &["--control", "mine*"]);
    let put = |token: &str, part: Value| {
        let mut board = json!({"type": "panda"});
        board.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        lab.ask(token, "PUT", "/boards/mine1", &board)
    };
    // Whoever reserves the board would show their token there, and the server its own.
    for part in [
        json!({"outlet": "https://evil.example/outlets/x"}),
        json!({"console": "unix:/dev/shm/x:/consoles/x"}),
        json!({"console": "farm1/beagle01"}),
        json!({"console": "beagle01"}),
        json!({"outlet": "rack1/7"}),
    ] {
        let (status, told) = put(&bob, part.clone());
        assert_eq!(status, 403, "{part}");
        assert!(told.to_string().contains("you have control of no"), "{told}");
    }
    assert_eq!(put(&bob, json!({"console": "farm1/mine1"})).0, 200);
    let by_url = json!({"console": "http://127.0.0.1:1/consoles/mine1"});
    assert_eq!(put(&root, by_url.clone()).0, 200);
    // What an admin has said may stay.
    assert_eq!(put(&bob, json!({"console": by_url["console"], "tags": ["hdmi"]})).0, 200);
}

#[test]
fn the_first_user_locks_nobody_out_and_the_last_one_lets_nobody_in() {
    let lab = Lab::new();
    let joe = |args: &[&str]| lava(&lab.lab, &lab.server, "joe", args);
    let (code, _, err) = joe(&["user", "add", "alice", "--write", "panda*"]);
    assert!(code == 2 && err.contains("the first user has control of everything"), "{err}");
    assert_eq!(lab.server.ask("GET", "/boards", &Value::Null).status, 200);
    let (code, token, err) = joe(&["user", "add", "joe", "--control", "*"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("announce themselves (1: http://127.0.0.1:1)"), "{err}");
    let token = token.trim();
    assert_eq!(lab.server.ask("GET", "/boards", &Value::Null).status, 401);
    let alice = json!({"rights": [["panda*", "write"]]});
    let (status, told) = lab.ask(token, "PUT", "/users/alice", &alice);
    assert!(status == 200 && told["token"]["token"].is_string(), "{told}");
    let (_, told) = lab.ask(token, "PUT", "/users/alice", &alice);
    assert_eq!(told, json!({}), "a user who is there keeps their tokens");

    assert_eq!(lab.here(&["user", "remove", "alice"]).0, 0);
    let (code, _, err) = lab.here(&["user", "remove", "joe"]);
    assert!(code == 2 && err.contains("joe is the last user"), "{err}");
    assert_eq!(lab.server.ask("GET", "/boards", &Value::Null).status, 401);
    assert_eq!(lab.here(&["user", "remove", "joe", "--open"]).0, 0);
    assert_eq!(lab.server.ask("GET", "/boards", &Value::Null).status, 200);
}

#[test]
fn of_boards_that_one_may_not_see_one_hears_nothing_and_of_others_only_with_a_token() {
    let lab = Lab::new();
    let root = lab.user("root", &["--control", "*"]);
    lab.boards(&root);
    let alice = lab.user("alice", &["--write", "panda*"]);
    let bob = lab.user("bob", &["--write", "beagle*"]);
    let asked = json!({"spec": "name=panda01", "for": "1h", "reason": "secret"});
    for id in 1..=2 {
        assert_eq!(lab.ask(&alice, "POST", "/requests", &asked).1["id"], id);
    }
    let leased = |it: &Value| it["state"] == "leased";
    crate::common::wait_until(LIMIT, "alice has it", || leased(&lab.get(&alice, "/requests/1").1));
    for path in ["/requests/1", "/requests/1/follow"] {
        assert_eq!(lab.get(&bob, path).0, 404, "{path}");
    }
    assert_eq!(lab.get(&bob, "/leases").1, json!([]));
    assert_eq!(lab.get(&bob, "/daemons").0, 403);
    let (_, waits) = lab.get(&bob, "/requests");
    assert!(!waits.to_string().contains("panda01"), "{waits}");
    assert!(!waits.to_string().contains("secret"), "{waits}");
    assert_eq!((&waits[0]["id"], &waits[0]["user"]), (&json!(2), &json!("alice")));
    let (_, hers) = lab.get(&alice, "/requests/2");
    assert!(hers["waiting"]["why"].as_str().unwrap().contains("panda01 is alice's"), "{hers}");

    // What changes is told to who may see it.
    let mut news = Stream::open(&lab, &bob, "/events");
    news.until("200 OK");
    assert_eq!(lab.ask(&alice, "DELETE", "/requests/1", &Value::Null).0, 200);
    let asked = json!({"spec": "name=beagle01", "for": "1h"});
    assert_eq!(lab.ask(&bob, "POST", "/requests", &asked).1["id"], 3);
    news.until(r#""about":"request","id":"3","what":"leased""#);
    news.until(r#""about":"board","id":"beagle01","what":"reserved""#);
    assert!(!news.told().contains("panda01"), "{}", news.told());

    // A stream ends with the token that has opened it.
    let mut stream = Stream::open(&lab, &alice, "/requests/2/follow");
    stream.until("data: ");
    assert_eq!(lab.here(&["user", "remove", "alice"]).0, 0);
    stream.read_on();
}

/// Server-sent events, as they come.
struct Stream {
    stream: TcpStream,
    told: Vec<u8>,
}

impl Stream {
    fn open(lab: &Lab, token: &str, path: &str) -> Self {
        let mut stream = TcpStream::connect(lab.server.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        Self { stream, told: Vec::new() }
    }

    fn told(&self) -> String {
        String::from_utf8_lossy(&self.told).into_owned()
    }

    #[track_caller]
    fn until(&mut self, text: &str) {
        let (mut piece, end) = ([0; 4096], Instant::now() + LIMIT);
        while !self.told().contains(text) {
            assert!(Instant::now() < end, "no {text} in {}", self.told());
            let got = self.stream.read(&mut piece).unwrap();
            self.told.extend_from_slice(&piece[..got]);
            assert!(got > 0, "{}", self.told());
        }
    }

    fn read_on(&mut self) {
        let (mut piece, end) = ([0; 4096], Instant::now() + LIMIT);
        while self.stream.read(&mut piece).unwrap() > 0 {
            assert!(Instant::now() < end, "the stream goes on");
        }
    }
}

#[test]
fn nobody_takes_the_lab_in_advance_and_boards_go_only_to_who_may_have_them() {
    let lab = Lab::new();
    let root = lab.user("root", &["--control", "*"]);
    lab.boards(&root);
    let alice = lab.user("alice", &["--write", "panda*"]);
    lab.user("bob", &["--write", "beagle*"]);
    // By the type of the board.
    lab.user("carol", &["--write", "type=panda"]);
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let in_days = |days: u64| json!((now_s.as_secs() + days * 24 * 3600) * 1_000_000);
    let submit = |more: Value| {
        let mut asked = json!({"spec": "panda", "for": "1h"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, told) = lab.ask(&alice, "POST", "/requests", &asked);
        (status, told.to_string())
    };
    let (status, told) = submit(json!({"priority": 51}));
    assert!(status == 403 && told.contains("a priority above 50"), "{told}");
    let (status, told) = submit(json!({"start_us": in_days(61)}));
    assert!(status == 400 && told.contains("60 days in advance"), "{told}");
    assert_eq!(submit(json!({"start_us": u64::MAX})).0, 400);
    assert_eq!(submit(json!({"start_us": in_days(2), "for": "30d"})).0, 200);
    let (status, told) = submit(json!({"start_us": in_days(2), "for": "30d"}));
    assert!(status == 400 && told.contains("1000 hours of boards"), "{told}");

    assert_eq!(submit(json!({})).0, 200);
    crate::common::wait_until(LIMIT, "alice has it", || {
        lab.get(&alice, "/requests/2").1["state"] == "leased"
    });
    let to = |how: &str, user: &str| {
        let (status, told) =
            lab.ask(&alice, "POST", &format!("/leases/2/{how}"), &json!({"to": user}));
        (status, told.to_string())
    };
    for how in ["share", "give"] {
        let (status, told) = to(how, "bbo");
        assert!(status == 400 && told.contains("nobody here is called bbo"), "{told}");
        let (status, told) = to(how, "bob");
        assert!(status == 403 && told.contains("bob may not have panda01"), "{told}");
    }
    assert!(to("share", "carol").1.contains(r#""shared_with":["carol"]"#));
    assert!(!to("unshare", "carol").1.contains("shared_with"));
    assert_eq!(to("unshare", "carol").0, 400);
    assert!(to("give", "carol").1.contains(r#""user":"carol""#));
    let (_, carol, _) = lab.here(&["user", "token", "carol"]);
    let boards = lab.get(carol.trim(), "/boards").1;
    assert_eq!((boards.as_array().unwrap().len(), &boards[0]["name"]), (1, &json!("panda01")));
}
