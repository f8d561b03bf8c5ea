//! The messages of an attached WebSocket, in both directions: what decodes also encodes to itself.
#![no_main]

use bytes::Bytes;
use lavamux::wire::attach::{FromServer, Request};
use lavamux::wire::frame::Frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(frame) = Frame::decode(Bytes::copy_from_slice(data)) {
        assert_eq!(&frame.encode()[..], data);
    }
    if let Ok(message) = serde_json::from_slice::<FromServer>(data) {
        let json = serde_json::to_vec(&message).unwrap();
        assert_eq!(serde_json::from_slice::<FromServer>(&json).unwrap(), message);
    }
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let json = serde_json::to_vec(&request).unwrap();
        assert_eq!(serde_json::from_slice::<Request>(&json).unwrap(), request);
    }
});
