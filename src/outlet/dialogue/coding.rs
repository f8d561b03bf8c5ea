//! How texts are written on the wire.
//!
//! TP-Link's smart plugs: a length of four bytes, the high one first, then each byte exclusive or the
//! one before it as it was sent, and the first one exclusive or 171 (softScheck, "Reverse Engineering
//! the TP-Link HS110").

use crate::config::power::Coding;

const FIRST_KEY: u8 = 171;

/// The bytes of a text.
pub(super) fn encode(coding: Coding, text: Vec<u8>) -> Vec<u8> {
    if coding == Coding::Plain {
        return text;
    }
    let mut bytes = (text.len() as u32).to_be_bytes().to_vec();
    let mut key = FIRST_KEY;
    for byte in text {
        key ^= byte;
        bytes.push(key);
    }
    bytes
}

/// Gives the texts in a stream of bytes, however they are cut.
#[derive(Debug)]
pub(super) struct Decoder {
    coding: Coding,
    /// The bytes of a length, as far as they are there.
    length: Vec<u8>,
    /// What is still to come of a text.
    left: u32,
    key: u8,
}

impl Decoder {
    pub(super) fn new(coding: Coding) -> Self {
        Self { coding, length: Vec::new(), left: 0, key: FIRST_KEY }
    }

    pub(super) fn decode(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.coding == Coding::Plain {
            return bytes.to_vec();
        }
        let mut text = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.left == 0 {
                self.length.push(byte);
                if let Ok(length) = <[u8; 4]>::try_from(self.length.as_slice()) {
                    self.left = u32::from_be_bytes(length);
                    self.length.clear();
                    self.key = FIRST_KEY;
                }
            } else {
                text.push(byte ^ self.key);
                self.key = byte;
                self.left -= 1;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plug_is_spoken_to_in_its_way() {
        // The request of softScheck's paper begins so.
        let bytes = encode(Coding::TpLink, br#"{"system":{"get_sysinfo":{}}}"#.to_vec());
        assert_eq!(&bytes[..12], [0, 0, 0, 29, 0xd0, 0xf2, 0x81, 0xf8, 0x8b, 0xff, 0x9a, 0xf7]);
    }

    proptest! {
        #[test]
        fn texts_arrive_however_they_are_cut(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..5),
            cut in 1_usize..9,
        ) {
            let bytes: Vec<u8> =
                texts.iter().flat_map(|text| encode(Coding::TpLink, text.clone())).collect();
            let mut decoder = Decoder::new(Coding::TpLink);
            let heard: Vec<u8> = bytes.chunks(cut).flat_map(|part| decoder.decode(part)).collect();
            prop_assert_eq!(heard, texts.concat());
        }
    }
}
