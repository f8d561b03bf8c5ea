//! PDUs that one talks to, as tests/rig/talking_pdu.py plays them.

use std::path::PathBuf;
use std::process::Stdio;

use crate::common::{Heard, LIMIT, Process, TestLab, rig, wait_until};

pub(super) struct TalkingPdu {
    _process: Process,
    folder: PathBuf,
    /// A TCP port, or the path of a tty.
    place: String,
}

impl TalkingPdu {
    /// `kind` is one of the script's; `on` is `tcp` or `tty`.
    #[track_caller]
    pub(super) fn start(lab: &TestLab, name: &str, kind: &str, on: &str) -> Self {
        let folder = lab.path(name);
        std::fs::create_dir(&folder).unwrap();
        let mut command = lab.tool("python3");
        command.arg(rig("talking_pdu.py")).arg(kind).arg(&folder).arg(on);
        let mut process = Process::spawn(command.stdout(Stdio::piped()).stdin(Stdio::null()));
        let said = Heard::from(process.child().stdout.take().unwrap());
        wait_until(LIMIT, "the PDU is there", || said.text().ends_with('\n'));
        let place = said.text().trim().strip_prefix("ready: ").unwrap().to_owned();
        Self { _process: process, folder, place }
    }

    /// The way there: of `telnet` and `tcp` by port, else a tty with this framing.
    pub(super) fn connect(&self, kind: &str) -> String {
        match kind {
            "telnet" | "tcp" => format!("{kind}:127.0.0.1:{}", self.place),
            framing => format!("tty:{},{framing}", self.place),
        }
    }

    pub(super) fn tty(&self) -> &str {
        &self.place
    }

    /// From now on it behaves so.
    pub(super) fn fault(&self, words: &str) {
        // In one step, since it may be looked at meanwhile.
        std::fs::write(self.folder.join("fault.new"), words).unwrap();
        std::fs::rename(self.folder.join("fault.new"), self.folder.join("fault")).unwrap();
    }

    /// Everything that was noted, in order.
    pub(super) fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// What was switched, as outlet and 1 or 0.
    pub(super) fn switched(&self) -> Vec<String> {
        self.log().into_iter().filter(|line| !line.starts_with("log")).collect()
    }

    pub(super) fn logins(&self) -> usize {
        self.log().iter().filter(|line| *line == "login").count()
    }
}

/// A `[[pdu]]` with one outlet of the same name on `port`.
pub(super) fn pdu(name: &str, connect: &str, profile: &str, keys: &str, port: &str) -> String {
    format!(
        "[[pdu]]\nname = \"{name}\"\ndriver = \"dialogue\"\nconnect = \"{connect}\"\n\
         profile = \"{profile}\"\n{keys}\n{}",
        outlet(name, name, port)
    )
}

pub(super) fn outlet(name: &str, pdu: &str, port: &str) -> String {
    format!(
        "[[outlet]]\nname = \"{name}\"\npdu = \"{pdu}\"\nport = \"{port}\"\noff_time = \"10ms\"\n"
    )
}
