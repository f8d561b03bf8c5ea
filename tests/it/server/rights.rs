//! What somebody may who may not everything: of boards, of bookings, and of others' requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use super::{Server, lava};
use crate::common::{LIMIT, TestLab, http_as};

/// A server at whose Unix socket we may everything, and by TCP nobody anything without a token.
pub(super) struct Lab {
    lab: TestLab,
    server: Server,
}

impl Lab {
    /// It knows of a daemon, whose consoles are `mine1` and `beagle01`.
    pub(super) fn new() -> Self {
        let lab = TestLab::new();
        let server = Server::start(&lab);
        let daemon = json!({"kind": "serial", "host": "farm1", "url": "http://127.0.0.1:1",
                            "consoles": ["mine1", "beagle01"]});
        assert_eq!(server.ask("POST", "/daemons", &daemon).status, 200);
        Self { lab, server }
    }

    /// Runs `lava` as root.
    #[track_caller]
    pub(super) fn here(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.lab.run("lava", args, "");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Adds a user, whose token it gives.
    #[track_caller]
    pub(super) fn user(&self, name: &str, rights: &[&str]) -> String {
        let (code, token, err) = self.here(&[&["user", "add", name], rights].concat());
        assert_eq!(code, 0, "{err}");
        token.trim().to_owned()
    }

    pub(super) fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = http_as(self.server.address, Some(token), method, path, &body);
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    pub(super) fn get(&self, token: &str, path: &str) -> (u16, Value) {
        self.ask(token, "GET", path, &Value::Null)
    }

    /// Two boards that need no daemon: `panda01` and `beagle01`.
    pub(super) fn boards(&self, root: &str) {
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

    let (code, _, err) = lab.here(&["user", "remove", "joe"]);
    assert!(code == 2 && err.contains("joe is the last user with control of everything"), "{err}");
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

/// Two boards that need no daemon, on which the demo's job can run.
const BOARDS: [&str; 2] = ["panda01", "beagle01"];
const JOB: &str = include_str!("../../../conf/jobs/demo.yaml");

impl Lab {
    fn job_boards(&self, root: &str) {
        for name in BOARDS {
            let dictionary = include_str!("../../../conf/devices/demo.yaml");
            let dictionary = dictionary.replace("hostname: panda01", &format!("hostname: {name}"));
            let board = json!({"type": "lavamux-virtual", "dictionary": dictionary});
            assert_eq!(self.ask(root, "PUT", &format!("/boards/{name}"), &board).0, 200);
        }
    }

    /// Hands a job in.
    #[track_caller]
    fn submit(&self, token: &str, definition: &str) -> u64 {
        let (status, job) = self.ask(token, "POST", "/jobs", &json!({"definition": definition}));
        assert_eq!(status, 200, "{job}");
        job["id"].as_u64().unwrap()
    }
}

#[test]
fn of_a_job_one_hears_what_concerns_the_boards_that_one_may_see() {
    let lab = Lab::new();
    let root = lab.user("root", &["--control", "*"]);
    lab.job_boards(&root);
    let alice = lab.user("alice", &["--write", "panda*", "--write", "beagle*"]);
    let bob = lab.user("bob", &["--write", "panda*"]);
    let roles = "protocols:\n  lava-multinode:\n    roles:\n      \
                 client: {device_type: lavamux-virtual, count: 1}\n      \
                 server: {device_type: lavamux-virtual, count: 1}\n    timeout: {minutes: 2}\nactions:\n";
    let both = JOB.replace("device_type: lavamux-virtual\n", "").replace("actions:\n", roles);
    let both = ["deploy", "boot", "test"].iter().fold(both, |job, block| {
        let roles = format!("- {block}:\n    role: [client, server]\n");
        job.replace(&format!("- {block}:\n"), &roles)
    });
    let id = lab.submit(&alice, &both);
    let has = |job: &Value| job["boards"].as_array().is_some_and(|boards| boards.len() == 2);
    crate::common::wait_until(LIMIT, "it has its boards", || {
        has(&lab.get(&alice, &format!("/jobs/{id}")).1)
    });
    let (_, job) = lab.get(&bob, &format!("/jobs/{id}"));
    assert_eq!(job["boards"].as_array().unwrap().len(), 1, "{job}");
    // Another one waits for a board that bob may not see.
    let named = "device_type: lavamux-virtual\ndevice: beagle01\n";
    let waits = lab.submit(&alice, &JOB.replace("device_type: lavamux-virtual\n", named));
    let queued =
        |job: &Value| job["waiting"].as_str().is_some_and(|why| why.contains("in the queue"));
    crate::common::wait_until(LIMIT, "it waits", || {
        queued(&lab.get(&alice, &format!("/jobs/{waits}")).1)
    });
    let (_, hers) = lab.get(&alice, &format!("/jobs/{waits}"));
    assert!(hers["waiting"].as_str().unwrap().contains("beagle01"), "{hers}");
    let (_, his) = lab.get(&bob, &format!("/jobs/{waits}"));
    assert_eq!(his["waiting"], "number 1 in the queue");
    for path in [format!("/jobs/{id}"), format!("/jobs/{waits}"), "/jobs".into()] {
        for path in [format!("/ui{path}"), path] {
            let answer = http_as(lab.server.address, Some(&bob), "GET", &path, "");
            assert!(
                answer.status == 200 && !answer.text().contains("beagle01"),
                "{path}: {}",
                answer.text()
            );
        }
    }
    for job in [id, waits] {
        assert_eq!(lab.get(&bob, &format!("/jobs/{job}/definition")).0, 403);
        assert_eq!(lab.ask(&bob, "POST", &format!("/jobs/{job}/resubmit"), &json!({})).0, 403);
        assert_eq!(lab.get(&alice, &format!("/jobs/{job}/definition")).0, 200);
    }
    for what in ["log", "log/lines", "log/follow", "results"] {
        let of = |board: &str| lab.get(&bob, &format!("/jobs/{id}/{what}?board={board}")).0;
        assert_eq!(of("beagle01"), 404, "{what}");
    }
    assert_eq!(lab.get(&bob, &format!("/jobs/{id}/log?board=panda01")).0, 200);
}

#[test]
fn what_is_said_at_a_boot_is_for_those_who_may_spy() {
    let lab = Lab::new();
    let root = lab.user("root", &["--control", "*"]);
    lab.job_boards(&root);
    let alice = lab.user("alice", &["--write", "panda*"]);
    let sees = lab.user("bob", &["--see", "*"]);
    let spies = lab.user("carol", &["--spy", "panda*"]);
    let asked = json!({"spec": "name=panda01", "for": "1h"});
    let lease = lab.ask(&alice, "POST", "/requests", &asked).1["id"].as_u64().unwrap();
    crate::common::wait_until(LIMIT, "alice has it", || {
        lab.get(&alice, &format!("/requests/{lease}")).1["state"] == "leased"
    });
    let file = "http://127.0.0.1:1/Image";
    let (status, job) =
        lab.ask(&alice, "POST", "/boards/panda01/boot", &json!({"image": file, "ramdisk": file}));
    assert_eq!(status, 200, "{job}");
    let job = format!("/jobs/{}", job["id"]);
    for path in ["/log", "/log/lines", "/log/follow"] {
        let (status, told) = lab.get(&sees, &format!("{job}{path}"));
        assert!(status == 403 && told.to_string().contains("this needs spy"), "{path}: {told}");
    }
    let page = |token: &str| {
        http_as(lab.server.address, Some(token), "GET", &format!("/ui{job}"), "").text()
    };
    assert!(
        page(&sees).contains("by those who may spy on it") && !page(&sees).contains("/log/lines")
    );
    for token in [&alice, &spies] {
        assert_eq!(lab.get(token, &format!("{job}/log")).0, 200);
        assert!(page(token).contains("/log/lines"));
    }
    assert_eq!(lab.get(&sees, &job).1["boot"], "queued");
}

#[test]
fn a_page_of_jobs_is_full_whatever_lies_between_those_that_one_may_see() {
    let lab = Lab::new();
    let root = lab.user("root", &["--control", "*"]);
    lab.job_boards(&root);
    let alice = lab.user("alice", &["--write", "*"]);
    let bob = lab.user("bob", &["--see", "*"]);
    let personal = JOB.replace("visibility: public", "visibility: personal");
    let jobs = [JOB, &personal, &personal, JOB, &personal, &personal, &personal];
    for job in jobs {
        lab.submit(&alice, job);
    }
    let page = |path: &str| {
        let answer = http_as(lab.server.address, Some(&bob), "GET", path, "");
        let ids: Vec<u64> = answer
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["id"].as_u64().unwrap())
            .collect();
        (ids, answer.header("link").map(str::to_owned))
    };
    let (ids, next) = page("/jobs?limit=1");
    assert_eq!((ids, next.as_deref()), (vec![4], Some("</jobs?before=4&limit=1>; rel=\"next\"")));
    assert_eq!(page("/jobs?limit=1&before=4"), (vec![1], None));
    assert_eq!(page("/jobs"), (vec![4, 1], None));
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
