//! Files out of the image of a CD (ISO 9660 as ECMA-119 has it), without mounting it: by the names that Rock Ridge
//! (IEEE P1282) gives them, else by their own, in any case. The image is hostile input.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Where the volume descriptors begin, in bytes, and how large each is (ECMA-119, 6.3 and 8.1).
const DESCRIPTORS: u64 = 16 * SECTOR;
const SECTOR: u64 = 2048;
/// So many are looked at; there are three or four.
const MAX_DESCRIPTORS: u64 = 32;
/// The largest folder that is read, in bytes: some 50,000 files.
const MAX_FOLDER: u64 = 4 << 20;
/// The largest area that holds the rest of a file's names, in bytes.
const MAX_CONTINUED: usize = 64 << 10;
/// The largest file that is taken out, in bytes: a kernel or a ramdisk.
const MAX_FILE: u64 = 2 << 30;
/// Flags of a file (ECMA-119, 9.1.6).
const FOLDER: u8 = 2;
const GOES_ON: u8 = 0x80;

/// Why a file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IsoError {
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("it is no image of a CD: there is no ISO 9660 volume in it")]
    NoVolume,
    #[error("there is no {0:?} in it")]
    Missing(String),
    #[error("{0:?} in it is larger than any kernel or ramdisk")]
    Large(String),
}

/// Where a file's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub begin: u64,
    pub size: u64,
}

/// One entry of a folder.
#[derive(Debug)]
struct Found {
    extent: Extent,
    flags: u8,
}

/// Copies a file out of an image to a new file; gives its size in bytes.
///
/// # Errors
/// What is wrong with the image, that there is no such file, or what the system says.
pub fn copy_out(image: &Path, path: &str, to: &Path) -> Result<u64, IsoError> {
    let mut image = File::open(image)?;
    let Extent { begin, size } = find(&mut image, path)?;
    if size > MAX_FILE {
        return Err(IsoError::Large(path.to_owned()));
    }
    image.seek(SeekFrom::Start(begin))?;
    let copied = io::copy(&mut image.take(size), &mut File::create(to)?)?;
    match copied == size {
        true => Ok(size),
        false => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

/// Finds a file by its path in an image.
///
/// # Errors
/// As [`copy_out`].
pub fn find<R: Read + Seek>(image: &mut R, path: &str) -> Result<Extent, IsoError> {
    let missing = || IsoError::Missing(path.to_owned());
    let (block, mut at) = root(image)?;
    let mut flags = FOLDER;
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    for part in parts {
        if flags & FOLDER == 0 || at.size > MAX_FOLDER {
            return Err(missing());
        }
        let found = entry(image, block, at, part)?.ok_or_else(missing)?;
        (at, flags) = (found.extent, found.flags);
    }
    match flags & (FOLDER | GOES_ON) {
        0 => Ok(at),
        GOES_ON => Err(IsoError::Large(path.to_owned())),
        _ => Err(missing()),
    }
}

/// The size of a block and the folder at the top, from the primary volume descriptor.
fn root<R: Read + Seek>(image: &mut R) -> Result<(u64, Extent), IsoError> {
    for i in 0..MAX_DESCRIPTORS {
        let sector = read(image, DESCRIPTORS + i * SECTOR, SECTOR as usize);
        let sector = sector.map_err(|_| IsoError::NoVolume)?;
        if &sector[1..6] != b"CD001" {
            return Err(IsoError::NoVolume);
        }
        if sector[0] == 1 {
            let block = u64::from(u16::from_le_bytes([sector[128], sector[129]]));
            let root = record(&sector[156..190], block).ok_or(IsoError::NoVolume)?;
            return Ok((block, root.extent));
        }
    }
    Err(IsoError::NoVolume)
}

/// The entry of a folder that has this name.
fn entry<R: Read + Seek>(
    image: &mut R,
    block: u64,
    folder: Extent,
    name: &str,
) -> Result<Option<Found>, IsoError> {
    let bytes = read(image, folder.begin, usize::try_from(folder.size).unwrap_or(0))?;
    let mut at = 0;
    while at < bytes.len() {
        let length = usize::from(bytes[at]);
        if length == 0 {
            // No entry lies across the end of a sector.
            at = (at / SECTOR as usize + 1) * SECTOR as usize;
            continue;
        }
        let Some(one) = bytes.get(at..at + length) else { break };
        at += length;
        let Some(found) = record(one, block) else { continue };
        let named = match rock_ridge_name(image, block, one)? {
            Some(rock_ridge) => rock_ridge == name.as_bytes(),
            None => {
                plain_name(one).is_some_and(|plain| plain.eq_ignore_ascii_case(name.as_bytes()))
            }
        };
        if named {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What an entry says of its file (ECMA-119, 9.1).
fn record(one: &[u8], block: u64) -> Option<Found> {
    let number = |at: usize| Some(u64::from(little(one.get(at..at + 4)?)));
    // What is told of the file's owner may be in front of it.
    let begin = (number(2)? + u64::from(*one.get(1)?)) * block;
    Some(Found { extent: Extent { begin, size: number(10)? }, flags: *one.get(25)? })
}

fn little(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The name in the volume itself, without its version.
fn plain_name(one: &[u8]) -> Option<&[u8]> {
    let name = one.get(33..33 + usize::from(*one.get(32)?))?;
    let name = name.split(|byte| *byte == b';').next().unwrap_or_default();
    Some(name.strip_suffix(b".").unwrap_or(name))
}

/// The name that Rock Ridge gives an entry, whose parts are behind its own name and may go on elsewhere.
fn rock_ridge_name<R: Read + Seek>(
    image: &mut R,
    block: u64,
    one: &[u8],
) -> Result<Option<Vec<u8>>, IsoError> {
    let Some(length) = one.get(32).copied().map(usize::from) else { return Ok(None) };
    // Its own name is padded to an odd place.
    let more = one.get(33 + length + (length + 1) % 2..).unwrap_or_default();
    let mut name = None;
    if let Some((begin, size)) = take_names(more, block, &mut name)
        && let Ok(more) = read(image, begin, size)
    {
        take_names(&more, block, &mut name);
    }
    Ok(name)
}

/// Takes the parts of a name out of an area; gives where it goes on, and how long that is.
fn take_names(mut area: &[u8], block: u64, name: &mut Option<Vec<u8>>) -> Option<(u64, usize)> {
    let mut goes_on = None;
    while let [a, b, length, _, ..] = *area {
        let Some(one) = area.get(4..usize::from(length)) else { break };
        match (&[a, b], one) {
            (b"NM", [_, part @ ..]) => name.get_or_insert_default().extend_from_slice(part),
            (b"CE", one) if one.len() >= 24 => {
                let begin = u64::from(little(&one[..4])) * block;
                let size = little(&one[16..20]) as usize;
                goes_on = Some((begin + u64::from(little(&one[8..12])), size.min(MAX_CONTINUED)));
            }
            (b"ST", _) => break,
            _ => {}
        }
        area = &area[usize::from(length)..];
    }
    goes_on
}

fn read<R: Read + Seek>(image: &mut R, at: u64, length: usize) -> io::Result<Vec<u8>> {
    image.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    match image.take(length as u64).read_to_end(&mut bytes)? {
        read if read == length => Ok(bytes),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn entry(name: &[u8], sector: u32, size: u32, flags: u8, more: &[u8]) -> Vec<u8> {
        let mut one = vec![0; 33];
        one[2..6].copy_from_slice(&sector.to_le_bytes());
        one[10..14].copy_from_slice(&size.to_le_bytes());
        (one[25], one[32]) = (flags, u8::try_from(name.len()).unwrap());
        one.extend_from_slice(name);
        one.resize(one.len() + (name.len() + 1) % 2, 0);
        one.extend_from_slice(more);
        one[0] = u8::try_from(one.len()).unwrap();
        one
    }

    /// A volume with `/INSTALL.AMD/VMLINUZ.;1`, which Rock Ridge calls `/install.amd/vmlinuz`.
    fn volume(rock_ridge: bool) -> Vec<u8> {
        let mut image = vec![0; 22 * SECTOR as usize];
        let mut put = |sector: usize, bytes: &[u8]| {
            let at = sector * SECTOR as usize;
            image[at..at + bytes.len()].copy_from_slice(bytes);
        };
        let mut primary = vec![0; SECTOR as usize];
        primary[..6].copy_from_slice(b"\x01CD001");
        primary[128..130].copy_from_slice(&2048_u16.to_le_bytes());
        primary[156..190].copy_from_slice(&entry(b"\0", 18, 2048, FOLDER, b""));
        put(16, &primary);
        let called = |name: &[u8]| {
            let named = [b"NM", &[u8::try_from(name.len()).unwrap() + 5, 1, 0][..], name].concat();
            if rock_ridge { named } else { Vec::new() }
        };
        let itself = entry(b"\0", 18, 2048, FOLDER, b"");
        let folder = entry(b"INSTALL.AMD", 19, 2048, FOLDER, &called(b"install.amd"));
        put(18, &[itself, folder].concat());
        // The second half of this name is elsewhere.
        let mut elsewhere = b"CE\x1c\x01".to_vec();
        for number in [20_u32, 0, 4, 0, 12, 0] {
            elsewhere.extend_from_slice(&number.to_le_bytes());
        }
        let more = if rock_ridge { [called(b"vm"), elsewhere].concat() } else { Vec::new() };
        put(19, &entry(b"VMLINUZ.;1", 21, 6, 0, &more));
        put(20, b"xxxxNM\x0a\x01\0linuz");
        put(21, b"kernel");
        image
    }

    #[test]
    fn a_file_is_found_by_the_name_that_people_know() {
        for rock_ridge in [true, false] {
            let mut image = Cursor::new(volume(rock_ridge));
            let found = find(&mut image, "/install.amd/vmlinuz").unwrap();
            assert_eq!(found, Extent { begin: 21 * SECTOR, size: 6 });
            for missing in ["/install.amd", "/vmlinuz", "/install.amd/vmlinuz/x", "/"] {
                let error = find(&mut image, missing).unwrap_err();
                assert!(matches!(error, IsoError::Missing(_)), "{missing}: {error}");
            }
        }
        let error = find(&mut Cursor::new(vec![0; 100_000]), "/x").unwrap_err();
        assert!(matches!(error, IsoError::NoVolume));
    }

    #[test]
    fn an_image_that_was_cut_off_gives_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let (image, to) = (dir.path().join("cd.iso"), dir.path().join("vmlinuz"));
        let whole = volume(true);
        std::fs::write(&image, &whole).unwrap();
        assert_eq!(copy_out(&image, "install.amd/vmlinuz", &to).unwrap(), 6);
        assert_eq!(std::fs::read(&to).unwrap(), b"kernel");
        std::fs::write(&image, &whole[..21 * SECTOR as usize + 3]).unwrap();
        assert!(copy_out(&image, "install.amd/vmlinuz", &to).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_in_an_image_is_read_or_refused(
            changes in prop::collection::vec((16 * 2048..21 * 2048_usize, any::<u8>()), 0..40)
        ) {
            let mut image = volume(true);
            for (at, byte) in changes {
                image[at] = byte;
            }
            let _ = find(&mut Cursor::new(image), "/install.amd/vmlinuz");
        }
    }
}
