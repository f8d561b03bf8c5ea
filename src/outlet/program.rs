//! Running a program for a driver.
//!
//! A program that has begun may have switched, however it ends.

use std::ffi::OsStr;

use super::OutletError;
use super::way::Way;
pub(super) use crate::sys::Ended;
use crate::sys::Program;

/// Runs a program to its end, with these variables beside those of this process. Dropped before, it is
/// killed with everything in its process group.
///
/// # Errors
/// [`OutletError::Unreachable`] when it cannot be started.
pub(super) async fn run(
    words: &[String],
    variables: &[(&str, &OsStr)],
    way: &mut Way,
) -> Result<Ended, OutletError> {
    let cannot = |error: std::io::Error| format!("cannot run {}: {error}", words[0]);
    let program =
        Program::start(words, variables).map_err(|error| way.unreachable(cannot(error)))?;
    way.sending();
    program.ended().await.map_err(|error| way.unreachable(cannot(error)))
}
