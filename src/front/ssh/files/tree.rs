//! What files there are: `/consoles/BOARD/`, and in it what the board has printed.

use crate::client::ConsoleRef;
use crate::client::lab::Lab;
use crate::model::{Failure, Kind, units};
use crate::wire::sftp::Attributes;

/// What is had of a console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// The bytes as they came.
    Raw,
    /// Lines with their times, fit to be read.
    Text,
    /// What happened, as JSON lines.
    Events,
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    Consoles,
    Board(String),
    File { board: String, kind: FileKind },
}

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    name: String,
    attributes: Attributes,
}

const FILES: [(&str, FileKind); 3] =
    [("events.jsonl", FileKind::Events), ("log.raw", FileKind::Raw), ("log.txt", FileKind::Text)];

/// An absolute path without `.`, `..` and doubled slashes. All are seen from the top.
pub(super) fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What a path names. Whether there is such a board is another matter.
///
/// # Errors
/// [`Kind::User`] when there is nothing of the name.
pub(super) fn place(path: &str) -> Result<Place, Failure> {
    let normal = normal(path);
    let parts: Vec<&str> = normal.split('/').filter(|part| !part.is_empty()).collect();
    let nothing = || {
        let what = format!("there is no {path:?}; files are consoles/BOARD/log.raw and the like");
        Failure::new(Kind::User, what)
    };
    match parts[..] {
        [] => Ok(Place::Root),
        ["consoles"] => Ok(Place::Consoles),
        ["consoles", board] => Ok(Place::Board(board.to_owned())),
        ["consoles", board, name] => {
            let found = FILES.iter().find(|(known, _)| *known == name);
            let (_, kind) = found.ok_or_else(nothing)?;
            Ok(Place::File { board: board.to_owned(), kind: *kind })
        }
        _ => Err(nothing()),
    }
}

/// The console of a board.
///
/// # Errors
/// [`Kind::User`] when there is none that the user may see.
pub(super) async fn console(lab: &Lab, board: &str) -> Result<ConsoleRef, Failure> {
    let board = lab.board(board).await?;
    board.console.ok_or_else(|| {
        Failure::new(Kind::User, format!("board {} has no console {lab}", board.name))
    })
}

/// What is in a folder.
///
/// # Errors
/// As [`console`], and when the boards cannot be looked up.
pub(super) async fn entries(lab: &Lab, place: &Place) -> Result<Vec<Entry>, Failure> {
    let folder_of = |name: &str| Entry { name: name.to_owned(), attributes: folder() };
    Ok(match place {
        Place::Root => vec![folder_of("consoles")],
        Place::Consoles => {
            let boards = lab.boards().await?;
            let with = boards.iter().filter(|board| board.console.is_some());
            with.map(|board| folder_of(board.name.as_str())).collect()
        }
        Place::Board(board) => {
            let console = console(lab, board).await?;
            let mut entries = Vec::new();
            for (name, kind) in FILES {
                let attributes = super::file::attributes(&console, kind).await?;
                entries.push(Entry { name: name.to_owned(), attributes });
            }
            entries
        }
        Place::File { .. } => Vec::new(),
    })
}

/// The attributes of every folder.
pub(super) fn folder() -> Attributes {
    Attributes { size: Some(0), folder: true, time: now() }
}

/// Now, in seconds of Unix time.
pub(super) fn now() -> u32 {
    u32::try_from(units::now_us() / 1_000_000).unwrap_or(u32::MAX)
}

impl Entry {
    /// The name, and the line that `ls -l` shows.
    pub(super) fn told(self) -> (String, String, Attributes) {
        let Self { name, attributes } = self;
        let mode = if attributes.folder { "dr-xr-xr-x" } else { "-r--r--r--" };
        let size = attributes.size.map_or_else(|| "?".into(), |size| size.to_string());
        let time = units::time_text(u64::from(attributes.time) * 1_000_000);
        let line = format!("{mode} 1 lava lava {size:>12} {} {name}", &time[..time.len().min(10)]);
        (name, line, attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_else() {
        for (path, expected) in [
            ("", "/"),
            (".", "/"),
            ("consoles//panda01/", "/consoles/panda01"),
            ("../../etc/passwd", "/etc/passwd"),
            ("/consoles/../consoles/./a/b/..", "/consoles/a"),
        ] {
            assert_eq!(normal(path), expected);
        }
        assert_eq!(place("/").unwrap(), Place::Root);
        assert_eq!(place("consoles/panda01").unwrap(), Place::Board("panda01".into()));
        let file = Place::File { board: "panda01".into(), kind: FileKind::Raw };
        assert_eq!(place("consoles/panda01/log.raw").unwrap(), file);
        for path in ["/etc", "/etc/passwd", "consoles/panda01/other", "consoles/a/log.raw/x"] {
            assert_eq!(place(path).unwrap_err().kind, Kind::User, "{path}");
        }
    }
}
