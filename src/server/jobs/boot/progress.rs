//! How far a boot is, by its log: noted when the log comes, so that it only goes on, however much a board prints.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::model::BootState;

/// The longest line that is looked at, in bytes; one that is longer is none of ours.
const MAX_LINE: u64 = 64 * 1024;
/// What the dispatcher says of a board that it keeps on.
const KEPT: &str = "the board is up, and is kept so";
/// The actions that wait for a shell.
const LOGIN: [&str; 4] =
    ["auto-login-action", "login-action", "expect-shell-connection", "wait-for-ssh"];

/// A log of a boot, as far as it was read.
#[derive(Debug)]
pub(in crate::server::jobs) struct Progress {
    /// So many bytes were: whole lines.
    read: u64,
    stage: BootState,
}

impl Default for Progress {
    fn default() -> Self {
        Self { read: 0, stage: BootState::Deploying }
    }
}

impl Progress {
    /// Reads on, and tells how far the boot is; after a restart of the server from the begin.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub(in crate::server::jobs) fn read_on(&mut self, log: &Path) -> io::Result<BootState> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut file).take(MAX_LINE).read_until(b'\n', &mut line)? as u64;
            // A part of a line that is too long is one; the end of another has not come yet.
            if read == 0 || (read < MAX_LINE && line.last() != Some(&b'\n')) {
                return Ok(self.stage);
            }
            self.read += read;
            let told = stage_of(&String::from_utf8_lossy(&line));
            self.stage = self.stage.max(told.unwrap_or(self.stage));
        }
    }
}

/// How far a boot is that says so; what a board says tells nothing.
fn stage_of(line: &str) -> Option<BootState> {
    let (_, rest) = line.split_once("\"lvl\":\"")?;
    let (level, rest) = rest.split_once("\",\"msg\":\"")?;
    if !matches!(level, "info" | "debug") {
        return None;
    }
    if rest.starts_with(KEPT) {
        return Some(BootState::Ready);
    }
    // As `start: 2.4.1 auto-login-action`.
    let (level, name) = rest.strip_prefix("start: ")?.split_once(' ')?;
    let block = level.split('.').next()?.parse::<u32>().ok()?;
    Some(match block {
        2.. if LOGIN.iter().any(|action| name.starts_with(action)) => BootState::Login,
        2.. => BootState::Booting,
        _ => BootState::Deploying,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn line(level: &str, text: &str) -> String {
        let dt = "2026-11-21T10:00:00.000Z";
        format!("{{\"dt\":\"{dt}\",\"lvl\":\"{level}\",\"msg\":\"{text}\"}}\n")
    }

    #[test]
    fn a_boot_only_goes_on_however_much_its_board_prints() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("output.jsonl");
        let mut file = File::create(&log).unwrap();
        let mut progress = Progress::default();
        let mut after = |text: &str| {
            file.write_all(text.as_bytes()).unwrap();
            progress.read_on(&log).unwrap()
        };
        assert_eq!(after(""), BootState::Deploying);
        assert_eq!(
            after(&line("info", "start: 1 tftp-deploy (timeout 00:01:00)")),
            BootState::Deploying
        );
        assert_eq!(after(&line("target", "start: 2 x")), BootState::Deploying, "a board said it");
        let begun = line("info", "start: 2 uboot-action (timeout 00:01:00)");
        let (half, rest) = begun.split_at(60);
        assert_eq!(after(half), BootState::Deploying);
        assert_eq!(after(rest), BootState::Booting);
        assert_eq!(
            after(&line("info", "start: 2.4 auto-login-action (timeout 00:01:00)")),
            BootState::Login
        );
        assert_eq!(after(&line("info", "start: 2.5 x (timeout 00:01:00)")), BootState::Login);
        // More than anybody looks back.
        assert_eq!(after(&line("target", "Oops").repeat(10_000)), BootState::Login);
        assert_eq!(after(&line("target", &"x".repeat(200_000))), BootState::Login);
        assert_eq!(
            after(&line("info", "the board is up, and is kept so: lava job cancel ends it")),
            BootState::Ready
        );
        assert_eq!(after(&line("target", "Oops").repeat(10_000)), BootState::Ready);
        assert_eq!(Progress::default().read_on(&log).unwrap(), BootState::Ready, "after a restart");
    }
}
