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
