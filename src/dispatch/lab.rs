//! The console and the outlet of a board by its name.

use std::path::Path;

use super::error::Error;
use crate::client::lab::{Board, Lab};
use crate::client::{ConsoleRef, OutletRef};

/// The board's console.
///
/// # Errors
/// [`Error::Configuration`] when there is no such board, or it has none; else what the lab says.
pub(super) async fn console(board: &str, lab: Option<&Path>) -> Result<ConsoleRef, Error> {
    let found = find(board, lab).await?;
    found.console.ok_or_else(|| Error::Configuration(format!("{board} has no console")))
}

/// The board's outlet.
///
/// # Errors
/// As [`console`].
pub(super) async fn outlet(board: &str, lab: Option<&Path>) -> Result<OutletRef, Error> {
    let found = find(board, lab).await?;
    found.outlet.ok_or_else(|| Error::Configuration(format!("{board} has no outlet")))
}

async fn find(board: &str, lab: Option<&Path>) -> Result<Board, Error> {
    Ok(Lab::locate(None, lab.map(Path::to_owned))?.board(board).await?)
}
