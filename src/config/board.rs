//! Boards as files: what is said of each in a `NAME.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{At, FromNode as _, Node, Problems, Table, read_all};
use crate::model::{BoardDescription, Failure, LongText, Mac, Name, NotMac};

/// Reads a folder of boards; a file is named as its board.
///
/// # Errors
/// Everything that is wrong in any of them, each with its place.
pub fn read(folder: &Path) -> Result<BTreeMap<Name, BoardDescription>, Failure> {
    let problems = Problems::default();
    let mut boards = BTreeMap::new();
    for (file, node) in read_all(&[folder.to_owned()], &problems) {
        let at = At::top(&file, &problems);
        let stem = Path::new(&file).file_stem().unwrap_or_default().to_string_lossy();
        let name: Result<Name, _> = stem.parse();
        let name =
            name.map_err(|error| at.problem(node.place, format!("the file's name: {error}")));
        let Some(table) = Table::new(&node, at) else { continue };
        let board = one(&table);
        table.finish();
        boards.extend(name.ok().zip(board));
    }
    problems.check(Some(boards))
}

/// The text of a board's file.
pub fn text(board: &BoardDescription) -> String {
    let mut file = format!("type = {}\n", quoted(board.kind.as_str()));
    for (key, part) in [("console", &board.console), ("outlet", &board.outlet)] {
        if let Some(part) = part {
            file.push_str(&format!("{key} = {}\n", quoted(part)));
        }
    }
    if let Some(worker) = &board.worker {
        file.push_str(&format!("worker = {}\n", quoted(worker.as_str())));
    }
    for (key, text) in [("dictionary", &board.dictionary), ("health_check", &board.health_check)] {
        if let Some(text) = text {
            file.push_str(&format!("{key} = {}\n", long_text(text)));
        }
    }
    if !board.tags.is_empty() {
        let tags: Vec<_> = board.tags.iter().map(|tag| quoted(tag)).collect();
        file.push_str(&format!("tags = [{}]\n", tags.join(", ")));
    }
    if !board.mac.is_empty() {
        let macs: Vec<_> = board.mac.iter().map(|mac| quoted(&mac.to_string())).collect();
        file.push_str(&format!("mac = [{}]\n", macs.join(", ")));
    }
    if let Some(identity) = &board.identity {
        file.push_str(&format!("identity = {}\n", quoted(identity)));
    }
    if !board.attributes.is_empty() {
        file.push_str("\n[attributes]\n");
        for (key, value) in &board.attributes {
            file.push_str(&format!("{} = {}\n", quoted(key), quoted(value)));
        }
    }
    file
}

/// A text of several lines as TOML has it: as it is, where that is so read.
fn long_text(text: &str) -> String {
    let plain = |c: char| c == '\n' || c == '\t' || !c.is_control();
    match text.chars().all(plain) && !text.contains("'''") && !text.ends_with('\'') {
        true => format!("'''\n{text}'''"),
        false => quoted(text),
    }
}

/// A text as TOML has it: what JSON escapes, TOML escapes in the same way; and it wants one more to be.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

fn one(table: &Table<'_>) -> Option<BoardDescription> {
    let kind = table.required("type");
    let tags: Vec<String> = table.optional("tags").unwrap_or_default();
    let (console, outlet) = (table.optional("console"), table.optional("outlet"));
    let mut attributes = BTreeMap::new();
    if let Some(of) = table.table("attributes") {
        let text = |node: &Node, at: &At<'_>| String::from_node(node, at);
        for (key, node) in of.entries() {
            let value = text(node, &of.at().key(&key.name));
            attributes.extend(value.map(|value| (key.name.clone(), value)));
        }
    }
    Some(BoardDescription {
        kind: kind?,
        tags: tags.into_iter().collect(),
        attributes,
        console,
        outlet,
        dictionary: table.optional::<String>("dictionary").map(LongText::from),
        worker: table.optional("worker"),
        offered: false,
        health_check: table.optional::<String>("health_check").map(LongText::from),
        mac: macs(table),
        identity: table.optional("identity"),
    })
}

/// The hardware addresses, where they are such.
fn macs(table: &Table<'_>) -> BTreeSet<Mac> {
    let texts: Vec<String> = table.optional("mac").unwrap_or_default();
    let read = |text: String| {
        let mac: Result<Mac, NotMac> = text.parse();
        mac.map_err(|error| table.problem("mac", error.to_string())).ok()
    };
    texts.into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_reads_as_it_was_written() {
        let board = BoardDescription {
            kind: "panda".parse().unwrap(),
            tags: ["hdmi".to_owned(), "wi\"fi".to_owned()].into(),
            mac: ["00:1d:7e:aa:bb:cc".parse().unwrap()].into(),
            identity: Some("A123\u{7f}\u{1}".into()),
            attributes: [("ram".to_owned(), "1GB".to_owned())].into(),
            console: Some("farm1/panda01".into()),
            outlet: Some("unix:/run/a \\b.sock:/outlets/p".into()),
            dictionary: Some("{% extends 'panda.jinja2' %}\n".into()),
            worker: Some("farm1".parse().unwrap()),
            offered: false,
            health_check: Some("job_name: it's \"'''\"\n".into()),
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("panda01.toml"), text(&board)).unwrap();
        assert_eq!(read(dir.path()).unwrap(), [("panda01".parse().unwrap(), board)].into());
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a b.toml"), "type = \"x\"\n").unwrap();
        std::fs::write(dir.path().join("b.toml"), "tpye = \"x\"\n[attributes]\nram = 3\n").unwrap();
        let told = read(dir.path()).unwrap_err().to_string();
        assert!(told.contains("a b.toml:1:1: the file's name: a name consists of"), "{told}");
        assert!(told.contains("b.toml:1:1: \"type\" is missing"), "{told}");
        assert!(told.contains("did you mean \"type\"?"), "{told}");
        assert!(told.contains("b.toml:3:7: attributes.ram: expected a text"), "{told}");
    }
}
