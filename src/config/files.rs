//! Finding and reading the files that `--config` names.

use std::path::{Path, PathBuf};

use super::{At, Node, Place, Problem, Problems, toml};

/// Reads every TOML file that `paths` name: a file itself, and of a folder all `*.toml` in the order
/// of their names. Files that cannot be read or parsed are noted in `problems`.
pub fn read_all(paths: &[PathBuf], problems: &Problems) -> Vec<(String, Node)> {
    let mut documents = Vec::new();
    for file in paths.iter().flat_map(|path| files_of(path, problems)) {
        let label = file.display().to_string();
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                let node = toml::parse(&text, &At::top(&label, problems));
                documents.extend(node.map(|node| (label, node)));
            }
            Err(error) => problems.add(unreadable(&file, &error)),
        }
    }
    documents
}

fn files_of(path: &Path, problems: &Problems) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let found = std::fs::read_dir(path).and_then(|entries| {
        let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
        paths
    });
    match found {
        Ok(mut files) => {
            files.retain(|file| file.extension().is_some_and(|ext| ext == "toml"));
            files.sort();
            if files.is_empty() {
                problems.add(problem(path, "there is no *.toml file in this folder".into()));
            }
            files
        }
        Err(error) => {
            problems.add(unreadable(path, &error));
            Vec::new()
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    problem(path, format!("cannot be read: {error}"))
}

fn problem(path: &Path, message: String) -> Problem {
    let file = path.display().to_string();
    Problem { file, place: Place::default(), path: String::new(), message }
}
