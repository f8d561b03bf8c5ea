//! What is wrong with a set of files: all of it, each with its place.

use std::cell::RefCell;
use std::fmt;

use super::Place;
use crate::model::{Failure, Kind};

/// One thing that is wrong: `lab.toml:3:1: board[0]: unknown key "consol"; did you mean "console"?`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: String,
    pub place: Place,
    /// Which value, as `console[2].port`; empty for the whole file.
    pub path: String,
    /// What was wrong, what was expected, and the nearest known word.
    pub message: String,
}

/// Collects problems while files are read. Shared by reference: readers only ever add.
#[derive(Debug, Default)]
pub struct Problems {
    found: RefCell<Vec<Problem>>,
    notes: RefCell<Vec<Problem>>,
}

impl Problems {
    pub fn add(&self, problem: Problem) {
        self.found.borrow_mut().push(problem);
    }

    /// Notes what is odd but allowed.
    pub fn note(&self, note: Problem) {
        self.notes.borrow_mut().push(note);
    }

    /// What is odd in a file, in the order of its lines.
    pub fn notes(&self, file: &str) -> Vec<String> {
        let mut notes = self.notes.borrow().clone();
        notes.retain(|note| note.file == file);
        notes.sort();
        notes.dedup();
        notes.iter().map(ToString::to_string).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Whether one of the problems is like that.
    pub fn any(&self, like: impl Fn(&Problem) -> bool) -> bool {
        self.found.borrow().iter().any(like)
    }

    pub fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// The value, if nothing was wrong.
    ///
    /// # Errors
    /// One [`Failure`] of kind [`Kind::Config`] that lists every problem: file after file as
    /// they were read, and in each in the order of its lines.
    pub fn check<T>(&self, value: Option<T>) -> Result<T, Failure> {
        let mut found = self.found.borrow().clone();
        let mut files: Vec<String> = Vec::new();
        for problem in &found {
            if !files.contains(&problem.file) {
                files.push(problem.file.clone());
            }
        }
        found.sort_by_key(|p| (files.iter().position(|file| *file == p.file), p.place));
        found.dedup();
        match value {
            Some(value) if found.is_empty() => Ok(value),
            _ if found.is_empty() => {
                Err(Failure::new(Kind::Bug, "a value is missing without a word"))
            }
            _ => {
                let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
                Err(Failure::new(Kind::Config, lines.join("\n")))
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.place != Place::default() {
            write!(f, ":{}", self.place)?;
        }
        match self.path.as_str() {
            "" => write!(f, ": {}", self.message),
            path => write!(f, ": {path}: {}", self.message),
        }
    }
}
