//! `lava top` in a real terminal, on real daemons: what a person sees, and what comes of their keys.

mod consoles;
mod hostile;
mod lists;
mod terminal;
mod tmux;

use std::net::SocketAddr;

use self::tmux::Tmux;
use crate::common::{Daemon, LIMIT, TestLab, http, program, wait_until};

/// Greets, then answers each line.
const ECHO: &str = "printf 'board ready\\r\\n=> '\n\
    while IFS= read -r line; do printf 'echo:%s\\r\\n=> ' \"$line\"; done\n";

/// Boards with a program each behind their consoles, and outlets in memory.
struct Lab {
    lab: TestLab,
    config: String,
    serial: Daemon,
    power: Daemon,
}

impl Lab {
    #[track_caller]
    fn start(boards: &[(&str, &str)]) -> Self {
        let lab = TestLab::new();
        let capture = lab.path("capture").display().to_string();
        let mut serial =
            format!("[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = \"{capture}\"\n");
        for (name, board) in boards {
            let script = lab.write(&format!("{name}.sh"), board);
            serial +=
                &format!("[[console]]\nname = \"{name}\"\nport = \"exec:/bin/sh {script}\"\n");
        }
        let config = lab.write("serial.toml", &serial);
        let serial = lab.start("lava-serial", ["--config", &config]);
        let mut power = "[http]\nlisten = \"127.0.0.1:0\"\n[[pdu]]\nname = \"virtual\"\n\
                         driver = \"sim\"\n"
            .to_owned();
        for (at, (name, _)) in boards.iter().enumerate() {
            power += &format!(
                "[[outlet]]\nname = \"{name}\"\npdu = \"virtual\"\nport = {}\noff_time = \"10ms\"\n",
                at + 1
            );
            // Of the others the one who switches tells their consoles.
            if at == 0 {
                let http = serial.address("http");
                power += &format!("console = \"http://{http}/consoles/{name}\"\n");
            }
        }
        let power = lab.write("power.toml", &power);
        let power = lab.start("lava-power", ["--config", &power]);
        Self { lab, config, serial, power }
    }

    /// Two boards that answer, and `lava top` with the first one selected.
    #[track_caller]
    fn pandas() -> Self {
        let lab = Self::start(&[("panda01", ECHO), ("panda02", ECHO)]);
        for name in ["panda01", "panda02"] {
            lab.wait_for_capture(name, "=> ");
        }
        lab
    }

    #[track_caller]
    fn top(&self, size: (u16, u16), args: &str) -> Tmux<'_> {
        top_in(&self.lab, size, args)
    }

    fn wait_for_capture(&self, name: &str, end: &str) {
        wait_until(LIMIT, &format!("{name} prints {end:?}"), || {
            self.lab.run("lava", ["log", name], "").stdout.ends_with(end.as_bytes())
        });
    }

    fn http(&self) -> SocketAddr {
        self.serial.address("http")
    }

    /// Somebody else leases a board.
    #[track_caller]
    fn lease(&self, name: &str, user: &str) {
        let body = format!(r#"{{"user":"{user}","for":"2h","reason":"bisecting"}}"#);
        let address = self.power.address("http");
        let leased = http(address, "POST", &format!("/leases/{name}"), &body);
        assert_eq!(leased.status, 200, "{}", leased.text());
    }
}

/// `lava top` in a terminal of so many columns and rows.
#[track_caller]
fn top_in<'a>(lab: &'a TestLab, size: (u16, u16), args: &str) -> Tmux<'a> {
    let top = format!("exec {} top {args}", program("lava").display());
    Tmux::start(lab, "tmux", size, &top)
}
