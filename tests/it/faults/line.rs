//! A serial line that hangs up and comes back.

use std::io::Write as _;
use std::os::unix::fs::symlink;

use super::{captured, printed, status, wait_for_length};
use crate::common::{LIMIT, Terminal, TestLab, WebSocket, wait_until};

/// How often it hangs up.
const TIMES: u64 = 5;

#[test]
fn a_tty_that_hangs_up_is_opened_again_and_what_it_said_before_is_all_there() {
    let lab = TestLab::new();
    let device = lab.path("ttyUSB0");
    let mut wire = Terminal::wire();
    symlink(wire.path(), &device).unwrap();
    let port = format!("tty:{},115200n8", device.display());
    let capture = lab.path("capture").display().to_string();
    let args = ["--name", "panda01", "--http", "127.0.0.1:0", "--port", &port, "--capture"];
    let serial = lab.start("lava-serial", args.into_iter().chain([capture.as_str()]));
    let address = serial.address("http");
    let alice = WebSocket::attach(address, "panda01", "user=alice");
    let open = || status(address, "panda01")["state"] == "open";
    let mut head = 0;
    for _ in 0..TIMES {
        wait_until(LIMIT, "the line is open", open);
        wire.near().write_all(&printed(0, head..head + 800)).unwrap();
        head += 800;
        // A hang-up throws away what nobody has read.
        wait_for_length(alice.heard(), head as usize);
        let next = Terminal::wire();
        std::fs::remove_file(&device).unwrap();
        // Both of our ends: reading and writing are at an end for the daemon.
        wire = next;
        alice.expect_message("it is lost", |message| {
            message["kind"] == "port-lost" && message["offset"] == head
        });
        symlink(wire.path(), &device).unwrap();
    }
    wait_until(LIMIT, "the line is open", open);
    assert!(alice.heard().bytes() == printed(0, 0..head));
    assert!(captured(address, "panda01", head) == [(0, printed(0, 0..head))]);
}
