//! The board, its PDU and its line, without anything of ours between them.

use std::process::Command;

use super::OUTLET;
use crate::common::{Heard, LIMIT, RealBoard, RealPdu, TestLab, run, wait_until};

#[test]
fn the_board_is_powered_by_the_pdu_and_its_line_stays() {
    let lab = TestLab::new();
    let board = RealBoard::start(&lab, OUTLET);
    let pdu = RealPdu::start(&lab);
    let line = std::fs::File::open(board.tty()).unwrap();
    let heard = Heard::from(line);

    for round in 1..=2 {
        assert_eq!(board.power("status"), "off");
        set_outlet(&pdu, OUTLET, 1);
        assert_eq!(board.power("status"), "on");
        // Each power-on shows U-Boot from its first line.
        wait_until(LIMIT, "U-Boot is heard", || heard.text().matches("U-Boot 20").count() == round);
        set_outlet(&pdu, OUTLET, 2);
    }
    assert_eq!(board.power("status"), "off");
}

/// With net-snmp's own client, to see that agent and hook are as a PDU is.
fn set_outlet(pdu: &RealPdu, outlet: u32, value: u32) {
    let mut snmpset = Command::new("snmpset");
    snmpset.env("MIBS", "").args(["-v2c", "-t", "10", "-c", RealPdu::COMMUNITY]);
    let object = format!(".1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.{outlet}");
    snmpset.args([&pdu.address().to_string(), &object, "i", &value.to_string()]);
    let said = run(&mut snmpset, "", LIMIT);
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(text.contains(&format!("INTEGER: {value}")), "{text}{said:?}");
}
