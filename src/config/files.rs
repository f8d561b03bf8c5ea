//! Finding and reading the files that `--config` names.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{At, Node, Place, Problem, Problems, toml};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Reads every TOML file that `paths` name: a file itself, and of a folder all `*.toml` in the order
/// of their names. Files that cannot be read or parsed are noted in `problems`.
pub fn read_all(paths: &[PathBuf], problems: &Problems) -> Vec<(String, Node)> {
    let mut documents = Vec::new();
    for file in paths.iter().flat_map(|path| files_of(path, problems)) {
        let label = file.display().to_string();
        match read_text(&file) {
            Ok(text) => {
                let node = toml::parse(&text, &At::top(&label, problems));
                documents.extend(node.map(|node| (label, node)));
            }
            Err(message) => problems.add(problem(&file, message)),
        }
    }
    documents
}

/// Reads a file of at most [`MAX_FILE`] bytes of text.
///
/// # Errors
/// Why that is not possible, without the path.
pub fn read_text(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("has more than {} MiB, which is no configuration", MAX_FILE >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("is no text: line {line} has a byte that is not UTF-8")
    })
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
            problems.add(problem(path, format!("cannot be read: {error}")));
            Vec::new()
        }
    }
}

fn problem(path: &Path, message: String) -> Problem {
    let file = path.display().to_string();
    Problem { file, place: Place::default(), path: String::new(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_configuration_is_not_read_for_ever() {
        let endless = read_text(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(endless, "has more than 16 MiB, which is no configuration");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"a = 1\nb = \xff\n").unwrap();
        let binary = read_text(file.path()).unwrap_err();
        assert_eq!(binary, "is no text: line 2 has a byte that is not UTF-8");
        assert!(read_text(Path::new("/nonexistent")).unwrap_err().starts_with("cannot be read:"));
    }
}
