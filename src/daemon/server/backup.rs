//! A backup of a lab in a folder: the database as lines of JSON, the logs of jobs, and the files of images. A second
//! one into the same folder copies only what is new, and removes what is not there any more.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{DirBuilder, DirEntry, File, Metadata};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use super::{database_of, lock};
use crate::config::server::ServerConfig;
use crate::model::{Failure, Kind, Sha256};
use crate::store::{DumpError, Store, Turn};

/// The database.
const LAB: &str = "lab.jsonl";
/// It is written there first.
const PART: &str = "lab.jsonl.part";
/// Whose turn it is with the folder.
const BUSY: &str = ".busy";
/// The folders.
const JOBS: &str = "jobs";
const IMAGES: &str = "images";

/// What a backup has, or what came of one.
#[derive(Debug, Default)]
pub struct Copied {
    /// Rows of the database.
    pub rows: u64,
    /// Files that were copied, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Where the images are that are not in it.
    pub elsewhere: Option<String>,
    /// Images that are not what their names say: they were not copied.
    damaged: BTreeSet<PathBuf>,
}

impl Copied {
    /// # Errors
    /// When images are damaged, which are not in it; all else is.
    fn whole(self) -> Result<Self, Failure> {
        if self.damaged.is_empty() {
            return Ok(self);
        }
        let files: Vec<_> = self.damaged.iter().map(|file| file.display().to_string()).collect();
        let what = format!(
            "{self}; damaged images were not copied, in place of which stays what was there: {}",
            files.join(", ")
        );
        let hint = "lava image put replaces them; a backup from before may have them";
        Err(Failure::new(Kind::Infra, what).hint(hint))
    }
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, files, bytes, elsewhere, .. } = self;
        let megabytes = bytes.div_ceil(1_000_000);
        write!(f, "{rows} rows, and {files} files that were not there so ({megabytes} MB)")?;
        let images = |place: &String| write!(f, "; the images stay in {place}");
        elsewhere.as_ref().map_or(Ok(()), images)
    }
}

/// Backs a lab up into a folder, which is made; a server may have it meanwhile.
///
/// # Errors
/// When there is no database, or something cannot be read or written. The backup that was there before is left then,
/// but for files that have been added to it.
pub async fn backup(config: &ServerConfig, to: &Path) -> Result<Copied, Failure> {
    let failed = |error| at(to, &error);
    DirBuilder::new().recursive(true).mode(0o700).create(to).map_err(failed)?;
    let lock = File::options().write(true).create(true).truncate(false).open(to.join(BUSY));
    let lock = lock.map_err(failed)?;
    if lock.try_lock().is_err() {
        let what = format!("another backup into {} is under way", to.display());
        return Err(Failure::new(Kind::Infra, what));
    }
    let ours = to.join(LAB).exists() || to.join(PART).exists();
    let foreign =
        |entry: &io::Result<DirEntry>| entry.as_ref().is_ok_and(|entry| entry.file_name() != BUSY);
    if !ours && std::fs::read_dir(to).map_err(failed)?.any(|entry| foreign(&entry)) {
        let what = format!("{} has something in it that is no backup of ours", to.display());
        return Err(Failure::new(Kind::User, what).hint("name an empty folder, or a new one"));
    }
    let part = to.join(PART);
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part);
    let mut file = BufWriter::new(file.map_err(|error| at(&part, &error))?);
    let mut copied = Copied::default();
    let mut sources = vec![(to.join(JOBS), config.jobs.clone().within(&config.dir).dir)];
    match config.images().place {
        place if place.contains("://") => copied.elsewhere = Some(place),
        place => sources.push((to.join(IMAGES), place.into())),
    }
    let mut gone = Vec::new();
    for (copy, source) in &sources {
        // A folder that is not mounted must not empty its copy.
        if !is_empty(copy)? && is_empty(source)? {
            let what =
                format!("there is nothing in {}, and its copy has something", source.display());
            let hint = format!("mount it, or remove {}", copy.display());
            return Err(Failure::new(Kind::Infra, what).hint(hint));
        }
        mirror(source, copy, &mut copied)?;
        find_gone(copy, source, &mut gone)?;
    }
    // What the rows name was there before, and stays in the backup if it goes now; or it has come since.
    let dumped = Store::dump(&database_of(config), &mut file).await;
    copied.rows = dumped.map_err(|error| from(&part, error))?;
    for (copy, source) in &sources {
        mirror(source, copy, &mut copied)?;
    }
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&part, to.join(LAB)).map_err(failed)?;
    File::open(to).and_then(|folder| folder.sync_all()).map_err(failed)?;
    // Only now nobody needs what was no more before the rows were read.
    prune(gone)?;
    copied.whole()
}

/// Makes of a backup the lab of a server that has none yet.
///
/// # Errors
/// When the folder has no whole backup, a server runs there, or has a lab already.
pub async fn restore(config: &ServerConfig, of: &Path) -> Result<Copied, Failure> {
    let lab = of.join(LAB);
    let file = File::open(&lab).map_err(|error| {
        at(&lab, &error).hint("name the folder that `lava-server backup` has written")
    })?;
    let _lock = lock(config)?;
    let url = database_of(config);
    let mut hold = match Turn::with(&url).await? {
        Turn::Ours(hold) => hold,
        Turn::Theirs(leader) => {
            let leader = leader.name.unwrap_or_else(|| "another lava-server".into());
            return Err(Failure::new(Kind::Infra, format!("{leader} has the database")));
        }
    };
    // Nothing of a lab that is there is touched.
    let read = Store::is_empty(&url).await;
    read.map_err(|error| from(&lab, error))?;
    let mut copies = vec![(of.join(JOBS), config.jobs.clone().within(&config.dir).dir)];
    let mut elsewhere = None;
    match config.images().place {
        place if place.contains("://") => elsewhere = Some(place),
        place => copies.push((of.join(IMAGES), place.into())),
    }
    let copying = tokio::task::spawn_blocking(move || {
        let mut copied = Copied::default();
        copies.iter().try_for_each(|(copy, source)| mirror(copy, source, &mut copied))?;
        Ok::<_, Failure>(copied)
    });
    let restored = async {
        let copied = copying.await;
        let mut copied = copied.map_err(|error| Failure::new(Kind::Bug, error.to_string()))??;
        // The rows come last: without them the files are nobody's.
        let read = Store::restore(&url, &mut BufReader::new(file)).await;
        copied.rows = read.map_err(|error| from(&lab, error))?;
        Copied { elsewhere, ..copied }.whole()
    };
    tokio::select! {
        restored = restored => restored,
        why = hold.lost() => Err(why.into()),
    }
}

/// Copies what is in a folder and not in the other one, or otherwise there.
fn mirror(from: &Path, to: &Path, copied: &mut Copied) -> Result<(), Failure> {
    let entries = match std::fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(from, &error)),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(to).map_err(|error| at(to, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| at(from, &error))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let meta = match entry.metadata() {
            // What is written just now, and what has just gone.
            _ if entry.file_name().as_encoded_bytes().starts_with(b".") => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found.map_err(|error| at(&source, &error))?,
        };
        if meta.is_dir() {
            mirror(&source, &target, copied)?;
        } else if meta.is_file() && !same(&meta, &target) {
            match copy(&source, &target, &meta) {
                Ok(Some(bytes)) => {
                    (copied.files, copied.bytes) = (copied.files + 1, copied.bytes + bytes);
                }
                Ok(None) => drop(copied.damaged.insert(source)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !source.exists() => {}
                Err(error) => return Err(at(&target, &error)),
            }
        }
    }
    Ok(())
}

/// Finds what is in a backup and not any more where it came from: each with that place.
fn find_gone(
    backup: &Path,
    source: &Path,
    gone: &mut Vec<(PathBuf, PathBuf)>,
) -> Result<(), Failure> {
    for entry in std::fs::read_dir(backup).into_iter().flatten().flatten() {
        let (path, source) = (entry.path(), source.join(entry.file_name()));
        if !source.try_exists().map_err(|error| at(&source, &error))? {
            gone.push((path, source));
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find_gone(&path, &source, gone)?;
        }
    }
    Ok(())
}

/// Removes from a backup what was found so, unless it has come again.
fn prune(gone: Vec<(PathBuf, PathBuf)>) -> Result<(), Failure> {
    for (path, source) in gone {
        if source.try_exists().map_err(|error| at(&source, &error))? {
            continue;
        }
        let removed = match path.is_dir() {
            true => std::fs::remove_dir_all(&path),
            false => std::fs::remove_file(&path),
        };
        removed.map_err(|error| at(&path, &error))?;
    }
    Ok(())
}

/// Whether there is nothing in a folder, or no folder.
fn is_empty(folder: &Path) -> Result<bool, Failure> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(at(folder, &error)),
    }
}

/// Whether a copy is of the file as it is now.
fn same(meta: &Metadata, copy: &Path) -> bool {
    let times = |it: &Metadata| (it.len(), it.modified().ok());
    copy.metadata().is_ok_and(|copy| times(&copy) == times(meta))
}

/// Copies a file, which is there whole or not at all: how many bytes. An image whose name is another hash than its own
/// is not copied.
fn copy(source: &Path, target: &Path, meta: &Metadata) -> io::Result<Option<u64>> {
    let mut part = target.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    let (bytes, hash) = copy_hashed(&mut File::open(source)?, &mut file)?;
    let called = source.file_name().and_then(|name| name.to_str()?.parse::<Sha256>().ok());
    if called.is_some_and(|called| called != hash) {
        std::fs::remove_file(&part)?;
        return Ok(None);
    }
    file.set_modified(meta.modified()?)?;
    file.sync_data()?;
    std::fs::rename(&part, target)?;
    Ok(Some(bytes))
}

fn copy_hashed(from: &mut File, to: &mut File) -> io::Result<(u64, Sha256)> {
    let (mut hash, mut bytes, mut buffer) = (sha2::Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, Sha256::of(&hash.finalize().into()))),
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(read);
        to.write_all(read)?;
        bytes += read.len() as u64;
    }
}

fn at(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Infra, format!("{}: {error}", path.display()))
}

fn from(file: &Path, error: DumpError) -> Failure {
    match error {
        DumpError::Store(error) => error.into(),
        error @ DumpError::None(_) => Failure::new(Kind::User, error.to_string()),
        error @ DumpError::NotEmpty { .. } => Failure::new(Kind::Config, error.to_string()),
        DumpError::Io(error) => at(file, &error),
        error @ DumpError::Line { .. } => {
            Failure::new(Kind::User, format!("{}: {error}", file.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_while_the_rows_are_read_stays_in_the_backup() {
        let dir = tempfile::tempdir().unwrap();
        let (source, copy) = (dir.path().join("source"), dir.path().join("copy"));
        let name = |folder: &Path, name: &str| folder.join("ab").join(name);
        for folder in [&source, &copy] {
            std::fs::create_dir_all(folder.join("ab")).unwrap();
            for file in ["gone", "goes", "comes again", "stays"] {
                std::fs::write(name(folder, file), "x").unwrap();
            }
        }
        for file in ["gone", "comes again"] {
            std::fs::remove_file(name(&source, file)).unwrap();
        }
        let mut gone = Vec::new();
        find_gone(&copy, &source, &mut gone).unwrap();
        // The rows that are read now may name it.
        std::fs::remove_file(name(&source, "goes")).unwrap();
        std::fs::write(name(&source, "comes again"), "x").unwrap();
        prune(gone).unwrap();
        let there = ["gone", "goes", "comes again", "stays"].map(|file| name(&copy, file).exists());
        assert_eq!(there, [false, true, true, true]);
    }
}
