//! Serial adapters: may they be opened, and does somebody else have them?

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, access};

use super::super::serial::{Row, rows};
use super::Finding;
use crate::adapter::{Owner, Roots};
use crate::sys::{group_name, user_name};
use crate::wire::attach::PortState;

const CHECK: &str = "adapters";
/// The program whose consoles they are to be.
const OURS: &str = "lava-serial";

pub(super) async fn look(findings: &mut Vec<Finding>) {
    let rows = match rows().await {
        Ok(rows) => rows,
        Err(failure) => return findings.push(Finding::failed(CHECK, failure, "ls /sys/class/tty")),
    };
    let adapters = rows.iter().filter(|row| !row.adapter.kernel_console);
    let before = findings.len();
    let (mut count, roots) = (0, Roots::of_host());
    for row in adapters {
        count += 1;
        findings.extend(adapter(row, &roots.dev.join(row.adapter.tty.as_str())));
    }
    if findings.len() == before {
        findings.push(match count {
            0 => Finding::unknown(CHECK, "no serial adapter is plugged in"),
            _ => Finding::good(CHECK, format!("{count} can be used")),
        });
    }
}

fn adapter(row: &Row, device: &Path) -> Option<Finding> {
    let shown = device.display();
    let other = row.owners.iter().find(|owner| owner.program != OURS);
    if let Some(owner) = other {
        let what = format!("{shown} is open in {} (pid {})", owner.program, owner.pid);
        return Some(Finding::wrong(CHECK, what, leave(owner, row.adapter.tty.as_str())));
    }
    match (&row.console, &row.state) {
        (Some(_), Some(PortState::Open | PortState::Starting)) => return None,
        (Some(console), Some(PortState::Closed { reason })) => {
            let what = format!("console {console} is closed: {reason}");
            let mend = match reason.contains("ermission") {
                true => enter_group(device, "lava"),
                false => format!("lava open {console}"),
            };
            return Some(Finding::wrong(CHECK, what, mend));
        }
        _ => {}
    }
    match access(device, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => None,
        Err(error) => {
            let user = user_name(rustix::process::getuid().as_raw());
            let what = format!("{shown} cannot be opened by {user}: {error}");
            Some(Finding::wrong(CHECK, what, enter_group(device, &user)))
        }
    }
}

/// Has another program leave a device. One that somebody sits at is not ended behind their back.
fn leave(owner: &Owner, tty: &str) -> String {
    match owner.program.as_str() {
        // It would be started again.
        "agetty" | "getty" | "login" => format!("sudo systemctl stop serial-getty@{tty}.service"),
        "ModemManager" => "sudo systemctl stop ModemManager".into(),
        _ => {
            let user = user_name(owner.uid);
            format!("ps -f -p {}   # {user} has to end it", owner.pid)
        }
    }
}

/// Makes somebody a member of the group that may open a device.
fn enter_group(device: &Path, user: &str) -> String {
    let group = device.metadata().map_or_else(|_| "dialout".into(), |it| group_name(it.gid()));
    match user {
        "lava" => format!("sudo usermod -aG {group} lava; sudo systemctl restart lava-serial"),
        _ => format!("sudo usermod -aG {group} {user}   # and log in again"),
    }
}
