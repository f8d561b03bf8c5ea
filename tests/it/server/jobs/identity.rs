//! A job that runs `lava-identity` has its board compared with what is known of it.

use serde_json::json;

use super::Farm;
use super::run::qemu_job;
use crate::common::TestLab;

#[test]
fn a_job_on_another_board_than_it_was_makes_it_bad() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    let known = json!({"mac": ["00:1d:7e:00:00:01"], "user": "root"});
    assert_eq!(farm.server.ask("POST", "/boards/panda01/identity", &known).status, 200);
    let says = "lava_signal TESTEVENT 'lava-identity identity=A7 mac=00:1d:7e:00:00:02'";
    let job = farm.submit(&lab, |job| {
        job.replace(
            "- lava-test-case linux",
            &format!("- {says}\n          - lava-test-case linux"),
        )
    });
    let ended = farm.ended(job);
    assert_eq!(ended["health"], "complete", "{ended}");
    let board = farm.server.until("it is bad", "/boards/panda01", |board| board["health"] == "bad");
    let why = "it says that it is 00:1d:7e:00:00:02, and was 00:1d:7e:00:00:01: another board";
    assert_eq!(board["reason"], why);
}

#[test]
fn a_real_system_in_a_qemu_tells_which_board_it_is() {
    let lab = TestLab::new();
    let farm = Farm::start(&lab, "");
    farm.add_qemu(&lab, "qemu01");
    let job = |identity: &str| {
        let says = format!("echo {identity} >/etc/lava-identity");
        let job = qemu_job(&[&says, "lava-identity", "lava-test-case done --result pass"]);
        let ended = farm.ended(farm.submit(&lab, |_| job));
        let health = (&ended["health"], &ended["tally"]["pass"]);
        assert_eq!(health, (&json!("complete"), &json!(1)), "{ended}");
        farm.server.get("/boards/qemu01")
    };
    // The addresses that QEMU gives are anybody's.
    let board = job("A7");
    let known = (&board["identity"], &board["mac"], &board["health"]);
    assert_eq!(known, (&json!("A7"), &json!(null), &json!("unknown")), "{board}");
    let board = job("B8");
    assert_eq!(board["health"], "bad", "{board}");
    assert!(board["reason"].as_str().unwrap().contains("it says that it is B8, and was A7"));
}
