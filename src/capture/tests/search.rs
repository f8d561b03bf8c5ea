//! A search finds what a look at every line finds, and reads less.

use proptest::prelude::*;

use super::super::source::Source;
use super::super::{Found, Search, grams};
use super::*;
use crate::wire::lines::{Line, Lines};
use crate::wire::pattern::Pattern;

/// Everything that a search finds, and how many bytes it read.
fn search(store: &Arc<Store>, pattern: &str, fold: bool, from: u64, to: u64) -> (Vec<Found>, u64) {
    let pattern = Arc::new(Pattern::new(pattern, fold).unwrap());
    let mut search = Search::new(store.clone(), pattern, from, to);
    let mut found = Vec::new();
    while let Some(more) = search.step() {
        found.extend(more);
    }
    (found, search.read())
}

/// The lines of what is held that match, without any index.
fn expected(store: &Arc<Store>, pattern: &str, fold: bool, from: u64, to: u64) -> Vec<Found> {
    let pattern = Pattern::new(pattern, fold).unwrap();
    let (mut lines, mut cutter, mut at) = (Vec::new(), Lines::default(), from);
    let mut reader = Reader::new(store.clone());
    while at < to {
        match reader.read(at, to, 1000) {
            Read::Pieces(pieces) => {
                for piece in pieces {
                    at = piece.end();
                    cutter.push(&piece, |line| lines.push(line));
                }
            }
            Read::Gap { to } => {
                lines.extend(cutter.finish());
                at = to;
            }
        }
    }
    lines.extend(cutter.finish());
    let matching = lines.into_iter().filter(|line| pattern.matches(&line.bytes));
    let found = |Line { offset, time_us, bytes, end }| Found { offset, end, time_us, line: bytes };
    matching.map(found).collect()
}

/// Indexes every closed segment with blocks of a few bytes.
fn index(writer: &Writer, block: u64) {
    let store = writer.store();
    let segments = store.lock().clone();
    for segment in segments {
        let Some(len) = segment.len else { continue };
        let path = |suffix| store.path(segment.start, suffix);
        let mut source = Source::open(&path("raw"), &path("raw.zst")).unwrap();
        let file = std::fs::File::create(path("grams")).unwrap();
        grams::build(&mut source, len, block, file).unwrap();
    }
}

/// Lines of a boot, some of them with the number of their boot.
fn boots(count: usize) -> Vec<u8> {
    let mut text = String::new();
    for boot in 0..count {
        text.push_str(&format!("\r\nU-Boot 2023.01 (boot {boot:05})\r\n"));
        for line in 0..40 {
            text.push_str(&format!(
                "[{line:5}.{:06}] device {line}: ready\r\n",
                boot * 7919 % 1_000_000
            ));
        }
    }
    text.into_bytes()
}

#[test]
fn a_rare_line_is_found_in_megabytes_by_reading_little_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let options = CaptureOptions { segment: 3 << 20, ..CaptureOptions::new(dir.path()) };
    let mut writer = Writer::open(&name(), options).unwrap();
    let mut text = boots(5000);
    let begin = 2_500_000 + text[2_500_000..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let oops = b"[   12.345678] Internal error: Oops: 96000004\r\n";
    text.splice(begin..begin, oops.iter().copied());
    for (at, chunk) in text.chunks(50_000).enumerate() {
        writer.append(at as u64 * 10_000, chunk);
    }
    // Three times: indexed now, indexed already, and with an index that somebody removed.
    for round in 0..3 {
        writer.append(2_000_000, b"");
        writer.housekeeping().unwrap_or_else(|| panic!("no work in round {round}")).run();
        let head = writer.head();
        let (found, read) = search(writer.store(), "Oops|kernel BUG", false, 0, head);
        let [line] = &found[..] else { panic!("{found:?}") };
        assert_eq!((line.offset, line.end), (begin as u64, (begin + oops.len()) as u64));
        assert_eq!(line.line, &oops[..oops.len() - 2]);
        assert_eq!(line.time_us, begin as u64 / 50_000 * 10_000);
        let open = head - writer.store().lock().last().unwrap().start;
        assert!(read <= open + 2 * (256 << 10) + 5000, "{read} of {head} read, {open} open");
        assert_eq!(search(writer.store(), "oops:", true, 0, head).0, found);
        assert_eq!(search(writer.store(), "BOOT 04321\\)", true, 0, head).0.len(), 1);
        let (nothing, read) = search(writer.store(), "no such thing", false, 0, head);
        assert!(nothing.is_empty() && read <= open + 5000, "{read} of {head} read, {open} open");
        std::fs::remove_file(writer.store().path(0, "grams")).unwrap();
        writer.rotated = true;
    }
}

#[test]
fn a_line_across_segments_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    let mut text = vec![b'.'; 996];
    text.extend_from_slice(b"\nKer");
    writer.append(10_000, &text);
    writer.append(20_000, b"nel panic - not syncing\n");
    for _ in 0..30 {
        writer.append(30_000, &[b'\n'; 100]);
    }
    for block in [64, 100_000] {
        index(&writer, block);
        let (found, _) = search(writer.store(), "^Kernel panic", false, 0, writer.head());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].offset, found[0].time_us), (997, 10_000));
        assert_eq!(found[0].line, "Kernel panic - not syncing");
    }
}

#[test]
fn an_index_of_an_earlier_time_hides_nothing_that_came_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    writer.append(10_000, &b"boring\n".repeat(100));
    writer.append(10_000, b"bor");
    let store = writer.store().clone();
    let mut source = Source::open(&store.path(0, "raw"), &store.path(0, "raw.zst")).unwrap();
    let file = std::fs::File::create(store.path(0, "grams")).unwrap();
    grams::build(&mut source, writer.head(), 64, file).unwrap();
    writer.append(20_000, b"ing Oops\nOops again\n");
    let (found, _) = search(&store, "Oops", false, 0, writer.head());
    let lines: Vec<&[u8]> = found.iter().map(|found| &found.line[..]).collect();
    assert_eq!(lines, [&b"boring Oops"[..], b"Oops again"]);
}

#[test]
fn a_damaged_index_is_as_good_as_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&name(), small(dir.path())).unwrap();
    for at in 0..40 {
        writer.append(at * 10_000, format!("line {at} of many\n").repeat(10).as_bytes());
    }
    index(&writer, 100);
    let path = writer.store().path(0, "grams");
    let sound = std::fs::read(&path).unwrap();
    let head = writer.head();
    let all = expected(writer.store(), "line 1 ", false, 0, head);
    assert!(!all.is_empty());
    for at in 0..300 {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x40;
        std::fs::write(&path, &damaged).unwrap();
        let found = search(writer.store(), "line 1 ", false, 0, head).0;
        // A bit of the table itself can hide a block; the heads cannot be wrong unnoticed.
        assert!(found == all || at >= 16 + 8 * 15, "{at}");
    }
    for len in [0, 1, 15, 16, 40, sound.len() / 2, sound.len() - 1] {
        std::fs::write(&path, &sound[..len]).unwrap();
        assert_eq!(search(writer.store(), "line 1 ", false, 0, head).0, all, "{len}");
    }
}

const PATTERNS: [&str; 12] = [
    "Oops",
    "panic",
    "^Kernel panic",
    "ops$",
    "BUG|Oops",
    "(Oops|panic).*at",
    "a[bc]d",
    "x+y",
    "^$",
    "=> ",
    "o\\w{2}s",
    "(?i)kernel",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn with_an_index_and_without_the_same_is_found(
        words in proptest::collection::vec(prop_oneof![
            6 => prop::sample::select(vec!["boring ", "abd", "xxy", " at ", "loops ", "=> "]),
            4 => prop::sample::select(vec!["\n", "\r\n", "\n\r"]),
            1 => prop::sample::select(vec!["Oops", "Kernel panic", "BUG", "kErNeL", "acd"]),
            1 => Just("........................................................................"),
        ], 1..400),
        sizes in proptest::collection::vec(1_usize..200, 1..20),
        (segment, block) in (100_u64..1000, 1_u64..300),
        (from, to) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        (removed, compressed) in (proptest::option::of(0_usize..8), any::<bool>()),
        (pattern, fold) in (prop::sample::select(PATTERNS.to_vec()), any::<bool>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = CaptureOptions { segment, ..CaptureOptions::new(dir.path()) };
        let mut writer = Writer::open(&name(), options).unwrap();
        let text = words.concat();
        let mut rest = text.as_bytes();
        for (at, size) in sizes.iter().cycle().enumerate() {
            let (chunk, after) = rest.split_at(rest.len().min(*size));
            writer.append(at as u64 * 2_000, chunk);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        index(&writer, block);
        if compressed {
            writer.housekeeping().unwrap().run();
        }
        let segments = writer.store().lock().clone();
        if let Some(segment) = removed.and_then(|at| segments.get(at)).filter(|s| s.len.is_some()) {
            writer.store().remove(segment.start);
        }
        let head = writer.head();
        let from = from.index(head as usize + 1) as u64;
        let to = from + to.index((head - from) as usize + 1) as u64;
        let (found, _) = search(writer.store(), pattern, fold, from, to);
        prop_assert_eq!(found, expected(writer.store(), pattern, fold, from, to));
    }

    #[test]
    fn what_is_longer_than_a_line_is_cut_alike(
        lengths in proptest::collection::vec(prop_oneof![0_usize..50, 16_300_usize..16_500,
            Just(16_384), 40_000_usize..40_010], 1..8),
        block in 1_u64..50_000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = CaptureOptions { segment: 20_000, ..CaptureOptions::new(dir.path()) };
        let mut writer = Writer::open(&name(), options).unwrap();
        for (at, length) in lengths.iter().enumerate() {
            let line: Vec<u8> = b"abcdefg".iter().copied().cycle().take(*length).collect();
            line.chunks(7_000).for_each(|chunk| {
                writer.append(at as u64 * 2_000, chunk);
            });
            writer.append(at as u64 * 2_000, b"\n");
        }
        index(&writer, block);
        for pattern in ["abcdefg", "^bcd", "gab.*gab", "cdef$", ""] {
            let (found, _) = search(writer.store(), pattern, false, 0, writer.head());
            let all = expected(writer.store(), pattern, false, 0, writer.head());
            prop_assert_eq!(found.len(), all.len(), "{}", pattern);
            prop_assert!(found == all, "{}", pattern);
        }
    }
}
