//! The command lines. Each program's `main` parses, calls the library and maps the failure.

mod clock;
pub mod console;
pub mod demo;
pub mod dispatcher;
mod keys;
mod lab_args;
mod last_words;
pub mod lava;
pub(in crate::front) mod line_text;
mod point;
pub mod power;
pub mod programs;
pub(in crate::front) mod report;
pub mod ser2net;
pub mod serial;
pub mod server;
pub mod ssh;
mod tui;
mod user;

pub(in crate::front) use console::{Streams, Visit, command, info_lines, notice, operate, words};

use std::process::ExitCode;

use crate::model::{Failure, Kind};

/// Prints a failure on standard error and gives its exit code; 0 when there was none.
#[expect(clippy::print_stderr, reason = "this is where programs report failures")]
pub fn exit(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.to_string().lines() {
                eprintln!("{line}");
            }
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// Prints what came of something, a line.
///
/// # Errors
/// When standard output cannot be written.
pub fn say(what: &impl std::fmt::Display) -> Result<(), Failure> {
    print(format!("{what}\n").as_bytes())
}

/// Prints a result on standard output. A reader that is gone is no error.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::from_error(Kind::Infra, &error))
        }
        _ => Ok(()),
    }
}
