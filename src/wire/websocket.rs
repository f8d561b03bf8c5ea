//! Where a client's WebSocket messages end (RFC 6455 section 5.2): enough of the framing to hand a
//! connection over between two messages. The library does the rest.

/// FIN: the last frame of a message.
const FIN: u8 = 0x80;
/// Opcodes with this bit are control frames, which may come between the frames of a message.
const CONTROL: u8 = 0x08;
/// There is a mask of four bytes.
const MASK: u8 = 0x80;

/// Follows the frames of one direction of a connection.
#[derive(Debug, Default)]
pub struct Boundary {
    /// The header of the present frame, as far as it has come: at most 14 bytes.
    header: Vec<u8>,
    /// What has still to come of its payload.
    payload: u64,
    /// A message has begun and is not whole: it came in parts, of which the last is missing.
    in_parts: bool,
}

impl Boundary {
    /// The most bytes that may be taken now without going beyond the end of the frame; never 0.
    pub fn wanted(&self) -> usize {
        let missing = header_length(&self.header).saturating_sub(self.header.len());
        if missing > 0 { missing } else { usize::try_from(self.payload).unwrap_or(usize::MAX) }
    }

    /// Notes bytes that were taken, at most as many as are [wanted](Self::wanted).
    pub fn took(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.header.len() < header_length(&self.header) {
            self.header.extend_from_slice(bytes);
            if self.header.len() < header_length(&self.header) {
                return;
            }
            self.payload = payload_length(&self.header);
        } else {
            self.payload = self.payload.saturating_sub(bytes.len() as u64);
        }
        if self.payload == 0 {
            let first = self.header.first().copied().unwrap_or(0);
            if first & CONTROL == 0 {
                self.in_parts = first & FIN == 0;
            }
            self.header.clear();
        }
    }

    /// Whether every message that has begun is whole.
    pub fn is_between_messages(&self) -> bool {
        self.header.is_empty() && !self.in_parts
    }
}

/// How long a header is, as far as what has come of it tells.
fn header_length(header: &[u8]) -> usize {
    let Some(second) = header.get(1) else { return 2 };
    let length = match second & !MASK {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + length + if second & MASK == 0 { 0 } else { 4 }
}

fn payload_length(header: &[u8]) -> u64 {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n: u64, byte| n << 8 | u64::from(*byte));
    match header[1] & !MASK {
        126 => number(&header[2..4]),
        127 => number(&header[2..10]),
        short => u64::from(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A masked frame, as a client sends it.
    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match payload {
            0..126 => frame.push(MASK | payload as u8),
            126..65536 => {
                frame.push(MASK | 126);
                frame.extend((payload as u16).to_be_bytes());
            }
            _ => {
                frame.push(MASK | 127);
                frame.extend((payload as u64).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        frame.resize(frame.len() + payload, 0xff);
        frame
    }

    /// Feeds all of it in pieces of at most `most` bytes, and gives where messages ended.
    fn ends(bytes: &[u8], most: usize) -> Vec<usize> {
        let (mut boundary, mut at, mut ends) = (Boundary::default(), 0, Vec::new());
        while at < bytes.len() {
            let count = boundary.wanted().min(most).min(bytes.len() - at);
            assert!(count > 0);
            boundary.took(&bytes[at..at + count]);
            at += count;
            if boundary.is_between_messages() {
                ends.push(at);
            }
        }
        ends
    }

    proptest! {
        #[test]
        fn messages_end_where_they_end_however_they_are_cut(
            sizes in proptest::collection::vec(prop_oneof![0usize..200, 65000usize..66000], 1..5),
            most in 1usize..3000,
        ) {
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            for size in sizes {
                bytes.extend(frame(FIN | 2, size));
                expected.push(bytes.len());
            }
            prop_assert_eq!(ends(&bytes, most), expected);
        }

        #[test]
        fn no_bytes_make_it_panic_or_stop(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), most in 1usize..20,
        ) {
            ends(&bytes, most);
        }
    }

    #[test]
    fn a_message_in_parts_ends_with_its_last_part_and_a_ping_between_does_not_end_it() {
        let parts = [frame(1, 3), frame(FIN | 9, 2), frame(0, 3), frame(FIN, 3), frame(FIN | 9, 0)];
        let lengths: Vec<usize> = parts.iter().map(Vec::len).collect();
        let end: usize = lengths[..4].iter().sum();
        assert_eq!(ends(&parts.concat(), 7), [end, end + lengths[4]]);
    }
}
