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
//!
//! Where there are no messages, as in `history?format=frames`, each frame has its length in front, as
//! u32 big-endian.

use bytes::{Buf as _, BufMut, Bytes, BytesMut};

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

/// The longest frame that is read from a stream, in bytes.
const MAX_FRAME: usize = 16 * 1024 * 1024;

/// Frames out of a stream of bytes.
#[derive(Debug, Default)]
pub struct Frames(BytesMut);

/// A stream that does not consist of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame has {HEADER} to {MAX_FRAME} bytes; this one has {0}")]
pub struct WrongLength(pub usize);

impl Frames {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next frame, if all of it has come.
    ///
    /// # Errors
    /// When the stream is not one of frames; nothing can be read from it any more.
    pub fn pop(&mut self) -> Result<Option<Frame>, WrongLength> {
        let Some(length) = self.0.first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if !(HEADER..=MAX_FRAME).contains(&length) {
            return Err(WrongLength(length));
        }
        if self.0.len() < 4 + length {
            return Ok(None);
        }
        self.0.advance(4);
        let frame = Frame::decode(self.0.split_to(length).freeze());
        frame.map(Some).map_err(|Truncated(length)| WrongLength(length))
    }
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

    /// With its length in front.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        out.put_u32((HEADER + self.bytes.len()) as u32);
        out.put_u64(self.offset);
        out.put_u64(self.time_us);
        out.put_slice(&self.bytes);
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

        #[test]
        fn frames_come_out_of_a_stream_however_it_is_cut(
            lengths in proptest::collection::vec(0_usize..40, 0..6), cut in 1_usize..50,
        ) {
            let frame = |(at, length): (usize, &usize)| {
                Frame { offset: at as u64, time_us: 7, bytes: vec![b'x'; *length].into() }
            };
            let sent: Vec<Frame> = lengths.iter().enumerate().map(frame).collect();
            let mut stream = Vec::new();
            sent.iter().for_each(|frame| frame.encode_into(&mut stream));
            let (mut frames, mut received) = (Frames::default(), Vec::new());
            for bytes in stream.chunks(cut) {
                frames.push(bytes);
                while let Some(frame) = frames.pop().unwrap() {
                    received.push(frame);
                }
            }
            prop_assert_eq!(received, sent);
        }

        #[test]
        fn a_stream_of_something_else_is_refused(bytes: [u8; 4]) {
            let mut frames = Frames::default();
            frames.push(&bytes);
            let length = u32::from_be_bytes(bytes) as usize;
            prop_assert_eq!(frames.pop().is_ok(), (HEADER..=MAX_FRAME).contains(&length));
        }
    }

    #[test]
    fn a_short_frame_is_refused_with_its_length() {
        assert_eq!(Frame::decode(Bytes::from_static(&[0; 15])), Err(Truncated(15)));
    }
}
