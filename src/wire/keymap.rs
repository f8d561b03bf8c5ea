//! Which keys make an escape: lavamux's own `~$` and a word, or a letter as with conserver and ConMan.

use std::fmt;
use std::str::FromStr;

/// The longest sequence that begins an escape, in bytes.
const MAX_INTRODUCER: usize = 8;

/// The keys that begin an escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introducer(Vec<u8>);

/// How escapes are typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keymap {
    /// `~$`, a word, Enter.
    #[default]
    Lava,
    /// Control-E c and a letter.
    Conserver,
    /// `&` and a letter.
    Conman,
}

/// What a letter after the introducer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// The command of the own keymap that it stands for.
    Run(&'static str),
    /// Asks for a text; the command is the first word and that text.
    Ask { prompt: &'static str, command: &'static str },
    /// One more key: `?` lists the break sequences, `0` sends the default one, others name one.
    Break,
    /// The introducer's first byte itself.
    Literal,
    /// Octal digits of a byte.
    Octal,
    /// The next two keys become the introducer.
    Redefine,
    /// Nothing happens.
    Ignore,
}

impl Keymap {
    /// What begins an escape when nothing else was asked for.
    pub fn introducer(self) -> Introducer {
        Introducer(match self {
            Self::Lava => b"~$".to_vec(),
            Self::Conserver => b"\x05c".to_vec(),
            Self::Conman => b"&".to_vec(),
        })
    }

    /// The letters, each with what it does, for people to read.
    pub fn help(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Lava => &[],
            Self::Conserver => &[
                (".", "disconnect"),
                ("a", "attach read/write"),
                ("b", "send broadcast message"),
                ("d", "down a console"),
                ("e", "change escape sequence"),
                ("f", "force attach read/write"),
                ("i", "information dump"),
                ("l?", "break sequence list"),
                ("l0", "send default break"),
                ("l1-9a-z", "send specific break sequence"),
                ("m", "display message of the day"),
                ("n", "write a note to the logfile"),
                ("o", "(re)open the tty"),
                ("p", "playback the last 60 lines"),
                ("r", "replay the last 20 lines"),
                ("s", "spy mode (read only)"),
                ("u", "show host status"),
                ("v", "show version info"),
                ("w", "who is on this console"),
                ("x", "show console baud info"),
                ("z", "suspend the connection"),
                ("<cr>", "ignore/abort command"),
                ("^R", "replay the last line"),
                ("\\ooo", "send character by octal code"),
                ("?", "print this message"),
                (":", "a command in words, as hardreset"),
            ],
            Self::Conman => &[
                ("&", "send an escape character"),
                (".", "leave"),
                ("B", "send a break"),
                ("F", "force write privileges"),
                ("I", "display information"),
                ("J", "join, sharing write privileges"),
                ("L", "replay the log"),
                ("M", "monitor, read only"),
                ("R", "reset the board"),
                ("Z", "suspend"),
                ("?", "display this list"),
                (":", "a command in words, as line 9600"),
            ],
        }
    }

    /// What a letter does; `None` for one that means nothing.
    pub(super) fn key(self, byte: u8) -> Option<Key> {
        match self {
            Self::Lava => None,
            Self::Conserver => conserver(byte),
            Self::Conman => conman(byte),
        }
    }
}

fn conserver(byte: u8) -> Option<Key> {
    Some(match byte {
        b'.' => Key::Run("quit"),
        b'?' => Key::Run("help"),
        b'a' => Key::Run("rw"),
        b's' => Key::Run("spy"),
        b'd' => Key::Run("close"),
        b'o' => Key::Run("reopen"),
        b'f' => Key::Run("force"),
        b'i' => Key::Run("info"),
        b'x' => Key::Run("line"),
        b'm' => Key::Run("motd"),
        b'p' => Key::Run("log 60"),
        b'r' => Key::Run("log 20"),
        0x12 => Key::Run("log 1"),
        b'u' | b'w' => Key::Run("who"),
        b'v' => Key::Run("version"),
        b'z' => Key::Run("suspend"),
        b'b' => Key::Ask { prompt: "[Enter message: ", command: "msg" },
        b'n' => Key::Ask { prompt: "[Enter note: ", command: "note" },
        b':' => Key::Ask { prompt: "[Enter command: ", command: "" },
        b'l' => Key::Break,
        b'e' => Key::Redefine,
        b'\\' => Key::Octal,
        b'\r' | b'\n' => Key::Ignore,
        _ => return None,
    })
}

fn conman(byte: u8) -> Option<Key> {
    Some(match byte.to_ascii_uppercase() {
        b'&' => Key::Literal,
        b'.' => Key::Run("quit"),
        b'?' => Key::Run("help"),
        b'B' => Key::Run("break"),
        b'F' => Key::Run("force"),
        b'I' => Key::Run("info"),
        b'J' => Key::Run("rw"),
        b'L' => Key::Run("log 60"),
        b'M' => Key::Run("spy"),
        b'R' => Key::Run("hardreset"),
        b'Z' => Key::Run("suspend"),
        b':' => Key::Ask { prompt: "[Enter command: ", command: "" },
        b'\r' | b'\n' => Key::Ignore,
        _ => return None,
    })
}

impl Introducer {
    pub(super) fn of(keys: Vec<u8>) -> Self {
        Self(keys)
    }

    /// Reads one, or `none`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn or_none(text: &str) -> Result<Option<Self>, String> {
        if text == "none" { Ok(None) } else { text.parse().map(Some) }
    }

    /// The bytes that they send.
    pub fn keys(&self) -> &[u8] {
        &self.0
    }
}

/// `~$`, `^A`, `^Ec`; `^^` is Control-^, and `^` alone itself.
impl FromStr for Introducer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        let mut rest = text.bytes().peekable();
        while let Some(byte) = rest.next() {
            keys.push(match (byte, rest.peek()) {
                (b'^', Some(b'?')) => {
                    rest.next();
                    0x7f
                }
                (b'^', Some(letter @ (b'@'..=b'_' | b'a'..=b'z'))) => {
                    let letter = *letter;
                    rest.next();
                    letter & 0x1f
                }
                _ => byte,
            });
        }
        match keys[..] {
            [] => Err("an escape needs a key to begin with; \"none\" is none at all".into()),
            [b'\r' | b'\n', ..] => Err(format!("{text:?} would make every Enter an escape")),
            [_, ..] if keys.len() > MAX_INTRODUCER => Err(format!(
                "{text:?} is too long to begin an escape; {MAX_INTRODUCER} keys will do"
            )),
            [_, ..] => Ok(Self(keys)),
        }
    }
}

/// As it is typed: `~$`, `^Ec`.
impl fmt::Display for Introducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0 {
            match byte {
                0x7f => f.write_str("^?")?,
                0..0x20 => write!(f, "^{}", char::from(byte | 0x40))?,
                0x20..0x7f => write!(f, "{}", char::from(*byte))?,
                0x80.. => write!(f, "\\{byte:03o}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Keymap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "lava" => Ok(Self::Lava),
            "conserver" => Ok(Self::Conserver),
            "conman" => Ok(Self::Conman),
            _ => Err(format!("keymap {text:?} is none of lava, conserver and conman")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_introducer_is_written_as_it_is_typed() {
        let keys = |text: &str| text.parse::<Introducer>().map(|introducer| introducer.0);
        assert_eq!(keys("~$"), Ok(b"~$".to_vec()));
        assert_eq!(keys("^A"), Ok(vec![1]));
        assert_eq!(keys("^Ec"), Ok(vec![5, b'c']));
        assert_eq!(keys("^]"), Ok(vec![0x1d]));
        assert_eq!(keys("^?^"), Ok(vec![0x7f, b'^']));
        assert!(keys("").unwrap_err().contains("none"));
        assert!(keys("^M").unwrap_err().contains("every Enter"));
        assert!(keys("123456789").is_err());
        assert_eq!(Keymap::Conserver.introducer().to_string(), "^Ec");
    }

    #[test]
    fn every_letter_of_the_help_means_something() {
        for keymap in [Keymap::Conserver, Keymap::Conman] {
            for (letter, _) in keymap.help() {
                let byte = match *letter {
                    "<cr>" => b'\r',
                    "^R" => 0x12,
                    letter => letter.as_bytes()[0],
                };
                assert!(keymap.key(byte).is_some(), "{letter}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_of_ascii_keys_reads_the_same(text in "[ -~]{0,10}") {
            if let Ok(introducer) = text.parse::<Introducer>()
                && !introducer.0.contains(&b'^')
            {
                prop_assert_eq!(introducer.to_string().parse(), Ok(introducer));
            }
        }
    }
}
