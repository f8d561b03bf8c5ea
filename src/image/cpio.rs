//! Writing cpio archives of the kind that the kernel unpacks as its first root ("newc").
//!
//! The kernel accepts several archives one after another, each packed or not, where each begins on a
//! multiple of four bytes. So a ramdisk gets more files by appending an archive to it: nothing is
//! unpacked, and no root is needed.

use std::io::{self, Write};

/// Every archive begins on a multiple of this many bytes.
pub const ALIGNMENT: u64 = 4;

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const TRAILER: &str = "TRAILER!!!";

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
        let too_large = |_| io::Error::new(io::ErrorKind::FileTooLarge, path.to_owned());
        let size = u32::try_from(bytes.len()).map_err(too_large)?;
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
        self.pad()?;
        self.put(bytes)?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
