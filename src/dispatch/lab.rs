//! Finding a board's console and outlet by its name.

use std::path::Path;

use super::error::Error;
use crate::client::{Endpoint, Http};
use crate::config::{At, Problems, Table};

/// The console's URL of a board.
///
/// # Errors
/// [`Error::Configuration`] when the inventory does not know it.
pub(super) async fn console(board: &str, lab: Option<&Path>) -> Result<String, Error> {
    find(board, lab, "console")
}

/// The daemon of a board's outlet, and the outlet's path there.
///
/// # Errors
/// As [`console`].
pub(super) async fn outlet(board: &str, lab: Option<&Path>) -> Result<(Http, String), Error> {
    let url = find(board, lab, "outlet")?;
    let (endpoint, path) = Endpoint::split(&url).map_err(Error::Configuration)?;
    Ok((Http::new(endpoint), path))
}

fn find(board: &str, lab: Option<&Path>, what: &str) -> Result<String, Error> {
    let lab = lab.ok_or_else(|| {
        Error::Configuration(format!("where is {board}? give an inventory with --lab FILE"))
    })?;
    let problems = Problems::default();
    let documents = crate::config::read_all(&[lab.to_owned()], &problems);
    for (file, node) in &documents {
        let Some(top) = Table::new(node, At::top(file, &problems)) else { continue };
        for table in top.tables("board") {
            if table.optional::<String>("name").as_deref() == Some(board)
                && let Some(url) = table.optional::<String>(what)
            {
                return Ok(url);
            }
        }
    }
    let found = problems.check(Some(()));
    found?;
    Err(Error::Configuration(format!("{} has no {what} of a board {board:?}", lab.display())))
}
