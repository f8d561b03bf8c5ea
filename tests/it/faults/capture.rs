//! Captures on disks that fail: nothing is shown wrongly, what is missing is said to be missing.

use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;

use super::{captured, gaps, printed, shim, status, wait_for_length};
use crate::common::{Daemon, LIMIT, TestLab, WebSocket, wait_until};

/// What the board prints in one go, in bytes.
const PART: u64 = 1600;

/// A board, its console, and somebody who sees it all.
struct Recorded {
    _lab: TestLab,
    serial: Daemon,
    board: UnixStream,
    alice: WebSocket,
    printed: u64,
}

impl Recorded {
    /// `run` gives the command that runs `lava-serial`, whose options follow.
    #[track_caller]
    fn start(run: impl FnOnce(&TestLab) -> Command) -> Self {
        let lab = TestLab::new();
        let socket = lab.path("board");
        let listener = UnixListener::bind(&socket).unwrap();
        let config = lab.write(
            "serial.toml",
            &format!(
                "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\nsegment = \"64KiB\"\n\
                 [[console]]\nname = \"panda01\"\nport = \"unix:{}\"\n",
                folder(&lab).parent().unwrap().display(),
                socket.display()
            ),
        );
        let serial = Daemon::start("lava-serial", run(&lab).args(["--config", &config]));
        let (board, _) = listener.accept().unwrap();
        let alice = WebSocket::attach(serial.address("http"), "panda01", "user=alice");
        alice.expect_message("the hello", |message| message["type"] == "hello");
        Self { _lab: lab, serial, board, alice, printed: 0 }
    }

    /// The board prints the next part, and it is seen.
    fn print(&mut self) {
        let to = self.printed + PART;
        self.board.write_all(&printed(0, self.printed..to)).unwrap();
        self.printed = to;
        wait_for_length(self.alice.heard(), to as usize);
    }

    fn is_broken(&self) -> bool {
        status(self.serial.address("http"), "panda01")["capture_error"].is_string()
    }

    /// Everything was shown; and what is captured is right, in its place, and all but the gaps that
    /// are on the timeline.
    #[track_caller]
    fn is_accounted_for(&self) -> Vec<std::ops::Range<u64>> {
        assert!(
            self.alice.heard().bytes() == printed(0, 0..self.printed),
            "it was shown otherwise"
        );
        let address = self.serial.address("http");
        let told = gaps(address, "panda01");
        let mut at = 0;
        for (offset, bytes) in captured(address, "panda01", self.printed) {
            let end = offset + bytes.len() as u64;
            assert!(offset == at || told.contains(&(at..offset)), "{at} to {offset}: {told:?}");
            assert!(bytes == printed(0, offset..end), "{offset} to {end} is captured otherwise");
            at = end;
        }
        assert_eq!(at, self.printed, "the end is captured: {told:?}");
        told
    }
}

fn folder(lab: &TestLab) -> PathBuf {
    lab.path("capture/panda01")
}

/// `lava-serial` under strace, which is no ancestor of it. `fault` is of strace's `--inject`.
fn traced(lab: &TestLab, suffix: &str, fault: &str) -> Command {
    let mut strace = lab.tool("strace");
    strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-P"]);
    strace.arg(folder(lab).join(format!("{:020}.{suffix}", 0)));
    strace.args(["-e", "trace=write,fdatasync", "-e", &format!("inject={fault}")]);
    strace.arg(env!("CARGO_BIN_EXE_lava-serial"));
    strace
}

#[test]
fn writes_that_take_a_part_or_are_interrupted_lose_nothing() {
    let mut recorded = Recorded::start(|lab| {
        let mut serial = lab.program("lava-serial");
        serial.env("LD_PRELOAD", shim(lab)).env("FAULT_WRITES", "/capture/panda01/");
        serial
    });
    for _ in 0..200 {
        recorded.print();
    }
    assert_eq!(recorded.is_accounted_for(), []);
    assert!(!recorded.is_broken());
    // The shim was there: without it every part takes one write.
    let io = std::fs::read_to_string(format!("/proc/{}/maps", recorded.serial.pid())).unwrap();
    assert!(io.contains("shim.so"));
}

#[test]
fn a_disk_that_takes_nothing_for_a_while_costs_what_came_meanwhile() {
    for error in ["ENOSPC", "EIO"] {
        let fault = format!("write:error={error}:when=5");
        let mut recorded = Recorded::start(|lab| traced(lab, "raw", &fault));
        for _ in 0..5 {
            recorded.print();
        }
        assert!(recorded.is_broken());
        // It is tried again every second.
        wait_until(LIMIT, "it is captured again", || {
            recorded.print();
            !recorded.is_broken()
        });
        let gaps = recorded.is_accounted_for();
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!(gaps[0].start, 4 * PART, "what was written before is held");
    }
}

#[test]
fn an_index_that_cannot_be_written_loses_no_byte_that_was_captured() {
    let mut recorded = Recorded::start(|lab| traced(lab, "idx", "write:error=EIO:when=3"));
    // Each part in a millisecond of its own, so that it has a record in the index.
    for _ in 0..8 {
        recorded.print();
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    wait_until(LIMIT, "it is captured again", || {
        recorded.print();
        !recorded.is_broken()
    });
    let gaps = recorded.is_accounted_for();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].start >= PART * 3, "{gaps:?}");
}

#[test]
fn events_that_cannot_be_written_cost_no_byte() {
    let mut recorded = Recorded::start(|lab| traced(lab, "jsonl", "write:error=ENOSPC:when=2+"));
    for number in 0..5 {
        recorded.print();
        let text = format!(r#"{{"id":{number},"request":"message","text":"hello"}}"#);
        recorded.alice.ask(&text);
        recorded.alice.expect_message("it is said", |message| message["id"] == number);
    }
    recorded.serial.wait_for_log(LIMIT, "an event could not be recorded");
    assert_eq!(recorded.is_accounted_for(), []);
    assert!(!recorded.is_broken());
}

#[test]
fn a_disk_that_does_not_sync_is_told_of_and_the_console_goes_on() {
    let mut recorded = Recorded::start(|lab| traced(lab, "raw", "fdatasync:error=EIO:when=1"));
    recorded.print();
    recorded.serial.wait_for_log(LIMIT, "the capture could not be synced");
    recorded.print();
    assert_eq!(recorded.is_accounted_for(), []);
}
