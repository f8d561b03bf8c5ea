//! File systems of the ext family in plain files, without root and without mounting: e2fsprogs works on
//! the file itself.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::tree::Entry;
use crate::sys::{Program, Reach, confined};

/// The programs of e2fsprogs that are used here, as Debian's package `e2fsprogs` has them.
pub const PROGRAMS: [&str; 2] = ["mke2fs", "debugfs"];
/// Where they are, which is not in everybody's path.
const SBIN: &str = "/usr/sbin:/sbin";
/// What debugfs prints when all is well: its version.
const BANNER: &str = "debugfs ";
/// Its messages that are kept, in bytes.
const MAX_COMPLAINT: usize = 1024;
/// So much is looked at of the beginning of what it says, and of its end, in bytes: a line or two for each entry
/// that was not there before.
const MAX_SAID: usize = 16 << 20;
const SECTOR: u64 = 512;
/// More entries no table of partitions has: the usual is 128.
const MAX_ENTRIES: u64 = 1024;
/// Nor larger ones, in bytes.
const MAX_ENTRY: u64 = 4096;

/// Why a file system could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ExtError {
    #[error("cannot run {program} (Debian: e2fsprogs): {error}")]
    Program { program: &'static str, error: std::io::Error },
    #[error("{}: {said}", path.display())]
    Said { path: PathBuf, said: String },
    #[error("{}: the overlay does not fit into the file system, which is full", .0.display())]
    Full(PathBuf),
    #[error("{path:?} cannot be a path in a file system image")]
    Path { path: String },
    #[error("{}: there is no partition {index}; the first is 0", path.display())]
    Partition { path: PathBuf, index: u32 },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: std::io::Error },
}

/// Makes an empty ext2 file system of `size` bytes with a UUID of the caller's in a new file.
///
/// # Errors
/// What the program says.
pub async fn make(path: &Path, size: u64, uuid: &str) -> Result<(), ExtError> {
    let on_file = |error| ExtError::File { path: path.to_owned(), error };
    File::create(path).and_then(|file| file.set_len(size)).map_err(on_file)?;
    let mut command = program("mke2fs", path);
    // Few inodes for a few scripts: tables of them are what takes time.
    command.args(["-q", "-F", "-t", "ext2", "-i", "65536", "-L", "LAVA", "-U", uuid]).arg(path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |error| ExtError::Program { program: "mke2fs", error };
    let ended = Program::spawn(command).map_err(failed)?.ended().await.map_err(failed)?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(ExtError::Said { path: path.to_owned(), said: complaint(&ended.errors) }),
    }
}

/// Puts entries into the file system in a file, or in one of its partitions: those that there are, counted from 0
/// as LAVA does. A file or link that is there already is replaced.
///
/// # Errors
/// What the program says, or that there is no room.
pub async fn add(path: &Path, partition: Option<u32>, entries: &[Entry]) -> Result<(), ExtError> {
    let script = script(entries)?;
    let mut image = path.as_os_str().to_owned();
    if let Some(index) = partition {
        let begin = partition_begin(path, index)?;
        image.push(format!("?offset={begin}"));
    }
    let failed = |error| ExtError::Program { program: "debugfs", error };
    let mut command = program("debugfs", path);
    command.args(["-w", "-f", "-"]).arg(image);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut debugfs = Program::spawn(command).map_err(failed)?.keeping(MAX_SAID);
    let mut stdin = debugfs.input();
    let feed = async move {
        if let Some(stdin) = &mut stdin {
            // A program that gives up says why.
            let _ = stdin.write_all(script.as_bytes()).await;
        }
    };
    let (ended, ()) = tokio::join!(debugfs.ended(), feed);
    let said = ended.map_err(failed)?.errors;
    let harmless = |line: &&str| {
        // It is asked to remove and to make what may not, or may, be there.
        let expected = ["File not found by ext2_lookup", "Ext2 directory already exists"];
        line.is_empty() || line.starts_with(BANNER) || expected.iter().any(|e| line.contains(e))
    };
    let wrong: Vec<&str> = said.lines().map(str::trim).filter(|line| !harmless(line)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let path = path.to_owned();
    if said.contains("Could not allocate") || said.contains("No free space") {
        return Err(ExtError::Full(path));
    }
    Err(ExtError::Said { path, said: complaint(&wrong.join("; ")) })
}

/// The commands for debugfs.
fn script(entries: &[Entry]) -> Result<String, ExtError> {
    let mut script = String::new();
    for entry in entries {
        // Writing to a string does not fail.
        let _ = match entry {
            Entry::Folder(path) => writeln!(script, "mkdir {}", quoted(path)?),
            Entry::File { path, source } => {
                let (path, source) = (quoted(path)?, quoted(&source.display().to_string())?);
                writeln!(script, "rm {path}\nwrite {source} {path}")
            }
            Entry::Link { path, target } => {
                let (path, target) = (quoted(path)?, quoted(target)?);
                writeln!(script, "rm {path}\nsymlink {path} {target}")
            }
        };
    }
    Ok(script)
}

/// A path as debugfs reads it.
fn quoted(path: &str) -> Result<String, ExtError> {
    match path.is_empty() || path.contains(['"', '\n', '\r', '\0']) {
        true => Err(ExtError::Path { path: path.to_owned() }),
        false => Ok(format!("\"{path}\"")),
    }
}

/// Where a primary partition of an MBR, or a partition of a GPT, begins, in bytes. Entries of the table that have
/// none do not count.
fn partition_begin(path: &Path, index: u32) -> Result<u64, ExtError> {
    let on_file = |error| ExtError::File { path: path.to_owned(), error };
    let none = || ExtError::Partition { path: path.to_owned(), index };
    let mut file = OpenOptions::new().read(true).open(path).map_err(on_file)?;
    let mut at = |offset: u64, length: usize| -> Result<Vec<u8>, ExtError> {
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(offset)).map_err(on_file)?;
        file.read_exact(&mut bytes).map_err(on_file)?;
        Ok(bytes)
    };
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
    let header = at(SECTOR, 92)?;
    let begins: Vec<u64> = if header.starts_with(b"EFI PART") {
        let (table, count, size) =
            (number(&header[72..80]), number(&header[80..84]), number(&header[84..88]));
        if count > MAX_ENTRIES || !(128..=MAX_ENTRY).contains(&size) {
            return Err(none());
        }
        let offset = table.checked_mul(SECTOR).ok_or_else(none)?;
        let entries = at(offset, usize::try_from(count * size).map_err(|_| none())?)?;
        let size = usize::try_from(size).map_err(|_| none())?;
        entries.chunks_exact(size).map(|entry| number(&entry[32..40])).collect()
    } else {
        let table = at(446, 66)?;
        if table[64..] != [0x55, 0xaa] {
            return Err(none());
        }
        table[..64].chunks_exact(16).map(|entry| number(&entry[8..12])).collect()
    };
    let begin = begins.into_iter().filter(|begin| *begin > 0).nth(index as usize);
    begin.and_then(|begin| begin.checked_mul(SECTOR)).ok_or_else(none)
}

/// One of the programs, for an image that is there.
fn program(name: &str, image: &Path) -> Command {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":");
    path.push(SBIN);
    let mut command = confined(name, &Reach::of_any_file().writing(&[image]));
    command.env("PATH", path).env("LC_ALL", "C");
    command
}

fn complaint(said: &str) -> String {
    let said = &said.as_bytes()[..said.len().min(MAX_COMPLAINT)];
    String::from_utf8_lossy(said).trim().replace('\n', "; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "6f5aa0a6-6d2c-4d5f-9f0f-1d2c3b4a5968";

    async fn asked(image: &Path, question: &str) -> String {
        let said =
            program("debugfs", image).args(["-R", question]).arg(image).output().await.unwrap();
        String::from_utf8(said.stdout).unwrap()
    }

    fn entries(folder: &Path, text: &str) -> Vec<Entry> {
        use std::os::unix::fs::PermissionsExt as _;
        let source = folder.join("run.sh");
        std::fs::write(&source, text).unwrap();
        std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o755)).unwrap();
        vec![
            Entry::Folder("/lava-7".into()),
            Entry::Folder("/lava-7/a b".into()),
            Entry::File { path: "/lava-7/a b/run.sh".into(), source },
            Entry::Link { path: "/lava-7/l".into(), target: "a b/run.sh".into() },
        ]
    }

    #[tokio::test]
    async fn files_folders_and_links_get_into_a_file_system_as_roots() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        make(&image, 4 << 20, UUID).await.unwrap();
        add(&image, None, &entries(dir.path(), "one\n")).await.unwrap();
        assert_eq!(asked(&image, "cat \"/lava-7/a b/run.sh\"").await, "one\n");
        let stat = asked(&image, "stat \"/lava-7/a b/run.sh\"").await;
        assert!(stat.contains("Mode:  0755") && stat.contains("User:     0"), "{stat}");
        assert!(asked(&image, "stat /lava-7/l").await.contains("a b/run.sh"));
        // Again: what is there is replaced.
        add(&image, None, &entries(dir.path(), "two\n")).await.unwrap();
        assert_eq!(asked(&image, "cat \"/lava-7/a b/run.sh\"").await, "two\n");
    }

    #[tokio::test]
    async fn a_full_file_system_and_what_is_none_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        make(&image, 1 << 20, UUID).await.unwrap();
        let large = entries(dir.path(), &"x".repeat(2 << 20));
        let told = add(&image, None, &large).await.unwrap_err();
        assert!(matches!(told, ExtError::Full(_)), "{told}");
        std::fs::write(&image, vec![0; 8192]).unwrap();
        let told = add(&image, None, &large).await.unwrap_err().to_string();
        assert!(told.contains("magic number") || told.contains("not open"), "{told}");
        let told = add(&image, Some(1), &large).await.unwrap_err().to_string();
        assert!(told.ends_with("there is no partition 1; the first is 0"), "{told}");
    }

    /// The second of two partitions is the file system; as LAVA's jobs have it, that is number 1.
    #[tokio::test]
    async fn a_partition_is_found_in_its_table() {
        let dir = tempfile::tempdir().unwrap();
        let (part, disk) = (dir.path().join("part"), dir.path().join("disk"));
        make(&part, 1 << 20, UUID).await.unwrap();
        let mut mbr = vec![0; 2 << 20];
        mbr[510..512].copy_from_slice(&[0x55, 0xaa]);
        let mut gpt = mbr.clone();
        for (at, begin) in [(446, 64_u32), (446 + 2 * 16, 2048)] {
            mbr[at + 8..][..4].copy_from_slice(&begin.to_le_bytes());
        }
        gpt[512..520].copy_from_slice(b"EFI PART");
        for (at, value) in [(72, 2), (80, 128), (84, 128)] {
            gpt[512 + at..][..4].copy_from_slice(&u32::to_le_bytes(value));
        }
        for (entry, begin) in [(1, 64_u64), (2, 2048)] {
            gpt[1024 + entry * 128 + 32..][..8].copy_from_slice(&begin.to_le_bytes());
        }
        for (mut bytes, said) in [(mbr, "mbr\n"), (gpt, "gpt\n")] {
            bytes[1 << 20..].copy_from_slice(&std::fs::read(&part).unwrap());
            std::fs::write(&disk, &bytes).unwrap();
            add(&disk, Some(1), &entries(dir.path(), said)).await.unwrap();
            std::fs::write(&part, &std::fs::read(&disk).unwrap()[1 << 20..]).unwrap();
            assert_eq!(asked(&part, "cat \"/lava-7/a b/run.sh\"").await, said);
            let none = add(&disk, Some(2), &entries(dir.path(), said)).await.unwrap_err();
            assert!(matches!(none, ExtError::Partition { index: 2, .. }), "{none}");
        }
    }

    #[test]
    fn what_debugfs_could_take_for_a_command_is_refused() {
        let evil = Entry::Folder("/a\"\nquit".into());
        assert!(matches!(script(&[evil]), Err(ExtError::Path { .. })));
    }
}
