//! A console's folder after somebody else was at it: files cut short, damaged, missing, added. Nothing
//! panics or hangs, what nobody touched is read as it was written, and writing goes on behind it.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use lavamux::capture::{Read, Reader, Search, Writer};
use lavamux::config::CaptureOptions;
use lavamux::model::{Event, Mark, What};
use lavamux::wire::pattern::Pattern;
use libfuzzer_sys::fuzz_target;

/// The bytes of a segment of the sound capture; there are four, the last one open.
const SEGMENT: usize = 2100 * 1024;
const SUFFIXES: [&str; 6] = ["raw", "raw.zst", "idx", "jsonl", "grams", "tmp"];

/// The files of a sound capture, by name, and the bytes that they hold.
struct Sound {
    files: Vec<(String, Vec<u8>)>,
    bytes: Vec<u8>,
}

fuzz_target!(|data: &[u8]| {
    let sound = sound();
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let folder = dir.path().join("fuzz");
    fs::create_dir(&folder).unwrap();
    let mut files = sound.files.clone();
    let mut touched = [false; 4];
    let mut input = data.iter().copied();
    while let Some(what) = input.next() {
        damage(what, &mut input, &mut files, &mut touched);
    }
    for (name, content) in &files {
        fs::write(folder.join(name), content).unwrap();
    }
    check(dir.path(), sound, touched);
});

/// Changes one file; a file of a segment touches the segment, and one that is added those before it.
fn damage(
    what: u8,
    input: &mut impl Iterator<Item = u8>,
    files: &mut Vec<(String, Vec<u8>)>,
    touched: &mut [bool; 4],
) {
    let mut number = || {
        let mut byte = || u64::from(input.next().unwrap_or(0));
        byte() << 16 | byte() << 8 | byte()
    };
    if what & 7 == 7 {
        // Any segment anywhere: it may reach into each of them.
        let start = number() << (what >> 3);
        let name = format!("{start:020}.{}", SUFFIXES[number() as usize % SUFFIXES.len()]);
        let content: Vec<u8> = input.take(64).collect();
        files.retain(|(known, _)| *known != name);
        files.push((name, content));
        *touched = [true; 4];
        return;
    }
    let at = usize::from(what >> 3) % files.len().max(1);
    let Some((name, content)) = files.get_mut(at) else { return };
    let segment = name.split('.').next().and_then(|start| start.parse::<usize>().ok());
    if let Some(touched) = segment.and_then(|start| touched.get_mut(start / SEGMENT)) {
        // Times, events and the index of a search are not its bytes.
        *touched |= name.contains(".raw");
    }
    let place = number() as usize;
    let place = if place & 1 == 0 { place } else { content.len().saturating_sub(place % 64) };
    match what & 7 {
        0 => content.truncate(place % (content.len() + 1)),
        1 => drop(files.swap_remove(at)),
        2 => content.extend(input.take(32)),
        _ => {
            for (byte, with) in content.iter_mut().skip(place).zip(input.take(4)) {
                *byte ^= with;
            }
        }
    }
}

fn check(dir: &Path, sound: &Sound, touched: [bool; 4]) {
    let Ok(mut writer) = Writer::open(&"fuzz".parse().unwrap(), options(dir)) else { return };
    let store = writer.store().clone();
    let head = writer.head();
    let mut reader = Reader::new(store.clone());
    for (at, touched) in touched.into_iter().enumerate() {
        let (from, to) = (at * SEGMENT, ((at + 1) * SEGMENT).min(sound.bytes.len()));
        let read = read(&mut reader, from as u64, (to as u64).min(head));
        assert!(touched || read == sound.bytes[from..to], "segment {at} is not what was written");
    }
    let _ = store.events(0, 100, |_| true);
    let _ = store.mark(Mark::Reset);
    let _ = reader.offset_at(5_000_000);
    for pattern in ["Oops", "line 4.*0 of"] {
        let pattern = Arc::new(Pattern::new(pattern, true).unwrap());
        let mut search = Search::new(store.clone(), pattern, 0, head.min(1 << 24));
        let mut steps = 0;
        while search.step().is_some() {
            steps += 1;
            assert!(steps < 10_000, "a search does not end");
        }
    }
    writer.append(1, b"written afterwards\n");
    writer.record(&Event { offset: head, time_us: 1, who: None, what: What::Detach });
    writer.settle();
    if let Some(work) = writer.housekeeping() {
        work.run();
    }
    assert_eq!(read(&mut reader, head, writer.head()), b"written afterwards\n");
}

/// What is held from one offset to another; at most some mebibytes.
fn read(reader: &mut Reader, from: u64, to: u64) -> Vec<u8> {
    let (mut at, mut bytes) = (from, Vec::new());
    while at < to {
        match reader.read(at, to, 1 << 18) {
            Read::Pieces(pieces) => {
                for piece in pieces {
                    assert_eq!(piece.offset, at);
                    at = piece.end();
                    bytes.extend_from_slice(&piece.bytes);
                }
            }
            Read::Gap { to } => {
                assert!(to > at);
                at = to;
            }
        }
    }
    bytes
}

fn options(dir: &Path) -> CaptureOptions {
    CaptureOptions { segment: SEGMENT as u64, ..CaptureOptions::new(dir) }
}

fn sound() -> &'static Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    SOUND.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(&"fuzz".parse().unwrap(), options(dir.path())).unwrap();
        let mut bytes = Vec::new();
        let mut line = 0;
        while bytes.len() < 3 * SEGMENT + 1000 {
            // Each segment is filled to its last byte.
            let left = SEGMENT - bytes.len() % SEGMENT;
            let text = format!("line {line} of a console that Oops likes\r\n").into_bytes();
            let text = &text[..text.len().min(left)];
            writer.append(line * 1000, text);
            if line % 1000 == 0 {
                writer.settle();
                let event = Event { offset: bytes.len() as u64, time_us: 1, who: None, what: What::Detach };
                writer.record(&event);
            }
            bytes.extend_from_slice(text);
            line += 1;
        }
        writer.settle();
        if let Some(work) = writer.housekeeping() {
            work.run();
        }
        // One of the closed segments is as it was before it was compressed.
        let folder = dir.path().join("fuzz");
        let raw = folder.join(format!("{SEGMENT:020}.raw"));
        fs::write(&raw, &bytes[SEGMENT..2 * SEGMENT]).unwrap();
        fs::remove_file(raw.with_extension("raw.zst")).unwrap();
        let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<(String, Vec<u8>)> = files
            .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
            .filter(|(name, _)| name != "lock")
            .collect();
        files.sort();
        Sound { files, bytes }
    })
}
