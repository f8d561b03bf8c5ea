//! Tokens: long random texts that somebody shows instead of a password.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What every token begins with, so that those who look for leaked ones find it.
const TOKEN_PREFIX: &str = "lava_";
/// How many random bytes are in a token.
pub const TOKEN_BYTES: usize = 32;
/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 256;
/// How a hash is written: this, and 64 hexadecimal digits.
const HASH_PREFIX: &str = "sha256:";

/// The hash of a token, as configurations have it: who reads those cannot log in with it.
///
/// One pass of SHA-256 is enough. Slow hashes with salt are for passwords, which people choose from so
/// few that all can be tried; nobody tries 2^256 tokens.
#[derive(Clone, Copy, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

/// A text that is no hash of a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is written {HASH_PREFIX} and 64 hexadecimal digits; `lava token new` prints one")]
pub struct TokenHashError;

impl TokenHash {
    /// The hash of a token; `None` for a text that is too long to be one.
    pub fn of(token: &str) -> Option<Self> {
        (token.len() <= MAX_TOKEN).then(|| Self(Sha256::digest(token).into()))
    }
}

/// A token of these bytes, which are to be random.
pub fn token_of(bytes: &[u8; TOKEN_BYTES]) -> String {
    format!("{TOKEN_PREFIX}{}", hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl PartialEq for TokenHash {
    /// Takes the same time wherever they differ.
    fn eq(&self, other: &Self) -> bool {
        let differing = self.0.iter().zip(&other.0).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
        differing == 0
    }
}

impl FromStr for TokenHash {
    type Err = TokenHashError;

    fn from_str(text: &str) -> Result<Self, TokenHashError> {
        let digits = text.strip_prefix(HASH_PREFIX).ok_or(TokenHashError)?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(TokenHashError);
        }
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| TokenHashError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| TokenHashError)?;
        }
        Ok(Self(hash))
    }
}

impl TryFrom<String> for TokenHash {
    type Error = TokenHashError;

    fn try_from(text: String) -> Result<Self, TokenHashError> {
        text.parse()
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HASH_PREFIX}{}", hex(&self.0))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_sha256sum_prints() {
        let hash = TokenHash::of("abc").unwrap();
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse::<TokenHash>().unwrap(), hash);
        assert_ne!(TokenHash::of("abd").unwrap(), hash);
        assert_eq!(TokenHash::of(&"x".repeat(257)), None);
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in ["", "sha256:", "abc", "sha256:zz", &format!("sha256:{}", "é".repeat(32))] {
            assert_eq!(text.parse::<TokenHash>(), Err(TokenHashError), "{text}");
        }
    }

    #[test]
    fn a_token_is_a_word_everywhere() {
        let token = token_of(&[0xab; TOKEN_BYTES]);
        assert!(token.starts_with("lava_abab") && token.len() == 69, "{token}");
    }
}
