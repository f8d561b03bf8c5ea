//! What conmux's registry and consoles speak before bytes pass through: lines of a word and of
//! `key=value` pairs, percent-encoded and separated by blanks. One line asks, one line answers.
//!
//! ```text
//! LOOKUP service=panda01                  ->  result=127.0.0.1%3A40627 status=OK title=registry
//! CONNECT id=user%3Aalice to=console      ->  state=connected status=OK title=panda01%20...
//! ```
//! Some clients are C programs that send the NUL at the end of their strings too, and copy each value
//! of an answer into 64 bytes: they are told by that NUL, and get values that fit.

mod typing;

pub use typing::Typing;

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The longest request, in bytes.
pub const MAX_REQUEST: usize = 4096;
/// The longest value that every client can take, in bytes.
const SHORT_VALUE: usize = 63;

/// One line of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// As `CONNECT`; empty on an empty line.
    pub verb: String,
    arguments: BTreeMap<String, String>,
    /// The client has only 64 bytes for a value.
    pub short: bool,
}

/// Cuts what a client sends into requests. The result does not depend on how the bytes come, but for
/// a NUL that comes apart from its line.
#[derive(Debug, Default)]
pub struct Requests {
    line: Vec<u8>,
}

/// A request has more than [`MAX_REQUEST`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request has more than {MAX_REQUEST} bytes")]
pub struct TooLong;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply(BTreeMap<&'static str, String>);

impl Requests {
    /// Takes bytes up to the end of a request, and tells how many that were.
    ///
    /// # Errors
    /// When the request is too long; the client is then to be let go.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<Request>), TooLong> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' => {
                    let short = bytes.get(at + 1) == Some(&0);
                    let mut request = Request::decode(&std::mem::take(&mut self.line));
                    request.short = short;
                    return Ok((at + 1 + usize::from(short), Some(request)));
                }
                // It belongs to the line before.
                0 if self.line.is_empty() => {}
                _ if self.line.len() == MAX_REQUEST => return Err(TooLong),
                _ => self.line.push(*byte),
            }
        }
        Ok((bytes.len(), None))
    }
}

impl Request {
    /// Reads a line. Whatever is no `key=value` counts as a key without a value.
    fn decode(line: &[u8]) -> Self {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        let verb = words.next().unwrap_or_default().to_owned();
        let pairs = words.map(|word| word.split_once('=').unwrap_or((word, "")));
        let arguments = pairs.map(|(key, value)| (decoded(key), decoded(value))).collect();
        Self { verb, arguments, short: false }
    }

    /// The value of a key, unless it is empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.arguments.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl Reply {
    /// `status` is `OK`, or an error's name and what it means: `ENOENT entry not found`.
    pub fn new(status: impl Into<String>) -> Self {
        Self(BTreeMap::from([("status", status.into())]))
    }

    /// With one more value. Some clients take only letters in a key.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(key, value.into());
        self
    }

    /// The line, with values that a client of [`Request::short`] can take.
    pub fn encode(&self, short: bool) -> String {
        let mut line = String::new();
        for (key, value) in &self.0 {
            let value = if short { cut(value) } else { value };
            let blank = if line.is_empty() { "" } else { " " };
            // Writing to a string does not fail.
            let _ = write!(line, "{blank}{key}={}", encoded(value));
        }
        line.push('\n');
        line
    }
}

fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(SHORT_VALUE)]
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// A `%` that nothing was encoded with stays as it is.
fn decoded(text: &str) -> String {
    let (bytes, mut plain) = (text.as_bytes(), Vec::with_capacity(text.len()));
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let code = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(code) => {
                plain.push(code);
                at += 3;
            }
            None => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests(text: &[u8]) -> Vec<Request> {
        let (mut requests, mut all, mut at) = (Requests::default(), Vec::new(), 0);
        while at < text.len() {
            let (used, request) = requests.feed(&text[at..]).unwrap();
            all.extend(request);
            at += used;
        }
        all
    }

    #[test]
    fn a_request_is_read_as_conmux_writes_it() {
        let all = requests(b"CONNECT id=user%3Aalice to=console\r\n\nLOOKUP service=a%zz hide\n");
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].verb, "CONNECT");
        assert_eq!((all[0].get("id"), all[0].get("to")), (Some("user:alice"), Some("console")));
        assert_eq!(all[1], Request::default());
        assert_eq!((all[2].get("service"), all[2].get("hide")), (Some("a%zz"), None));
    }

    #[test]
    fn a_client_that_sends_its_nul_gets_values_that_fit_its_buffers() {
        let all = requests(b"LOOKUP service=a\n\0LOOKUP service=b\n");
        assert_eq!([all[0].short, all[1].short], [true, false]);
        assert_eq!(all[1].get("service"), Some("b"));
        let reply = Reply::new("OK").with("motd", "é".repeat(40));
        let value = |line: String| line.strip_prefix("motd=").unwrap().find(' ').unwrap() / 3;
        assert_eq!([true, false].map(|short| value(reply.encode(short))), [62, 80]);
    }

    #[test]
    fn an_answer_is_written_as_conmux_does() {
        let reply = Reply::new("EINVAL 'x' not valid").with("motd", "(user:alice) hi\n");
        let line = "motd=%28user%3Aalice%29%20hi%0A status=EINVAL%20%27x%27%20not%20valid\n";
        assert_eq!(reply.encode(false), line);
    }

    #[test]
    fn a_request_without_end_is_too_long() {
        let mut requests = Requests::default();
        assert_eq!(requests.feed(&[b'x'; MAX_REQUEST]), Ok((MAX_REQUEST, None)));
        assert_eq!(requests.feed(b"x"), Err(TooLong));
    }

    proptest! {
        #[test]
        fn any_text_comes_through(text in ".{0,80}") {
            let line = format!("X key={}\n", encoded(&text));
            let all = requests(line.as_bytes());
            prop_assert_eq!(all[0].get("key").unwrap_or_default(), text);
        }

        #[test]
        fn the_pieces_do_not_matter(text in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..200_usize) {
            let plain = |requests: Vec<Request>| {
                requests.into_iter().map(|it| Request { short: false, ..it }).collect::<Vec<_>>()
            };
            let mut all = Requests::default();
            let mut pieces = Vec::new();
            let (one, two) = text.split_at(cut.min(text.len()));
            for mut piece in [one, two] {
                while !piece.is_empty() {
                    let (used, request) = all.feed(piece).unwrap();
                    pieces.extend(request);
                    piece = &piece[used..];
                }
            }
            prop_assert_eq!(plain(pieces), plain(requests(&text)));
        }
    }
}
