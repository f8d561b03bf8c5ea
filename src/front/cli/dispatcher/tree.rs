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
    /// In front of each line: which board of a group it is about, and a blank.
    board: String,
}

#[derive(Debug, Default)]
struct State {
    /// The actions that run, by level, and those whose files are fetched before their turn.
    running: BTreeMap<String, Running>,
    /// What the actions that fetch are called, by level, with the last part of their URLs.
    fetching: BTreeMap<String, String>,
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
    /// The terminal that is standard error; `None` where nothing of a tree would be seen.
    pub(super) fn screen() -> Option<MultiProgress> {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        (!screen.is_hidden()).then_some(screen)
    }

    /// The tree of a job, or of one board of several that share the screen.
    pub(super) fn on(screen: &MultiProgress, board: Option<&str>) -> Self {
        let board = board.map(|board| format!("{board}: ")).unwrap_or_default();
        let console = screen.add(ProgressBar::new_spinner());
        console.set_style(style(&format!("  {}| {{wide_msg}}", literal(&board))));
        Self { screen: screen.clone(), state: Mutex::default(), console, board }
    }

    /// Adds what runs or is fetched.
    fn show(&self, level: &str, message: String, state: &mut State) {
        let bar = self.screen.insert_before(&self.console, ProgressBar::new_spinner());
        bar.set_style(style(&format!("{}{{spinner}} {{wide_msg}}", indent(level))));
        bar.set_message(message);
        bar.enable_steady_tick(TICK);
        state.running.insert(level.to_owned(), Running { bar, fetches: false });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints lines that stay, above what is live.
    fn done(&self, text: &str) {
        for line in text.lines() {
            // A terminal that is gone shows nothing; the job goes on.
            let line = plain(line.as_bytes());
            let _ = self.screen.println(format!("{}{line}", self.board));
        }
    }
}

impl Progress for Tree {
    fn pipeline(&self, pipeline: &[Description]) {
        let mut state = self.state();
        state.blocks = pipeline.len();
        fetching(pipeline, &mut state.fetching);
    }

    fn begin(&self, level: &str, name: &str, attempt: u32) {
        let mut state = self.state();
        state.told = None;
        let of = match level.contains('.') {
            false if state.blocks > 0 => format!(" of {}", state.blocks),
            _ => String::new(),
        };
        let again = if attempt > 1 { format!(" (try {attempt})") } else { String::new() };
        let what = state.fetching.get(level).cloned().unwrap_or_else(|| name.to_owned());
        let message = format!("{}{level}{of} {what}{again}", self.board);
        match state.running.get(level) {
            Some(running) => running.bar.set_message(message),
            None => self.show(level, message, &mut state),
        }
    }

    fn end(&self, level: &str, name: &str, took: Duration, error: Option<&Error>) {
        let mut state = self.state();
        // What was fetched for actions in it that had no turn any more goes, too.
        let inner = format!("{level}.");
        let is_over = |other: &String, _: &mut Running| other == level || other.starts_with(&inner);
        for (_, Running { bar, .. }) in state.running.extract_if(.., is_over) {
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
        if !state.running.contains_key(level) {
            // Files of several actions come side by side, before all but one have their turn.
            let Some(what) = state.fetching.get(level).cloned() else { return };
            self.show(level, format!("{}{level} {what}", self.board), &mut state);
        }
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
        for (_, Running { bar, .. }) in std::mem::take(&mut self.state().running) {
            bar.finish_and_clear();
        }
        self.console.finish_and_clear();
    }
}

/// The actions that fetch, by level: their names with the last part of their URLs.
fn fetching(pipeline: &[Description], all: &mut BTreeMap<String, String>) {
    for action in pipeline {
        if let Some(url) = &action.url {
            let file = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let what = plain(format!("{} {file}", action.name).as_bytes());
            all.insert(action.level.clone(), what);
        }
        fetching(&action.pipeline, all);
    }
}

/// Text in a template as it is.
fn literal(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
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

    fn screen_of() -> (InMemoryTerm, MultiProgress) {
        let terminal = InMemoryTerm::new(24, 100);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        (terminal, MultiProgress::with_draw_target(target))
    }

    /// It is drawn some times a second.
    #[track_caller]
    fn drawn(terminal: &InMemoryTerm, part: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !terminal.contents().contains(part) {
            assert!(Instant::now() < deadline, "no {part:?} in:\n{}", terminal.contents());
            std::thread::yield_now();
        }
    }

    fn action(level: &str, name: &str, file: Option<&str>) -> Description {
        Description {
            name: name.into(),
            level: level.into(),
            max_retries: 1,
            timeout: 60,
            url: file.map(|file| format!("http://h/pub/{file}")),
            pipeline: Vec::new(),
        }
    }

    #[test]
    fn all_files_that_come_side_by_side_are_shown_for_every_board_of_a_group() {
        let (terminal, screen) = screen_of();
        let downloads = ["Image", "board.dtb", "rootfs.tar"];
        let boards = ["client", "server"].map(|board| {
            let tree = Tree::on(&screen, Some(board));
            let mut deploy = action("1", "tftp-deploy", None);
            let levels = (1..).map(|number| format!("1.{number}"));
            deploy.pipeline = levels
                .zip(downloads)
                .map(|(level, file)| action(&level, "http-download", Some(file)))
                .collect();
            tree.pipeline(&[deploy]);
            tree.begin("1", "tftp-deploy", 1);
            tree.begin("1.1", "http-download", 1);
            for (level, length) in [("1.1", 1 << 20), ("1.2", 2 << 20), ("1.3", 3 << 20)] {
                tree.download(level, length, Some(4 << 20));
            }
            tree
        });
        for line in [
            "client: 1.1 http-download Image [",
            "client: 1.2 http-download board.dtb [",
            "client: 1.3 http-download rootfs.tar [",
            "server: 1.2 http-download board.dtb [",
        ] {
            drawn(&terminal, line);
        }
        drawn(&terminal, "3.00 MiB of 4.00 MiB");
        let [client, server] = boards;
        client.end("1.1", "http-download", TICK, None);
        client.begin("1.2", "http-download", 1);
        drawn(&terminal, "server: 1.1 http-download Image [");
        assert_eq!(terminal.contents().matches("client: 1.2 ").count(), 1);
        // The third has no turn: the block has failed.
        let error = Error::Infrastructure("the server says 503".into());
        client.end("1", "tftp-deploy", TICK, Some(&error));
        drawn(&terminal, "client: ✗ 1 tftp-deploy 0.1 s: the server says 503");
        assert!(!terminal.contents().contains("client: 1.3"), "{}", terminal.contents());
        drop((client, server));
        assert!(!terminal.contents().contains("http-download"), "{}", terminal.contents());
    }

    #[test]
    fn a_download_shows_its_bytes_and_an_error_is_told_once() {
        let (terminal, screen) = screen_of();
        let tree = Tree::on(&screen, None);
        tree.begin("1", "tftp-deploy", 1);
        tree.begin("1.1", "http-download", 1);
        tree.download("1.1", 1 << 20, Some(4 << 20));
        let screen = || terminal.contents();
        let drawn = |part: &str| drawn(&terminal, part);
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
