//! A job's progress as a live tree: the actions that run now, how far their downloads are, and the
//! board's last line below them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::dispatch::error::Error;
use crate::dispatch::expect::Place;
use crate::dispatch::pipeline::Description;
use crate::dispatch::progress::Progress;
use crate::dispatch::results::{CaseResult, LAVA};
use crate::wire::plain::{last_line, plain};

const TICK: Duration = Duration::from_millis(120);
/// The longest piece of a line of the console that is shown, in characters.
const MAX_LINE: usize = 160;

/// What is done stays on the screen as one line; what runs is redrawn in place.
#[derive(Debug)]
pub(super) struct Tree {
    screen: MultiProgress,
    state: Mutex<State>,
    /// The last line of the console.
    console: ProgressBar,
}

#[derive(Debug, Default)]
struct State {
    /// The actions that run, by level.
    running: BTreeMap<String, Running>,
    /// How many blocks the job has, and its end.
    blocks: usize,
    /// Why the last action failed: the ones around it fail for the same reason, told once.
    told: Option<Error>,
}

#[derive(Debug)]
struct Running {
    bar: ProgressBar,
    /// It shows bytes.
    fetches: bool,
}

impl Tree {
    /// On the terminal that is standard error.
    pub(super) fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let console = screen.add(ProgressBar::new_spinner());
        console.set_style(style("  | {wide_msg}"));
        Self { screen, state: Mutex::default(), console }
    }

    /// Whether nothing of it would be seen.
    pub(super) fn is_hidden(&self) -> bool {
        self.screen.is_hidden()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints lines that stay, above what is live.
    fn done(&self, text: &str) {
        for line in text.lines() {
            // A terminal that is gone shows nothing; the job goes on.
            let _ = self.screen.println(plain(line.as_bytes()));
        }
    }
}

impl Progress for Tree {
    fn pipeline(&self, pipeline: &[Description]) {
        self.state().blocks = pipeline.len();
    }

    fn begin(&self, level: &str, name: &str, attempt: u32) {
        let mut state = self.state();
        state.told = None;
        let of = match level.contains('.') {
            false if state.blocks > 0 => format!(" of {}", state.blocks),
            _ => String::new(),
        };
        let again = if attempt > 1 { format!(" (try {attempt})") } else { String::new() };
        let message = format!("{level}{of} {name}{again}");
        if let Some(running) = state.running.get(level) {
            running.bar.set_message(message);
            return;
        }
        let bar = self.screen.insert_before(&self.console, ProgressBar::new_spinner());
        bar.set_style(style(&format!("{}{{spinner}} {{wide_msg}}", indent(level))));
        bar.set_message(message);
        bar.enable_steady_tick(TICK);
        state.running.insert(level.to_owned(), Running { bar, fetches: false });
    }

    fn end(&self, level: &str, name: &str, took: Duration, error: Option<&Error>) {
        let mut state = self.state();
        if let Some(Running { bar, .. }) = state.running.remove(level) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        let told = error.is_some() && state.told.as_ref() == error;
        state.told = error.cloned();
        drop(state);
        let seconds = took.as_secs_f64();
        let indent = indent(level);
        match error {
            Some(_) if told => self.done(&format!("{indent}✗ {level} {name} {seconds:.1} s")),
            Some(error) => self.done(&format!("{indent}✗ {level} {name} {seconds:.1} s: {error}")),
            // Of those that are done the outermost tell enough.
            None if !level.contains('.') => self.done(&format!("✓ {level} {name} {seconds:.1} s")),
            None => {}
        }
    }

    fn retry(&self, level: &str, name: &str, error: &Error) {
        self.done(&format!("{}↻ {level} {name}: {error}", indent(level)));
    }

    fn download(&self, level: &str, length: u64, total: Option<u64>) {
        let mut state = self.state();
        let Some(running) = state.running.get_mut(level) else { return };
        if !running.fetches {
            running.fetches = true;
            running.bar.reset_elapsed();
            let bytes = match total {
                Some(_) => "[{bar:24}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
                None => "{bytes}, {bytes_per_sec}",
            };
            let template = format!("{}{{spinner}} {{msg}} {bytes}", indent(level));
            running.bar.set_style(style(&template).progress_chars("=> "));
        }
        if let Some(total) = total {
            running.bar.set_length(total);
        }
        running.bar.set_position(length);
    }

    fn console(&self, _place: Place, line: &str) {
        // What a board says may hold anything: nothing of it reaches the terminal as a command.
        self.console.set_message(last_line(line.as_bytes(), MAX_LINE));
    }

    fn case(&self, case: &CaseResult) {
        if case.definition != LAVA {
            let sign = match case.result.as_str() {
                "pass" => '✓',
                "fail" => '✗',
                _ => '-',
            };
            self.done(&format!("  {sign} {case}"));
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use indicatif::InMemoryTerm;

    use super::*;

    #[test]
    fn a_download_shows_its_bytes_and_an_error_is_told_once() {
        let terminal = InMemoryTerm::new(24, 100);
        let tree = Tree::on(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        tree.begin("1", "tftp-deploy", 1);
        tree.begin("1.1", "http-download", 1);
        tree.download("1.1", 1 << 20, Some(4 << 20));
        let screen = || terminal.contents();
        // It is drawn some times a second.
        let drawn = |part: &str| {
            let deadline = Instant::now() + Duration::from_secs(60);
            while !screen().contains(part) {
                assert!(Instant::now() < deadline, "no {part:?} in:\n{}", screen());
                std::thread::yield_now();
            }
        };
        drawn("1.1 http-download [");
        drawn("1.00 MiB of 4.00 MiB");
        tree.console(Place { offset: None, time_us: 0 }, "\u{1b}[2Jone\rtwo\u{7}");
        tree.console.tick();
        drawn("  | two^G");
        let error = Error::Infrastructure("the server says 503".into());
        tree.end("1.1", "http-download", TICK, Some(&error));
        tree.end("1", "tftp-deploy", TICK, Some(&error));
        tree.case(&CaseResult {
            definition: "0_x\u{1b}]0;y".into(),
            case: "a".into(),
            ..CaseResult::default()
        });
        drop(tree);
        assert_eq!(screen().matches("503").count(), 1, "{}", screen());
        assert!(screen().contains("✗ 1 tftp-deploy 0.1 s"), "{}", screen());
        assert!(!screen().contains('\u{1b}') && !screen().contains("| two"), "{}", screen());
    }
}
