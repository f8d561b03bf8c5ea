//! The line of a console: settings, modem lines, breaks.

use serde_json::json;

use super::{asked, attach, events, one, post, status, wait_for_events};
use crate::common::{LIMIT, Terminal, TestLab, wait_until};

#[test]
fn a_line_is_set_in_one_go_and_everybody_sees_by_whom() {
    let lab = TestLab::new();
    let adapter = Terminal::wire();
    let serial = one(&lab, &format!("tty:{},115200n8", adapter.path().display()), "");
    let alice = attach(&serial, "user=alice");
    let bob = attach(&serial, "user=bob");
    let line = asked(&alice, 1, r#""request":"line","settings":"9600e7 rtscts","stop_bits":"2""#);
    assert_eq!(line["answer"], "line");
    assert_eq!(line["settings"], "9600e72 rtscts");
    assert_eq!((&line["baud"], &line["parity"]), (&json!(9600), &json!("even")));
    // A pty has no modem lines, and says so.
    assert_eq!((&line["inputs"], &line["errors"]), (&json!(null), &json!(null)), "{line}");
    let set = adapter.settings();
    for expected in ["speed 9600 baud", " cstopb", " crtscts"] {
        assert!(set.contains(expected), "{expected} is not in {set}");
    }
    let told = bob.expect_message("bob sees it", |m| m["kind"] == "line-settings");
    assert_eq!((&told["who"], &told["settings"]), (&json!("alice"), &json!("9600e72 rtscts")));
    assert_eq!(events(&serial, "line-settings").len(), 1);

    // By HTTP in the same words; and what is left out stays.
    let answer = post(&serial, "line", r#"{"user":"carol","baud":115200}"#);
    assert_eq!(answer.json()["settings"], "115200e72 rtscts", "{}", answer.text());
    assert_eq!(status(&serial)["line"]["settings"], "115200e72 rtscts");
    for (wrong, message) in [
        (r#"{"settings":"fast"}"#, "is not understood; write it like"),
        (r#"{"bauds":9600}"#, "unknown field `bauds`"),
        (r#"{"data_bits":9}"#, "5 to 8 data bits"),
        (r#"{"dtr":true,"pulse_ms":0}"#, "1 to 10000 ms"),
    ] {
        let answer = post(&serial, "line", wrong);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(message), "{}", answer.text());
    }
}

#[test]
fn what_a_port_cannot_do_is_remembered_and_said_to_be() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "");
    let line = post(&serial, "line", r#"{"baud":9600}"#).json();
    assert_eq!((&line["settings"], &line["remembered"]), (&json!("9600n8"), &json!(true)));
    // A pulse cannot be remembered.
    let refused = post(&serial, "line", r#"{"dtr":false,"pulse_ms":10}"#);
    assert_eq!(refused.status, 502);
    assert!(refused.text().contains("no serial line"), "{}", refused.text());
}

#[test]
fn modem_lines_are_switched_and_pulsed() {
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart", "");
    let line = post(&serial, "line", r#"{"user":"alice","rts":false}"#).json();
    // The plug leads RTS to CTS, and DTR to DSR and CD.
    let inputs = json!({"cts": false, "dsr": true, "ri": false, "cd": true});
    assert_eq!((&line["rts"], &line["inputs"]), (&json!(false), &inputs), "{line}");

    post(&serial, "line", r#"{"user":"alice","dtr":false,"pulse_ms":100}"#);
    let switched = wait_for_events(&serial, "modem-lines", 3);
    let outputs: Vec<_> = switched.iter().map(|event| (&event["dtr"], &event["rts"])).collect();
    let (on, off) = (&json!(true), &json!(false));
    assert_eq!(outputs, [(on, off), (off, off), (on, off)]);
    let times: Vec<_> = switched.iter().map(|event| event["time_us"].as_u64().unwrap()).collect();
    assert!(times[2] - times[1] >= 100_000, "a pulse as long as it was to be: {times:?}");
    assert!(switched.iter().all(|event| event["who"] == "alice"), "{switched:?}");
    assert_eq!(status(&serial)["line"]["inputs"]["dsr"], true);
}

#[test]
fn a_break_is_one_by_its_length_or_a_sequence_by_its_name() {
    let lab = TestLab::new();
    let keys = "break = { default = '\\z(20)', sysrq-b = '\\z(10)\\d(10)b', cisco = '\\z\\d\\z' }";
    let serial = one(&lab, "sim:uart", keys);
    let alice = attach(&serial, "user=alice");
    let breaks = || status(&serial)["line"]["errors"]["breaks"].as_u64().unwrap();
    assert_eq!(asked(&alice, 1, r#""request":"break","ms":5"#)["answer"], "done");
    assert_eq!(breaks(), 1);
    assert_eq!(asked(&alice, 2, r#""request":"break","sequence":"sysrq-b""#)["answer"], "done");
    alice.heard().find(LIMIT, 0, b"b").unwrap();
    assert_eq!(breaks(), 2);
    assert_eq!(post(&serial, "break", "").status, 200);
    let sent = wait_for_events(&serial, "break", 3);
    let lengths: Vec<_> = sent.iter().map(|event| event["ms"].as_u64().unwrap()).collect();
    assert_eq!(lengths, [5, 10, 20]);
    let names = events(&serial, "break-sequence");
    assert_eq!((&names[0]["name"], &names[0]["who"]), (&json!("sysrq-b"), &json!("alice")));
    assert_eq!(names[1]["name"], "default");
    assert_eq!(super::typed_by(&serial, "alice"), "b");

    let known = json!({"cisco": "\\z\\d\\z", "default": "\\z(20)", "sysrq-b": "\\z(10)\\d(10)b"});
    assert_eq!(asked(&alice, 3, r#""request":"sequences""#)["sequences"], known);
    assert_eq!(status(&serial)["sequences"], known);
    for (wrong, message) in [
        (r#"{"sequence":"sysrq"}"#, "no break sequence sysrq; there are cisco, default, sysrq-b"),
        (r#"{"ms":0}"#, "1 to 10000 ms, not 0"),
        (r#"{"ms":5,"sequence":"cisco"}"#, "either a length or the name"),
    ] {
        let answer = post(&serial, "break", wrong);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(message), "{}", answer.text());
    }
}

#[test]
fn a_port_without_breaks_says_so_and_the_rest_of_a_sequence_is_not_sent() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat", "break = { sysrq-b = 'a\\zb' }");
    let refused = post(&serial, "break", r#"{"sequence":"sysrq-b","user":"alice"}"#);
    assert_eq!(refused.status, 502);
    assert!(refused.text().contains("carries no break"), "{}", refused.text());
    wait_until(LIMIT, "what came before it is recorded", || {
        super::typed_by(&serial, "alice") == "a"
    });
}
