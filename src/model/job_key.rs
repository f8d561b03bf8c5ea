//! What lets a job in at the consoles and outlets of its boards, and nowhere else: a text that only who has a key can
//! have made, of which job it is, for which of them, and until when. A daemon checks it with the key alone.

use sha2::{Digest as _, Sha256};

use super::page_key::hmac;
use super::{Name, TokenHash};

/// What every pass begins with.
const PREFIX: &str = "lava_job_";
/// The longest pass that is looked at, in bytes.
const MAX_PASS: usize = 8192;
/// The shortest secret, in bytes: 16 random bytes in hexadecimal digits.
const SHORTEST_SECRET: usize = 32;

/// The secret that a server and the daemons of its boards have in common.
#[derive(Clone, PartialEq, Eq)]
pub struct JobKey([u8; 32]);

/// What a pass says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPass {
    pub job: u64,
    /// In seconds since the Unix epoch.
    pub until_s: u64,
    /// As their daemons call them.
    pub things: Vec<Name>,
}

impl JobKey {
    /// # Errors
    /// When the secret is so short that it could be guessed.
    pub fn of(secret: &str) -> Result<Self, String> {
        let secret = secret.trim();
        match secret.len() >= SHORTEST_SECRET {
            true => Ok(Self(Sha256::digest(secret).into())),
            false => Err(format!(
                "a key has at least {SHORTEST_SECRET} characters; `openssl rand -hex 32` makes one"
            )),
        }
    }

    /// A pass, which is a word everywhere.
    pub fn issue(&self, pass: &JobPass) -> String {
        let things = pass.things.iter().map(|name| format!(" {name}")).collect::<String>();
        let said = hex(format!("{} {}{things}", pass.job, pass.until_s).as_bytes());
        format!("{PREFIX}{said}_{}", self.digits(&said))
    }

    /// What a text says, if it was issued with this key; whether it counts still is not looked at.
    pub fn read(&self, text: &str) -> Option<JobPass> {
        let rest = text.strip_prefix(PREFIX).filter(|_| text.len() <= MAX_PASS)?;
        let (said, digits) = rest.split_once('_')?;
        // As texts, by their hashes: the time that it takes tells nothing.
        if digits.len() != 64 || TokenHash::of(digits) != TokenHash::of(&self.digits(said)) {
            return None;
        }
        let digit = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let said = said.as_bytes().chunks(2).map(digit).collect::<Option<Vec<u8>>>()?;
        let said = String::from_utf8(said).ok()?;
        let mut words = said.split(' ');
        let (job, until_s) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let things = words.map(|name| name.parse().ok()).collect::<Option<Vec<Name>>>()?;
        Some(JobPass { job, until_s, things })
    }

    fn digits(&self, said: &str) -> String {
        hex(&hmac(&self.0, format!("lava job pass\n{said}").as_bytes()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::fmt::Debug for JobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JobKey")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: char) -> JobKey {
        JobKey::of(&byte.to_string().repeat(64)).unwrap()
    }

    fn pass() -> JobPass {
        let things = ["panda01", "pdu-1.3"].map(|name| name.parse::<Name>().unwrap()).into();
        JobPass { job: 7, until_s: 1000, things }
    }

    #[test]
    fn a_pass_is_read_with_its_key_alone_and_not_changed_by_anybody() {
        let text = key('a').issue(&pass());
        assert!(text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_'), "{text}");
        assert_eq!(key('a').read(&text), Some(pass()));
        assert_eq!(key('b').read(&text), None);
        // 7 is 37, 8 is 38: another job.
        let other = text.replacen("_37", "_38", 1);
        assert!(other != text && key('a').read(&other).is_none());
        assert!(JobKey::of(" too short\n").is_err());
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_pass(text in "(lava_job_)?[0-9a-f_é]{0,200}") {
            prop_assert_eq!(key('a').read(&text), None);
        }
    }
}
