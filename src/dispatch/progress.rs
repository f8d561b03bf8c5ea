//! Watching a job while it runs.

use std::time::Duration;

use super::error::Error;
use super::expect::Place;
use super::pipeline::Description;
use super::results::CaseResult;

/// Somebody who wants to see how far a job is. Called from the job's own task: must not block.
pub trait Progress: Send + Sync {
    /// The job begins, and this is all that it will do.
    fn pipeline(&self, _pipeline: &[Description]) {}

    /// An action begins its try number `attempt`, counted from 1.
    fn begin(&self, _level: &str, _name: &str, _attempt: u32) {}

    /// An action has ended.
    fn end(&self, _level: &str, _name: &str, _took: Duration, _error: Option<&Error>) {}

    /// A try has failed and another one follows.
    fn retry(&self, _level: &str, _name: &str, _error: &Error) {}

    /// An action that fetches a file has so many bytes of it, of `total` if that is known.
    fn download(&self, _level: &str, _length: u64, _total: Option<u64>) {}

    /// A line of the console.
    fn console(&self, _place: Place, _line: &str) {}

    /// A test case has its result.
    fn case(&self, _case: &CaseResult) {}

    fn warning(&self, _message: &str) {}
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {}
