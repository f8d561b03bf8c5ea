//! What a browser shows instead of a token once it has shown that: a text that only a daemon of this host
//! can have made, of which token it is, and until when it counts. Nothing has to be remembered for it, and
//! when the token goes, it goes as well.

use sha2::{Digest as _, Sha256};

use super::TokenHash;

/// How many random bytes a key has.
pub const PAGE_KEY_BYTES: usize = 32;
/// For how long a login counts, in seconds.
pub const PAGE_LOGIN_S: u64 = 7 * 24 * 3600;
/// The block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// The secret of the daemons of a host.
#[derive(Clone)]
pub struct PageKey([u8; PAGE_KEY_BYTES]);

impl PageKey {
    /// A key of these bytes, which are to be random.
    pub fn new(bytes: [u8; PAGE_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// What is shown for a token: `1-UNTIL-DIGITS`. `now_s` is Unix time.
    pub fn issue(&self, token: &TokenHash, now_s: u64) -> String {
        let until = now_s + PAGE_LOGIN_S;
        format!("1-{until}-{}", self.digits(token, until))
    }

    /// Whether a text was issued for a token, and still counts.
    pub fn is_of(&self, text: &str, token: &TokenHash, now_s: u64) -> bool {
        let Some((until, digits)) = text.strip_prefix("1-").and_then(|rest| rest.split_once('-'))
        else {
            return false;
        };
        let Ok(until) = until.parse() else { return false };
        // As texts, by their hashes: the time that it takes tells nothing.
        let same = TokenHash::of(digits) == TokenHash::of(&self.digits(token, until));
        same && digits.len() == 64 && now_s < until
    }

    fn digits(&self, token: &TokenHash, until: u64) -> String {
        let said = format!("lava page login\n{token}\n{until}");
        hmac(&self.0, said.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for PageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageKey")
    }
}

/// HMAC-SHA256 (RFC 2104) with a key that is no longer than a block.
pub(super) fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK];
        block.iter_mut().zip(key).for_each(|(pad, key)| *pad ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_as_specified() {
        // RFC 4231, test case 2.
        let hex = |bytes: [u8; 32]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let mac = hex(hmac(b"Jefe", b"what do ya want for nothing?"));
        assert_eq!(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_login_counts_for_its_token_and_its_time_only() {
        let token = |text| TokenHash::of(text).unwrap();
        let key = PageKey::new([7; 32]);
        let text = key.issue(&token("alice"), 1000);
        assert!(key.is_of(&text, &token("alice"), 1001));
        assert!(!key.is_of(&text, &token("bob"), 1001));
        assert!(!key.is_of(&text, &token("alice"), 1000 + PAGE_LOGIN_S));
        assert!(!PageKey::new([8; 32]).is_of(&text, &token("alice"), 1001));
        let later = text.replacen("1-6", "1-7", 1);
        assert!(later != text && !key.is_of(&later, &token("alice"), 1001));
        for wrong in ["", "1-", "1-5", "1-99999999999-", "2-9-0", "1-x-y"] {
            assert!(!key.is_of(wrong, &token("alice"), 1), "{wrong}");
        }
    }
}
