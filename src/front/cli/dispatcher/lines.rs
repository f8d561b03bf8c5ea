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
    /// In front of each line: which board of a group it is about.
    board: Option<String>,
}

impl Progress for Lines {
    fn begin(&self, level: &str, name: &str, attempt: u32) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match attempt {
            1 => self.line(format_args!("begin {level:<10} {name}")),
            again => self.line(format_args!("begin {level:<10} {name} (try {again})")),
        }
    }

    fn end(&self, level: &str, name: &str, took: Duration, error: Option<&Error>) {
        let seconds = took.as_secs_f64();
        match error {
            None => self.line(format_args!("done  {level:<10} {name} {seconds:.1} s")),
            Some(error) if self.is_told(error) => {
                self.line(format_args!("fail  {level:<10} {name} {seconds:.1} s"));
            }
            Some(error) => {
                self.line(format_args!("fail  {level:<10} {name} {seconds:.1} s: {error}"));
            }
        }
    }

    fn case(&self, case: &CaseResult) {
        if case.definition != LAVA {
            self.line(format_args!("case  {}", plain(case.to_string().as_bytes())));
        }
    }

    fn warning(&self, message: &str) {
        self.line(format_args!("note  {message}"));
    }
}

impl Lines {
    /// The lines of one board of several.
    pub(super) fn of(board: &str) -> Self {
        Self { board: Some(board.to_owned()), ..Self::default() }
    }

    fn line(&self, text: std::fmt::Arguments<'_>) {
        let mut out = std::io::stdout().lock();
        let _ = match &self.board {
            Some(board) => writeln!(out, "{board}: {text}"),
            None => writeln!(out, "{text}"),
        };
    }

    fn is_told(&self, error: &Error) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.replace(error.clone()).as_ref() == Some(error)
    }
}
