//! QEMU's disks of the format qcow2 (QEMU's docs/interop/qcow2.txt, whose numbers are big-endian): what the head of
//! one tells, and empty ones above another, which take what is written.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// So many bytes from its beginning on [`Disk::read`] looks at.
pub const HEAD: usize = 104;
/// The largest disk that a machine gets, in bytes: 1 TiB.
pub const MAX_DISK: u64 = 1 << 40;
const MAGIC: &[u8] = b"QFI\xfb";
/// Of new ones, in bytes: QEMU's own default.
const CLUSTER: u64 = 1 << CLUSTER_BITS;
const CLUSTER_BITS: u32 = 16;
/// So much of the disk an entry of the first table is for, in bytes.
const ENTRY: u64 = CLUSTER * (CLUSTER / 8);
/// Bit 2 of the features that one has to know: the data is in another file.
const EXTERNAL_DATA: u64 = 4;
/// The extension of the head that tells the format of what is below.
const FORMAT_BELOW: u32 = 0xe279_2aca;
/// The longest name of what is below, in bytes.
const MAX_NAME: usize = 1023;

/// What the head of a disk tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// How large the machine sees it, in bytes; the file is often smaller.
    pub size: u64,
}

/// Why a file is not a disk that stands by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Qcow2Error {
    #[error("it is no qcow2 disk; qemu-img convert -O qcow2 makes one")]
    Other,
    #[error("it is a qcow2 disk of version {0}, and only 2 and 3 are known here")]
    Version(u32),
    #[error(
        "it goes on in another file, which does not come with it; qemu-img convert makes one of both"
    )]
    Backed,
    #[error("its data are in another file; qemu-img convert makes one of both")]
    External,
    #[error("it is encrypted, and nobody is asked for its key here")]
    Encrypted,
    #[error("a disk of {0} bytes is none for a machine: from one sector to 1 TiB")]
    Size(u64),
}

/// Why a file with this head goes on in another one, if it does; `None` of what is no qcow2, or is cut off before that.
pub fn elsewhere(head: &[u8]) -> Option<Qcow2Error> {
    let long = |at| head.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    if !head.starts_with(MAGIC) {
        return None;
    }
    if long(8).is_some_and(|below| below != 0) {
        return Some(Qcow2Error::Backed);
    }
    // Version 2 has no features.
    let features = long(72).filter(|_| head[4..8] != 2u32.to_be_bytes());
    features.is_some_and(|features| features & EXTERNAL_DATA != 0).then_some(Qcow2Error::External)
}

impl Disk {
    /// Reads the head of a file, of which these are the first [`HEAD`] bytes, or all that there are.
    ///
    /// # Errors
    /// Why it is not one that can be given to a machine.
    pub fn read(head: &[u8]) -> Result<Self, Qcow2Error> {
        let short = |at| head.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let long = |at| head.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
        if !head.starts_with(MAGIC) {
            return Err(Qcow2Error::Other);
        }
        let fields = (short(4), long(24), short(32));
        let (Some(version), Some(size), Some(crypt)) = fields else {
            return Err(Qcow2Error::Other);
        };
        if !matches!(version, 2 | 3) {
            return Err(Qcow2Error::Version(version));
        }
        if let Some(why) = elsewhere(head) {
            return Err(why);
        }
        if version == 3 && head.len() < 80 {
            return Err(Qcow2Error::Other);
        }
        if crypt != 0 {
            return Err(Qcow2Error::Encrypted);
        }
        if !(512..=MAX_DISK).contains(&size) {
            return Err(Qcow2Error::Size(size));
        }
        Ok(Self { size })
    }
}

/// Makes a disk of so many bytes that is what the qcow2 disk at `below` is, until something is written on it: that
/// is in the new file. What `below` does not reach is zeros.
///
/// # Errors
/// What the system says; that the path is too long, or the disk too large.
pub fn above(below: &Path, size: u64, to: &Path) -> io::Result<()> {
    let name = below.as_os_str().as_bytes();
    let entries = size.div_ceil(ENTRY);
    if name.len() > MAX_NAME || size > MAX_DISK {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // One cluster each: the head, the table of the counts' blocks, the one block, the first table of the data.
    let mut head = Vec::from(MAGIC);
    let extensions =
        [&FORMAT_BELOW.to_be_bytes()[..], &5u32.to_be_bytes(), b"qcow2\0\0\0", &[0; 8]];
    let extensions = extensions.concat();
    let name_at = HEAD + extensions.len();
    head.extend(3u32.to_be_bytes());
    head.extend((name_at as u64).to_be_bytes());
    head.extend((name.len() as u32).to_be_bytes());
    head.extend(CLUSTER_BITS.to_be_bytes());
    head.extend(size.to_be_bytes());
    head.extend(0u32.to_be_bytes());
    head.extend((entries as u32).to_be_bytes());
    head.extend((3 * CLUSTER).to_be_bytes());
    head.extend(CLUSTER.to_be_bytes());
    head.extend(1u32.to_be_bytes());
    // No snapshots; and no features.
    head.extend([0; 4 + 8 + 3 * 8]);
    // Counts have 2 to the power of 4 bits.
    head.extend(4u32.to_be_bytes());
    head.extend((HEAD as u32).to_be_bytes());
    head.extend(extensions);
    head.extend(name);
    let counted: Vec<u8> = [1u16.to_be_bytes(); 4].concat();
    let mut file = vec![0; 4 * CLUSTER as usize];
    for (cluster, bytes) in [head, (2 * CLUSTER).to_be_bytes().into(), counted].iter().enumerate() {
        let at = cluster * CLUSTER as usize;
        file[at..at + bytes.len()].copy_from_slice(bytes);
    }
    File::options().write(true).create(true).truncate(true).mode(0o600).open(to)?.write_all(&file)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn qemu_img(args: &[&str]) -> String {
        let done = Command::new("qemu-img").args(args).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    #[test]
    fn disks_of_qemus_own_are_read_and_those_that_need_another_file_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let head = |name: &str| {
            let bytes = std::fs::read(path(name)).unwrap();
            Disk::read(&bytes[..HEAD.min(bytes.len())])
        };
        let create = ["create", "-q", "-f", "qcow2"];
        qemu_img(&[&create[..], &[&path("new"), "3M"]].concat());
        qemu_img(&[&create[..], &["-o", "compat=0.10", &path("old"), "3M"]].concat());
        assert_eq!(
            (head("new"), head("old")),
            (Ok(Disk { size: 3 << 20 }), Ok(Disk { size: 3 << 20 }))
        );
        qemu_img(&[&create[..], &["-F", "qcow2", "-b", &path("new"), &path("backed")]].concat());
        let data = format!("data_file={}", path("data"));
        qemu_img(&[&create[..], &["-o", &data, &path("external"), "3M"]].concat());
        qemu_img(&["create", "-q", "-f", "raw", &path("raw"), "3M"]);
        qemu_img(&[&create[..], &[&path("large"), "2T"]].concat());
        for (name, error) in [
            ("backed", Qcow2Error::Backed),
            ("external", Qcow2Error::External),
            ("raw", Qcow2Error::Other),
            ("large", Qcow2Error::Size(2 << 40)),
        ] {
            assert_eq!(head(name), Err(error));
        }
        let new = std::fs::read(path("new")).unwrap();
        for length in 0..HEAD - 24 {
            assert_eq!(Disk::read(&new[..length]), Err(Qcow2Error::Other), "{length}");
        }
    }

    #[test]
    fn what_is_written_above_a_disk_leaves_it_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let text = |name: &str| path(name).display().to_string();
        std::fs::write(path("raw"), vec![7; 3 << 20]).unwrap();
        qemu_img(&["convert", "-O", "qcow2", &text("raw"), &text("below, 1")]);
        let before = std::fs::read(path("below, 1")).unwrap();
        above(&path("below, 1"), 5 << 30, &path("above")).unwrap();
        assert!(qemu_img(&["check", &text("above")]).contains("No errors"));
        let told = qemu_img(&["info", "--output=json", &text("above")]);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["virtual-size"], 5u64 << 30);
        assert_eq!(told["backing-filename-format"], "qcow2");
        let written = Command::new("qemu-io")
            .args(["-c", "read -P 7 0 3M", "-c", "write -P 9 1M 64k", "-c", "write -P 9 4G 64k"])
            .args(["-c", "read -P 9 1M 64k", "-c", "read -P 0 4M 1M", &text("above")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&written.stdout).into_owned();
        assert!(written.status.success() && !said.contains("failed"), "{said}");
        assert_eq!(std::fs::read(path("below, 1")).unwrap(), before);
    }
}
