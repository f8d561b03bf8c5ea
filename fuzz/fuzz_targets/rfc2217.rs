//! Sub-options of RFC 2217 at both ends: what is understood is said again in the same meaning, as
//! one subnegotiation.
#![no_main]

use bytes::BytesMut;
use lavamux::wire::rfc2217::{Answer, COM_PORT, Request};
use lavamux::wire::telnet::{Received, Telnet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut wire = BytesMut::new();
    if let Some(request) = Request::decode(data) {
        request.encode(&mut wire);
        assert_eq!(Request::decode(&sub_option(&wire)), Some(request));
    }
    wire.clear();
    // A longer one is more than a peer takes.
    if let Some(answer) = Answer::decode(&data[..data.len().min(500)]) {
        answer.encode(&mut wire);
        assert_eq!(Answer::decode(&sub_option(&wire)), Some(answer));
    }
});

fn sub_option(wire: &[u8]) -> Vec<u8> {
    match &Telnet::server().decode(wire).unwrap()[..] {
        [Received::Subnegotiation(bytes)] if bytes[0] == COM_PORT => bytes[1..].to_vec(),
        other => panic!("{other:?}"),
    }
}
