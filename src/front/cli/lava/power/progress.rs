//! Shows a person at a terminal which boards are still being switched.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Context;
use crate::model::Verb;

/// How often a line moves, so that a person sees that something is waited for.
const TICK: Duration = Duration::from_millis(200);

/// A line for each board, on standard error, for as long as it takes.
pub(super) struct Progress(Option<MultiProgress>);

impl Progress {
    pub(super) fn new(ctx: &Context) -> Self {
        let shown = ctx.is_local() && std::io::stderr().is_terminal();
        Self(shown.then(MultiProgress::new))
    }

    /// The line of a board; it goes when this is dropped.
    pub(super) fn board(&self, board: &str, verb: Verb) -> Line {
        let Some(all) = &self.0 else { return Line(ProgressBar::hidden()) };
        let bar = all.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{spinner} {prefix}: {msg}, {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(board.to_owned());
        bar.set_message(match verb {
            Verb::On => "is being switched on",
            Verb::Off => "is being switched off",
            Verb::Cycle => "off, and on again",
            Verb::Status => "is being asked for",
        });
        bar.enable_steady_tick(TICK);
        Line(bar)
    }
}

pub(super) struct Line(ProgressBar);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
