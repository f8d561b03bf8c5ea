//! `lava power` with several boards at once.

use super::Power;
use crate::common::{Client, LIMIT, TestLab, run};

const PDUS: &str = "\
[[pdu]]
name = \"rack1\"
driver = \"sim\"
[[pdu]]
name = \"rack2\"
driver = \"exec\"
on = [\"false\"]
off = [\"true\"]
[[outlet]]
name = \"panda01\"
pdu = \"rack1\"
port = 1
off_time = \"10ms\"
[[outlet]]
name = \"panda02\"
pdu = \"rack1\"
port = 2
[[outlet]]
name = \"beagle07\"
pdu = \"rack2\"
port = \"HURTM_1\"
";

fn lava(lab: &TestLab, args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(lab.program("lava").arg("power").args(args), "", LIMIT);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn several_boards_are_switched_at_once_and_each_says_what_came_of_it() {
    let lab = TestLab::new();
    let _power = Power::start(&lab, PDUS);
    let (code, out, err) = lava(&lab, &["on", "panda01", "beagle07", "panda02"]);
    // Whether it was switched all the same, nobody can tell: the lab is at fault.
    assert_eq!(code, Some(3), "{err}");
    let done: Vec<&str> = out.lines().map(|line| line.split(" (").next().unwrap()).collect();
    assert_eq!(done, ["panda01 is on", "panda02 is on"]);
    assert!(err.contains("beagle07 on rack2: ") && !err.contains('\u{1b}'), "{err}");
    let (code, out, _) = lava(&lab, &["status", "--json", "panda02", "panda01"]);
    assert_eq!(code, Some(0));
    let reports: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&reports[0]["outlet"], &reports[0]["state"]), (&"panda02".into(), &"on".into()));
    assert_eq!(reports[1]["outlet"], "panda01");
    assert_eq!(lava(&lab, &["off", "panda01", "juno"]).0, Some(2));
}

#[test]
fn outlets_are_listed_with_what_is_known_of_them() {
    let lab = TestLab::new();
    let _power = Power::start(&lab, PDUS);
    let (code, out, err) = lava(&lab, &["list"]);
    assert_eq!(code, Some(0), "{err}");
    let words: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        words[0],
        ["BOARD", "PDU", "PORT", "STATE", "LEASED", "BY", "USED", "BY", "ATTACHED"]
    );
    assert_eq!(words[1], ["beagle07", "rack2", "HURTM_1", "-", "-", "-", "-"]);
    assert_eq!(words[2], ["panda01", "rack1", "1", "-", "-", "-", "-"]);
    let (code, out, _) = lava(&lab, &["list", "--state", "--json", "panda*"]);
    assert_eq!(code, Some(0));
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(rows[1]["board"], "panda02");
    assert_eq!(rows[1]["state"], "off");
    assert_eq!(lava(&lab, &["list", "juno"]).0, Some(2));
}

#[test]
fn a_person_at_a_terminal_sees_what_is_waited_for() {
    let lab = TestLab::new();
    let busy = lab.write("busy", "");
    let slow = "[\"sh\", \"-c\", \"while test -e busy; do sleep 0.01; done\"]";
    let config = PDUS.replace("[\"false\"]", slow);
    let _power = Power::start(&lab, &config);
    let mut alice = Client::in_terminal(lab.program("lava").args(["power", "on", "beagle07"]));
    alice.expect("beagle07: is being switched on");
    std::fs::remove_file(busy).unwrap();
    alice.expect("beagle07 is on (accepted by the PDU");
}

#[test]
fn a_boards_history_tells_who_did_what_and_what_came_of_it() {
    let lab = TestLab::new();
    let power = Power::start(&lab, PDUS);
    power.done("panda01", "on");
    power.done("panda01", "cycle");
    power.fails("beagle07", "on");
    let (code, out, err) = lava(&lab, &["history", "panda01", "beagle07"]);
    assert_eq!(code, Some(0), "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((lines[0], lines.len()), ("panda01:", 5), "{out}");
    assert!(lines[1].contains("  on     by alice (a test): on, verified, "), "{out}");
    assert!(lines[2].contains("  cycle  by alice (a test): on, verified, "), "{out}");
    assert_eq!(lines[3], "beagle07:", "{out}");
    assert!(lines[4].contains("  on     by alice (a test): "), "{out}");
    let (code, out, _) = lava(&lab, &["history", "panda01", "--json"]);
    assert_eq!(code, Some(0));
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&list[1]["verb"], &list[1]["who"]), (&"cycle".into(), &"alice".into()));
}
