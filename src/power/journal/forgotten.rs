//! Boards that a cycle has left off, and that nobody knows any more.

use std::path::Path;

use super::{Chronicle, lock_file, read};
use crate::model::{Name, PowerRecord, Verb};

/// The boards of a folder's journals that are not `known` here, and whose cycle is not over: nobody
/// sees to them, unless another process has them.
pub(in crate::power) fn forgotten(
    folder: &Path,
    known: impl Fn(&Name) -> bool,
) -> Vec<(Name, PowerRecord)> {
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let cycle = |path: &Path| {
        let board: Name = path.file_name()?.to_str()?.strip_suffix(".journal")?.parse().ok()?;
        if known(&board) {
            return None;
        }
        let pending = Chronicle::read(&read(path).ok()?).pending()?.clone();
        // It is locked while somebody sees to it.
        (pending.verb == Verb::Cycle && lock_file(path).is_ok()).then_some((board, pending))
    };
    paths.filter_map(|path| cycle(&path)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::Asked;
    use super::super::{Journal, PowerResult};
    use super::*;

    #[test]
    fn a_board_that_was_left_off_under_another_name_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let open =
            |board: &str| Journal::open(dir.path(), &board.parse().unwrap(), Default::default());
        open("a").begin(Verb::Cycle, &Asked::by("alice"), false);
        open("b").begin(Verb::On, &Asked::by("alice"), false);
        let ended = open("c");
        let begun = ended.begin(Verb::Cycle, &Asked::by("alice"), false);
        ended.end(begun, PowerResult::Verified, None, None);
        let served = open("d");
        served.begin(Verb::Cycle, &Asked::by("alice"), false);
        open("e").begin(Verb::Cycle, &Asked::by("alice"), false);
        let found = forgotten(dir.path(), |board| board.as_str() == "e");
        let names: Vec<&str> = found.iter().map(|(board, _)| board.as_str()).collect();
        assert_eq!(names, ["a"]);
    }
}
