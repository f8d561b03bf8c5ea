//! `[capture]`: where consoles are recorded, and how much of them is kept.

use std::path::PathBuf;
use std::time::Duration;

use super::{Size, Table};

/// The smallest segment, in bytes: below it there would be more files than bytes.
const MIN_SEGMENT: u64 = 64 * 1024;

/// Where captures are, and how much of them is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureOptions {
    /// The folder that holds a folder per console.
    pub dir: PathBuf,
    /// A segment is closed when it has this many bytes.
    pub segment: u64,
    /// The oldest segments of a console are deleted when its files hold more bytes than this.
    pub keep: u64,
    /// Segments whose last byte is older than this are deleted. A console that prints little has its
    /// open segment closed after an eighth of it, so that it is forgotten, too.
    pub keep_age: Option<Duration>,
}

/// How much of one console is kept, where it differs from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Retention {
    keep: Option<u64>,
    keep_age: Option<Duration>,
}

impl CaptureOptions {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), segment: 64 << 20, keep: 4 << 30, keep_age: None }
    }

    /// Takes over what a `[capture]` table says.
    pub(super) fn read(&mut self, table: &Table<'_>) {
        if let Some(dir) = table.optional("dir") {
            self.dir = dir;
        }
        if let Some(Size(segment)) = table.optional("segment") {
            self.segment = segment;
            if segment < MIN_SEGMENT {
                table.problem("segment", format!("a segment has at least {MIN_SEGMENT} bytes"));
            }
        }
        if let Some(Size(keep)) = table.optional("keep") {
            self.keep = keep;
        }
        self.keep_age = table.optional("keep_age").or(self.keep_age);
    }

    /// The same with what a `[[console]]` says of itself.
    pub(super) fn with(&self, own: &Retention) -> Self {
        let keep = own.keep.unwrap_or(self.keep);
        Self {
            dir: self.dir.clone(),
            // What is open is not deleted: it may be no more than a part of what is kept.
            segment: self.segment.min((keep / 4).max(MIN_SEGMENT)),
            keep,
            keep_age: own.keep_age.or(self.keep_age),
        }
    }
}

impl Retention {
    /// Reads what a `[[console]]` table says.
    pub(super) fn from_table(table: &Table<'_>) -> Self {
        let keep = table.optional("keep").map(|Size(keep)| keep);
        Self { keep, keep_age: table.optional("keep_age") }
    }
}

/// Where captures are when nothing says so: `$STATE_DIRECTORY/captures` under systemd,
/// `/var/lib/lava/captures` for root, else in the user's state folder.
pub fn default_capture_dir() -> PathBuf {
    state_dir().join("captures")
}

/// What outlives a daemon is in this folder.
pub fn state_dir() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("STATE_DIRECTORY").unwrap_or_else(|| {
        if rustix::process::getuid().is_root() {
            return "/var/lib/lava".into();
        }
        let home = || set("HOME").map(|home| home.join(".local/state"));
        set("XDG_STATE_HOME").or_else(home).unwrap_or_else(std::env::temp_dir).join("lava")
    })
}
