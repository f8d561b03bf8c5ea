//! Where things go: the board's bytes to standard output, our own words beside them.

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::super::last_words;
use super::json::{self, Json};
use super::stamps::Stamps;
use crate::model::{Event, units};
use crate::wire::frame::Frame;
use crate::wire::json_text::escaped;
use crate::wire::tame::Tame;

/// While so many bytes wait to be shown, no keys are read: their echo would wait, too.
const MOST_PENDING: usize = 1024 * 1024;

/// How things are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// A terminal gets everything that the board prints.
    pub(super) raw_terminal: bool,
    /// Lines of the board have their times in front.
    pub(super) timestamps: bool,
    /// Our own words go to standard error, also at a terminal.
    pub(super) aside: bool,
    /// Of our own words only what goes wrong is said.
    pub(super) quiet: bool,
    /// Everything is told in lines of JSON.
    pub(super) json: bool,
}

/// Standard output and standard error of a console session.
///
/// On a terminal both are the same to a person, so our own words go to standard output, in order
/// with the board's. Otherwise standard output has the board's bytes and nothing else.
///
/// However it ends, by a signal or a panic, too: the process's own output has its last lines whole, and a
/// terminal nothing of what the board has set.
pub(super) struct Output {
    stdout: Box<dyn AsyncWrite + Send + Unpin>,
    stderr: Box<dyn AsyncWrite + Send + Unpin>,
    /// Not written yet. Bounded: while there is something, nothing is taken from the daemon.
    pending: Vec<u8>,
    /// The same for standard error.
    aside: Vec<u8>,
    is_terminal: bool,
    /// Whether the terminal of standard error needs carriage returns, being raw.
    raw: bool,
    form: Form,
    /// What stands between the board and a terminal.
    tame: Option<Tame>,
    stamps: Option<Stamps>,
    json: Option<Json>,
    /// Whether a line of ours would begin at the left edge.
    at_edge: bool,
    /// Whether it is this process's own.
    here: bool,
    /// The board has written on the terminal, and that is not undone.
    touched: bool,
}

impl Output {
    /// `raw`: the terminal of standard error needs carriage returns; `here`: it is this process's own.
    pub(super) fn new(
        stdout: Box<dyn AsyncWrite + Send + Unpin>,
        stderr: Box<dyn AsyncWrite + Send + Unpin>,
        is_terminal: bool,
        raw: bool,
        here: bool,
        form: Form,
    ) -> Self {
        Self {
            stdout,
            stderr,
            pending: Vec::new(),
            aside: Vec::new(),
            is_terminal,
            raw,
            form,
            tame: (is_terminal && !form.raw_terminal).then(Tame::default),
            stamps: (form.timestamps && !form.json).then(|| Stamps::for_terminal(is_terminal)),
            json: form.json.then(Json::default),
            at_edge: true,
            here,
            touched: false,
        }
    }

    /// Somebody is at the console from now on; `raw`: at a terminal that is raw.
    pub(super) fn attended(&mut self, raw: bool) {
        (self.raw, self.form.aside) = (raw, false);
    }

    /// Bytes of the board.
    pub(super) fn board(&mut self, frame: &Frame) {
        self.part(frame, frame.end());
    }

    /// Bytes of the board up to an offset, some of which may have been left out.
    pub(super) fn part(&mut self, frame: &Frame, end: u64) {
        if let Some(json) = &mut self.json {
            let lines = json.output(frame, end);
            return lines.iter().for_each(|line| self.line(line));
        }
        self.touched |= self.is_terminal;
        let tamed: Bytes = match &mut self.tame {
            Some(tame) => tame.feed(&frame.bytes).into(),
            None => frame.bytes.clone(),
        };
        let shown = match &mut self.stamps {
            Some(stamps) => stamps.stamp(&tamed, frame.time_us).into(),
            None => tamed,
        };
        self.pending.extend_from_slice(&shown);
        if self.is_terminal {
            self.at_edge = shown.last().map_or(self.at_edge, |last| matches!(last, b'\n' | b'\r'));
        }
    }

    /// The board's screen as it stands, on a terminal.
    pub(super) fn screen(&mut self, drawn: &[u8]) {
        let stamps = self.stamps.take();
        let (offset, time_us, bytes) = (0, units::now_us(), Bytes::copy_from_slice(drawn));
        self.board(&Frame { offset, time_us, bytes });
        self.stamps = stamps;
    }

    /// Bytes that the board printed earlier. On a terminal marks set them apart from what it prints
    /// now.
    pub(super) fn past(&mut self, frames: &[Frame], title: &str) {
        if !self.is_terminal {
            return frames.iter().for_each(|frame| self.board(frame));
        }
        self.say(title);
        // What the board has begun now is not of the past, and goes on behind it, on the screen and with the
        // mouse and the margins that it has set. Nothing of the past sets others or makes a terminal answer,
        // whatever it gets of the present.
        let tame = self.tame.replace(Tame::of_lines());
        let stamps = self.stamps.clone();
        if let Some(stamps) = &mut self.stamps {
            *stamps = Stamps::for_terminal(true);
        }
        frames.iter().for_each(|frame| self.board(frame));
        (self.tame, self.stamps) = (tame, stamps);
        // The past may end in the middle of a colour.
        self.pending.extend_from_slice(b"\x1b[m");
        self.say("--- end of the log ---");
    }

    /// An event, where everything is told; whether it was.
    pub(super) fn event(&mut self, event: &Event) -> bool {
        let told = self.json.is_some();
        if told {
            self.line(&json::event(event));
        }
        told
    }

    /// Something for a program that reads JSON; nothing for others.
    pub(super) fn tell(&mut self, value: &Value) {
        if self.json.is_some() {
            self.line(value);
        }
    }

    /// A line of our own, on a line of its own.
    pub(super) fn say(&mut self, line: &str) {
        if !self.form.quiet {
            self.complain(line);
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.form.quiet
    }

    /// The same for what goes wrong.
    pub(super) fn complain(&mut self, line: &str) {
        if self.json.is_some() {
            return self.line(&json!({"type": "message", "text": line}));
        }
        let begin = if self.at_edge { "" } else { "\n" };
        self.own(&format!("{begin}{line}\n"));
        self.at_edge = true;
    }

    /// Text of our own as it is, such as the echo of a command.
    pub(super) fn own(&mut self, text: &str) {
        if self.json.is_some() {
            return;
        }
        let cooked = text.replace("\r\n", "\n");
        if self.is_terminal && !self.form.aside {
            self.pending.extend_from_slice(cooked.replace('\n', "\r\n").as_bytes());
        } else {
            let shown = if self.raw { cooked.replace('\n', "\r\n") } else { cooked };
            self.aside.extend_from_slice(shown.as_bytes());
        }
        self.at_edge = text.ends_with('\n');
    }

    fn line(&mut self, value: &Value) {
        self.pending.extend_from_slice(escaped(&value.to_string()).as_bytes());
        self.pending.push(b'\n');
    }

    /// Whether so much is pending that nothing more should be caused.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() + self.aside.len() >= MOST_PENDING
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty() || !self.aside.is_empty()
    }

    /// Writes a part of what is pending. Cancel safe.
    ///
    /// # Errors
    /// What the system says, such as a broken pipe.
    pub(super) async fn write_some(&mut self) -> std::io::Result<()> {
        if !self.aside.is_empty() {
            match self.stderr.write(&self.aside).await {
                Ok(written) => drop(self.aside.drain(..written)),
                // Nobody to tell that standard error is closed.
                Err(_) => self.aside.clear(),
            }
            if self.aside.is_empty() {
                let _ = self.stderr.flush().await;
            }
            return Ok(());
        }
        let written = self.stdout.write(&self.pending).await?;
        self.pending.drain(..written);
        if self.pending.is_empty() {
            self.stdout.flush().await?;
        }
        Ok(())
    }

    /// Writes everything, and leaves the terminal as a shell likes it.
    pub(super) async fn finish(&mut self) -> std::io::Result<()> {
        self.undo();
        while self.has_pending() {
            self.write_some().await?;
        }
        self.stdout.flush().await
    }

    /// What is still to be said of the board.
    fn undo(&mut self) {
        if let Some(held) = self.json.as_mut().and_then(Json::finish) {
            self.line(&held);
        }
        if std::mem::take(&mut self.touched) {
            self.pending.extend(self.tame.clone().unwrap_or_default().undo());
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.undo();
        if self.here && !self.pending.is_empty() {
            last_words::print(std::mem::take(&mut self.pending));
        }
    }
}
