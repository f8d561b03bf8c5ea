//! The host itself: its clock, and what systemd says of our units.

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use tokio::process::Command;

use super::Finding;
use crate::sys::clock_is_synchronised;

/// How long systemctl may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// By how much the clock may move against the time that passes while we look.
const JUMP: Duration = Duration::from_millis(250);

/// The time when we began, by both clocks.
pub(super) struct Clock {
    wall: SystemTime,
    steady: Instant,
}

impl Clock {
    pub(super) fn read() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }

    pub(super) fn look(&self, findings: &mut Vec<Finding>) {
        const CHECK: &str = "clock";
        const MEND: &str = "sudo timedatectl set-ntp true";
        let passed = self.steady.elapsed();
        let shown = self.wall.elapsed().unwrap_or_default();
        if shown.abs_diff(passed) > JUMP {
            let what = "it was set while we looked: times on the record jump";
            findings.push(Finding::wrong(CHECK, what, MEND));
        }
        findings.push(match clock_is_synchronised() {
            Some(true) => Finding::good(CHECK, "synchronised"),
            Some(false) => {
                Finding::wrong(CHECK, "nothing keeps it right: it is not synchronised", MEND)
            }
            None => Finding::unknown(CHECK, "the kernel does not say whether it is synchronised"),
        });
    }
}

/// Our units that have failed.
pub(super) async fn units(findings: &mut Vec<Finding>) {
    const CHECK: &str = "units";
    let mut command = Command::new("systemctl");
    command.args(["list-units", "--all", "--state=failed", "--plain", "--no-legend", "lava-*"]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ran = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = match ran {
        Ok(Ok(output)) if output.status.success() => output.stdout,
        _ => return findings.push(Finding::unknown(CHECK, "systemd does not run here")),
    };
    let text = String::from_utf8_lossy(&output);
    let failed: Vec<&str> =
        text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    if failed.is_empty() {
        return findings.push(Finding::good(CHECK, "none has failed"));
    }
    for unit in failed {
        let mend = format!("journalctl -u {unit} -n 20; sudo systemctl restart {unit}");
        findings.push(Finding::wrong(CHECK, format!("{unit} has failed"), mend));
    }
}
