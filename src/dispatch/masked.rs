//! Texts without the values of a job's secrets, in whatever form programs usually print them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::config::{At, Node, Problems, Value};
use crate::model::image_passes;

const MASK: &str = "[MASKED]";
/// A line of a secret of several is masked by itself from so many bytes on: a closing brace is everywhere.
const LINE: usize = 6;
/// The same of the base64 of a secret, in characters.
const ENCODED: usize = 8;
/// Programs break base64 into lines of so many characters: base64(1), and RFC 7468.
const WRAPPED: [usize; 2] = [76, 64];

/// What is left out of texts. A text is looked through once, however many secrets there are.
#[derive(Default)]
pub struct Masks(Option<AhoCorasick>);

impl Masks {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            add(secret, &mut forms);
        }
        forms.remove("");
        if forms.is_empty() {
            return Self(None);
        }
        // One may be a part of another, of which nothing is to be left.
        let finder = AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostLongest).build(forms);
        Self(finder.ok())
    }

    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(finder) = &self.0 else { return text.into() };
        let mut found = finder.find_iter(text).peekable();
        if found.peek().is_none() {
            return text.into();
        }
        let (mut masked, mut at) = (String::with_capacity(text.len()), 0);
        for one in found {
            masked.push_str(&text[at..one.start()]);
            masked.push_str(MASK);
            at = one.end();
        }
        masked.push_str(&text[at..]);
        masked.into()
    }
}

/// Without the secrets.
impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masks")
    }
}

/// A text in which nothing is left of what a job definition has in its `secrets`, nor of the passes in it.
pub fn masked(text: &str, definition: &str) -> String {
    let problems = Problems::default();
    let node = crate::yaml::parse(definition, &At::top("job", &problems));
    let secrets = node.as_ref().and_then(|node| node.get("secrets"));
    let mut values = node.as_ref().map(passes).unwrap_or_default();
    if let Some(Value::Map(secrets)) = secrets.map(|secrets| &secrets.value) {
        values.extend(secrets.iter().filter_map(|(_, value)| plain(value)));
    }
    Masks::new(values.iter().map(String::as_str)).mask(text).into_owned()
}

/// The passes with which a job gets images of its server's, which stand in the URLs of those.
pub fn passes(node: &Node) -> BTreeSet<String> {
    match &node.value {
        Value::Text(text) => image_passes(text).map(|(_, pass)| pass.to_owned()).collect(),
        Value::List(nodes) => nodes.iter().flat_map(passes).collect(),
        Value::Map(entries) => entries.iter().flat_map(|(_, node)| passes(node)).collect(),
        _ => BTreeSet::new(),
    }
}

/// Adds the forms in which a secret is printed.
fn add(secret: &str, forms: &mut BTreeSet<String>) {
    let mut pieces = BTreeSet::from([secret, secret.trim()]);
    pieces.extend(secret.lines().map(str::trim).filter(|line| line.len() >= LINE));
    pieces.remove("");
    for piece in pieces {
        forms.extend(written(piece));
        forms.extend(encoded(piece));
    }
}

/// As it is, and as it stands in JSON and YAML, in a shell's trace and in a URL.
fn written(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let ascii = json.chars().fold(String::new(), |mut text, c| {
        match c.is_ascii() {
            true => text.push(c),
            false => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|u| text += &format!("\\u{u:04x}"));
            }
        }
        text
    });
    let quoted = [secret.replace('\'', "''"), secret.replace('\'', r"'\''")];
    let url = crate::client::percent_encoded(secret);
    [secret.to_owned(), json, ascii, url].into_iter().chain(quoted).collect()
}

/// What is always the same in the base64 of any text that has it: it depends on where in groups of three bytes
/// it begins, and the characters at both ends have bits of its neighbours.
fn encoded(secret: &str) -> Vec<String> {
    let mut all = Vec::new();
    for before in 0..3 {
        let bytes = [&[0; 2][..before], secret.as_bytes()].concat();
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let from = [0, 2, 3][before];
            let until = bytes.len() * 8 / 6;
            let inner = text.get(from..until).unwrap_or_default();
            if inner.len() < ENCODED {
                continue;
            }
            all.push(inner.to_owned());
            if before == 0 {
                for width in WRAPPED {
                    let lines = inner.as_bytes().chunks(width).filter(|line| line.len() >= ENCODED);
                    all.extend(lines.map(|line| String::from_utf8_lossy(line).into_owned()));
                }
            }
        }
    }
    all
}

fn plain(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn nothing_is_left_of_a_secret() {
        let job = "job_name: a\nsecrets:\n  a: tok\n  b: token-4711\n";
        assert_eq!(masked("x token-4711 y tok", job), "x [MASKED] y [MASKED]");
        assert_eq!(masked(job, job), "job_name: a\nsecrets:\n  a: [MASKED]\n  b: [MASKED]\n");
        assert_eq!(masked("as it is", "not: [yaml"), "as it is");
    }

    #[test]
    fn nothing_is_left_of_the_pass_for_a_jobs_images() {
        let url = format!("http://lab:7300/jobs/7/images/{}", "0123456789abcdef".repeat(4));
        let job = format!(
            "job_name: a\nactions:\n- boot: {{commands: [x, wget {url}?pass=4f8a-7e y]}}\n"
        );
        let said = format!("+ wget {url}?pass=4f8a-7e y");
        assert_eq!(masked(&said, &job), format!("+ wget {url}?pass=[MASKED] y"));
    }

    #[test]
    fn nothing_is_left_of_a_secret_of_several_lines() {
        let job = "job_name: a\nsecrets:\n  key: |\n    -----BEGIN KEY-----\n    b3BlbnNzaC1rZXk\n    }\n";
        let kept = masked(job, job);
        assert_eq!(kept, "job_name: a\nsecrets:\n  key: |\n    [MASKED]\n    [MASKED]\n    }\n");
        // As a board echoes it, and as a program of the host quotes it.
        assert_eq!(masked("\r> b3BlbnNzaC1rZXk\r", job), "\r> [MASKED]\r");
        let quoted = r#"{"key":"-----BEGIN KEY-----\nb3BlbnNzaC1rZXk\n}\n"}"#;
        assert_eq!(masked(quoted, job), r#"{"key":"[MASKED]"}"#);
    }

    #[test]
    fn nothing_is_left_of_what_a_program_makes_of_a_secret() {
        let secret = "it's \"hunter2\" für/alle";
        let masks = Masks::new([secret]);
        for said in [
            r#"it's \"hunter2\" für/alle"#,
            r#"it's \"hunter2\" f\u00fcr/alle"#,
            r#"'it'\''s "hunter2" für/alle'"#,
            r#"'it''s "hunter2" für/alle'"#,
            "https://x/?q=it%27s%20%22hunter2%22%20f%C3%BCr%2Falle",
        ] {
            let masked = masks.mask(said);
            assert!(masked.contains(MASK) && !masked.contains("hunter2"), "{said}: {masked}");
        }
        // Somewhere in a text that is encoded: Basic authentication, for example.
        for before in ["", "a", "ab", "user:"] {
            let said = STANDARD.encode(format!("{before}{secret}\n"));
            let masked = masks.mask(&said);
            let left = masked.replace(MASK, "").len();
            assert!(masked.contains(MASK) && left <= 8 + 2 * before.len(), "{said}: {masked}");
        }
    }

    #[test]
    fn base64_in_lines_is_masked_line_by_line() {
        let secret = "0123456789abcdef".repeat(12);
        let masks = Masks::new([secret.as_str()]);
        let encoded = STANDARD.encode(format!("{secret}\n"));
        for line in encoded.as_bytes().chunks(76) {
            let line = std::str::from_utf8(line).unwrap();
            let masked = masks.mask(line);
            assert!(masked.replace(MASK, "").len() <= 4, "{line}: {masked}");
        }
    }
}
