//! Unpacking single files with the programs that every Debian has.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// The most that is kept of what an unpacker complains about, in bytes.
const MAX_COMPLAINT: u64 = 1024;

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
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(input)
        .stdout(output)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&error))?;
    let mut complaint = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // What it says is only for the message; not being able to read it changes nothing.
        let _ = stderr.take(MAX_COMPLAINT).read_to_end(&mut complaint).await;
    }
    let status = child.wait().await.map_err(|error| failed(&error))?;
    match status.success() {
        true => Ok(()),
        false => Err(failed(&String::from_utf8_lossy(&complaint).trim())),
    }
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
