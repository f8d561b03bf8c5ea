//! Who is shown a job's progress, and how.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use indicatif::MultiProgress;

use super::lines::Lines;
use super::tree::Tree;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Place;
use crate::dispatch::pipeline::Description;
use crate::dispatch::progress::Progress;
use crate::dispatch::results::CaseResult;

/// A live tree on standard error when that is a terminal, and plain lines on standard output for whoever
/// reads that and sees no tree.
pub fn watcher() -> Arc<dyn Progress> {
    let screen = screen();
    one(screen.as_ref(), None)
}

/// The same for each board of a group; they share the terminal.
pub(super) fn watchers(boards: &[&str]) -> Vec<Arc<dyn Progress>> {
    let screen = screen();
    boards.iter().map(|board| one(screen.as_ref(), Some(board))).collect()
}

fn screen() -> Option<MultiProgress> {
    // A terminal that cannot move its cursor is none here.
    io::stderr().is_terminal().then(Tree::screen).flatten()
}

fn one(screen: Option<&MultiProgress>, board: Option<&str>) -> Arc<dyn Progress> {
    let tree = screen.map(|screen| Tree::on(screen, board));
    let lines = board.map_or_else(Lines::default, Lines::of);
    match (tree, io::stdout().is_terminal()) {
        (Some(tree), true) => Arc::new(tree),
        (Some(tree), false) => Arc::new(Both(tree, lines)),
        (None, _) => Arc::new(lines),
    }
}

struct Both(Tree, Lines);

impl Both {
    fn each(&self, tell: impl Fn(&dyn Progress)) {
        tell(&self.0);
        tell(&self.1);
    }
}

impl Progress for Both {
    fn pipeline(&self, pipeline: &[Description]) {
        self.each(|one| one.pipeline(pipeline));
    }

    fn begin(&self, level: &str, name: &str, attempt: u32) {
        self.each(|one| one.begin(level, name, attempt));
    }

    fn end(&self, level: &str, name: &str, took: Duration, error: Option<&Error>) {
        self.each(|one| one.end(level, name, took, error));
    }

    fn retry(&self, level: &str, name: &str, error: &Error) {
        self.each(|one| one.retry(level, name, error));
    }

    fn download(&self, level: &str, length: u64, total: Option<u64>) {
        self.each(|one| one.download(level, length, total));
    }

    fn console(&self, place: Place, line: &str) {
        self.each(|one| one.console(place, line));
    }

    fn case(&self, case: &CaseResult) {
        self.each(|one| one.case(case));
    }

    fn warning(&self, message: &str) {
        self.each(|one| one.warning(message));
    }
}
