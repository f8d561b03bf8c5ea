//! Real adapters at a real host: Linux with systemd and udev, where USB adapters are plugged in and
//! out, and our units are installed as they are.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use serde_json::Value;

use crate::common::{Guest, PATIENCE, TestLab, WebSocket, http, wait_until};

/// Open to the test, which is not on that host.
const CONFIG: &str = "[http]\nlisten = \"0.0.0.0:7100\"\ninsecure = true\n";

/// An adapter with two lines and an odd description, which the host plugs into itself.
const GADGET: &str =
    "(set -e; modprobe -a dummy_hcd libcomposite; mount -t configfs x /sys/kernel/config
    mkdir /sys/kernel/config/usb_gadget/g; cd /sys/kernel/config/usb_gadget/g
    echo 0x1d6b > idVendor; echo 0x0104 > idProduct; mkdir strings/0x409 configs/c.1
    echo 'Dual, 2x: \"UART\" ß' > strings/0x409/product
    echo 'ACME Corp.' > strings/0x409/manufacturer
    echo 'AC 0815/7' > strings/0x409/serialnumber
    for line in a b; do mkdir functions/acm.$line; ln -s functions/acm.$line configs/c.1; done
    ls /sys/class/udc > UDC)";

fn consoles(http_address: SocketAddr) -> Vec<Value> {
    http(http_address, "GET", "/consoles", "").json().as_array().unwrap().clone()
}

#[track_caller]
fn wait_for_state(http_address: SocketAddr, name: &str, state: &str) {
    wait_until(PATIENCE, &format!("{name} is {state}"), || {
        consoles(http_address).iter().any(|it| it["name"] == name && it["state"] == state)
    });
}

fn events(http_address: SocketAddr, name: &str, kind: &str) -> Vec<Value> {
    let events = http(http_address, "GET", &format!("/consoles/{name}/events"), "").json();
    let events = events.as_array().unwrap().iter();
    events.filter(|event| event["kind"] == kind).cloned().collect()
}

#[test]
fn an_adapter_is_a_console_of_the_service_and_keeps_its_clients_while_it_is_unplugged() {
    let lab = TestLab::new();
    let mut guest = Guest::boot(&lab, &[("etc/lava/serial.d/http.toml", CONFIG)]);
    let names = "ls /dev/serial/by-id /dev/serial/by-path | grep ^[up] | sort";

    // The first adapter starts the service.
    assert_ne!(guest.try_run("systemctl is-active lava-serial").0, 0);
    let mut other = guest.plug(1, "OTHER815");
    guest.wait_for("systemctl is-active lava-serial");
    let address = guest.http();
    wait_for_state(address, "usb-OTHER815", "open");
    let mut board = guest.plug(2, "LAVA0815");
    wait_for_state(address, "usb-LAVA0815", "open");
    guest.wait_for("lava serial list | grep 'usb-LAVA0815  usb-LAVA0815  open'");

    // Bytes go both ways.
    let alice = WebSocket::attach(address, "usb-LAVA0815", "user=alice");
    alice.expect_message("alice is attached", |message| message["type"] == "hello");
    board.write_all(b"U-Boot 2023.01\r\n=> ").unwrap();
    alice.heard().find(PATIENCE, 0, b"U-Boot 2023.01\r\n=> ").unwrap();
    alice.type_text("boot\r");
    let mut typed = [0; 5];
    board.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"boot\r");

    // Unplugged, and back as another device, since somebody else has its name by then.
    let heard = alice.heard().len();
    guest.unplug(2);
    alice.expect_message("alice is told", |message| message["kind"] == "port-lost");
    wait_for_state(address, "usb-LAVA0815", "closed");
    let _third = guest.plug(3, "THIRD815");
    wait_for_state(address, "usb-THIRD815", "open");
    let mut board = guest.plug(2, "LAVA0815");
    wait_for_state(address, "usb-LAVA0815", "open");
    board.write_all(b"still here").unwrap();
    alice.heard().find(PATIENCE, heard, b"still here").unwrap();
    guest.wait_for("lava serial list | grep '^ttyUSB2  usb-LAVA0815  usb-LAVA0815  open'");

    // How long that took, by the host's clock: from the node, and from the permission to open it.
    let opened = events(address, "usb-LAVA0815", "port-open")[1]["time_us"].as_f64().unwrap();
    let node = guest.run("stat -c '%.6W %.6Z' /dev/ttyUSB2");
    let since: Vec<f64> = node
        .split_whitespace()
        .map(|time| opened / 1e3 - time.parse::<f64>().unwrap() * 1e3)
        .collect();
    eprintln!(
        "open {:.1} ms after the node came, {:.1} ms after it could be opened",
        since[0], since[1]
    );

    // Our names are udev's, also where they are odd.
    guest.run(GADGET);
    wait_for_state(address, "usb-AC_0815_7-if02", "open");
    guest.run("udevadm settle");
    let list: Value = serde_json::from_str(guest.run("lava serial list --json").trim()).unwrap();
    let rows = list.as_array().unwrap().iter().flat_map(|row| [&row["by_id"], &row["by_path"]]);
    let mut ours: Vec<&str> = rows.filter_map(Value::as_str).collect();
    ours.sort_unstable();
    assert_eq!(ours, guest.run(&format!("LC_ALL=C; {names}")).lines().collect::<Vec<_>>());

    // The service is restarted: nobody is let go.
    guest.run("systemctl restart lava-serial");
    other.write_all(b"here as well").unwrap();
    board.write_all(b"and still here").unwrap();
    alice.heard().find(PATIENCE, heard, b"and still here").unwrap();
    assert_eq!(events(address, "usb-LAVA0815", "attach").len(), 1, "alice did not come again");
}

#[test]
fn a_process_for_each_adapter_outlives_its_absence() {
    let lab = TestLab::new();
    let rules = include_str!("../../systemd/udev/70-lava-serial.rules");
    // As the comment in the file says.
    let one = "TAG+=\"systemd\", ENV{SYSTEMD_WANTS}+=\"lava-serial.service\"";
    let each = "PROGRAM=";
    assert!(rules.contains(one) && rules.contains("#PROGRAM="), "{rules}");
    let rules = rules.replace(one, "").replace("#PROGRAM=", each);
    let matches = "[[match]]\nserial = \"LAVA0815\"\nname = \"panda01\"\n";
    let mut guest = Guest::boot(
        &lab,
        &[
            ("etc/udev/rules.d/70-lava-serial.rules", &rules),
            ("etc/lava/serial.d/boards.toml", matches),
        ],
    );
    let unit = "lava-serial@usb-LAVA0815";
    let state = |text: &str| format!("lava boards | grep '^panda01 .* {text}'");
    let _board = guest.plug(1, "LAVA0815");
    guest.wait_for(&format!("systemctl is-active {unit}"));
    guest.wait_for(&state("open"));
    let pid = guest.run(&format!("systemctl show -P MainPID {unit}"));

    guest.unplug(1);
    guest.wait_for(&state("closed"));
    let _other = guest.plug(2, "OTHER815");
    guest.wait_for("systemctl is-active lava-serial@usb-OTHER815");
    let _board = guest.plug(1, "LAVA0815");
    guest.wait_for(&state("open"));
    assert_eq!(guest.run(&format!("systemctl show -P MainPID {unit}")), pid);
    guest.wait_for("lava serial list | grep 'usb-LAVA0815  panda01  *open'");
    assert_ne!(guest.try_run("systemctl is-active lava-serial").0, 0);
}
