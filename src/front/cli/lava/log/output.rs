//! Where a log goes, and that nobody may want more of it.

use std::io::{self, IsTerminal as _, Write as _};

pub(super) use crate::front::cli::clock::local;
use crate::model::{Failure, Kind};

/// Why no more is printed.
#[derive(Debug)]
pub(super) enum Stop {
    /// Whoever read it is gone, as `head` is when it has enough. That is no failure.
    NobodyReads,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Prints on standard output.
pub(super) fn out(bytes: &[u8]) -> Result<(), Stop> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Stop::NobodyReads),
        Err(error) => Err(Failure::from_error(Kind::Infra, &error).into()),
    }
}

/// Prints a value as one line of JSON.
pub(super) fn out_json(value: &impl serde::Serialize) -> Result<(), Stop> {
    let json = serde_json::to_string(value);
    let json = json.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    out(format!("{json}\n").as_bytes())
}

/// Tells a person something beside what is printed.
pub(super) fn note(text: &str) {
    // Nobody to tell that standard error is closed.
    let _ = writeln!(io::stderr(), "[{text}]");
}

pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
