//! USB at a real host: Linux in QEMU, whose hub switches a port, and which is plugged into itself as a
//! YKUSH (a USB gadget; its firmware is a few lines of shell).

use std::net::SocketAddr;

use crate::common::{Guest, PATIENCE, TestLab, http, wait_until};

const CONFIG: &str = r#"
[http]
listen = "0.0.0.0:7100"
insecure = true
[[pdu]]
name = "hub"
driver = "usb-hub"
hubs = ["usb1"]
timeout = "60s"
[[outlet]]
name = "pico01"
pdu = "hub"
port = 3
off_time = "10ms"
[[outlet]]
name = "nowhere"
pdu = "hub"
port = 99
[[pdu]]
name = "ykush"
driver = "hid"
device = "ykush"
serial = "YK25236"
timeout = "60s"
[[outlet]]
name = "pico02"
pdu = "ykush"
port = 2
off_time = "10ms"
[[pdu]]
name = "other"
driver = "hid"
device = "ykush"
serial = "YK00000"
[[outlet]]
name = "pico03"
pdu = "other"
port = 1
"#;

/// A HID device with Yepkit's numbers: vendor-defined reports of 64 bytes in both directions.
const GADGET: &str = r"(set -e; modprobe -a dummy_hcd libcomposite usb_f_hid; mount -t configfs x /sys/kernel/config
    mkdir /sys/kernel/config/usb_gadget/g; cd /sys/kernel/config/usb_gadget/g
    echo 0x04d8 > idVendor; echo 0xf2f7 > idProduct; mkdir strings/0x409 configs/c.1 functions/hid.0
    echo YK25236 > strings/0x409/serialnumber
    echo 64 > functions/hid.0/report_length
    d='\006\000\377\011\001\241\001\025\000\046\377\000\165\010\225\100'
    printf $d'\011\001\201\002\011\001\221\002\300' > functions/hid.0/report_desc
    ln -s functions/hid.0 configs/c.1; ls /sys/class/udc > UDC)";

/// What a YKUSH does: it answers every command by 1 and, after 0x2N, by 0x1N or 0x0N.
const FIRMWARE: &str = r#"#!/bin/bash
exec 3<>/dev/hidg0
while dd bs=64 count=1 <&3 >/run/report 2>/dev/null && [ -s /run/report ]; do
    said=$(od -An -tu1 -N1 /run/report)
    port=$((said & 15)) verb=$((said >> 4))
    [ $verb = 2 ] || up[port]=$verb
    printf '%02x ' $said >>/run/commands
    { printf "\\x01\\x$(printf %02x $((${up[port]:-0} * 16 + port)))"; head -c 62 /dev/zero; } |
        dd bs=64 iflag=fullblock >&3 2>/dev/null
done
"#;

fn done(power: SocketAddr, outlet: &str, verb: &str) -> String {
    let answer = match verb {
        "status" => http(power, "GET", &format!("/outlets/{outlet}"), ""),
        verb => http(power, "POST", &format!("/outlets/{outlet}/{verb}"), ""),
    };
    let report = answer.json();
    match report["error"]["message"].as_str() {
        Some(message) => message.to_owned(),
        None => format!(
            "{} {}",
            report["state"].as_str().unwrap(),
            report["verified"].as_str().unwrap()
        ),
    }
}

#[test]
fn a_hub_and_a_hid_device_switch_and_tell() {
    let lab = TestLab::new();
    let files = [("etc/lava/power.toml", CONFIG), ("usr/bin/firmware", FIRMWARE)];
    let mut guest = Guest::boot(&lab, &files);
    guest.run("systemctl mask --now --runtime lava-serial");
    guest.run("systemd-run --unit=power /usr/bin/lava-power --config /etc/lava/power.toml");
    let power = guest.http();
    wait_until(PATIENCE, "lava-power answers", || {
        std::panic::catch_unwind(|| http(power, "GET", "/healthz", "").status == 200)
            .unwrap_or(false)
    });

    // The adapter loses its power with the port, and is found again with it.
    let _wire = guest.plug(3, "LAVA0815");
    guest.wait_for("ls /dev/ttyUSB0");
    assert_eq!(done(power, "pico01", "status"), "on verified");
    assert_eq!(done(power, "pico01", "off"), "off verified");
    guest.wait_for("! ls /dev/ttyUSB0");
    assert_eq!(done(power, "pico01", "on"), "on verified");
    guest.wait_for("ls /dev/ttyUSB0");
    let missing = done(power, "nowhere", "on");
    assert!(
        missing.contains("usb1-port99/disable") && missing.contains("is the hub there"),
        "{missing}"
    );

    assert!(done(power, "pico02", "on").contains("no such USB device"));
    guest.run(GADGET);
    guest.wait_for("ls /dev/hidg0 /dev/hidraw0");
    guest.run("systemd-run --unit=firmware bash /usr/bin/firmware");
    assert_eq!(done(power, "pico02", "status"), "off verified");
    assert_eq!(done(power, "pico02", "on"), "on verified");
    assert_eq!(done(power, "pico02", "cycle"), "on verified");
    assert_eq!(done(power, "pico02", "off"), "off verified");
    let told = guest.run("cat /run/commands");
    assert_eq!(told.trim(), "22 12 22 02 22 12 22 02 22");
    let other = done(power, "pico03", "on");
    assert!(other.contains("no such USB device with serial \"YK00000\""), "{other}");
}
