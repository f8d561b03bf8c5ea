//! What somebody else did to the files costs what it hit, and nothing more.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// Bytes that do not compress: each zstd frame has as many as it holds.
fn noise(len: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn file(dir: &Path, start: u64, suffix: &str) -> PathBuf {
    dir.join("panda01").join(format!("{start:020}.{suffix}"))
}

fn large(dir: &Path) -> CaptureOptions {
    CaptureOptions { segment: 1 << 20, ..CaptureOptions::new(dir) }
}

/// One compressed segment of a mebibyte, and an open one behind it.
fn compressed(dir: &Path) -> (Vec<u8>, Writer) {
    let mut writer = Writer::open(&name(), large(dir)).unwrap();
    let bytes = noise(1 << 20);
    writer.append(10_000, &bytes);
    writer.append(20_000, b"behind");
    writer.housekeeping().unwrap().run();
    assert!(file(dir, 0, "raw.zst").exists());
    (bytes, writer)
}

#[test]
fn a_flipped_bit_in_a_compressed_segment_costs_its_frame_and_shows_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, writer) = compressed(dir.path());
    let path = file(dir.path(), 0, "raw.zst");
    let sound = fs::read(&path).unwrap();
    for at in [100, sound.len() / 2] {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
        let (read, gaps) = read_all(writer.store(), 0, writer.head());
        let &[(from, to)] = &gaps[..] else { panic!("{gaps:?}") };
        assert_eq!(to - from, 256 * 1024);
        let (from, to) = (from as usize, to as usize);
        assert!(read == [&bytes[..from], &bytes[to..], b"behind"].concat(), "{gaps:?}");
    }
}

#[test]
fn a_compressed_segment_that_was_cut_short_is_left_out_and_none_of_its_offsets_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (_, writer) = compressed(dir.path());
    let head = writer.head();
    let store = writer.store().clone();
    let path = file(dir.path(), 0, "raw.zst");
    let cut = fs::read(&path).unwrap()[..500_000].to_vec();
    fs::write(&path, cut).unwrap();
    assert_eq!(read_all(&store, 0, head), (b"behind".to_vec(), vec![(0, 1 << 20)]));
    drop(writer);
    let writer = Writer::open(&name(), large(dir.path())).unwrap();
    assert_eq!(writer.head(), head);
    assert_eq!(read_all(writer.store(), 0, head), (b"behind".to_vec(), vec![(0, 1 << 20)]));
}

#[test]
fn a_seek_table_that_lies_costs_no_memory_and_no_time() {
    let dir = tempfile::tempdir().unwrap();
    let (_, writer) = compressed(dir.path());
    let path = file(dir.path(), 0, "raw.zst");
    let sound = fs::read(&path).unwrap();
    // The number of frames is 9 bytes before the end; the last frame's sizes are before that.
    for (back, value) in [(9, u32::MAX), (9, 1 << 20), (13, u32::MAX), (17, u32::MAX), (13, 0)] {
        let mut damaged = sound.clone();
        let at = damaged.len() - back;
        damaged[at..at + 4].copy_from_slice(&value.to_le_bytes());
        fs::write(&path, damaged).unwrap();
        let (read, _) = read_all(writer.store(), 0, writer.head());
        assert!(read.ends_with(b"behind"), "{back} {value}");
    }
}

#[test]
fn files_that_are_no_segments_and_segments_at_impossible_offsets_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("panda01");
    fs::create_dir_all(folder.join("leftover.tmp")).unwrap();
    fs::create_dir_all(folder.join(format!("{:020}.raw", 7))).unwrap();
    for name in ["5.raw", "+0000000000000000005.raw", "notes.raw", "18446744073709551615.raw"] {
        fs::write(folder.join(name), "bytes").unwrap();
    }
    fs::write(folder.join("lost+found"), "").unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    let head = writer.head();
    assert_eq!(writer.append(10_000, b"new"), None);
    assert_eq!(read_all(writer.store(), head, writer.head()), (b"new".to_vec(), vec![]));
    assert_eq!(fs::read(folder.join("5.raw")).unwrap(), b"bytes");
}

#[test]
fn of_segments_that_overlap_the_later_one_counts_and_writing_goes_on_behind_both() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("panda01")).unwrap();
    fs::write(file(dir.path(), 0, "raw"), [b'a'; 100]).unwrap();
    fs::write(file(dir.path(), 50, "raw"), [b'b'; 10]).unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    assert_eq!(writer.head(), 100);
    writer.append(10_000, b"new");
    let expected = [&[b'a'; 50][..], &[b'b'; 10], b"new"].concat();
    assert_eq!(read_all(writer.store(), 0, 103), (expected, vec![(60, 100)]));
}

#[test]
fn an_index_left_from_other_bytes_tells_no_times_of_the_new_ones() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    writer.append(10_000, b"old");
    writer.settle();
    drop(writer);
    fs::remove_file(file(dir.path(), 0, "raw")).unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    writer.append(20_000, b"new");
    writer.settle();
    let reader = Reader::new(writer.store().clone());
    assert_eq!(reader.offset_at(0).unwrap(), Some(0));
    assert_eq!(reader.offset_at(10_001).unwrap(), Some(0));
}
