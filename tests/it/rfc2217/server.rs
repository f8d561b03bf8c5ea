//! Our server, byte by byte.

use serde_json::Value;

use super::{
    BAUD, BREAK_OFF, BREAK_ON, CONTROL, DATA_BITS, DTR_OFF, LINE_STATE, LINE_STATE_MASK,
    MODEM_STATE, MODEM_STATE_MASK, PARITY, PURGE, RESUME, RTS_OFF, SIGNATURE, STOP_BITS, SUSPEND,
    answer, ask, events, one, program,
};
use crate::common::{LIMIT, Terminal, TestLab, WebSocket, http, wait_until};

#[test]
fn every_sub_option_is_answered_by_a_port_that_has_none_of_it() {
    let lab = TestLab::new();
    let serial = one(&lab, "exec:cat");
    let mut program = program(&serial);
    for (command, asked, told) in [
        (BAUD, &[0, 0, 0, 0][..], &[0, 1, 0xc2, 0][..]),
        (BAUD, &[0, 0, 0x25, 0x80], &[0, 0, 0x25, 0x80]),
        // A value that is cut off asks; one with more than there is place for is read to its end.
        (BAUD, &[0, 0], &[0, 0, 0x25, 0x80]),
        (BAUD, &[0, 1, 0xc2, 0, 0, 0, 0, 0], &[0, 1, 0xc2, 0]),
        (DATA_BITS, &[7], &[7]),
        (DATA_BITS, &[9], &[7]),
        (PARITY, &[4], &[4]),
        (PARITY, &[], &[4]),
        (STOP_BITS, &[2], &[2]),
        (CONTROL, &[3], &[3]),
        (CONTROL, &[13], &[16]),
        (CONTROL, &[200], &[3]),
        (CONTROL, &[RTS_OFF], &[RTS_OFF]),
        (CONTROL, &[10], &[RTS_OFF]),
        (CONTROL, &[BREAK_ON], &[BREAK_ON]),
        (CONTROL, &[4], &[BREAK_ON]),
        (CONTROL, &[BREAK_OFF], &[BREAK_OFF]),
        (LINE_STATE, &[], &[0x60]),
        (MODEM_STATE, &[], &[0xb0]),
        (LINE_STATE_MASK, &[30], &[30]),
        (MODEM_STATE_MASK, &[16], &[16]),
        (MODEM_STATE, &[], &[0x10]),
        (PURGE, &[3], &[3]),
        (SIGNATURE, &[], b"lavamux panda01"),
    ] {
        ask(&mut program, command, asked);
        program.expect_bytes(&answer(command, told));
    }
    // What is unknown, or means nothing, is read over; the bytes around it are not.
    for (command, value) in [(13, &[1][..]), (101, &[0, 0]), (PURGE, &[]), (CONTROL, &[])] {
        ask(&mut program, command, value);
    }
    program.type_bytes(&[255, 250, 44, 255, 240, 255, 250, 255, 240]);
    let before = program.heard().len();
    program.type_bytes(b"\r\0\xff\xffx");
    program.expect_bytes(b"\r\0\xff\xffx");
    assert_eq!(program.heard().len(), before + 5, "only what was typed came back");
}

#[test]
fn a_serial_line_is_set_and_everybody_sees_by_whom_but_only_what_changes() {
    let lab = TestLab::new();
    let adapter = Terminal::wire();
    let serial = one(&lab, &format!("tty:{},115200n8", adapter.path().display()));
    let watcher = WebSocket::attach(serial.address("http"), "panda01", "user=alice");
    let mut program = program(&serial);
    for _ in 0..3 {
        ask(&mut program, BAUD, &[0, 0, 0x25, 0x80]);
        program.expect_bytes(&answer(BAUD, &[0, 0, 0x25, 0x80]));
    }
    ask(&mut program, STOP_BITS, &[2]);
    program.expect_bytes(&answer(STOP_BITS, &[2]));
    ask(&mut program, CONTROL, &[3]);
    program.expect_bytes(&answer(CONTROL, &[3]));
    let settings = adapter.settings();
    for set in ["speed 9600 baud", " cstopb", " crtscts"] {
        assert!(settings.contains(set), "{set} is not in {settings}");
    }
    ask(&mut program, CONTROL, &[DTR_OFF]);
    program.expect_bytes(&answer(CONTROL, &[DTR_OFF]));

    let told = watcher.expect_message("the modem lines", |m| m["kind"] == "modem-lines");
    assert_eq!((&told["dtr"], &told["rts"]), (&Value::Bool(false), &Value::Bool(true)));
    assert!(told["who"].as_str().unwrap().starts_with("telnet:"), "{told}");
    let set: Vec<_> =
        events(&serial).into_iter().filter(|event| event["kind"] == "line-settings").collect();
    let texts: Vec<_> = set.iter().map(|event| event["settings"].as_str().unwrap()).collect();
    assert_eq!(texts, ["9600n8", "9600n82", "9600n82 rtscts"]);
}

#[test]
fn the_boards_wires_and_breaks_are_told_to_whoever_wants_to_know() {
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart");
    let (mut one, mut other) = (program(&serial), program(&serial));
    ask(&mut other, MODEM_STATE_MASK, &[0]);
    other.expect_bytes(&answer(MODEM_STATE_MASK, &[0]));
    ask(&mut other, LINE_STATE_MASK, &[0x10]);
    other.expect_bytes(&answer(LINE_STATE_MASK, &[0x10]));
    let before = other.heard().len();

    // The plug leads RTS to CTS: what one switches, it is told; the other did not want it.
    ask(&mut one, CONTROL, &[RTS_OFF]);
    one.expect_bytes(&answer(CONTROL, &[RTS_OFF]));
    one.expect_bytes(&answer(MODEM_STATE, &[0xa1]));
    ask(&mut one, CONTROL, &[BREAK_ON]);
    one.expect_bytes(&answer(CONTROL, &[BREAK_ON]));
    other.expect_bytes(&answer(LINE_STATE, &[0x10]));
    assert_eq!(other.heard().len(), before + answer(LINE_STATE, &[0x10]).len());
    ask(&mut one, CONTROL, &[BREAK_OFF]);
    one.expect_bytes(&answer(CONTROL, &[BREAK_OFF]));
    let kinds = |kind: &str| events(&serial).iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((kinds("modem-lines"), kinds("break")), (1, 1));
}

#[test]
fn who_may_not_write_is_told_how_the_line_is() {
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart");
    let job = WebSocket::attach(serial.address("http"), "panda01", "user=job:7&mode=exclusive");
    job.expect_message("the job's hello", |m| m["type"] == "hello");
    let mut program = program(&serial);
    ask(&mut program, BAUD, &[0, 0, 0x25, 0x80]);
    program.expect_bytes(&answer(BAUD, &[0, 1, 0xc2, 0]));
    ask(&mut program, CONTROL, &[RTS_OFF]);
    program.expect_bytes(&answer(CONTROL, &[11]));
    // No words for people among the board's bytes, either.
    program.type_bytes(b"sneaky");
    job.ask(r#"{"id":1,"request":"message","text":"hands off"}"#);
    job.expect_message("it is told", |m| m["answer"] == "done");
    let before = program.heard().len();
    job.type_text("job");
    program.expect_bytes(b"job");
    assert_eq!(program.heard().len(), before + 3);
}

#[test]
fn a_suspended_client_gets_its_bytes_later_and_a_purged_one_never_but_others_do() {
    let lab = TestLab::new();
    let serial = one(&lab, "sim:uart");
    let watcher = WebSocket::attach(serial.address("http"), "panda01", "user=alice");
    let mut program = program(&serial);
    ask(&mut program, SUSPEND, &[]);
    program.type_bytes(b"first");
    watcher.heard().find(LIMIT, 0, b"first").unwrap();
    ask(&mut program, PURGE, &[1]);
    program.expect_bytes(&answer(PURGE, &[1]));
    program.type_bytes(b"second");
    watcher.heard().find(LIMIT, 0, b"second").unwrap();
    let before = program.heard().len();
    ask(&mut program, RESUME, &[]);
    program.expect_bytes(b"second");
    assert_eq!(program.heard().len(), before + 6, "{:?}", program.heard().text());
}

#[test]
fn a_lost_port_comes_back_with_the_settings_that_it_had() {
    let lab = TestLab::new();
    let adapter = Terminal::wire();
    let link = lab.path("ttyUSB0");
    std::os::unix::fs::symlink(adapter.path(), &link).unwrap();
    let serial = one(&lab, &format!("tty:{}", link.display()));
    let mut program = program(&serial);
    std::fs::remove_file(&link).unwrap();
    drop(adapter);
    let state = || http(serial.address("http"), "GET", "/consoles/panda01", "").json();
    wait_until(LIMIT, "the port is lost", || state()["state"] == "closed");
    ask(&mut program, BAUD, &[0, 0, 0x25, 0x80]);
    program.expect_bytes(&answer(BAUD, &[0, 0, 0x25, 0x80]));

    let adapter = Terminal::wire();
    std::os::unix::fs::symlink(adapter.path(), &link).unwrap();
    wait_until(LIMIT, "it is set again", || adapter.settings().contains("speed 9600 baud"));
}
