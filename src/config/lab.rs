//! The inventory, `lab.toml`: which boards there are, and where their consoles and outlets are.

use std::path::Path;

use super::{At, Problems, Table, read_all};
use crate::model::{Failure, Name};

/// What an inventory file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// In the order of the file; no name twice.
    pub boards: Vec<BoardEntry>,
}

/// One `[[board]]`. It has a console or an outlet or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardEntry {
    pub name: Name,
    /// `http://HOST:PORT/consoles/NAME` or `unix:SOCKET:/consoles/NAME`.
    pub console: Option<String>,
    /// The same with `/outlets/NAME`.
    pub outlet: Option<String>,
}

impl Inventory {
    /// Reads an inventory file.
    ///
    /// # Errors
    /// Everything that is wrong with it, as one failure of kind `Config`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let problems = Problems::default();
        let mut boards = Vec::new();
        for (file, node) in read_all(&[path.to_owned()], &problems) {
            if let Some(top) = Table::new(&node, At::top(&file, &problems)) {
                for table in top.tables("board") {
                    boards.extend(board(table, &boards));
                }
                top.finish();
            }
        }
        problems.check(Some(Self { boards }))
    }
}

fn board(table: Table<'_>, known: &[BoardEntry]) -> Option<BoardEntry> {
    let name: Option<Name> = table.required("name");
    let console = table.parsed("console", |text| url(text, "consoles"));
    let outlet = table.parsed("outlet", |text| url(text, "outlets"));
    if table.node("console").or(table.node("outlet")).is_none() {
        table.at().problem(table.place(), "a board has a \"console\", an \"outlet\" or both");
    }
    if known.iter().any(|board| Some(&board.name) == name.as_ref()) {
        table.problem("name", "there is a board of this name already");
    }
    table.finish();
    Some(BoardEntry { name: name?, console, outlet })
}

fn url(text: &str, collection: &str) -> Result<String, String> {
    let there = text.starts_with("http://") || text.starts_with("unix:");
    let name = text.rsplit_once('/').map_or("", |(_, name)| name);
    if there && text.contains(&format!("/{collection}/")) && !name.is_empty() {
        return Ok(text.to_owned());
    }
    Err(format!(
        "expected http://HOST:PORT/{collection}/NAME or unix:SOCKET:/{collection}/NAME, found {text:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Inventory, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lab.toml");
        std::fs::write(&path, text).unwrap();
        let place = format!("{}/", dir.path().display());
        Inventory::read(&path).map_err(|failure| failure.to_string().replace(&place, ""))
    }

    #[test]
    fn the_example_is_complete_and_correct() {
        let boards = read(include_str!("../../conf/lab.toml")).unwrap().boards;
        assert_eq!(boards[0].name.as_str(), "panda01");
        assert_eq!(boards[0].console.as_deref(), Some("http://127.0.0.1:7100/consoles/panda01"));
        assert_eq!(boards[0].outlet.as_deref(), Some("http://127.0.0.1:7200/outlets/panda01"));
        assert_eq!(boards[1].outlet, None);
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        let told = read(
            "[[board]]\nname = \"a\"\nconsole = \"panda\"\n\n[[board]]\nname = \"a\"\n\
             outlt = \"http://h:1/outlets/a\"\n",
        );
        assert_eq!(
            told.unwrap_err(),
            "lab.toml:3:11: board[0].console: expected http://HOST:PORT/consoles/NAME or \
             unix:SOCKET:/consoles/NAME, found \"panda\"\n\
             lab.toml:5:1: board[1]: a board has a \"console\", an \"outlet\" or both\n\
             lab.toml:6:8: board[1].name: there is a board of this name already\n\
             lab.toml:7:1: board[1]: unknown key \"outlt\"; did you mean \"outlet\"?"
        );
    }
}
