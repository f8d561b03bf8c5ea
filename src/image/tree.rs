//! A folder of this host as the entries of an archive or a file system image.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use super::cpio;

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
                let executable = File::open(source)?.metadata()?.permissions().mode() & 0o111 != 0;
                archive.file(path, executable, &std::fs::read(source)?)?;
            }
            Entry::Link { path, target } => archive.link(path, target)?,
        }
    }
    archive.finish()
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
    fn no_path_leads_out_of_the_folder() {
        assert_eq!(inside(Path::new("/t"), "/lib/../x"), None);
        assert_eq!(inside(Path::new("/t"), "/lib/./x"), Some("/t/lib/x".into()));
    }
}
