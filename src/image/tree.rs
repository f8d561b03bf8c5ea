//! A folder of this host as the entries of an archive or a file system image.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use super::cpio;

/// So many links are followed for one path, as the kernel does.
const MAX_LINKS: usize = 40;

/// One thing in an archive or a file system, by its path there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder; one that is there already is taken as it is.
    Folder(String),
    /// A file of this host, with its permissions, as root's.
    File {
        path: String,
        source: PathBuf,
    },
    Link {
        path: String,
        target: String,
    },
}

impl Entry {
    fn path(&self) -> &str {
        match self {
            Self::Folder(path) | Self::File { path, .. } | Self::Link { path, .. } => path,
        }
    }
}

/// What is in a folder, each folder before what is in it, in the order of the names. Devices, sockets
/// and the like are left out.
///
/// # Errors
/// What reading says, or a name that is not UTF-8.
pub fn entries(root: &Path) -> io::Result<Vec<Entry>> {
    let mut all = Vec::new();
    below(root, "", &mut all)?;
    Ok(all)
}

fn below(folder: &Path, at: &str, all: &mut Vec<Entry>) -> io::Result<()> {
    let mut found = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    found.sort_by_key(std::fs::DirEntry::file_name);
    for entry in found {
        let text = |name: PathBuf| {
            let told = format!("{}: the name is not UTF-8", name.display());
            let text = name.into_os_string().into_string();
            text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, told))
        };
        let path = format!("{at}/{}", text(entry.file_name().into())?);
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            all.push(Entry::Link { path, target: text(std::fs::read_link(entry.path())?)? });
        } else if kind.is_dir() {
            all.push(Entry::Folder(path.clone()));
            below(&entry.path(), &path, all)?;
        } else if kind.is_file() {
            all.push(Entry::File { path, source: entry.path() });
        }
    }
    Ok(())
}

/// What is in several folders, as if all of it were in one: of two things at one path the later one is there.
///
/// # Errors
/// As [`entries`].
pub fn merged(roots: &[PathBuf]) -> io::Result<Vec<Entry>> {
    let mut all = Vec::new();
    for root in roots {
        all.extend(entries(root)?);
    }
    let mut later = BTreeSet::new();
    let mut kept: Vec<Entry> = Vec::new();
    for entry in all.into_iter().rev() {
        // A folder stands before what is in it, wherever that comes from.
        if matches!(entry, Entry::Folder(_)) || later.insert(entry.path().to_owned()) {
            kept.push(entry);
        }
    }
    let mut folders = BTreeSet::new();
    kept.reverse();
    kept.retain(|entry| !matches!(entry, Entry::Folder(path) if !folders.insert(path.clone())));
    Ok(kept)
}

/// Writes entries as a cpio archive.
///
/// # Errors
/// What reading or writing says.
pub fn write_cpio<W: Write>(entries: &[Entry], out: W) -> io::Result<W> {
    let mut archive = cpio::Writer::new(out);
    for entry in entries {
        match entry {
            Entry::Folder(path) => archive.directory(path)?,
            Entry::File { path, source } => {
                let file = File::open(source)?;
                let known = file.metadata()?;
                let executable = known.permissions().mode() & 0o111 != 0;
                archive.file_from(path, executable, known.len(), file)?;
            }
            Entry::Link { path, target } => archive.link(path, target)?,
        }
    }
    archive.finish()
}

/// The entries with the links of the system that they go into followed, one after the other, where `target`
/// tells where the link at a path leads: a folder that is a link there is left out, and what is in it goes to
/// where the link leads. What would lead in a circle is left out.
pub fn through_links(entries: Vec<Entry>, target: &dyn Fn(&str) -> Option<String>) -> Vec<Entry> {
    let led = |path: &str| lead(path, target);
    let through = entries.into_iter().filter_map(|entry| match entry {
        Entry::Folder(path) => led(&path).map(Entry::Folder),
        Entry::File { path, source } => led(&path).map(|path| Entry::File { path, source }),
        Entry::Link { path, target } => led(&path).map(|path| Entry::Link { path, target }),
    });
    let is_link = |entry: &Entry| matches!(entry, Entry::Folder(path) if target(path).is_some());
    through.filter(|entry| !is_link(entry)).collect()
}

/// The path of something in a folder, where folders above it may be links.
fn lead(path: &str, target: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut links = 0;
    let mut led = String::new();
    // The parts that are still to be gone through, the next one last.
    let mut parts: Vec<String> = folder.rsplit('/').map(ToOwned::to_owned).collect();
    while let Some(part) = parts.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                led.truncate(led.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = format!("{led}/{part}");
        let Some(target) = target(&next) else {
            led = next;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return None;
        }
        if target.starts_with('/') {
            led.clear();
        }
        parts.extend(target.rsplit('/').map(ToOwned::to_owned));
    }
    Some(format!("{led}/{name}"))
}

/// Puts entries into a system that is a folder of this host, in place of what is there. Links are followed as
/// that system would follow them, so that none leads out of the folder.
///
/// # Errors
/// What the system says.
pub fn put(root: &Path, entries: Vec<Entry>) -> io::Result<()> {
    let place = |path: &str| {
        let outside = || io::Error::new(io::ErrorKind::InvalidInput, path.to_owned());
        inside(root, path).ok_or_else(outside)
    };
    let target = |path: &str| {
        let target = std::fs::read_link(inside(root, path)?).ok()?;
        target.into_os_string().into_string().ok()
    };
    for entry in through_links(entries, &target) {
        match entry {
            Entry::Folder(path) => std::fs::create_dir_all(place(&path)?)?,
            Entry::File { path, source } => {
                let to = place(&path)?;
                clear(&to)?;
                std::fs::copy(source, to)?;
            }
            Entry::Link { path, target } => {
                let to = place(&path)?;
                clear(&to)?;
                std::os::unix::fs::symlink(target, to)?;
            }
        }
    }
    Ok(())
}

/// Removes a file or a link, so that nothing is written through it.
fn clear(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A path of a board below a folder of this host; `None` when it would lead out of it.
pub fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let mut inside = root.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_from_the_outside_to_the_inside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        std::fs::write(dir.path().join("b/f"), "1").unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("a")).unwrap();
        let found = entries(dir.path()).unwrap();
        assert_eq!(
            found,
            [
                Entry::Link { path: "/a".into(), target: "/etc".into() },
                Entry::Folder("/b".into()),
                Entry::File { path: "/b/f".into(), source: dir.path().join("b/f") },
            ]
        );
        let archive = write_cpio(&found, Vec::new()).unwrap();
        assert!(String::from_utf8_lossy(&archive).contains("b/f\0"));
    }

    #[test]
    fn a_file_that_no_archive_can_hold_is_refused_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        File::create(dir.path().join("sparse")).unwrap().set_len(1 << 40).unwrap();
        let error = write_cpio(&entries(dir.path()).unwrap(), io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn of_two_things_at_one_path_the_later_one_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        for root in [&a, &b] {
            std::fs::create_dir_all(root.join("etc")).unwrap();
            std::fs::write(root.join("etc/f"), "x").unwrap();
        }
        std::fs::write(a.join("etc/g"), "x").unwrap();
        let file = |root: &Path, path: &str| Entry::File {
            path: format!("/{path}"),
            source: root.join(path),
        };
        let merged = merged(&[a.clone(), b.clone()]).unwrap();
        assert_eq!(merged, [Entry::Folder("/etc".into()), file(&a, "etc/g"), file(&b, "etc/f")]);
    }

    #[test]
    fn what_goes_into_a_folder_that_is_a_link_goes_to_where_it_leads() {
        let links = [("/lib", "usr/lib"), ("/usr/lib/x", "../y"), ("/a", "b"), ("/b", "/a")];
        let target = |path: &str| {
            let link = links.iter().find(|(link, _)| *link == path);
            link.map(|(_, target)| (*target).to_owned())
        };
        let (folder, file) = (
            |path: &str| Entry::Folder(path.into()),
            |path: &str| Entry::File { path: path.into(), source: "s".into() },
        );
        let entries = [folder("/lib"), folder("/lib/modules"), file("/lib/modules/m.ko")];
        let more = [folder("/lib/x"), file("/lib/x/f"), file("/top"), file("/a/lost")];
        let led = through_links([&entries[..], &more].concat(), &target);
        let modules = [folder("/usr/lib/modules"), file("/usr/lib/modules/m.ko")];
        assert_eq!(led, [&modules[..], &[file("/usr/y/f"), file("/top")]].concat());
    }

    #[test]
    fn nothing_is_put_outside_of_the_folder_whatever_links_are_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let (root, host, source) =
            (dir.path().join("r"), dir.path().join("h"), dir.path().join("s"));
        for folder in [&root, &host, &root.join("real")] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(&source, "new").unwrap();
        std::fs::write(host.join("f"), "old").unwrap();
        let link = |target: &Path, at: &str| {
            std::os::unix::fs::symlink(target, root.join(at)).unwrap();
        };
        link(&host, "out");
        link(Path::new("../h"), "up");
        link(&host.join("f"), "file");
        link(Path::new("/real"), "in");
        let file = |path: &str| Entry::File { path: path.into(), source: source.clone() };
        put(&root, vec![file("/in/f"), file("/file")]).unwrap();
        let _ = put(&root, vec![file("/out/f")]);
        let _ = put(&root, vec![file("/up/f")]);
        assert_eq!(std::fs::read_to_string(host.join("f")).unwrap(), "old");
        assert_eq!(std::fs::read_to_string(root.join("real/f")).unwrap(), "new");
        assert_eq!(std::fs::read_to_string(root.join("file")).unwrap(), "new");
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        assert_eq!(inside(Path::new("/t"), "/lib/../x"), None);
        assert_eq!(inside(Path::new("/t"), "/lib/./x"), Some("/t/lib/x".into()));
    }
}
