//! Who is let in, and what they may, changes while they wait and have boards.

use serde_json::{Value, json};

use super::rights::Lab;
use crate::common::{LIMIT, wait_until};

/// A user of the API.
struct User<'a> {
    lab: &'a Lab,
    token: String,
}

impl<'a> User<'a> {
    fn new(lab: &'a Lab, name: &str, rights: &[&str]) -> Self {
        Self { lab, token: lab.user(name, rights) }
    }

    #[track_caller]
    fn asks(&self, more: &Value) -> u64 {
        let mut asked = json!({"for": "1h"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, told) = self.lab.ask(&self.token, "POST", "/requests", &asked);
        assert_eq!(status, 200, "{told}");
        told["id"].as_u64().unwrap()
    }

    #[track_caller]
    fn put(&self, path: &str, body: &Value) {
        let (status, told) = self.lab.ask(&self.token, "PUT", path, body);
        assert_eq!(status, 200, "{told}");
    }

    /// Waits until a request is so, as this user sees it.
    #[track_caller]
    fn until(&self, id: u64, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        wait_until(LIMIT, what, || {
            last = self.lab.get(&self.token, &format!("/requests/{id}")).1;
            is(&last)
        });
        last
    }

    #[track_caller]
    fn until_it_has(&self, id: u64, board: &str) {
        self.until(id, &format!("{id} has {board}"), |it| {
            it["state"] == "leased" && it["boards"] == json!([board])
        });
    }

    #[track_caller]
    fn until_taken(&self, id: u64) {
        let ended = self.until(id, &format!("{id} has ended"), |it| it["state"] == "ended");
        assert_eq!(ended["ending"], "taken", "{ended}");
    }

    /// Who has ended what a board was taken by.
    fn ended_by(&self, board: &str, what: &str) -> Vec<Value> {
        let history = self.lab.get(&self.token, &format!("/boards/{board}/history")).1;
        let ended = history.as_array().unwrap().iter().filter(|it| it["what"] == what);
        ended.map(|it| it["who"].clone()).collect()
    }
}

fn board(kind: &str, name: &str) -> Value {
    json!({"type": kind, "console": format!("http://127.0.0.1:1/consoles/{name}")})
}

#[test]
fn a_board_that_comes_later_is_for_those_who_wait_and_may_have_it() {
    let lab = Lab::new();
    let root = User::new(&lab, "root", &["--control", "*"]);
    lab.boards(&root.token);
    let carol = User::new(&lab, "carol", &["--write", "type=panda"]);
    let dave = User::new(&lab, "dave", &["--write", "panda*"]);
    let eve = User::new(&lab, "eve", &["--write", "type=rock"]);
    let hers = root.asks(&json!({"spec": "name=panda01"}));
    root.until_it_has(hers, "panda01");
    // Nothing that eve may have is there yet, and nobody asks without any board.
    assert_eq!(lab.ask(&eve.token, "POST", "/requests", &json!({"spec": "", "for": "1h"})).0, 403);
    let first = carol.asks(&json!({"spec": ""}));
    let second = dave.asks(&json!({"spec": ""}));
    let third = carol.asks(&json!({"spec": "tag=hdmi"}));
    carol.until(third, "there is none", |it| it["waiting"]["never"] == true);
    root.put("/boards/panda02", &board("panda", "panda02"));
    carol.until_it_has(first, "panda02");
    root.put("/boards/panda03", &board("panda", "panda03"));
    dave.until_it_has(second, "panda03");
    // What a board is can change.
    let mut hdmi = board("panda", "beagle01");
    hdmi["tags"] = json!(["hdmi"]);
    root.put("/boards/beagle01", &hdmi);
    carol.until_it_has(third, "beagle01");
    // A board that has gone is nobody's to wait for.
    let fourth = carol.asks(&json!({"spec": "name=panda04"}));
    root.put("/boards/panda04", &board("rock", "panda04"));
    let fifth = eve.asks(&json!({"spec": "name=panda04"}));
    eve.until_it_has(fifth, "panda04");
    carol.until(fourth, "it is not hers", |it| it["waiting"]["never"] == true);
}

#[test]
fn who_is_removed_has_no_board_any_more_and_waits_for_none() {
    let lab = Lab::new();
    let root = User::new(&lab, "root", &["--control", "*"]);
    lab.boards(&root.token);
    let bob = User::new(&lab, "bob", &["--write", "*"]);
    let has = bob.asks(&json!({"spec": "panda"}));
    bob.until_it_has(has, "panda01");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let later = json!((now.as_secs() + 7200) * 1_000_000);
    let booked = bob.asks(&json!({"spec": "beagle", "start_us": later}));
    bob.until(booked, "it is booked", |it| it["state"] == "booked");
    let waits = bob.asks(&json!({"spec": "panda"}));
    let next = root.asks(&json!({"spec": "panda"}));
    assert_eq!(lab.here(&["user", "remove", "bob"]).0, 0);
    for id in [has, booked, waits] {
        root.until_taken(id);
    }
    root.until_it_has(next, "panda01");
    let who = json!(["lava-server (bob is not let in any more)"]);
    assert_eq!(json!(root.ended_by("panda01", "released")), who);
    assert_eq!(json!(root.ended_by("beagle01", "cancelled")), who);
    let whole = root.asks(&json!({"spec": "beagle", "for": "8h"}));
    root.until_it_has(whole, "beagle01");
}

#[test]
fn what_somebody_may_not_have_any_more_is_given_to_the_next() {
    let lab = Lab::new();
    let root = User::new(&lab, "root", &["--control", "*"]);
    lab.boards(&root.token);
    assert_eq!(lab.here(&["group", "set", "kernel", "--write", "panda*"]).0, 0);
    let carol = User::new(&lab, "carol", &["--group", "kernel", "--write", "beagle*"]);
    let panda = carol.asks(&json!({"spec": "panda"}));
    let beagle = carol.asks(&json!({"spec": "beagle"}));
    carol.until_it_has(panda, "panda01");
    carol.until_it_has(beagle, "beagle01");
    let waits = carol.asks(&json!({"spec": ""}));
    let only = carol.asks(&json!({"spec": "panda"}));
    let next = root.asks(&json!({"spec": "panda"}));
    assert_eq!(lab.here(&["group", "set", "kernel", "--see", "panda*"]).0, 0);
    root.until_taken(panda);
    root.until_it_has(next, "panda01");
    let who = json!(["lava-server (carol may not have panda01 any more)"]);
    assert_eq!(json!(root.ended_by("panda01", "released")), who);
    // What she may have still is hers, and what she waits for besides.
    carol.until(only, "no panda is for her", |it| it["waiting"]["never"] == true);
    assert_eq!(carol.until(beagle, "it is told", Value::is_object)["state"], "leased");
    assert_eq!(
        lab.ask(&carol.token, "DELETE", &format!("/requests/{beagle}"), &Value::Null).0,
        200
    );
    carol.until_it_has(waits, "beagle01");
    let last = carol.asks(&json!({"spec": "beagle"}));
    root.put("/users/carol", &json!({"groups": ["kernel"], "rights": [["*", "see"]]}));
    for id in [waits, only, last] {
        root.until_taken(id);
    }
}
