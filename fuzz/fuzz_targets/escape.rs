//! Typed bytes: in one piece and in two they come to the same, and none is lost.
#![no_main]

use lavamux::wire::escape::{Escapes, Typed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, keys) = input;
    let cut = usize::from(cut).min(keys.len());
    assert_eq!(run(&[keys]), run(&[&keys[..cut], &keys[cut..]]));
    if !keys.windows(2).any(|pair| pair == b"~$") {
        assert_eq!(run(&[keys]).0, keys);
    }
});

/// What went to the board, what was echoed, and the commands.
fn run(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>, Vec<String>) {
    let mut escapes = Escapes::new("b");
    let mut typed: Vec<Typed> = pieces.iter().flat_map(|piece| escapes.feed(piece)).collect();
    typed.extend(escapes.finish());
    let (mut board, mut echo, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    for piece in typed {
        match piece {
            Typed::Board(bytes) => board.extend(bytes),
            Typed::Echo(bytes) => echo.extend(bytes),
            Typed::Command(command) => commands.push(command),
        }
    }
    (board, echo, commands)
}
