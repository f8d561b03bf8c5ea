//! Writing cpio archives of the kind that the kernel unpacks as its first root ("newc").
//!
//! The kernel accepts several archives one after another, each packed or not, where each begins on a
//! multiple of four bytes. So a ramdisk gets more files by appending an archive to it: nothing is
//! unpacked, and no root is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

/// Every archive begins on a multiple of this many bytes.
pub const ALIGNMENT: u64 = 4;

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const TRAILER: &str = "TRAILER!!!";
/// What every entry begins with, of the two kinds that the kernel unpacks.
const MAGICS: [&[u8]; 2] = [b"070701", b"070702"];
const HEADER: usize = 110;
/// The longest path, with its end, in bytes: the kernel's own limit. So for a link's target.
const MAX_PATH: usize = 4096;
/// So many links are told at most.
const MAX_LINKS: usize = 100_000;
/// Archives with more entries than this are not looked through.
const MAX_ENTRIES: usize = 1_000_000;

/// Writes an archive entry by entry. Folders come before what is in them.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    entries: u32,
    position: u64,
}

impl<W: Write> Writer<W> {
    pub fn new(out: W) -> Self {
        Self { out, entries: 0, position: 0 }
    }

    /// # Errors
    /// What the writer says. So for all here.
    pub fn directory(&mut self, path: &str) -> io::Result<()> {
        self.entry(path, DIRECTORY | 0o755, &[])
    }

    pub fn file(&mut self, path: &str, executable: bool, bytes: &[u8]) -> io::Result<()> {
        self.entry(path, FILE | if executable { 0o755 } else { 0o644 }, bytes)
    }

    /// A file of this length, which is read as it is written.
    pub fn file_from(
        &mut self,
        path: &str,
        executable: bool,
        length: u64,
        from: impl Read,
    ) -> io::Result<()> {
        self.head(path, FILE | if executable { 0o755 } else { 0o644 }, length)?;
        let copied = io::copy(&mut from.take(length), &mut self.out)?;
        self.position += copied;
        if copied < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.pad()
    }

    pub fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.entry(path, LINK | 0o777, target.as_bytes())
    }

    /// Ends the archive.
    pub fn finish(mut self) -> io::Result<W> {
        self.entries = 0;
        self.entry(TRAILER, 0, &[])?;
        Ok(self.out)
    }

    fn entry(&mut self, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
        self.head(path, mode, bytes.len() as u64)?;
        self.put(bytes)?;
        self.pad()
    }

    /// What stands before an entry's bytes.
    fn head(&mut self, path: &str, mode: u32, length: u64) -> io::Result<()> {
        let too_large = |_| {
            let what = format!("{path}: no archive of this kind holds a file of {length} bytes");
            io::Error::new(io::ErrorKind::FileTooLarge, what)
        };
        let size = u32::try_from(length).map_err(too_large)?;
        let name = path.trim_start_matches('/');
        if mode != 0 {
            self.entries += 1;
        }
        // Fields: inode, mode, uid, gid, links, mtime, size, device, special device, name, checksum.
        let links = if mode & DIRECTORY != 0 { 2 } else { 1 };
        let fields =
            [self.entries, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        let mut header = String::from("070701");
        for field in fields {
            header.push_str(&format!("{field:08x}"));
        }
        self.put(header.as_bytes())?;
        self.put(name.as_bytes())?;
        self.put(&[0])?;
        self.pad()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.position += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn pad(&mut self) -> io::Result<()> {
        let over = self.position % ALIGNMENT;
        let missing = if over == 0 { 0 } else { ALIGNMENT - over };
        self.put(&[0; ALIGNMENT as usize][..missing as usize])
    }
}

/// The symbolic links in one or several unpacked archives, with their targets: in a system whose `/lib` is a
/// link, a folder `/lib` of a later archive would take the link's place. Reads up to the end, or to where no
/// archive goes on.
///
/// # Errors
/// What reading says, or that something in the middle is no entry.
pub fn links(from: impl Read) -> io::Result<BTreeMap<String, String>> {
    let mut links = BTreeMap::new();
    scan(from, |path, target| {
        if let Some(target) = target.filter(|_| links.len() < MAX_LINKS) {
            links.insert(path.trim_start_matches(['.', '/']).to_owned(), target);
        }
        Ok(())
    })?;
    Ok(links)
}

/// Looks whether unpacking archives could write through a link that is in them, or above the folder.
///
/// # Errors
/// The path that would, or as [`links`].
pub fn leads_out(from: impl Read) -> io::Result<()> {
    let (mut links, mut others) = (BTreeSet::new(), BTreeSet::new());
    scan(from, |path, target| {
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        let parts: Vec<&str> = parts.collect();
        if parts.contains(&"..") {
            return Err(invalid(&format!("{path:?} leads out of the archive")));
        }
        if target.is_some() { &mut links } else { &mut others }.insert(parts.join("/"));
        // Whatever is in a folder needs that folder.
        others.extend((1..parts.len()).map(|count| parts[..count].join("/")));
        match links.len() + others.len() > MAX_ENTRIES {
            true => Err(invalid("there are too many entries")),
            false => Ok(()),
        }
    })?;
    match links.intersection(&others).next() {
        Some(path) => {
            Err(invalid(&format!("{path:?} is a link, and something would be put through it")))
        }
        None => Ok(()),
    }
}

/// Goes through one or several unpacked archives: each path, and of a symbolic link its target.
fn scan(
    mut from: impl Read,
    mut entry: impl FnMut(&str, Option<String>) -> io::Result<()>,
) -> io::Result<()> {
    let mut header = [0; HEADER];
    // Between two archives there may be zeroes, a multiple of four of them.
    while next_header(&mut from, &mut header)? {
        let field = |at: usize| {
            let digits = header.get(6 + at * 8..14 + at * 8).unwrap_or_default();
            let number = std::str::from_utf8(digits).ok();
            number.and_then(|digits| u32::from_str_radix(digits, 16).ok())
        };
        let (Some(mode), Some(size), Some(name)) = (field(1), field(6), field(11)) else {
            return Err(invalid("an entry's numbers are none"));
        };
        let (name, size) = (name as usize, u64::from(size));
        if name > MAX_PATH {
            return Err(invalid("a path is too long"));
        }
        let path = padded(&mut from, HEADER, name)?;
        let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
        let path = String::from_utf8_lossy(path).into_owned();
        if mode & 0o170_000 == LINK && size < MAX_PATH as u64 {
            let target = padded(&mut from, 0, size as usize)?;
            entry(&path, Some(String::from_utf8_lossy(&target).into_owned()))?;
        } else {
            entry(&path, None)?;
            let whole = size.next_multiple_of(ALIGNMENT);
            let skipped = io::copy(&mut (&mut from).take(whole), &mut io::sink())?;
            if skipped < size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
    Ok(())
}

/// Reads the head of the next entry; false when there is none.
fn next_header(from: &mut impl Read, header: &mut [u8; HEADER]) -> io::Result<bool> {
    let mut start = [0; ALIGNMENT as usize];
    loop {
        let mut got = 0;
        while got < start.len() {
            match from.read(&mut start[got..])? {
                0 => return Ok(false),
                read => got += read,
            }
        }
        if start != [0; ALIGNMENT as usize] {
            break;
        }
    }
    header[..start.len()].copy_from_slice(&start);
    from.read_exact(&mut header[start.len()..])?;
    match MAGICS.contains(&&header[..6]) {
        true => Ok(true),
        false => Err(invalid("it is no cpio archive of the kind that the kernel unpacks")),
    }
}

/// Reads so many bytes, and what follows until `before` and they are a multiple of four.
fn padded(from: &mut impl Read, before: usize, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (before + length).next_multiple_of(ALIGNMENT as usize) - before];
    from.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_are_found_in_archives_one_after_another() {
        let mut first = Writer::new(Vec::new());
        first.directory("usr").unwrap();
        first.file("usr/f", false, b"12345").unwrap();
        first.link("lib", "usr/lib").unwrap();
        let mut both = first.finish().unwrap();
        both.extend([0; 512]);
        let mut second = Writer::new(Vec::new());
        second.link("/bin/sh", "busybox").unwrap();
        both.extend(second.finish().unwrap());
        let found = links(&both[..]).unwrap();
        let found: Vec<_> = found.iter().map(|(path, to)| (path.as_str(), to.as_str())).collect();
        assert_eq!(found, [("bin/sh", "busybox"), ("lib", "usr/lib")]);
        assert!(links(&b"\x1f\x8b\x08\0 this is packed"[..]).is_err());
    }

    #[test]
    fn an_archive_that_writes_through_its_own_link_is_found() {
        let archive = |entries: &[(&str, Option<&str>)]| {
            let mut writer = Writer::new(Vec::new());
            for (path, target) in entries {
                match target {
                    Some(target) => writer.link(path, target).unwrap(),
                    None => writer.file(path, false, b"x").unwrap(),
                }
            }
            leads_out(&writer.finish().unwrap()[..])
        };
        assert!(archive(&[("usr/f", None), ("lib", Some("usr/lib")), ("bin", Some("/x"))]).is_ok());
        assert!(archive(&[("d", Some("/home/lava")), ("./d//f", None)]).is_err());
        assert!(archive(&[("d/f", None), ("d", Some("/home/lava"))]).is_err());
        assert!(archive(&[("d", Some("/home/lava")), ("d/e", Some("x"))]).is_err());
        assert!(archive(&[("d", Some("/home/lava/f")), ("d", None)]).is_err());
        assert!(archive(&[("a/../../f", None)]).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_in_a_file_its_links_are_looked_for(
            noise in prop::collection::vec(any::<u8>(), 0..400),
            digits in "[0-9a-f]{104}",
        ) {
            let _ = (links(&noise[..]), leads_out(&noise[..]));
            let entry = [b"070701", digits.as_bytes(), &noise].concat();
            let _ = (links(&entry[..]), leads_out(&entry[..]));
        }
    }

    #[test]
    fn an_archive_is_laid_out_as_the_kernel_wants_it() {
        let mut writer = Writer::new(Vec::new());
        writer.directory("/lava-1").unwrap();
        writer.file("/lava-1/run.sh", true, b"echo\n").unwrap();
        let archive = writer.finish().unwrap();
        assert_eq!(archive.len() as u64 % ALIGNMENT, 0);
        assert_eq!(&archive[..6], b"070701");
        assert_eq!(&archive[14..22], b"000041ed");
        assert_eq!(&archive[110..117], b"lava-1\0");
        let text = String::from_utf8_lossy(&archive);
        assert!(text.contains("lava-1/run.sh\0") && text.contains("echo\n"));
        assert!(text.trim_end_matches('\0').ends_with(TRAILER));
    }

    #[test]
    fn the_cpio_program_reads_it_where_there_is_one() {
        let Ok(mut child) = std::process::Command::new("cpio")
            .arg("-tv")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
        else {
            return;
        };
        let mut writer = Writer::new(Vec::new());
        writer.directory("d").unwrap();
        writer.file("d/f", true, b"12345").unwrap();
        writer.link("d/l", "f").unwrap();
        child.stdin.take().unwrap().write_all(&writer.finish().unwrap()).unwrap();
        let listed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(listed.lines().count(), 3, "{listed}");
        assert!(listed.contains("-rwxr-xr-x") && listed.contains("d/l -> f"), "{listed}");
    }
}
