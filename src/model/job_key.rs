//! What lets a job in at the consoles and outlets of its boards, and nowhere else: a text that only who has a key can
//! have made, of which job it is, for which of them, and until when. They stand in it as URLs, which say of which
//! daemon they are, and whether consoles or outlets: another daemon may have some of the same names. A daemon checks it
//! with the key, and with where it is itself.

use sha2::{Digest as _, Sha256};

use super::page_key::hmac;
use super::{Name, TokenHash};

/// What every pass begins with.
const PREFIX: &str = "lava_job_";
/// The longest pass that is made and looked at, in bytes: it is a header of each request.
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
    /// The consoles and outlets, as `http://farm1:7100/consoles/panda01`.
    pub things: Vec<String>,
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
    ///
    /// # Errors
    /// When it would be longer than anybody reads it.
    pub fn issue(&self, pass: &JobPass) -> Result<String, String> {
        let things = pass.things.iter().map(|url| format!("\n{url}")).collect::<String>();
        let said = hex(format!("{}\n{}{things}", pass.job, pass.until_s).as_bytes());
        let text = format!("{PREFIX}{said}_{}", self.digits(&said));
        match text.len() <= MAX_PASS {
            true => Ok(text),
            false => Err(format!(
                "the pass for its {} consoles and outlets has {} bytes, and {MAX_PASS} is the most: give the job \
                 fewer boards, or their daemons shorter URLs",
                pass.things.len(),
                text.len()
            )),
        }
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
        let mut words = said.split('\n');
        let (job, until_s) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(JobPass { job, until_s, things: words.map(str::to_owned).collect() })
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

impl JobPass {
    /// The names of the things that it is for at a daemon whose things are there, as `http://farm1:7100/consoles`.
    pub fn names_at(&self, places: &[String]) -> Vec<Name> {
        let here = |url: &String| {
            let (place, name) = url.rsplit_once('/')?;
            places.iter().any(|own| own == place).then(|| name.parse().ok()).flatten()
        };
        self.things.iter().filter_map(here).collect()
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
        let things = ["http://farm1:7100/consoles/tty0", "unix:/run/p.sock:/outlets/pdu-1.3"];
        JobPass { job: 7, until_s: 1000, things: things.map(str::to_owned).into() }
    }

    #[test]
    fn a_pass_is_read_with_its_key_alone_and_not_changed_by_anybody() {
        let text = key('a').issue(&pass()).unwrap();
        assert!(text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_'), "{text}");
        assert_eq!(key('a').read(&text), Some(pass()));
        assert_eq!(key('b').read(&text), None);
        // 7 is 37, 8 is 38: another job.
        let other = text.replacen("_37", "_38", 1);
        assert!(other != text && key('a').read(&other).is_none());
        assert!(JobKey::of(" too short\n").is_err());
    }

    #[test]
    fn a_pass_is_for_things_of_one_daemon_and_of_one_kind() {
        let names = |place: &str| pass().names_at(&[place.to_owned()]);
        assert_eq!(names("http://farm1:7100/consoles"), ["tty0".parse::<Name>().unwrap()]);
        assert_eq!(names("unix:/run/p.sock:/outlets"), ["pdu-1.3".parse::<Name>().unwrap()]);
        for other in
            ["http://farm2:7100/consoles", "http://farm1:7100/outlets", "http://farm1:7100"]
        {
            assert!(names(other).is_empty(), "{other}");
        }
        assert!(pass().names_at(&[]).is_empty());
    }

    #[test]
    fn a_pass_that_nobody_would_read_is_not_made() {
        let things = |count| {
            let url = |at| format!("http://farm1.example:7100/consoles/board-{at}");
            JobPass { things: (0..count).map(url).collect(), ..pass() }
        };
        let long = things(60);
        assert_eq!(key('a').read(&key('a').issue(&long).unwrap()), Some(long));
        let told = key('a').issue(&things(120)).unwrap_err();
        assert!(told.starts_with("the pass for its 120 consoles and outlets has "), "{told}");
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_pass(text in "(lava_job_)?[0-9a-f_é]{0,200}") {
            prop_assert_eq!(key('a').read(&text), None);
        }
    }
}
