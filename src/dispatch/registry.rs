//! The jobs that run on this host: where each one's console is, as an inventory of one board.
//!
//! `lava attach ID` goes by it. The files are in a folder that is the user's own.

use std::path::PathBuf;

use crate::client::{ConsoleRef, OutletRef};
use crate::config::{job_file, mistrust, runtime_dir};

/// Notes where a job's console is. Best effort: nothing but `lava attach` needs it.
pub(super) fn note(job: &str, board: &str, console: &ConsoleRef, outlet: Option<&OutletRef>) {
    if let Err(error) = write(job, board, console, outlet) {
        tracing::debug!(%error, "lava attach will not find the job");
    }
}

fn write(
    job: &str,
    board: &str,
    console: &ConsoleRef,
    outlet: Option<&OutletRef>,
) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let file: PathBuf = job_file(job);
    if let Some(why) = mistrust(&runtime_dir()) {
        return Err(std::io::Error::other(why));
    }
    let folder = file.parent().unwrap_or(&file);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // A JSON string is a TOML string.
    let text = |value: String| serde_json::Value::from(value).to_string();
    let mut inventory = format!(
        "[[board]]\nname = {}\nconsole = {}\n",
        text(board.to_owned()),
        text(console.to_string())
    );
    if let Some(outlet) = outlet {
        inventory.push_str(&format!("outlet = {}\n", text(outlet.to_string())));
    }
    std::fs::write(file, inventory)
}

/// The job is over.
pub(super) fn remove(job: &str) {
    let file = job_file(job);
    // Not there when it never had a console; and the folder stays while other jobs run.
    let _ = std::fs::remove_file(&file);
    if let Some(folder) = file.parent() {
        let _ = std::fs::remove_dir(folder);
    }
}
