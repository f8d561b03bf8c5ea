//! What happens on a serial line: a board that is set differently, noise, wires, unplugging. The
//! adapter is simulated, and the test has the far end of its cable.

use super::{
    BAUD, CONTROL, DTR_OFF, LINE_STATE, LINE_STATE_MASK, MODEM_STATE, PARITY, PURGE, answer, ask,
    cabled, events, program,
};
use crate::common::{Cable, Client, Daemon, LIMIT, TestLab, wait_until};

/// A program that wants to know of all errors.
fn alert(serial: &Daemon) -> Client {
    let mut program = program(serial);
    ask(&mut program, LINE_STATE_MASK, &[0x1e]);
    program.expect_bytes(&answer(LINE_STATE_MASK, &[0x1e]));
    program
}

#[test]
fn a_board_at_another_speed_is_garbled_and_told_until_the_speeds_agree() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    let mut program = alert(&serial);
    cable.order("far 9600n8");
    cable.send(b"login: ");
    program.expect_bytes(&[255, 250, 44, LINE_STATE + 100]);
    assert!(!program.heard().text().contains("login: "));
    ask(&mut program, BAUD, &[0, 0, 0x25, 0x80]);
    program.expect_bytes(&answer(BAUD, &[0, 0, 0x25, 0x80]));
    cable.send(b"login: ");
    program.expect("login: ");
    program.type_text("root");
    cable.expect(b"root");

    // The parity is wrong, the bytes are not.
    ask(&mut program, PARITY, &[3]);
    program.expect_bytes(&answer(PARITY, &[3]));
    cable.order("far 9600o8");
    let before = program.heard().len();
    cable.send(b"odd");
    for told in [&b"odd"[..], &answer(LINE_STATE, &[4])] {
        program.heard().find(LIMIT, before, told).unwrap();
    }
    for (order, bits) in [("break", 0x10), ("overrun", 2)] {
        cable.order(order);
        program.expect_bytes(&answer(LINE_STATE, &[bits]));
    }
}

#[test]
fn noise_on_the_line_is_told() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    let mut program = alert(&serial);
    ask(&mut program, PARITY, &[3]);
    program.expect_bytes(&answer(PARITY, &[3]));
    cable.order("far 115200e8");
    cable.order("noise 20");
    cable.send(&[b'x'; 200]);
    program.expect_bytes(&[255, 250, 44, LINE_STATE + 100]);
    cable.order("noise 0");
    cable.send(b"quiet again");
    program.expect("quiet again");
}

#[test]
fn the_boards_wires_ring_through() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    let mut program = program(&serial);
    cable.order("far 115200n8");
    cable.order("wires dsr ri");
    program.expect_bytes(&answer(MODEM_STATE, &[0x69]));
    cable.order("wires dsr");
    program.expect_bytes(&answer(MODEM_STATE, &[0x24]));
    ask(&mut program, CONTROL, &[DTR_OFF]);
    cable.expect_line("115200n8 dtr=off rts=on break=off");
    // A board without CTS is not sent to.
    ask(&mut program, CONTROL, &[3]);
    program.expect_bytes(&answer(CONTROL, &[3]));
    program.type_text("held");
    cable.expect_line("115200n8 rtscts dtr=off rts=on break=off");
    assert_eq!(cable.heard(), 0);
    cable.order("wires cts");
    cable.expect(b"held");
}

#[test]
fn an_adapter_is_unplugged_and_comes_back_as_it_was_set() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, "");
    let mut program = program(&serial);
    ask(&mut program, BAUD, &[0, 0, 0x25, 0x80]);
    cable.expect_line("9600n8 dtr=on rts=on break=off");
    drop(cable);
    let lost = || {
        let all = events(&serial);
        all.into_iter().filter(|event| event["kind"] == "port-lost").collect::<Vec<_>>()
    };
    wait_until(LIMIT, "it is told", || lost().len() == 2);
    assert_eq!(lost()[0]["reason"], "the adapter was unplugged");
    let missing = lost()[1]["reason"].as_str().unwrap().to_owned();
    assert!(missing.starts_with("the adapter is not plugged in: /"), "{missing}");

    let mut cable = Cable::at(&lab.path("cable.sock"));
    cable.expect_line("9600n8 dtr=on rts=on break=off");
    cable.order("far 9600n8");
    cable.send(b"here again");
    program.expect("here again");
}

#[test]
fn what_waits_on_a_slow_line_can_be_purged() {
    let lab = TestLab::new();
    let (serial, mut cable) = cabled(&lab, ",timed");
    let mut program = program(&serial);
    // Two thousand bytes take a minute at 300 baud.
    ask(&mut program, BAUD, &[0, 0, 1, 44]);
    program.expect_bytes(&answer(BAUD, &[0, 0, 1, 44]));
    cable.order("far 300n8");
    program.type_bytes(&[b'x'; 2000]);
    cable.expect(b"x");
    ask(&mut program, PURGE, &[2]);
    program.expect_bytes(&answer(PURGE, &[2]));
    ask(&mut program, BAUD, &[0, 1, 0xc2, 0]);
    program.expect_bytes(&answer(BAUD, &[0, 1, 0xc2, 0]));
    cable.order("far 115200n8");
    program.type_text("end");
    cable.expect(b"end");
    assert!(cable.heard() < 1000, "{} bytes were heard", cable.heard());
}
