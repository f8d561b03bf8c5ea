//! `kill -9` at any moment: what anybody was shown is on record.

use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{printed, run_from, status};
use crate::common::{LIMIT, TestLab, WebSocket, wait_until};

/// How often it is killed.
const KILLS: u32 = 25;
/// The longest that it lives once somebody is attached, in ms.
const LIFE: u64 = 150;

/// Anything, but the same again for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[test]
fn what_was_shown_is_captured_whenever_the_process_is_killed() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    let mut dice = Dice(seed);
    let lab = TestLab::new();
    let socket = lab.path("board");
    let listener = UnixListener::bind(&socket).unwrap();
    // Prints to whoever is there, for ever, and does not know who that is.
    std::thread::spawn(move || {
        let mut at = 0;
        for line in listener.incoming() {
            let Ok(mut line) = line else { return };
            while line.write_all(&printed(0, at..at + 4096)).is_ok() {
                at += 4096;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    // Small segments, so that it is also killed while one is closed, indexed or compressed.
    let config = lab.write(
        "serial.toml",
        &format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{}\"\nsegment = \"64KiB\"\n\
             [[console]]\nname = \"panda01\"\nport = \"unix:{}\"\n",
            lab.path("capture").display(),
            socket.display()
        ),
    );
    let mut shown_in_all = 0;
    for kill in 0..KILLS {
        let mut serial = lab.start("lava-serial", ["--config", &config]);
        let alice = WebSocket::attach(serial.address("http"), "panda01", "user=alice");
        wait_until(LIMIT, "something is shown", || !alice.frames().is_empty());
        // Not a wait for anything: this is the moment.
        std::thread::sleep(Duration::from_millis(dice.roll(LIFE)));
        serial.kill();
        wait_until(LIMIT, "alice is let go", || alice.heard().ended());

        let mut next = lab.start("lava-serial", ["--config", &config]);
        let address = next.address("http");
        let (shown, frames) = (alice.heard().bytes(), alice.frames());
        let first = frames[0].0;
        let (begin, kept, _) = run_from(address, "panda01", first);
        assert_eq!(begin, first, "seed {seed}, kill {kill}");
        let mut at = 0;
        for (offset, length) in frames {
            let place = (offset - first) as usize;
            let was_shown = &shown[at..at + length];
            let is_kept = kept.get(place..place + length);
            assert!(
                is_kept == Some(was_shown),
                "seed {seed}, kill {kill}: {length} bytes at {offset} were shown, and are not kept"
            );
            at += length;
        }
        assert!(status(address, "panda01")["head"].as_u64().unwrap() >= first + shown.len() as u64);
        shown_in_all += shown.len();
        next.kill();
    }
    assert!(shown_in_all > KILLS as usize * 4096, "{shown_in_all}");
}
