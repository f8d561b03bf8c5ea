//! A job's progress as plain lines: one when an action begins, one when it ends.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::dispatch::error::Error;
use crate::dispatch::progress::Progress;
use crate::dispatch::results::{CaseResult, LAVA};
use crate::wire::plain::plain;

/// Prints to standard output. A reader that has gone away changes nothing for the job.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Why the last action failed: the ones around it fail for the same reason, told once.
    told: Mutex<Option<Error>>,
}

impl Progress for Lines {
    fn begin(&self, level: &str, name: &str, attempt: u32) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match attempt {
            1 => line(format_args!("begin {level:<10} {name}")),
            again => line(format_args!("begin {level:<10} {name} (try {again})")),
        }
    }

    fn end(&self, level: &str, name: &str, took: Duration, error: Option<&Error>) {
        let seconds = took.as_secs_f64();
        match error {
            None => line(format_args!("done  {level:<10} {name} {seconds:.1} s")),
            Some(error) if self.is_told(error) => {
                line(format_args!("fail  {level:<10} {name} {seconds:.1} s"));
            }
            Some(error) => {
                line(format_args!("fail  {level:<10} {name} {seconds:.1} s: {error}"));
            }
        }
    }

    fn case(&self, case: &CaseResult) {
        if case.definition != LAVA {
            line(format_args!("case  {}", plain(case.to_string().as_bytes())));
        }
    }

    fn warning(&self, message: &str) {
        line(format_args!("note  {message}"));
    }
}

impl Lines {
    fn is_told(&self, error: &Error) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.replace(error.clone()).as_ref() == Some(error)
    }
}

fn line(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
