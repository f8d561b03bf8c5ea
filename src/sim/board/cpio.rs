//! Reads the files of a `newc` cpio archive, or of several one after the other, as an initramfs is.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The length of an entry's header: a magic and 13 numbers of 8 hexadecimal digits.
const HEADER: usize = 110;
const MAGICS: [&[u8]; 2] = [b"070701", b"070702"];
const LAST: &str = "TRAILER!!!";
/// The bits of a mode that tell what kind of file it is, and the kind "regular".
const KIND: usize = 0o170_000;
const REGULAR: usize = 0o100_000;

/// The archive is cut off or no archive; where, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no cpio entry at byte {0}")]
pub(super) struct Broken(usize);

/// The regular files by path, without a leading `/` or `./`. A later entry replaces an earlier one.
pub(super) fn files(archive: &Bytes) -> Result<BTreeMap<String, Bytes>, Broken> {
    let mut files = BTreeMap::new();
    let mut at = 0;
    while at < archive.len() {
        // Archives are padded with zeros to whole blocks.
        if archive[at] == 0 {
            at += 1;
            continue;
        }
        let header = archive.get(at..at + HEADER).ok_or(Broken(at))?;
        if !MAGICS.contains(&&header[..6]) {
            return Err(Broken(at));
        }
        let number = |index: usize| {
            let digits = str::from_utf8(&header[6 + 8 * index..][..8]).ok()?;
            usize::from_str_radix(digits, 16).ok()
        };
        let (mode, size, name_size) = match (number(1), number(6), number(11)) {
            (Some(mode), Some(size), Some(name_size)) => (mode, size, name_size),
            _ => return Err(Broken(at)),
        };
        let content_at = (at + HEADER + name_size).next_multiple_of(4);
        let end = content_at + size;
        if end > archive.len() || name_size == 0 {
            return Err(Broken(at));
        }
        let name = &archive[at + HEADER..][..name_size - 1];
        let name = String::from_utf8_lossy(name);
        let name = name.trim_start_matches("./").trim_start_matches('/');
        if mode & KIND == REGULAR && name != LAST {
            files.insert(name.to_owned(), archive.slice(content_at..end));
        }
        at = end.next_multiple_of(4);
    }
    Ok(files)
}

/// Where the archive begins that was appended to something else, such as a compressed one, on a
/// multiple of four bytes; the end when there is none.
pub(super) fn appended(whole: &Bytes) -> usize {
    let begins = |at: &usize| {
        MAGICS.iter().any(|magic| whole[*at..].starts_with(magic))
            && files(&whole.slice(at..)).is_ok()
    };
    (0..whole.len()).step_by(4).find(begins).unwrap_or(whole.len())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One entry as `cpio -H newc` writes it.
    pub(in super::super) fn entry(name: &str, mode: usize, content: &str) -> Vec<u8> {
        let (size, name_size) = (content.len(), name.len() + 1);
        let numbers = [1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        let mut out: Vec<u8> = b"070701".to_vec();
        out.extend(numbers.iter().flat_map(|number| format!("{number:08X}").into_bytes()));
        out.extend(name.bytes().chain([0]));
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(content.bytes());
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    #[test]
    fn the_files_of_two_archives_in_a_row_are_found() {
        let mut archive = entry("./etc", 0o40755, "");
        archive.extend(entry("./etc/motd", 0o100_644, "hello"));
        archive.extend(entry(LAST, 0, ""));
        archive.resize(archive.len().next_multiple_of(512), 0);
        archive.extend(entry("/lava-1/bin/x", 0o100_755, "#!/bin/sh\n"));
        archive.extend(entry(LAST, 0, ""));
        let files = files(&archive.into()).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["etc/motd", "lava-1/bin/x"]);
        assert_eq!(files["etc/motd"], "hello");
    }

    #[test]
    fn every_cut_of_an_archive_is_an_error_and_no_panic() {
        let archive = Bytes::from(entry("etc/motd", 0o100_644, "hello world!"));
        for length in 1..archive.len() {
            assert_eq!(files(&archive.slice(..length)), Err(Broken(0)), "{length}");
        }
        assert_eq!(files(&Bytes::from_static(b"no archive")), Err(Broken(0)));
        let mut huge = archive.to_vec();
        huge[6 + 8 * 6..][..8].copy_from_slice(b"FFFFFFFF");
        assert_eq!(files(&huge.into()), Err(Broken(0)));
    }
}
