//! What is done is known, and done to its end: over time-outs, dead PDUs and `kill -9`.

use std::time::Duration;

use serde_json::{Value, json};

use super::relays::{Relays, outlet};
use super::{Power, failure, text};
use crate::common::{LIMIT, TestLab, http, wait_until};

const QUICK: &str = "off_time = \"200ms\"\n";

/// The last operation on a board, as far as it is known.
fn last(power: &Power, board: &str) -> Value {
    let history = power.get(&format!("/outlets/{board}/history")).json();
    history.as_array().unwrap().last().cloned().unwrap_or_default()
}

fn left_off(power: &Power) -> Value {
    power.get("/outlets").json()[0]["left_off"].clone()
}

#[test]
fn whenever_it_is_killed_in_a_cycle_the_board_ends_up_on() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    relays.set(1, true);
    let config = relays.pdu("rack", "1s") + &outlet("panda01", "rack", 1, QUICK);
    let mut found = 0;
    for round in 0..16_u64 {
        let mut power = Power::start(&lab, &config);
        let address = power.address;
        let cycle = std::thread::spawn(move || {
            let body = r#"{"user":"alice","reason":"a test"}"#;
            std::panic::catch_unwind(|| http(address, "POST", "/outlets/panda01/cycle", body))
        });
        // The moment is what is tried out: before, between, and after.
        std::thread::sleep(Duration::from_millis(round * 25));
        power.daemon.kill();
        let _ = cycle.join().unwrap();

        let power = Power::start(&lab, &config);
        wait_until(LIMIT, "what was under way is over", || {
            last(&power, "panda01")["result"] != "under-way"
        });
        assert!(relays.is_on(1), "round {round}: {:?}", relays.log());
        assert_eq!(power.done("panda01", "status"), "on verified");
        assert_eq!(left_off(&power), Value::Null);
        found += u32::from(last(&power, "panda01")["result"] == "interrupted");
    }
    assert!(found >= 3, "it was killed in the middle of {found} cycles only");
}

#[test]
fn a_kill_between_off_and_on_is_told_at_the_next_start() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    relays.set(1, true);
    let (_serial, console) = super::console::serial(&lab, "unix:no-board");
    let more = format!("off_time = \"5m\"\nconsole = \"{console}\"\n");
    let config = relays.pdu("rack", "1s") + &outlet("panda01", "rack", 1, &more);
    let mut power = Power::start(&lab, &config);
    let address = power.address;
    let _gone = std::thread::spawn(move || {
        let body = r#"{"user":"alice","reason":"a test"}"#;
        std::panic::catch_unwind(|| http(address, "POST", "/outlets/panda01/cycle", body))
    });
    wait_until(LIMIT, "the board is off", || !relays.is_on(1));
    power.daemon.kill();

    let power = Power::start(&lab, &config);
    wait_until(LIMIT, "it is over", || last(&power, "panda01")["result"] == "interrupted");
    assert!(relays.is_on(1));
    let record = last(&power, "panda01");
    assert_eq!(
        (&record["verb"], &record["who"], &record["reason"]),
        (&json!("cycle"), &json!("alice"), &json!("a test"))
    );
    assert_eq!(record["state"], "on");
    power.daemon.wait_for_log(LIMIT, "lava-power ended in the middle of a cycle");
    let told = super::console::timeline(&console);
    assert_eq!(told[0], "alice cycle begin a test");
    assert_eq!(
        told[1],
        "alice cycle failed lava-power ended in the middle of it; the board is being switched on"
    );
    assert!(told[2].starts_with("alice cycle done on, verified; brought back after "), "{told:?}");
}

#[test]
fn switching_off_is_not_done_again_after_a_kill() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    relays.set(1, true);
    let config = relays.pdu("rack", "1s") + &outlet("panda01", "rack", 1, "");
    let mut power = Power::start(&lab, &config);
    relays.is("stuck", true);
    let address = power.address;
    let _gone = std::thread::spawn(move || {
        std::panic::catch_unwind(|| http(address, "POST", "/outlets/panda01/off", ""))
    });
    wait_until(LIMIT, "it was asked", || relays.log() == ["off 1"]);
    power.daemon.kill();
    let power = Power::start(&lab, &config);
    wait_until(LIMIT, "it is over", || last(&power, "panda01")["result"] == "interrupted");
    assert_eq!(last(&power, "panda01")["state"], "on");
    assert_eq!(relays.log(), ["off 1"]);
}

#[test]
fn a_pdu_that_dies_between_off_and_on_gives_the_board_back_when_it_is_back() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    relays.set(1, true);
    let (_serial, console) = super::console::serial(&lab, "unix:no-board");
    let more = format!("off_time = \"1s\"\nconsole = \"{console}\"\n");
    let config = relays.pdu("rack", "500ms") + &outlet("panda01", "rack", 1, &more);
    let power = Power::start(&lab, &config);
    let address = power.address;
    let cycle = std::thread::spawn(move || {
        http(address, "POST", "/outlets/panda01/cycle", r#"{"user":"alice"}"#)
    });
    wait_until(LIMIT, "the board is off", || !relays.is_on(1));
    relays.is("dead", true);

    let answer = cycle.join().unwrap();
    assert_eq!(answer.status, 502);
    let (kind, message) = failure(&answer);
    assert_eq!(kind, "lab");
    assert!(message.starts_with("panda01 on rack: SWITCHED OFF AND NOT ON AGAIN"), "{message}");
    // Everybody is told, wherever they look.
    wait_until(LIMIT, "it is tried on", || left_off(&power)["tries"].as_u64() > Some(1));
    assert_eq!(left_off(&power)["who"], "alice");
    assert_eq!(last(&power, "panda01")["result"], "left-off");
    let metrics = || power.get("/metrics").text();
    assert!(metrics().contains("lava_power_left_off{outlet=\"panda01\"} 1\n"), "{}", metrics());
    power.daemon.wait_for_log(LIMIT, "SWITCHED OFF AND NOT ON AGAIN; trying on until it is");
    wait_until(LIMIT, "the timeline", || super::console::timeline(&console).len() == 2);
    let told = super::console::timeline(&console);
    assert!(told[1].starts_with("alice cycle failed SWITCHED OFF AND NOT ON AGAIN"), "{told:?}");

    relays.is("dead", false);
    wait_until(LIMIT * 2, "it is back", || left_off(&power).is_null());
    assert!(relays.is_on(1));
    wait_until(LIMIT, "it is over", || last(&power, "panda01")["result"] == "accepted");
    assert!(metrics().contains("lava_power_left_off{outlet=\"panda01\"} 0\n"), "{}", metrics());
    let told = super::console::timeline(&console);
    assert!(told[2].starts_with("alice cycle done on, verified; brought back after "), "{told:?}");
}

#[test]
fn who_switches_a_board_that_was_left_off_has_the_last_word() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    relays.set(1, true);
    let config = relays.pdu("rack", "300ms") + &outlet("panda01", "rack", 1, "off_time = \"1s\"\n");
    let mut power = Power::start(&lab, &config);
    let address = power.address;
    let cycle = std::thread::spawn(move || http(address, "POST", "/outlets/panda01/cycle", ""));
    wait_until(LIMIT, "the board is off", || !relays.is_on(1));
    relays.is("stuck", true);
    assert_eq!(cycle.join().unwrap().status, 502);
    wait_until(LIMIT, "it is left off", || !left_off(&power).is_null());
    assert_eq!(power.done("panda01", "off"), "off verified");
    assert!(left_off(&power).is_null());
    relays.is("stuck", false);
    // A restart does not bring it back either: it is off because somebody wanted it so.
    power.daemon.kill();
    let power = Power::start(&lab, &config);
    assert_eq!(power.done("panda01", "status"), "off verified");
    let history = power.get("/outlets/panda01/history").json();
    let results: Vec<String> =
        history.as_array().unwrap().iter().map(|r| text(&r["result"])).collect();
    assert_eq!(results, ["interrupted", "verified"]);
    assert!(!relays.is_on(1));
}

#[test]
fn a_kill_while_somebody_switches_a_left_off_board_on_does_not_leave_it_off() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    relays.set(1, true);
    let config = relays.pdu("rack", "1s") + &outlet("panda01", "rack", 1, "off_time = \"1s\"\n");
    let mut power = Power::start(&lab, &config);
    let address = power.address;
    let cycle = std::thread::spawn(move || {
        http(address, "POST", "/outlets/panda01/cycle", r#"{"user":"bob"}"#)
    });
    wait_until(LIMIT, "the board is off", || !relays.is_on(1));
    relays.is("stuck", true);
    assert_eq!(cycle.join().unwrap().status, 502);
    // Asked for and failed: it is still owed, and everybody sees so.
    power.fails("panda01", "on");
    assert_eq!(last(&power, "panda01")["verb"], "on");
    assert_eq!(last(&power, "panda01")["result"], "left-off");
    assert_eq!(left_off(&power)["who"], "bob");
    let _gone = std::thread::spawn(move || {
        std::panic::catch_unwind(|| http(address, "POST", "/outlets/panda01/on", ""))
    });
    wait_until(LIMIT, "it is being switched on", || {
        last(&power, "panda01")["result"] == "under-way"
    });
    power.daemon.kill();
    relays.is("stuck", false);
    let power = Power::start(&lab, &config);
    wait_until(LIMIT, "it is back", || left_off(&power).is_null());
    assert!(relays.is_on(1));
    assert_eq!(last(&power, "panda01")["result"], "interrupted");
}

#[test]
fn a_cycle_holds_up_no_other_outlet_of_its_pdu() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, "off_time = \"5m\"\n")
        + &outlet("panda02", "rack", 2, "");
    let power = Power::start(&lab, &config);
    relays.set(1, true);
    let address = power.address;
    let cycle = std::thread::spawn(move || http(address, "POST", "/outlets/panda01/cycle", ""));
    wait_until(LIMIT, "the board is off", || !relays.is_on(1));
    assert_eq!(power.done("panda02", "cycle"), "on verified");
    // To look is allowed, to switch is not: nothing slips between off and on.
    assert_eq!(power.done("panda01", "status"), "off verified");
    let between = std::thread::spawn(move || http(address, "POST", "/outlets/panda01/off", ""));
    assert_eq!(power.done("panda02", "off"), "off verified");
    let asked = relays.log();
    assert_eq!(asked.iter().filter(|asked| asked.ends_with('1')).count(), 1, "{asked:?}");
    let mut power = power;
    assert!(power.daemon.terminate().success());
    assert_eq!(cycle.join().unwrap().json()["state"], "on");
    assert_eq!(between.join().unwrap().status, 503);
    assert!(relays.is_on(1));
}

#[test]
fn thousands_at_once_are_answered_or_refused_and_a_dead_pdu_costs_nobody_else_anything() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    relays.is("dead", true);
    let config = relays.pdu("dead", "1s")
        + &outlet("panda01", "dead", 1, "")
        + "[[pdu]]\nname = \"virtual\"\ndriver = \"sim\"\n"
        + &outlet("panda02", "virtual", 1, "");
    let power = Power::start(&lab, &config);
    let before = power.daemon.memory();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let crowd = |board: &'static str| {
            let address = power.address;
            move || -> Vec<u16> {
                let path = format!("/outlets/{board}/on");
                (0..20).map(|_| http(address, "POST", &path, "").status).collect()
            }
        };
        let dead: Vec<_> = (0..75).map(|_| scope.spawn(crowd("panda01"))).collect();
        let well: Vec<_> = (0..25).map(|_| scope.spawn(crowd("panda02"))).collect();
        let well: Vec<u16> = well.into_iter().flat_map(|crowd| crowd.join().unwrap()).collect();
        assert!(well.iter().all(|status| *status == 200), "{well:?}");
        relays.is("dead", false);
        dead.into_iter().flat_map(|crowd| crowd.join().unwrap()).collect()
    });
    assert_eq!(answers.len(), 1500);
    let known = |status: &u16| [200, 502, 503].contains(status);
    assert!(answers.iter().all(known) && answers.contains(&503), "{answers:?}");
    let grown = power.daemon.memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown}");
}

#[test]
fn who_keeps_one_board_busy_keeps_nobody_from_the_others() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, "off_time = \"5m\"\n")
        + &outlet("panda02", "rack", 2, "off_time = \"10ms\"\n");
    let mut power = Power::start(&lab, &config);
    let address = power.address;
    let cycle = move || http(address, "POST", "/outlets/panda01/cycle", "").status;
    let mut crowd = vec![std::thread::spawn(cycle)];
    let is_cut = || relays.log().first().is_some_and(|first| first == "off 1");
    wait_until(LIMIT, "the first one is under way", is_cut);
    // As many as may wait for the board, and one more.
    crowd.extend((0..32).map(|_| std::thread::spawn(cycle)));
    wait_until(LIMIT, "one is refused", || crowd.iter().any(std::thread::JoinHandle::is_finished));
    assert_eq!(power.done("panda02", "cycle"), "on verified");
    assert_eq!(power.done("panda01", "status"), "off verified");
    assert!(power.daemon.terminate().success());
    let answers: Vec<u16> = crowd.into_iter().map(|one| one.join().unwrap()).collect();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
}
