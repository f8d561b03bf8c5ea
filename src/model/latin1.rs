//! Bytes as text: each is the Unicode character of the same number (ISO 8859-1), so that any bytes
//! stand in JSON, and those of plain text can be read there.

use bytes::Bytes;
use serde::{Deserialize as _, Deserializer, Serializer};

pub fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The bytes of a text; `None` when a character is none of a byte.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// For `#[serde(with = "latin1")]`.
///
/// # Errors
/// Those of the serializer. So below.
pub fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&text(bytes))
}

pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(from)?;
    let bytes = bytes(&text).ok_or_else(|| serde::de::Error::custom("a character is no byte"))?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(bytes(&text(&all)), Some(all));
        assert_eq!(bytes("€"), None);
    }
}
