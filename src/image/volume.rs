//! Small volumes of files, as the image of a CD (ISO 9660 as ECMA-119 has it), for machines that take what they are
//! to be from one. Systems show its names in lower case.

/// A sector, in bytes.
const SECTOR: usize = 2048;
/// Where things are, in sectors: the first 16 are the system's.
const DESCRIPTOR: usize = 16;
const END: usize = 17;
const PATHS: usize = 18;
const PATHS_BIG_ENDIAN: usize = 19;
const ROOT: usize = 20;
const FILES: usize = 21;
/// A record of a folder for a name of one byte, in bytes.
const RECORD: usize = 34;
/// The flag of a folder.
const FOLDER: u8 = 2;

/// A file of a volume.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'a> {
    /// Of letters, digits and `-`, up to 28 of them; all names of a volume are in one order, by bytes.
    pub name: &'a str,
    pub bytes: &'a [u8],
}

/// The image of a volume with this label, of 32 bytes at most, and few files.
pub fn volume(label: &str, files: &[NewFile<'_>]) -> Vec<u8> {
    let mut next = FILES;
    let mut records =
        [record(&[0], ROOT, SECTOR, FOLDER), record(&[1], ROOT, SECTOR, FOLDER)].concat();
    let mut content = Vec::new();
    for file in files {
        let name = format!("{}.;1", file.name.to_ascii_uppercase());
        records.extend(record(name.as_bytes(), next, file.bytes.len(), 0));
        content.extend_from_slice(file.bytes);
        content.resize(content.len().next_multiple_of(SECTOR), 0);
        next = FILES + content.len() / SECTOR;
    }
    let mut image = vec![0; FILES * SECTOR];
    let mut put = |sector: usize, bytes: &[u8]| {
        let at = sector * SECTOR;
        image[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(DESCRIPTOR, &descriptor(label, next));
    put(END, b"\xffCD001\x01");
    // The table of folders: the root alone.
    put(PATHS, &[&[1, 0][..], &(ROOT as u32).to_le_bytes(), &[1, 0, 0, 0]].concat());
    put(PATHS_BIG_ENDIAN, &[&[1, 0][..], &(ROOT as u32).to_be_bytes(), &[0, 1, 0, 0]].concat());
    records.truncate(SECTOR);
    put(ROOT, &records);
    image.extend(content);
    image
}

/// The primary volume descriptor (ECMA-119, 8.4) of a volume of so many sectors.
fn descriptor(label: &str, sectors: usize) -> Vec<u8> {
    let text = |text: &str, length: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(length, b' ');
        bytes
    };
    let mut all = b"\x01CD001\x01\0".to_vec();
    all.extend(text("", 32));
    all.extend(text(label, 32));
    all.extend([0; 8]);
    all.extend(both(sectors));
    all.extend([0; 32]);
    // The one volume of its set.
    all.extend(both_short(1));
    all.extend(both_short(1));
    all.extend(both_short(SECTOR as u16));
    all.extend(both(10));
    all.extend((PATHS as u32).to_le_bytes());
    all.extend([0; 4]);
    all.extend((PATHS_BIG_ENDIAN as u32).to_be_bytes());
    all.extend([0; 4]);
    all.extend(record(&[0], ROOT, SECTOR, FOLDER));
    all.extend(text("", 128 * 4 + 37 * 3));
    // No dates.
    for _ in 0..4 {
        all.extend(*b"0000000000000000\0");
    }
    all.extend([1, 0]);
    all
}

/// A record of a folder (ECMA-119, 9.1).
fn record(name: &[u8], sector: usize, length: usize, flags: u8) -> Vec<u8> {
    let size = RECORD - 1 + name.len() + (name.len() + 1) % 2;
    let mut all = vec![size as u8, 0];
    all.extend(both(sector));
    all.extend(both(length));
    // No date, no interleaving.
    all.extend([0; 7]);
    all.extend([flags, 0, 0]);
    all.extend(both_short(1));
    all.push(name.len() as u8);
    all.extend_from_slice(name);
    all.resize(size, 0);
    all
}

/// A number in both orders of bytes.
fn both(number: usize) -> Vec<u8> {
    let number = number as u32;
    [number.to_le_bytes(), number.to_be_bytes()].concat()
}

fn both_short(number: u16) -> Vec<u8> {
    [number.to_le_bytes(), number.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::image::iso;

    #[test]
    fn xorriso_and_our_reader_find_the_files_and_the_label() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("seed.iso");
        let long = vec![b'x'; 5000];
        let files = [
            NewFile { name: "meta-data", bytes: b"{}\n" },
            NewFile { name: "user-data", bytes: &long },
            NewFile { name: "vendor-data", bytes: b"" },
        ];
        std::fs::write(&image, volume("cidata", &files)).unwrap();
        for file in files {
            let to = dir.path().join("out");
            iso::copy_out(&image, file.name, &to).unwrap();
            assert_eq!(std::fs::read(&to).unwrap(), file.bytes, "{}", file.name);
        }
        let mut xorriso = Command::new("xorriso");
        xorriso.arg("-indev").arg(&image).args(["-pvd_info", "-find", "/", "-exec", "lsdl"]);
        let said = xorriso.output().unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr)
        );
        let said = said.to_lowercase();
        assert!(
            said.contains("volume id    : cidata") || said.contains("volume id    : 'cidata'"),
            "{said}"
        );
        assert!(said.contains("user-data") && said.contains("5000"), "{said}");
        assert!(!said.contains("failure") && !said.contains("sorry"), "{said}");
    }
}
