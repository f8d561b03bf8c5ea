//! A conmux client: its requests, then its typing. In one piece and in two they come to the same, no
//! answer is longer than its client can take, and a process that is replaced goes on as it was.
#![no_main]

use lavamux::wire::conmux::{Reply, Request, Requests, Typing};
use lavamux::wire::escape::Typed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    let (one, two) = bytes.split_at(usize::from(cut).min(bytes.len()));

    if let (Some(whole), Some(pieces)) = (requests(&[bytes]), requests(&[one, two])) {
        assert_eq!(whole, pieces);
        for request in &whole {
            let id = request.get("id").unwrap_or_default();
            let line = Reply::new("OK").with("motd", id).encode(true);
            assert!(line.is_ascii() && line.ends_with('\n'), "{line}");
            assert!(line.len() <= "motd= status=OK\n".len() + 3 * 63, "{line}");
        }
    }

    let mut typing = Typing::new("b");
    let mut typed = typing.feed(one);
    let mut next = Typing::resume("b", typing.begun());
    let short = typing.begun().len() < 1024;
    let mut elsewhere = typed.clone();
    elsewhere.extend(next.feed(two.strip_prefix(b"\n").unwrap_or(two)));
    typed.extend(typing.feed(two));
    let whole = summed(Typing::new("b").feed(bytes));
    assert_eq!(summed(typed), whole);
    if short && !one.ends_with(b"\r") && !two.starts_with(b"\n") && !two.starts_with(b"\0") {
        assert_eq!(summed(elsewhere), whole);
    }
});

/// The requests, whatever their clients can take; `None` when one is too long.
fn requests(pieces: &[&[u8]]) -> Option<Vec<Request>> {
    let (mut requests, mut all) = (Requests::default(), Vec::new());
    for mut piece in pieces.iter().copied() {
        while !piece.is_empty() {
            let (used, request) = requests.feed(piece).ok()?;
            all.extend(request.map(|mut request| {
                request.short = false;
                request
            }));
            piece = &piece[used..];
        }
    }
    Some(all)
}

/// What the board gets, and the commands.
fn summed(typed: Vec<Typed>) -> (Vec<u8>, Vec<String>) {
    let (mut board, mut commands) = (Vec::new(), Vec::new());
    for piece in typed {
        match piece {
            Typed::Board(bytes) => board.extend(bytes),
            Typed::Command(command) => commands.push(command),
            Typed::Echo(_) => {}
        }
    }
    (board, commands)
}
