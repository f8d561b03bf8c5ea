//! Typed bytes: in one piece and in two they come to the same, and none is lost, whatever begins an
//! escape.
#![no_main]

use lavamux::wire::escape::{Escapes, Introducer, Keymap, Typed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, u16, &[u8])| {
    let (keymap, introducer, cut, keys) = input;
    let keymap = [Keymap::Lava, Keymap::Conserver, Keymap::Conman][usize::from(keymap % 3)];
    let introducer: Option<Introducer> = match introducer {
        "" => Some(keymap.introducer()),
        text => text.parse().ok(),
    };
    let run = |pieces: &[&[u8]]| run(Escapes::with(keymap, introducer.clone(), "b"), pieces);
    let cut = usize::from(cut).min(keys.len());
    assert_eq!(run(&[keys]), run(&[&keys[..cut], &keys[cut..]]));
    let begin = introducer.as_ref().map(Introducer::keys).unwrap_or_default();
    if begin.is_empty() || !keys.windows(begin.len()).any(|part| part == begin) {
        assert_eq!(run(&[keys]).0, keys);
    }
});

/// What went to the board, what was echoed, and the commands.
fn run(mut escapes: Escapes, pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>, Vec<String>) {
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
