//! The terminal of one person: where its bytes come from and go to, and what it can do.

use std::io;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, watch};

use crate::model::{Failure, Kind};

/// How many pieces of input may wait. Whoever gives them waits beyond that.
pub const INPUTS: usize = 64;

/// Takes bytes for a terminal.
pub type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Somebody's terminal. The process's own standard input and output are one ([`super::local`]), a channel
/// of SSH is another.
pub struct Terminal {
    /// The bytes that it sends. Its end is that of the person's session.
    pub input: mpsc::Receiver<Bytes>,
    /// Takes bytes for the screen. While it takes none, nothing is drawn, and all else goes on.
    pub output: Output,
    /// Columns and rows.
    pub size: watch::Receiver<(u16, u16)>,
    pub facts: Facts,
    /// How the process is stopped and goes on, where a shell does that.
    pub job: Option<Job>,
}

/// The control of a shell over the process.
pub struct Job {
    /// Somebody else has asked the process to stop.
    pub asked: mpsc::Receiver<()>,
    /// Stops the process, with the terminal as its shell wants it, until it goes on.
    pub stop: Box<dyn FnMut() -> io::Result<()> + Send>,
}

/// What a terminal can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub colours: Colours,
    /// Whether it may be asked for clicks.
    pub mouse: bool,
    /// Whether it shows UTF-8; else lines are drawn with `-`, `|` and `+`.
    pub unicode: bool,
}

/// How many colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colours {
    /// None: what matters is bold or reversed.
    None,
    Sixteen,
    Indexed,
    True,
}

impl Facts {
    /// What a terminal can do by its name (`$TERM`) and the environment that its person has: `get` gives
    /// the value of a variable, such as `COLORTERM`, `NO_COLOR` or `LANG`.
    ///
    /// # Errors
    /// [`Kind::User`] for a terminal on which nothing can be placed.
    pub fn of(term: &str, get: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        if matches!(term, "" | "dumb" | "unknown") {
            let what = format!("a screen cannot be drawn on this terminal (TERM={term:?})");
            let hint = "lava boards lists the boards, lava watch shows what they print";
            return Err(Failure::new(Kind::User, what).hint(hint));
        }
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let colours = match set("COLORTERM").as_deref() {
            // https://no-color.org: present and not empty.
            _ if set("NO_COLOR").is_some() => Colours::None,
            _ if term.ends_with("-mono") || term.starts_with("vt") => Colours::None,
            Some("truecolor" | "24bit") => Colours::True,
            _ if term.ends_with("-direct") => Colours::True,
            _ if term.contains("256") => Colours::Indexed,
            _ => Colours::Sixteen,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        // Without a word of it, as in a channel of SSH, it is what terminals of today do.
        let unicode = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Ok(Self { colours, mouse: term != "linux" && !term.starts_with("vt"), unicode })
    }
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = *self.size.borrow();
        f.debug_struct("Terminal")
            .field("size", &size)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(term: &str, variables: &[(&str, &str)]) -> Result<Facts, String> {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Facts::of(term, get).map_err(|failure| failure.message)
    }

    #[test]
    fn colours_are_those_that_the_terminal_has_and_its_person_wants() {
        let colours = |term, variables: &[_]| facts(term, variables).unwrap().colours;
        assert_eq!(colours("xterm", &[]), Colours::Sixteen);
        assert_eq!(colours("tmux-256color", &[]), Colours::Indexed);
        assert_eq!(colours("xterm-256color", &[("COLORTERM", "truecolor")]), Colours::True);
        assert_eq!(colours("xterm-256color", &[("NO_COLOR", "1")]), Colours::None);
        assert_eq!(colours("xterm", &[("NO_COLOR", "")]), Colours::Sixteen);
        assert_eq!(colours("vt220", &[]), Colours::None);
        assert!(facts("dumb", &[]).unwrap_err().contains("TERM=\"dumb\""));
    }

    #[test]
    fn lines_are_drawn_with_what_the_terminal_shows() {
        assert!(facts("xterm", &[]).unwrap().unicode);
        assert!(facts("xterm", &[("LANG", "C.UTF-8")]).unwrap().unicode);
        assert!(!facts("xterm", &[("LANG", "C")]).unwrap().unicode);
        assert!(!facts("xterm", &[("LC_ALL", "POSIX"), ("LANG", "C.UTF-8")]).unwrap().unicode);
        assert!(!facts("linux", &[]).unwrap().mouse);
    }
}
