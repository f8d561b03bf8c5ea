//! What was downloaded before, by its content: a file is kept once, whatever its URL is.
//!
//! ```text
//! sha256-HEX      a file, named by its hash
//! url-HEX         what a URL gave last: hash, ETag and Last-Modified, a line each; HEX is of the URL
//! ```
//! Everything gets its name by a rename when it is whole, so that several jobs can share a folder.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

/// The most that a cache holds, in bytes: what was not used for the longest time goes first.
const MAX_SIZE: u64 = 20 * 1024 * 1024 * 1024;
/// The largest note of a URL that is read, in bytes.
const MAX_NOTE: usize = 4096;
const FILE: &str = "sha256-";
const NOTE: &str = "url-";

/// A folder of downloaded files.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
    limit: u64,
}

/// What a URL gave last, and how to ask whether it still does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Known {
    pub(super) sha256: String,
    pub(super) etag: Option<String>,
    pub(super) modified: Option<String>,
}

impl Cache {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, limit: MAX_SIZE }
    }

    /// The file with this hash, if it is here. It counts as used.
    pub(super) fn file(&self, sha256: &str) -> Option<PathBuf> {
        let path = self.folder.join(format!("{FILE}{sha256}"));
        let file = fs::File::open(&path).ok()?;
        // Where this is not allowed, the file only looks older than it is.
        let _ = file.set_modified(SystemTime::now());
        Some(path)
    }

    /// What a URL gave last, if its file is still here.
    pub(super) fn known(&self, url: &str) -> Option<Known> {
        let (sha256, known) = Known::read(&self.note(url))?;
        self.file(&sha256).filter(|_| is_hash(&sha256))?;
        Some(Known { sha256, ..known })
    }

    /// Keeps a copy of a file that a URL gave.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn keep(&self, url: &str, known: &Known, file: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let size = fs::metadata(file)?.len();
        if size > self.limit || !is_hash(&known.sha256) {
            return Ok(());
        }
        if self.file(&known.sha256).is_none() {
            self.make_room(size)?;
            let begun = self.begun(&known.sha256);
            let kept = fs::copy(file, &begun).and_then(|_| {
                // A name is for ever: it must not be on the disk before what it names is.
                fs::File::open(&begun)?.sync_all()?;
                fs::rename(&begun, self.folder.join(format!("{FILE}{}", known.sha256)))
            });
            if kept.is_err() {
                let _ = fs::remove_file(&begun);
            }
            kept?;
        }
        let begun = self.begun(&hex(&Sha256::digest(url)));
        fs::write(&begun, known.lines(&known.sha256))?;
        fs::rename(&begun, self.note(url))
    }

    /// A file's name until it is whole.
    fn begun(&self, of: &str) -> PathBuf {
        self.folder.join(format!("begun-{}-{of}", std::process::id()))
    }

    fn note(&self, url: &str) -> PathBuf {
        self.folder.join(format!("{NOTE}{}", hex(&Sha256::digest(url))))
    }

    /// Removes what was not used for the longest time, until there is room.
    fn make_room(&self, size: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(FILE)) {
                let about = entry.metadata()?;
                files.push((about.modified()?, about.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, length, path) in files {
            if total.saturating_add(size) <= self.limit {
                break;
            }
            // Another job may have removed it.
            let _ = fs::remove_file(path);
            total -= length;
        }
        Ok(())
    }
}

impl Known {
    /// Notes beside a file that is not whole yet of what it is, so that another try can go on with it.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn leave(&self, note: &Path, url: &str) -> io::Result<()> {
        match self.etag.is_some() || self.modified.is_some() {
            true => fs::write(note, self.lines(url)),
            false => fs::remove_file(note).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
        }
    }

    /// What such a note says of a file from this URL.
    pub(super) fn left(note: &Path, url: &str) -> Option<Self> {
        Self::read(note).filter(|(of, _)| of == url).map(|(_, known)| known)
    }

    fn lines(&self, first: &str) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [first, &text(&self.etag), &text(&self.modified)].join("\n")
    }

    fn read(note: &Path) -> Option<(String, Self)> {
        let text = fs::read_to_string(note).ok().filter(|text| text.len() <= MAX_NOTE)?;
        let mut lines = text.lines().map(ToOwned::to_owned);
        let first = lines.next()?;
        let mut filled = || lines.next().filter(|line| !line.is_empty());
        let (etag, modified) = (filled(), filled());
        Some((first, Self { etag, modified, ..Self::default() }))
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(cache: &Cache, dir: &Path, url: &str, text: &str) -> Known {
        let file = dir.join("file");
        fs::write(&file, text).unwrap();
        let sha256 = hex(&Sha256::digest(text));
        let known = Known { sha256, etag: Some("\"1\"".into()), modified: None };
        cache.keep(url, &known, &file).unwrap();
        known
    }

    #[test]
    fn a_file_is_kept_once_and_found_by_its_hash_and_its_urls() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"));
        let known = kept(&cache, dir.path(), "http://a/", "one");
        assert_eq!(kept(&cache, dir.path(), "http://b/", "one"), known);
        assert_eq!(cache.known("http://b/"), Some(known.clone()));
        assert_eq!(fs::read_to_string(cache.file(&known.sha256).unwrap()).unwrap(), "one");
        let names = fs::read_dir(dir.path().join("cache")).unwrap().count();
        assert_eq!(names, 3, "a file and two notes");
        fs::remove_file(cache.file(&known.sha256).unwrap()).unwrap();
        assert_eq!(cache.known("http://a/"), None);
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache { limit: 10, ..Cache::new(dir.path().join("cache")) };
        let [old, new] = ["1234", "5678"].map(|text| kept(&cache, dir.path(), text, text));
        let past = SystemTime::UNIX_EPOCH;
        let file = fs::File::open(cache.file(&old.sha256).unwrap()).unwrap();
        file.set_modified(past).unwrap();
        let third = kept(&cache, dir.path(), "third", "9abc");
        assert!(cache.file(&old.sha256).is_none());
        assert!(cache.file(&new.sha256).is_some() && cache.file(&third.sha256).is_some());
    }
}
