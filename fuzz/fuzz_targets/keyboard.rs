//! A terminal's bytes: no byte is lost, and little is held.
#![no_main]

use lavamux::wire::keyboard::Decoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let mut decoder = Decoder::default();
    let (mut fed, mut given) = (0, 0);
    for piece in &pieces {
        fed += piece.len();
        given += decoder.feed(piece).iter().map(|typed| typed.bytes.len()).sum::<usize>();
        assert!(fed - given <= 64);
    }
    given += decoder.release().iter().map(|typed| typed.bytes.len()).sum::<usize>();
    assert!(fed - given <= 64);
});
