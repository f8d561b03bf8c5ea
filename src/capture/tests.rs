mod damage;
mod search;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::CaptureOptions;
use crate::model::{Event, Name, What};

fn name() -> Name {
    "panda01".parse().unwrap()
}

fn small(dir: &std::path::Path) -> CaptureOptions {
    CaptureOptions { segment: 1000, ..CaptureOptions::new(dir) }
}

/// Everything from `from` to `to`, as (bytes, gaps).
fn read_all(store: &Arc<Store>, from: u64, to: u64) -> (Vec<u8>, Vec<(u64, u64)>) {
    let (mut bytes, mut gaps, mut at) = (Vec::new(), Vec::new(), from);
    let mut reader = Reader::new(store.clone());
    while at < to {
        match reader.read(at, to, 300) {
            Read::Pieces(pieces) => {
                for piece in pieces {
                    assert_eq!(piece.offset, at);
                    at = piece.end();
                    bytes.extend_from_slice(&piece.bytes);
                }
            }
            Read::Gap { to } => {
                gaps.push((at, to));
                at = to;
            }
        }
    }
    (bytes, gaps)
}

fn message(offset: u64, text: &str) -> Event {
    Event { offset, time_us: 1, who: None, what: What::Message { text: text.into() } }
}

#[test]
fn what_was_appended_is_read_back_across_segments_compression_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..3_u64 {
        let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
        assert_eq!(writer.head(), expected.len() as u64);
        for line in 0..100_u64 {
            let bytes = format!("round {round} line {line}\n");
            assert_eq!(writer.append(round * 1_000_000 + line * 10_000, bytes.as_bytes()), None);
            expected.extend_from_slice(bytes.as_bytes());
        }
        writer.housekeeping().unwrap().run();
        let (bytes, gaps) = read_all(writer.store(), 0, writer.head());
        assert_eq!(bytes, expected);
        assert_eq!(gaps, []);
    }
    let compressed = std::fs::read_dir(dir.path().join("panda01")).unwrap();
    let compressed = compressed
        .filter(|entry| entry.as_ref().unwrap().path().to_string_lossy().ends_with(".raw.zst"));
    assert!(compressed.count() >= 4);
}

#[test]
fn pieces_have_the_times_at_which_their_bytes_came() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    writer.append(10_000, b"first ");
    writer.append(20_000, b"second ");
    writer.append(20_500, b"within the same millisecond");
    writer.settle();
    let mut reader = Reader::new(writer.store().clone());
    let Read::Pieces(pieces) = reader.read(3, writer.head(), 4096) else { panic!() };
    let seen: Vec<(u64, u64, &[u8])> =
        pieces.iter().map(|piece| (piece.offset, piece.time_us, &piece.bytes[..])).collect();
    assert_eq!(
        seen,
        [(3, 10_000, &b"st "[..]), (6, 20_000, &b"second within the same millisecond"[..])]
    );
    assert_eq!(reader.offset_at(0).unwrap(), Some(0));
    assert_eq!(reader.offset_at(10_001).unwrap(), Some(6));
    assert_eq!(reader.offset_at(20_001).unwrap(), None);
}

#[test]
fn a_clock_that_is_set_back_breaks_no_look_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    let mut append = |second: u64, bytes: &[u8]| {
        writer.append(second * 1_000_000, bytes);
        writer.settle();
    };
    // An hour ahead; set right; a little back, which is no step; and on.
    for (second, bytes) in [(3700, b"ahead"), (3701, b"still"), (100, b"right"), (110, b"later")] {
        append(second, bytes);
    }
    writer.append(109_500_000, b"slew!");
    writer.settle();
    let at =
        |second: u64| Reader::new(writer.store().clone()).offset_at(second * 1_000_000).unwrap();
    // What was printed while it was ahead came before it was set right.
    assert_eq!([0, 100, 101, 110].map(at), [Some(0), Some(0), Some(15), Some(15)]);
    assert_eq!([111, 3600, 3700, 4000].map(at), [None; 4]);
    drop(writer);

    // So over a restart.
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    writer.append(50_000_000, b"again");
    writer.settle();
    let store = writer.store();
    assert_eq!(read_all(store, 0, 30).0, b"aheadstillrightlaterslew!again");
    let at = |second: u64| Reader::new(store.clone()).offset_at(second * 1_000_000).unwrap();
    assert_eq!([50, 51].map(at), [Some(0), None]);
}

#[test]
fn a_segment_of_the_future_does_not_keep_the_older_ones() {
    let dir = tempfile::tempdir().unwrap();
    let age = Duration::from_secs(3600);
    let options = CaptureOptions { keep_age: Some(age), ..small(dir.path()) };
    let mut writer = Writer::open(&name(), options).unwrap();
    for at in 0..5_u64 {
        writer.append(at * 10_000, &[b'x'; 1000]);
    }
    let folder = dir.path().join("panda01");
    let touch = |start: u64, time: std::time::SystemTime| {
        for suffix in ["raw", "idx", "jsonl"] {
            let file = folder.join(format!("{start:020}.{suffix}"));
            std::fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
        }
    };
    let now = std::time::SystemTime::now();
    // Written while the clock was wrong, and two hours ago.
    touch(0, now + age * 1000);
    touch(1000, now - age * 2);
    writer.housekeeping().unwrap().run();
    assert_eq!(writer.store().first(), Some(2000));
}

#[test]
fn a_crash_that_tore_index_and_events_costs_neither_bytes_nor_later_records() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    writer.append(10_000, b"before");
    writer.record(&message(6, "whole"));
    drop(writer);
    let file = |suffix| dir.path().join("panda01").join(format!("{:020}.{suffix}", 0));
    let append = |suffix, bytes: &[u8]| {
        let mut content = std::fs::read(file(suffix)).unwrap();
        content.extend_from_slice(bytes);
        std::fs::write(file(suffix), content).unwrap();
    };
    append("idx", &[1, 2, 3]);
    append("jsonl", b"{\"offset\":6,");
    append("raw", b", unindexed");

    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    assert_eq!(writer.head(), 17);
    writer.append(30_000, b", after");
    writer.record(&message(24, "later"));
    assert_eq!(read_all(writer.store(), 0, 24).0, b"before, unindexed, after");
    assert_eq!(
        writer.store().events(0, 10, |_| true).unwrap(),
        [message(6, "whole"), message(24, "later")]
    );
    assert_eq!(writer.store().events(7, 10, |_| true).unwrap(), [message(24, "later")]);
}

#[test]
fn the_oldest_segments_go_when_the_limit_is_reached_and_readers_see_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let options = CaptureOptions { keep: 3000, ..small(dir.path()) };
    let mut writer = Writer::open(&name(), options).unwrap();
    let mut noise: u32 = 1;
    for at in 0..100_u64 {
        // Does not compress.
        let noisy = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        });
        let bytes: Vec<u8> = noisy.take(100).collect();
        writer.append(at * 10_000, &bytes);
    }
    writer.housekeeping().unwrap().run();
    let first = writer.store().first().unwrap();
    assert!(first >= 6000, "{first}");
    let (bytes, gaps) = read_all(writer.store(), 0, writer.head());
    assert_eq!(gaps, [(0, first)]);
    assert_eq!(bytes.len() as u64, 10_000 - first);
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _writer = Writer::open(&name(), small(dir.path())).unwrap();
    assert!(matches!(Writer::open(&name(), small(dir.path())), Err(OpenError::Locked(_))));
}

#[test]
fn a_full_disk_makes_a_gap_and_shifts_nothing_however_often_it_is_tried() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    writer.append(10_000, &[b'x'; 1000]);
    let file = |start: u64| dir.path().join("panda01").join(format!("{start:020}.raw"));
    // As on a full disk: the files can be made, but not written.
    for start in [1000, 1004] {
        std::os::unix::fs::symlink("/dev/full", file(start)).unwrap();
        assert_eq!(writer.append(20_000, b"lost"), None);
        writer.broken.as_mut().unwrap().tried -= Duration::from_secs(2);
    }
    let gap = writer.append(30_000, b"back").unwrap();
    assert_eq!(gap.offset, 1000);
    assert!(matches!(gap.what, What::Gap { to: 1008, .. }), "{gap:?}");
    assert_eq!(writer.store().events(0, 10, |_| true).unwrap(), [gap]);
    let (bytes, gaps) = read_all(writer.store(), 998, writer.head());
    assert_eq!((bytes.as_slice(), gaps), (&b"xxback"[..], vec![(1000, 1008)]));
    let head = writer.head();
    drop(writer);
    assert_eq!(Writer::open(&name(), small(dir.path())).unwrap().head(), head);
}

#[test]
fn every_byte_has_its_time_however_many_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let options = CaptureOptions { segment: 1 << 20, ..CaptureOptions::new(dir.path()) };
    let mut writer = Writer::open(&name(), options).unwrap();
    for line in 0..10_000_u64 {
        writer.append(line * 2_000, b"ten bytes\n");
        writer.settle();
    }
    let (mut at, mut reader) = (0, Reader::new(writer.store().clone()));
    while at < writer.head() {
        let Read::Pieces(pieces) = reader.read(at, writer.head(), 1 << 20) else { panic!("{at}") };
        for piece in pieces {
            assert_eq!((piece.offset, piece.bytes.len()), (at, 10));
            assert_eq!(piece.time_us, piece.offset / 10 * 2_000);
            at = piece.end();
        }
    }
}

#[test]
fn a_segment_that_was_removed_is_a_gap_and_the_rest_is_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    for at in 0..4 {
        writer.append(at * 10_000, &[b'0' + at as u8; 1000]);
    }
    let folder = dir.path().join("panda01");
    std::fs::remove_file(folder.join(format!("{:020}.raw", 1000))).unwrap();
    std::fs::remove_file(folder.join(format!("{:020}.idx", 1000))).unwrap();
    let (bytes, gaps) = read_all(writer.store(), 0, writer.head());
    assert_eq!(gaps, [(1000, 2000)]);
    assert_eq!(bytes.len(), 3000);
    assert_eq!(Reader::new(writer.store().clone()).offset_at(15_000).unwrap(), Some(2000));
    // What is left is still compressed.
    writer.housekeeping().unwrap().run();
    assert!(folder.join(format!("{:020}.raw.zst", 2000)).exists());
}
