//! The binary frames of an attached WebSocket, from the server to the client.
//!
//! ```text
//!  0               8               16
//!  +---------------+---------------+------------------------
//!  | offset  (u64) | time_us (u64) | bytes of the console …
//!  +---------------+---------------+------------------------
//! ```
//! Both numbers are big-endian. The offset is that of the first byte; the time is Unix time in
//! microseconds. Binary frames the other way are bytes to type and have no header.

use bytes::{BufMut, Bytes, BytesMut};

/// Length of the header in bytes.
pub const HEADER: usize = 16;

/// A piece of a console's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Absolute offset of the first byte.
    pub offset: u64,
    /// When the piece was read from the port, in microseconds since the Unix epoch.
    pub time_us: u64,
    pub bytes: Bytes,
}

/// A frame that is shorter than its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame has at least {HEADER} bytes; this one has {0}")]
pub struct Truncated(pub usize);

impl Frame {
    /// The offset of the byte after this piece.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(HEADER + self.bytes.len());
        out.put_u64(self.offset);
        out.put_u64(self.time_us);
        out.put_slice(&self.bytes);
        out.freeze()
    }

    pub fn decode(mut message: Bytes) -> Result<Self, Truncated> {
        let Some((offset, rest)) = message.split_first_chunk::<8>() else {
            return Err(Truncated(message.len()));
        };
        let Some((time, _)) = rest.split_first_chunk::<8>() else {
            return Err(Truncated(message.len()));
        };
        let (offset, time_us) = (u64::from_be_bytes(*offset), u64::from_be_bytes(*time));
        Ok(Self { offset, time_us, bytes: message.split_off(HEADER) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_frame_survives_the_wire(
            offset: u64, time_us: u64, bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let frame = Frame { offset, time_us, bytes: bytes.into() };
            prop_assert_eq!(Frame::decode(frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn a_short_frame_is_refused_with_its_length() {
        assert_eq!(Frame::decode(Bytes::from_static(&[0; 15])), Err(Truncated(15)));
    }
}
