//! What a telnet peer sends, to either role: how it is cut makes no difference, it cannot make us
//! answer without end, and afterwards we still understand a peer of our own kind.
#![no_main]

use bytes::BytesMut;
use lavamux::wire::telnet::{Received, Telnet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (role, cut, bytes) = input;
    let cut = usize::from(cut).min(bytes.len());
    let (mut whole, mut parts) = (new(role), new(role));
    let one = run(&mut whole, &[bytes]);
    let two = run(&mut parts, &[&bytes[..cut], &bytes[cut..]]);
    // A connection ends at a subnegotiation without end; what came before in its piece is lost.
    let (Some(one), Some(two)) = (one, two) else { return };
    assert_eq!(one, two);
    let answers = whole.answers();
    assert_eq!(answers, parts.answers());
    assert!(answers.len() <= 32 + 20 * bytes.len(), "{} bytes of answers", answers.len());

    let mut peer = new(!role);
    peer.decode(&answers).unwrap();
    let quiet = (0..200).any(|_| {
        let (ours, theirs) = (whole.answers(), peer.answers());
        // Ends whatever sequence the input had begun.
        run(&mut whole, &[&[0, 255, 240, 255, 240], &theirs]);
        peer.decode(&ours).unwrap();
        ours.is_empty() && theirs.is_empty()
    });
    assert!(quiet, "the two keep each other busy");
    let mut wire = BytesMut::new();
    whole.encode(bytes, &mut wire);
    assert!(wire.len() <= 2 * bytes.len() + 1);
});

/// By the lowest bit a server or a client, by the next one a client of serial ports.
fn new(role: u8) -> Telnet {
    match role & 3 {
        1 => Telnet::client(false),
        3 => Telnet::client(true),
        _ => Telnet::server(),
    }
}

/// What was received, each piece in brackets but typed bytes.
fn run(telnet: &mut Telnet, pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for piece in pieces {
        for received in telnet.decode(piece).ok()? {
            match received {
                Received::Data(bytes) => all.extend(bytes),
                Received::Break => all.extend(b"<break>"),
                Received::ComPort => all.extend(b"<com-port>"),
                Received::Subnegotiation(bytes) => all.extend([b"<", &bytes[..], b">"].concat()),
            }
        }
    }
    Some(all)
}
