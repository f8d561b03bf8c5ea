//! Budgets protect boards from scripts.

use std::time::Duration;

use serde_json::json;

use super::relays::{Relays, outlet};
use super::{Power, text, timed};
use crate::common::{TestLab, http};

#[test]
fn a_budget_is_kept_over_a_restart_and_says_when_there_is_some_again() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, "off_time = \"10ms\"\n")
        + &outlet("panda02", "rack", 2, "off_time = \"10ms\"\n")
        + "[[budget]]\nusers = [\"ci\", \"job:*\"]\ncycles = 2\n";
    let cycle = |power: &Power, board: &str, body: &serde_json::Value| {
        http(power.address, "POST", &format!("/outlets/{board}/cycle"), &body.to_string())
    };
    let mut power = Power::start(&lab, &config);
    assert_eq!(cycle(&power, "panda01", &json!({"user": "ci"})).status, 200);
    assert_eq!(cycle(&power, "panda02", &json!({"user": "ci"})).status, 200);
    // Another job has its own, and people have none.
    assert_eq!(cycle(&power, "panda01", &json!({"user": "job:7"})).status, 200);
    assert_eq!(cycle(&power, "panda01", &json!({"user": "alice"})).status, 200);
    power.daemon.kill();
    let power = Power::start(&lab, &config);
    let refused = cycle(&power, "panda01", &json!({"user": "ci"}));
    assert_eq!(refused.status, 429, "{}", refused.text());
    let error = &refused.json()["error"];
    assert_eq!(error["kind"], "refused");
    let message = text(&error["message"]);
    let said =
        "ci has cut power 2 times in the last hour, which is the budget; nothing was switched";
    assert_eq!(message, said);
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3000..=3600).contains(&after), "{after}");
    // To switch on costs nothing, and force is above it.
    assert_eq!(http(power.address, "POST", "/outlets/panda01/on", r#"{"user":"ci"}"#).status, 200);
    let force = json!({"user": "ci", "force": true, "reason": "it hangs"});
    assert_eq!(cycle(&power, "panda01", &force).status, 200);
    let tried = lab.run("lava", ["power", "cycle", "panda02"], "");
    assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
    let mut tried = lab.program("lava");
    let tried = crate::common::run(
        tried.args(["power", "cycle", "panda02"]).env("LAVA_USER", "ci"),
        "",
        crate::common::LIMIT,
    );
    assert_eq!(tried.status.code(), Some(4), "{}", String::from_utf8_lossy(&tried.stderr));
}

#[test]
fn a_board_stays_off_as_long_as_it_has_to() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, "off_time = \"0s\"\n")
        + "[[budget]]\noutlets = [\"panda*\"]\nmin_off = \"1s\"\nbetween = \"1h\"\n";
    let mut power = Power::start(&lab, &config);
    let least = Duration::from_secs(1);
    let (_, took) = timed(|| power.done("panda01", "cycle"));
    assert!(took >= least, "{took:?}");
    let refused = power.ask("panda01", "off");
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(refused.text().contains("the power of panda01 was cut "), "{}", refused.text());
    let force = json!({"user": "alice", "force": true, "reason": "it smokes"}).to_string();
    assert_eq!(http(power.address, "POST", "/outlets/panda01/off", &force).status, 200);
    let (_, took) = timed(|| {
        power.daemon.kill();
        power = Power::start(&lab, &config);
        power.done("panda01", "on")
    });
    assert!(took >= least, "{took:?}");
}

#[test]
fn who_names_nobody_has_one_budget_for_each_address() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, "off_time = \"10ms\"\n")
        + "[[budget]]\nusers = [\"*\"]\ncycles = 2\n";
    let power = Power::start(&lab, &config);
    let cycle = || http(power.address, "POST", "/outlets/panda01/cycle", "").status;
    assert_eq!([cycle(), cycle(), cycle()], [200, 200, 429]);
}

#[test]
fn a_board_that_is_off_already_is_not_cut_whoever_shares_its_outlet_and_after_a_restart_too() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let shared = "shared = true\noff_time = \"10ms\"\n";
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, shared)
        + &outlet("panda02", "rack", 1, shared)
        + "[[budget]]\noutlets = [\"panda*\"]\ncycles = 2\n";
    let mut power = Power::start(&lab, &config);
    power.done("panda01", "on");
    // Off twice is one cut.
    power.done("panda01", "off");
    power.done("panda01", "off");
    power.daemon.kill();
    let power = Power::start(&lab, &config);
    // In between it was switched on as its neighbour, so this is the second one …
    power.done("panda02", "on");
    power.done("panda01", "off");
    power.done("panda02", "on");
    // … and this would be the third.
    let refused = power.ask("panda01", "off");
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(refused.json()["error"]["refusal"], "budget");
}

#[test]
fn a_neighbours_least_time_without_power_is_kept() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let shared = "shared = true\noff_time = \"10ms\"\n";
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, shared)
        + &outlet("juno", "rack", 1, shared)
        + "[[budget]]\noutlets = [\"juno\"]\nmin_off = \"1s\"\n";
    let power = Power::start(&lab, &config);
    let (_, took) = timed(|| power.done("panda01", "cycle"));
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

#[test]
fn what_a_refusal_is_about_is_told_and_force_is_offered_where_it_helps() {
    let lab = TestLab::new();
    let relays = Relays::new(&lab, "relays");
    let config = relays.pdu("rack", "5s")
        + &outlet("panda01", "rack", 1, "off_time = \"10ms\"\n")
        + "[[budget]]\noutlets = [\"panda01\"]\ncycles = 1\n"
        + &crate::rights::user("alice", "write = \"*\"");
    let power = Power::start(&lab, &config);
    lab.write(
        "lab.toml",
        &format!(
            "[[board]]\nname = \"panda01\"\noutlet = \"http://{}/outlets/panda01\"\n",
            power.address
        ),
    );
    let lab_file = lab.path("lab.toml").display().to_string();
    let lava = |token: &str| {
        let mut lava = lab.program("lava");
        lava.args(["power", "cycle", "panda01", "--lab", &lab_file]).env("LAVA_TOKEN", token);
        let said = crate::common::run(&mut lava, "", crate::common::LIMIT);
        (said.status.code().unwrap(), String::from_utf8_lossy(&said.stderr).into_owned())
    };
    let (code, told) = lava("lava_nobody");
    assert_eq!(code, 4);
    assert!(told.contains("show a token") && !told.contains("--force"), "{told}");
    assert_eq!(lava("lava_alice").0, 0);
    let (code, told) = lava("lava_alice");
    assert_eq!(code, 4);
    assert!(
        told.contains("--force --reason TEXT") && told.contains("it may be again in"),
        "{told}"
    );
}
