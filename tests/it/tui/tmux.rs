//! A person's terminal: tmux, whose screen can be looked at.

use std::process::Command;

use crate::common::{LIMIT, Process, TestLab, run, wait_until};

/// A terminal with a program in it. It goes with the test.
pub(super) struct Tmux<'a> {
    lab: &'a TestLab,
    name: &'static str,
    _server: Process,
}

impl<'a> Tmux<'a> {
    /// A terminal of so many columns and rows in which a command of the shell runs.
    #[track_caller]
    pub(super) fn start(
        lab: &'a TestLab,
        name: &'static str,
        (columns, rows): (u16, u16),
        command: &str,
    ) -> Self {
        let server = Process::spawn(
            tmux(lab, name).arg("-D").args(["-f", "/dev/null"]).env("LANG", "C.UTF-8"),
        );
        let tmux = Self { lab, name, _server: server };
        wait_until(LIMIT, "tmux listens", || lab.path(name).exists());
        let (columns, rows) = (columns.to_string(), rows.to_string());
        tmux.tell(&["new-session", "-d", "-x", &columns, "-y", &rows, "sh"]);
        tmux.tell(&["set-option", "-g", "remain-on-exit", "on"]);
        tmux.tell(&["set-option", "-g", "escape-time", "0"]);
        tmux.tell(&["set-option", "-g", "status", "off"]);
        tmux.tell(&["respawn-window", "-k", command]);
        tmux
    }

    /// Types keys by tmux's names: `Enter`, `C-c`, `PageUp`, `q`.
    pub(super) fn keys(&self, keys: &[&str]) {
        let mut words = vec!["send-keys"];
        words.extend_from_slice(keys);
        self.tell(&words);
    }

    pub(super) fn type_text(&self, text: &str) {
        self.tell(&["send-keys", "-l", text]);
    }

    pub(super) fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tell(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// What is on the screen.
    pub(super) fn screen(&self) -> String {
        self.tell(&["capture-pane", "-p"])
    }

    /// The same with the sequences of its colours.
    pub(super) fn coloured(&self) -> String {
        self.tell(&["capture-pane", "-p", "-e"])
    }

    /// Something that tmux knows of the terminal, as `#{pane_pid}`.
    pub(super) fn value(&self, format: &str) -> String {
        self.tell(&["display-message", "-p", format]).trim().to_owned()
    }

    /// Waits until the program has ended: its exit status, or the signal that ended it. tmux calls a
    /// pane dead when its terminal is closed, which is before it knows how the program ended; and on a
    /// busy machine it now and then misses that a child of it has ended, until the next one does.
    #[track_caller]
    pub(super) fn ended(&self) -> String {
        let mut how = String::new();
        wait_until(LIMIT, "the program has ended", || {
            self.tell(&["run-shell", "-b", "true"]);
            how = self.value("#{pane_dead_status}#{?pane_dead_signal,signal #{pane_dead_signal},}");
            !how.is_empty()
        });
        how
    }

    /// Waits until the screen is so.
    #[track_caller]
    pub(super) fn wait(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        let begin = std::time::Instant::now();
        while begin.elapsed() < LIMIT {
            screen = self.screen();
            if is(&screen) {
                return screen;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("not on the screen: {what}\n{screen}");
    }

    #[track_caller]
    pub(super) fn see(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// A command of tmux, and what it prints.
    #[track_caller]
    pub(super) fn tell(&self, words: &[&str]) -> String {
        let output = run(tmux(self.lab, self.name).args(words), "", LIMIT);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {words:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn tmux(lab: &TestLab, name: &str) -> Command {
    let mut tmux = lab.tool("tmux");
    tmux.arg("-u").arg("-S").arg(lab.path(name)).env("LAVA_USER", "alice");
    for inherited in ["TMUX", "NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE"] {
        tmux.env_remove(inherited);
    }
    tmux
}
