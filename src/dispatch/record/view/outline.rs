//! The actions of a job, from the lines with which they begin and end.

use serde::Serialize;

use super::line::plain_text;
use crate::dispatch::record::short;
use crate::dispatch::results::{CaseResult, LAVA};

/// So many actions are kept; no job that people read has more.
const MAX_ACTIONS: usize = 10_000;
/// The longest name of an action, in bytes, and how deep they are nested.
const MAX_NAME: usize = 200;
const MAX_DEPTH: usize = 64;
/// The longest message of an action, in bytes.
const MAX_MESSAGE: usize = 1000;

/// One time that an action ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// `3.1`, and `lava-test-shell`.
    pub level: String,
    pub name: String,
    /// In how many others it is.
    pub depth: usize,
    /// Its first line and its last, from 0; no last one while it is under way.
    pub first: u32,
    pub last: Option<u32>,
    /// In milliseconds after the log's begin.
    pub begin_ms: u32,
    pub end_ms: Option<u32>,
    /// `pass`, `fail`, …, once that is told, and why.
    pub result: Option<String>,
    pub message: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Outline {
    actions: Vec<Action>,
    /// Those under way, outermost first.
    open: Vec<usize>,
}

impl Outline {
    pub(super) fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Takes a line of the dispatcher's: `start: 3.1 lava-test-shell (timeout …`, or `end: …`.
    pub(super) fn follow(&mut self, message: &[u8], line: u32, ms: u32) {
        if !message.starts_with(b"\"start: ") && !message.starts_with(b"\"end: ") {
            return;
        }
        let Some(text) = plain_text(message) else { return };
        let mut words = text.split(' ');
        let (Some(verb), Some(level), Some(name)) = (words.next(), words.next(), words.next())
        else {
            return;
        };
        if level.len() > MAX_NAME || name.len() > MAX_NAME {
            return;
        }
        if verb == "start:" {
            self.begin(level, name, line, ms);
        } else {
            self.end(level, name, line, ms);
        }
    }

    fn begin(&mut self, level: &str, name: &str, line: u32, ms: u32) {
        if self.actions.len() >= MAX_ACTIONS || self.open.len() >= MAX_DEPTH {
            return;
        }
        let (level, name) = (level.to_owned(), name.to_owned());
        self.open.push(self.actions.len());
        self.actions.push(Action {
            level,
            name,
            depth: self.open.len() - 1,
            first: line,
            last: None,
            begin_ms: ms,
            end_ms: None,
            result: None,
            message: None,
        });
    }

    fn end(&mut self, level: &str, name: &str, line: u32, ms: u32) {
        let is = |at: &usize| self.actions[*at].level == level && self.actions[*at].name == name;
        let Some(from) = self.open.iter().rposition(is) else { return };
        for at in self.open.drain(from..) {
            let action = &mut self.actions[at];
            (action.last, action.end_ms) = (Some(line), Some(ms));
        }
    }

    /// Takes a result, which an action tells behind its end.
    pub(super) fn result(&mut self, case: &CaseResult) {
        if case.definition != LAVA {
            return;
        }
        let of = |action: &&mut Action| {
            action.result.is_none()
                && action.name == case.case
                && case.level.as_ref().is_none_or(|level| *level == action.level)
        };
        if let Some(action) = self.actions.iter_mut().rev().find(of) {
            action.result = Some(short(case.result.clone(), MAX_NAME));
            action.message = case.error_msg.clone().map(|message| short(message, MAX_MESSAGE));
        }
    }

    /// How much memory they take, in bytes, about.
    pub(super) fn memory(&self) -> usize {
        let texts = |it: &Action| {
            let told =
                [&it.result, &it.message].into_iter().flatten().map(String::len).sum::<usize>();
            size_of::<Action>() + it.level.len() + it.name.len() + told
        };
        self.actions.iter().map(texts).sum()
    }
}
