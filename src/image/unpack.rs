//! Unpacking single files with the programs that every Debian has.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use tokio::process::Command;

use crate::sys::{Ended, Program, Reach, confined, limit_files};

/// No file that is unpacked gets larger than this, in bytes.
const MAX_UNPACKED: u64 = 64 << 30;
/// Nor does one take more of what is free on its disk: other jobs have their files there.
const SHARE: (u64, u64) = (9, 10);

/// Unpacks `from` into `to` with a program and arguments that write to standard output, as
/// `["gzip", "-dc"]`. The program is killed when this is dropped.
///
/// # Errors
/// The program's own last words.
pub async fn unpack(program: &[&str], from: &Path, to: &Path) -> Result<(), String> {
    let [name, arguments @ ..] = program else { return Err("no program to unpack with".into()) };
    let failed = |what: &dyn std::fmt::Display| {
        format!("cannot unpack {} with {name}: {what}", from.display())
    };
    let input = std::fs::File::open(from).map_err(|error| failed(&error))?;
    let output = std::fs::File::create(to).map_err(|error| failed(&error))?;
    let mut command = unpacker(name, &[], to);
    command.args(arguments).stdin(input).stdout(output).stderr(Stdio::piped());
    let program = Program::spawn(command).map_err(|error| failed(&error))?;
    let ended = program.ended().await.map_err(|error| failed(&error))?;
    if ended.status.success() { Ok(()) } else { Err(failed(&complaint(&ended))) }
}

/// What an [`unpacker`] that failed complains about, in one line.
pub fn complaint(ended: &Ended) -> String {
    if ended.status.signal() == Some(Signal::XFSZ.as_raw()) {
        return "a file in it would be larger than this host has room for".into();
    }
    match ended.errors.trim() {
        "" => ended.status.to_string(),
        said => said.replace('\n', "; "),
    }
}

/// A command that unpacks what came from elsewhere, and may be read, to a place on this host that is there: it
/// gets at nothing else of this host, and no file that it makes is larger than the disk can bear.
pub fn unpacker(program: &str, from: &[&Path], to: &Path) -> Command {
    let mut command = confined(program, &Reach::of(from).writing(&[to]));
    limit_files(&mut command, room(to).min(MAX_UNPACKED));
    command
}

/// The bytes that one file may take on the disk with this path.
fn room(path: &Path) -> u64 {
    let disk = path.ancestors().find_map(|path| rustix::fs::statvfs(path).ok());
    disk.map_or(MAX_UNPACKED, |disk| {
        disk.f_bavail.saturating_mul(disk.f_frsize) / SHARE.1 * SHARE.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_archive_is_told_with_the_programs_words() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a.gz"), dir.path().join("a"));
        std::fs::write(&from, "plain").unwrap();
        let told = unpack(&["gzip", "-dc"], &from, &to).await.unwrap_err();
        assert!(told.contains("not in gzip format"), "{told}");
    }
}
