//! What boards print, for a terminal: however it is cut it comes to the same, what was made tame is tame,
//! and no control of eight bits, no answer and no string is left.
#![no_main]

use lavamux::wire::tame::Tame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    let (one, two) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let shown = tamed(&[bytes]);
    assert_eq!(shown, tamed(&[one, two]));
    assert_eq!(shown, tamed(&[&shown]));
    assert!(!shown.iter().any(|byte| matches!(byte, 0x05 | 0x18 | 0x1a)));
    let text = String::from_utf8_lossy(&shown);
    assert!(!text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c)));
    for harms in ["\x1b]", "\x1bP", "\x1bX", "\x1b^", "\x1b_", "\x1bk", "\x1bZ", "\x1bc", "\x1b%"] {
        assert!(!text.contains(harms), "{text:?}");
    }
});

/// CAN ends what is begun, and shows nothing.
fn tamed(pieces: &[&[u8]]) -> Vec<u8> {
    let mut tame = Tame::default();
    let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| tame.feed(piece)).collect();
    shown.extend(tame.feed(b"\x18"));
    shown
}
