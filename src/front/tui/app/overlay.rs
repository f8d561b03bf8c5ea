//! What lies over the boards or the consoles, and takes the keys: a prompt, a question, a list.

use super::boards::Id;
use crate::client::{ConsoleRef, OutletRef};
use crate::model::{Event, Verb};
use crate::wire::keyboard::{Code, Input, Key};
use crate::wire::search::Match;

/// The longest text that is typed at a prompt, in bytes.
const MAX_TEXT: usize = 500;

#[derive(Debug)]
pub(in super::super) enum Overlay {
    /// From this line on.
    Help(usize),
    Prompt(Prompt),
    Power(PowerDialog),
    List(List),
    Lines(Lines),
}

/// A text that is being typed.
#[derive(Debug)]
pub(in super::super) struct Prompt {
    pub(in super::super) what: Asked,
    pub(in super::super) text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Asked {
    Filter,
    /// A regular expression for the record of the console in focus.
    Search,
    SearchAll,
    /// For everyone on a board's console.
    Message(Id, ConsoleRef),
}

/// A board's power.
#[derive(Debug)]
pub(in super::super) struct PowerDialog {
    pub(in super::super) id: Id,
    /// The outlet that the person was asked about.
    pub(in super::super) outlet: OutletRef,
    pub(in super::super) stage: Stage,
}

/// Lines to read.
#[derive(Debug)]
pub(in super::super) struct Lines {
    pub(in super::super) title: String,
    pub(in super::super) lines: Vec<String>,
    /// The first one on the screen.
    pub(in super::super) top: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Stage {
    /// Which verb?
    Choose,
    /// Really?
    Confirm(Verb),
    /// It was refused, because of somebody else: by force, and why?
    Refused { verb: Verb, why: String, reason: String },
    /// It is under way.
    Busy(Verb),
}

/// Something to look through.
#[derive(Debug)]
pub(in super::super) struct List {
    pub(in super::super) title: String,
    pub(in super::super) rows: Rows,
    pub(in super::super) selected: usize,
    /// More may come.
    pub(in super::super) open: bool,
    /// What it is the answer to.
    pub(in super::super) ticket: u64,
    pub(in super::super) trouble: Option<String>,
}

#[derive(Debug)]
pub(in super::super) enum Rows {
    Found(Vec<(Id, Match)>),
    /// Of a board, the newest last.
    Events(Id, Vec<Event>),
}

impl Rows {
    pub(in super::super) fn len(&self) -> usize {
        match self {
            Self::Found(rows) => rows.len(),
            Self::Events(_, rows) => rows.len(),
        }
    }
}

/// What a key does to a text.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Edited {
    /// Nothing that matters here.
    Nothing,
    Changed,
    Entered,
    Cancelled,
}

/// Edits a text by a key.
pub(in super::super) fn edit(text: &mut String, input: &Input) -> Edited {
    let mut add = |added: &str| {
        let added = added.chars().filter(|c| !c.is_control());
        for c in added {
            if text.len() + c.len_utf8() <= MAX_TEXT {
                text.push(c);
            }
        }
        Edited::Changed
    };
    match input {
        Input::Key(Key { code: Code::Char(c), ctrl: false, alt: false, .. }) => {
            add(c.encode_utf8(&mut [0; 4]))
        }
        Input::Paste(bytes) => add(&String::from_utf8_lossy(bytes)),
        Input::Key(Key { code: Code::Enter, .. }) => Edited::Entered,
        Input::Key(Key { code: Code::Esc, .. }) => Edited::Cancelled,
        Input::Key(Key { code: Code::Char('c' | 'g'), ctrl: true, .. }) => Edited::Cancelled,
        Input::Key(Key { code: Code::Char('u'), ctrl: true, .. }) => {
            text.clear();
            Edited::Changed
        }
        Input::Key(Key { code: Code::Char('w'), ctrl: true, .. }) => {
            let kept = text.trim_end().rfind(' ').map_or(0, |space| space + 1);
            text.truncate(kept);
            Edited::Changed
        }
        Input::Key(Key { code: Code::Backspace, .. }) => {
            text.pop();
            Edited::Changed
        }
        _ => Edited::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_edited_as_in_a_shell() {
        let mut text = String::new();
        let mut keys = |keys: &str| {
            for key in keys.split(' ') {
                edit(&mut text, &Input::Key(key.parse().unwrap()));
            }
            text.clone()
        };
        assert_eq!(keys("h o space é"), "ho é");
        assert_eq!(keys("backspace backspace x"), "hox");
        assert_eq!(keys("space y ctrl-w"), "hox ");
        assert_eq!(keys("ctrl-u z"), "z");
        assert_eq!(edit(&mut text, &Input::Paste(b"a\x1b[2J\r\nb".to_vec())), Edited::Changed);
        assert_eq!(text, "za[2Jb");
        assert_eq!(edit(&mut text, &Input::Paste(vec![b'x'; 2000])), Edited::Changed);
        assert_eq!(text.len(), MAX_TEXT);
        assert_eq!(edit(&mut text, &Input::Key(Key::ctrl('c'))), Edited::Cancelled);
    }
}
