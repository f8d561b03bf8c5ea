//! What is sent to a board by itself: characters, breaks and pauses. As text: `\z\d(500)b`.
//!
//! The notation is that of conserver's break strings, with lengths: [`Keys`] has the list.

use std::fmt;
use std::str::FromStr;

/// How long a break lasts when its length is not given, in milliseconds, as Linux' tcsendbreak does.
pub const BREAK_MS: u64 = 250;
/// The longest break, in milliseconds.
pub const MAX_BREAK_MS: u64 = 10_000;

/// How long a pause lasts when its length is not given, in milliseconds.
const PAUSE_MS: u64 = 250;
/// The longest pause, in milliseconds.
const MAX_PAUSE_MS: u64 = 60_000;
/// The longest text, in bytes.
const MAX_TEXT: usize = 1024;

/// Characters, breaks and pauses, in order.
///
/// - `\z` is a break of 250 ms, `\z(500)` one of 500 ms;
/// - `\d` is a pause of 250 ms, `\d(1000)` one of a second;
/// - `\r \n \t \a \b \e \f \v`, `\033` (octal), `\x1b` (hexadecimal) as in C, `\e` being escape;
/// - `^C` is Ctrl-C, `^?` delete;
/// - `\\`, `\^` and `\` before any other punctuation are that character;
/// - everything else is itself, as UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    text: String,
    steps: Vec<Step>,
}

/// A part of [`Keys`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Never empty.
    Type(Vec<u8>),
    /// A break condition, in milliseconds.
    Break(u64),
    /// Nothing, for so many milliseconds.
    Pause(u64),
}

/// Why a text is no [`Keys`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    #[error("there is nothing to send")]
    Empty,
    #[error("it has more than {MAX_TEXT} bytes")]
    TooLong,
    #[error("it ends with {0:?}, which begins something; {0}{0} is the character itself")]
    End(char),
    #[error(
        r"\{0} is none of \z (break), \d (pause), \r \n \t \a \b \e \f \v, \033, \x1b; \\ is \ itself"
    )]
    Escape(char),
    #[error(r"^{0} is no control character; \^ is ^ itself")]
    Control(char),
    #[error("{0:?} is no character of a byte")]
    Number(String),
    #[error("{0:?} is no time of 1 to {1} ms")]
    Time(String, u64),
}

impl Keys {
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl FromStr for Keys {
    type Err = KeysError;

    fn from_str(text: &str) -> Result<Self, KeysError> {
        if text.len() > MAX_TEXT {
            return Err(KeysError::TooLong);
        }
        let mut steps = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            rest = &rest[first.len_utf8()..];
            match first {
                '\\' => rest = escape(rest, &mut steps)?,
                '^' => rest = control(rest, &mut steps)?,
                itself => push(itself, &mut steps),
            }
        }
        if steps.is_empty() {
            return Err(KeysError::Empty);
        }
        Ok(Self { text: text.to_owned(), steps })
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.chars().try_for_each(|c| match c {
            '\r' => f.write_str("\\r"),
            '\n' => f.write_str("\\n"),
            c if c.is_control() => write!(f, "\\{:03o}", u32::from(c)),
            c => write!(f, "{c}"),
        })
    }
}

/// Reads what follows a backslash, and gives what is left.
fn escape<'a>(text: &'a str, steps: &mut Vec<Step>) -> Result<&'a str, KeysError> {
    let first = text.chars().next().ok_or(KeysError::End('\\'))?;
    let rest = &text[first.len_utf8()..];
    let byte = match first {
        'z' => {
            let (ms, rest) = time(rest, BREAK_MS, MAX_BREAK_MS)?;
            steps.push(Step::Break(ms));
            return Ok(rest);
        }
        'd' => {
            let (ms, rest) = time(rest, PAUSE_MS, MAX_PAUSE_MS)?;
            steps.push(Step::Pause(ms));
            return Ok(rest);
        }
        '0'..='7' => return number(text, 3, 8, steps),
        'x' => return number(rest, 2, 16, steps),
        'a' => 0x07,
        'b' => 0x08,
        't' => b'\t',
        'n' => b'\n',
        'v' => 0x0b,
        'f' => 0x0c,
        'r' => b'\r',
        'e' => 0x1b,
        other if other.is_ascii_punctuation() || other == ' ' => other as u8,
        other => return Err(KeysError::Escape(other)),
    };
    push_byte(byte, steps);
    Ok(rest)
}

/// A character by its number of at most so many digits.
fn number<'a>(
    text: &'a str,
    digits: usize,
    radix: u32,
    steps: &mut Vec<Step>,
) -> Result<&'a str, KeysError> {
    let digits = text.bytes().take(digits).take_while(|c| char::from(*c).is_digit(radix)).count();
    let (digits, rest) = text.split_at(digits);
    let byte = u8::from_str_radix(digits, radix);
    push_byte(byte.map_err(|_| KeysError::Number(digits.to_owned()))?, steps);
    Ok(rest)
}

/// What follows `^`.
fn control<'a>(text: &'a str, steps: &mut Vec<Step>) -> Result<&'a str, KeysError> {
    let first = text.chars().next().ok_or(KeysError::End('^'))?;
    let byte = match first {
        '?' => 0x7f,
        '@'..='_' | 'a'..='z' => first as u8 & 0x1f,
        other => return Err(KeysError::Control(other)),
    };
    push_byte(byte, steps);
    Ok(&text[first.len_utf8()..])
}

/// A time in parentheses, if there is one.
fn time(text: &str, default: u64, most: u64) -> Result<(u64, &str), KeysError> {
    let Some(inner) = text.strip_prefix('(') else { return Ok((default, text)) };
    let (digits, rest) = inner.split_once(')').unwrap_or((inner, ""));
    let time = digits.parse().ok().filter(|ms| (1..=most).contains(ms));
    Ok((time.ok_or_else(|| KeysError::Time(digits.to_owned(), most))?, rest))
}

fn push(c: char, steps: &mut Vec<Step>) {
    c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_byte(byte, steps));
}

fn push_byte(byte: u8, steps: &mut Vec<Step>) {
    match steps.last_mut() {
        Some(Step::Type(bytes)) => bytes.push(byte),
        _ => steps.push(Step::Type(vec![byte])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steps(text: &str) -> Vec<Step> {
        text.parse::<Keys>().unwrap().steps
    }

    fn typed(bytes: &[u8]) -> Step {
        Step::Type(bytes.to_vec())
    }

    #[test]
    fn conservers_break_strings_read_as_conserver_reads_them() {
        use Step::{Break, Pause};
        assert_eq!(steps(r"\z"), [Break(250)]);
        assert_eq!(
            steps(r"\r\d~\d^b"),
            [typed(b"\r"), Pause(250), typed(b"~"), Pause(250), typed(b"\x02")]
        );
        assert_eq!(steps(r"#.\\\^^?^[\0331\7"), [typed(b"#.\\^\x7f\x1b\x1b1\x07")]);
    }

    #[test]
    fn breaks_and_pauses_may_have_lengths() {
        use Step::{Break, Pause};
        let sysrq = [Break(500), Pause(100), typed(b"b")];
        assert_eq!(steps(r"\z(500)\d(100)b"), sysrq);
        assert_eq!(steps(r"\z\(\x1bé"), [Break(250), typed("(\x1bé".as_bytes())]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |text: &str| text.parse::<Keys>().unwrap_err();
        assert_eq!(wrong(""), KeysError::Empty);
        assert_eq!(wrong("a\\"), KeysError::End('\\'));
        assert_eq!(wrong("a^"), KeysError::End('^'));
        assert_eq!(wrong(r"\q"), KeysError::Escape('q'));
        assert_eq!(wrong("^1"), KeysError::Control('1'));
        assert_eq!(wrong(r"\777"), KeysError::Number("777".into()));
        assert_eq!(wrong(r"\xg"), KeysError::Number(String::new()));
        assert_eq!(wrong(r"\z(0)"), KeysError::Time("0".into(), MAX_BREAK_MS));
        assert_eq!(wrong(r"\d(1s"), KeysError::Time("1s".into(), MAX_PAUSE_MS));
        assert_eq!(wrong(&"x".repeat(1025)), KeysError::TooLong);
    }

    #[test]
    fn it_is_shown_without_control_characters() {
        assert_eq!("\r\x1bx".parse::<Keys>().unwrap().to_string(), r"\r\033x");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_shown_reads_the_same(text in r"[\\^zdx0-9()a-f\r\x1b?é ]{0,40}") {
            if let Ok(keys) = text.parse::<Keys>() {
                prop_assert_eq!(steps(&keys.to_string()), keys.steps);
            }
        }

        #[test]
        fn any_bytes_can_be_written(bytes in proptest::collection::vec(any::<u8>(), 1..100)) {
            let text: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
            prop_assert_eq!(steps(&text), [Step::Type(bytes)]);
        }
    }
}
