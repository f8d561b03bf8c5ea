//! A job's progress as a live tree: the actions that run now, and the board's last line below them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::dispatch::error::Error;
use crate::dispatch::expect::Place;
use crate::dispatch::progress::Progress;
use crate::dispatch::results::{CaseResult, LAVA};

const TICK: Duration = Duration::from_millis(120);
/// The longest piece of a line of the console that is shown, in characters.
const MAX_LINE: usize = 160;

/// What is done stays on the screen as one line; what runs is redrawn in place.
#[derive(Debug)]
pub(super) struct Tree {
    screen: MultiProgress,
    /// The actions that run, by level.
    running: Mutex<BTreeMap<String, ProgressBar>>,
    /// The last line of the console.
    console: ProgressBar,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self::on(ProgressDrawTarget::stdout())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let console = screen.add(ProgressBar::new_spinner());
        console.set_style(style("  | {wide_msg}"));
        Self { screen, running: Mutex::default(), console }
    }

    /// Whether a result is of a test case, and not of an action.
    pub(super) fn is_test(case: &CaseResult) -> bool {
        case.definition != LAVA
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a line that stays, above what is live.
    fn done(&self, line: &str) {
        // A terminal that is gone shows nothing; the job goes on.
        let _ = self.screen.println(line);
    }
}

impl Progress for Tree {
    fn begin(&self, level: &str, name: &str, attempt: u32) {
        let again = if attempt > 1 { format!(" (try {attempt})") } else { String::new() };
        let message = format!("{level} {name}{again}");
        let mut running = self.running();
        if let Some(bar) = running.get(level) {
            bar.set_message(message);
            return;
        }
        let bar = self.screen.insert_before(&self.console, ProgressBar::new_spinner());
        bar.set_style(style(&format!("{}{{spinner}} {{wide_msg}}", indent(level))));
        bar.set_message(message);
        bar.enable_steady_tick(TICK);
        running.insert(level.to_owned(), bar);
    }

    fn end(&self, level: &str, name: &str, took: Duration, error: Option<&Error>) {
        if let Some(bar) = self.running().remove(level) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        let seconds = took.as_secs_f64();
        match error {
            Some(error) => {
                self.done(&format!("{}✗ {level} {name} {seconds:.1} s: {error}", indent(level)));
            }
            // Of those that are done the outermost tell enough.
            None if !level.contains('.') => self.done(&format!("✓ {level} {name} {seconds:.1} s")),
            None => {}
        }
    }

    fn retry(&self, level: &str, name: &str, error: &Error) {
        self.done(&format!("{}↻ {level} {name}: {error}", indent(level)));
    }

    fn console(&self, _place: Place, line: &str) {
        // What a board says may hold anything: nothing of it reaches the terminal as a command.
        let shown = line.chars().filter(|c| !c.is_control()).take(MAX_LINE);
        self.console.set_message(shown.collect::<String>());
        self.console.tick();
    }

    fn case(&self, case: &CaseResult) {
        if Self::is_test(case) {
            let sign = if case.result == "fail" { '✗' } else { '✓' };
            let CaseResult { definition, case, result, .. } = case;
            self.done(&format!("  {sign} {definition}/{case}: {result}"));
        }
    }

    fn warning(&self, message: &str) {
        self.done(&format!("! {message}"));
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.console.finish_and_clear();
        let _ = self.screen.clear();
    }
}

/// A template of ours; the default where it is not understood.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Two columns for each level of depth.
fn indent(level: &str) -> String {
    "  ".repeat(level.matches('.').count())
}
