//! Telling when devices come, go, or change their permissions.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use inotify::{EventMask, EventOwned, EventStream, Inotify, WatchDescriptor, WatchMask};

use super::Roots;

/// The bytes of events that are read at a time.
const BUFFER: usize = 4096;
/// How often to look where the system cannot tell.
const POLL: Duration = Duration::from_secs(2);
/// How many links of a path are followed.
const MAX_LINKS: usize = 8;

/// Watches `/dev`, `/dev/serial`, and wherever else the devices of consoles are.
#[derive(Debug)]
pub struct Watch {
    roots: Roots,
    /// Paths of devices that matter beside those of `/dev`.
    paths: Vec<PathBuf>,
    inotify: Option<EventStream<Vec<u8>>>,
    watched: BTreeMap<WatchDescriptor, Folder>,
}

/// A folder that is watched, and what matters in it.
#[derive(Debug, Default, PartialEq)]
struct Folder {
    /// Any device there is: their names begin with "tty", or it has nothing else.
    every: Option<&'static str>,
    names: BTreeSet<OsString>,
}

impl Watch {
    /// Where the system cannot watch, [`Self::changed`] tells from time to time that something may
    /// have changed.
    pub fn new(roots: Roots) -> Self {
        let inotify = Inotify::init().and_then(|it| it.into_event_stream(vec![0; BUFFER]));
        let inotify = inotify
            .inspect_err(|error| {
                let limit = "fs.inotify.max_user_instances";
                tracing::warn!(%error, "devices cannot be watched ({limit}?); they are polled");
            })
            .ok();
        let mut watch = Self { roots, paths: Vec::new(), inotify, watched: BTreeMap::new() };
        watch.arm();
        watch
    }

    /// From now on the devices of these paths are watched, in addition to all of `/dev`.
    pub fn set_paths(&mut self, paths: Vec<PathBuf>) {
        if paths != self.paths {
            self.paths = paths;
            self.arm();
        }
    }

    /// Waits until a device has come, gone or changed; what has happened before the call counts.
    /// Cancel safe.
    pub async fn changed(&mut self) {
        loop {
            let Some(inotify) = &mut self.inotify else {
                return tokio::time::sleep(POLL).await;
            };
            let mut matters = match inotify.next().await {
                Some(event) => matters(&self.watched, event),
                None => return std::future::pending().await,
            };
            // What happens at once is told at once.
            while let Some(Some(event)) = inotify.next().now_or_never() {
                matters |= self::matters(&self.watched, event);
            }
            if matters {
                self.arm();
                return;
            }
        }
    }

    /// Watches what is there to be watched now.
    fn arm(&mut self) {
        let mut folders = self.folders();
        loop {
            self.watch(&folders);
            // What came before its folder was watched has told nobody.
            let now = self.folders();
            if now == folders {
                return;
            }
            folders = now;
        }
    }

    /// The folders that matter now, and what in them does.
    fn folders(&self) -> BTreeMap<PathBuf, Folder> {
        let mut folders: BTreeMap<PathBuf, Folder> = BTreeMap::new();
        let serial = self.roots.dev.join("serial");
        for (dir, every) in [
            (self.roots.dev.clone(), Some("tty")),
            (serial.join("by-id"), Some("")),
            (serial.join("by-path"), Some("")),
            (serial.clone(), Some("by-")),
        ] {
            folders.insert(dir, Folder { every, names: BTreeSet::new() });
        }
        for path in self.paths.iter().chain([&serial]) {
            for (dir, name) in points(path) {
                folders.entry(dir).or_default().names.insert(name);
            }
        }
        folders
    }

    fn watch(&mut self, folders: &BTreeMap<PathBuf, Folder>) {
        let Some(inotify) = &self.inotify else { return };
        let mask = WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::ATTRIB
            | WatchMask::ONLYDIR;
        let before = std::mem::take(&mut self.watched);
        let mut watches = inotify.watches();
        for (dir, folder) in folders {
            // One that is not there is seen coming from the one above it.
            if let Ok(watch) = watches.add(dir, mask) {
                let all = self.watched.entry(watch).or_default();
                all.every = all.every.or(folder.every);
                all.names.extend(folder.names.iter().cloned());
            }
        }
        for gone in before.into_keys().filter(|watch| !self.watched.contains_key(watch)) {
            // It may be gone with its folder.
            let _ = watches.remove(gone);
        }
    }
}

/// Whether an event is about a device that matters, or may be.
fn matters(watched: &BTreeMap<WatchDescriptor, Folder>, event: io::Result<EventOwned>) -> bool {
    let Ok(event) = event else { return true };
    if event.mask.contains(EventMask::Q_OVERFLOW) {
        return true;
    }
    let Some(folder) = watched.get(&event.wd) else { return false };
    match &event.name {
        Some(name) => folder.matters(name),
        // The folder itself: it may be gone.
        None => !event.mask.contains(EventMask::ATTRIB),
    }
}

impl Folder {
    fn matters(&self, name: &OsStr) -> bool {
        let begins = |begin: &str| name.as_encoded_bytes().starts_with(begin.as_bytes());
        self.every.is_some_and(begins) || self.names.contains(name)
    }
}

/// Where to watch for a path: the deepest folder on the way that is there, and the name in it; the
/// same for what it links to.
fn points(path: &Path) -> Vec<(PathBuf, OsString)> {
    let mut points = Vec::new();
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let mut below = path.as_path();
        while let (Some(dir), Some(name)) = (below.parent(), below.file_name()) {
            if dir.is_dir() {
                points.push((dir.to_owned(), name.to_owned()));
                break;
            }
            below = dir;
        }
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folders that come one within the other, faster than one is watched after the other.
    #[tokio::test]
    async fn a_folder_that_comes_while_the_one_above_it_is_looked_at_is_watched() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots { sys: dir.path().join("sys"), dev: dir.path().join("dev") };
        std::fs::create_dir(&roots.dev).unwrap();
        let mut watch = Watch::new(roots);
        for round in 0..100 {
            let folder = dir.path().join(format!("{round}/a/b/c/d/e/f/g"));
            watch.set_paths(vec![folder.join("tty")]);
            let made = folder.clone();
            let maker = std::thread::spawn(move || std::fs::create_dir_all(made).unwrap());
            let told = async {
                while !watch.watched.values().any(|it| it.names.contains(OsStr::new("tty"))) {
                    watch.changed().await;
                }
            };
            let limit = Duration::from_secs(20);
            tokio::time::timeout(limit, told).await.unwrap_or_else(|_| panic!("round {round}"));
            maker.join().unwrap();
        }
    }
}
