//! `lava lease` and `lava release`.

use serde_json::Value;

use super::{Rack, lava, lava_as};
use crate::common::{Client, TestLab};

#[test]
fn a_board_is_had_for_a_time_and_given_back() {
    let lab = TestLab::new();
    let _rack = Rack::start(&lab);
    let (code, out, err) =
        lava(&lab, &["lease", "panda01", "--for", "1h", "--reason", "bisecting"]);
    assert!(code == 0 && out.starts_with("panda01 is yours until 20"), "{out}{err}");
    let (_, out, _) = lava(&lab, &["boards", "--json"]);
    let rows: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(rows[0]["lease"]["holder"], "alice");
    assert_eq!(
        (&rows[0]["lease"]["reason"], &rows[1]["lease"]),
        (&"bisecting".into(), &Value::Null)
    );
    let (_, out, _) = lava(&lab, &["power", "list"]);
    assert!(out.lines().any(|line| line.contains("panda01") && line.contains("alice")), "{out}");

    let (code, _, err) = lava_as(&lab, "bob", &["lease", "panda01"]);
    assert!(code == 4 && err.starts_with("panda01: panda01 is leased by alice until 20"), "{err}");
    let (code, _, err) = lava_as(&lab, "bob", &["off", "panda01"]);
    assert!(code == 4 && err.contains("leased by alice"), "{err}");
    let (code, _, err) = lava_as(&lab, "bob", &["release", "panda01"]);
    assert_eq!(code, 4, "{err}");

    let (code, out, err) = lava(&lab, &["release", "panda01"]);
    assert_eq!((code, out.as_str()), (0, "panda01: the lease of alice is over\n"), "{err}");
    assert_eq!(lava(&lab, &["release", "panda01"]).1, "panda01: nobody had it\n");
    assert_eq!(lava_as(&lab, "bob", &["lease", "panda01"]).0, 0);
}

#[test]
fn what_somebody_else_has_is_taken_only_by_force_and_with_a_reason() {
    let lab = TestLab::new();
    let _rack = Rack::start(&lab);
    assert_eq!(lava_as(&lab, "bob", &["lease", "panda01"]).0, 0);
    let mut console = lab.program("lava-console");
    console.args(["panda01", "--exclusive"]).env("LAVA_USER", "bob");
    let mut bob = Client::in_terminal(&mut console);
    bob.expect("panda01");
    let held = || {
        let (_, out, _) = lava(&lab, &["boards", "panda01", "--json"]);
        let rows: Value = serde_json::from_str(&out).unwrap();
        rows[0]["holder"].clone()
    };
    crate::common::wait_until(crate::common::LIMIT, "bob has it", || held() == "bob");
    assert_eq!(lava(&lab, &["release", "panda01", "--force"]).0, 2);
    let args = ["release", "panda01", "--force", "--reason", "it smokes", "--json"];
    let (code, out, err) = lava(&lab, &args);
    assert_eq!(code, 0, "{err}");
    let released: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&released["lease"]["holder"], &released["console"]),
        (&"bob".into(), &"bob".into())
    );
    bob.expect("it smokes");
}
