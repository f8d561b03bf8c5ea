//! `lava attach JOB`: the console of the board that a job runs on.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser as _};

use crate::config::job_file;
use crate::front::cli::{console, exit};
use crate::model::{Failure, Kind};

/// Takes you to the console of the board that a job on this host runs on.
///
/// While the job works it has the console for itself: you see what it sees, and ~$force takes the console
/// from it until you give it back (~$release). A job that is paused after a failure (lava-dispatcher run
/// --pause-on-failure) has opened it to everybody.
#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    /// The job, by its id.
    #[arg(value_name = "JOB")]
    job: String,
    /// Options of lava-console, as --spy, --json or --since 10m.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    options: Vec<OsString>,
}

pub(super) fn run(args: AttachArgs) -> ExitCode {
    match board(&args.job) {
        Ok(board) => {
            let file = job_file(&args.job).into_os_string();
            let words = ["lava attach".into(), "--lab".into(), file, board.into()];
            console::run(console::ConsoleArgs::parse_from(words.into_iter().chain(args.options)))
        }
        Err(failure) => exit(Err(failure)),
    }
}

/// The name of the job's board.
fn board(job: &str) -> Result<String, Failure> {
    let plain = job.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let text = if plain { std::fs::read_to_string(job_file(job)).ok() } else { None };
    let name = text.as_deref().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("name = "))?;
        serde_json::from_str(line).ok()
    });
    name.ok_or_else(|| {
        let what = format!("no job {job:?} is at a console on this host");
        let hint = "a job is there from its connection to the board on, for the user who runs it";
        Failure::new(Kind::User, what).hint(hint)
    })
}
