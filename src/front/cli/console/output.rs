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
    /// Written, but perhaps only as far as a buffer: a line that has no end yet, such as a prompt.
    unflushed: bool,
    /// The same for standard error.
    aside_unflushed: bool,
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
            unflushed: false,
            aside_unflushed: false,
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
        !self.pending.is_empty() || !self.aside.is_empty() || self.unflushed || self.aside_unflushed
    }

    /// Writes a part of what is pending. Cancel safe: each call waits for one thing, and what it waited for in
    /// vain is still pending.
    ///
    /// # Errors
    /// What the system says, such as a broken pipe.
    pub(super) async fn write_some(&mut self) -> std::io::Result<()> {
        // Nobody is to be told that standard error is closed.
        if !self.aside.is_empty() {
            match self.stderr.write(&self.aside).await {
                Ok(written) => drop(self.aside.drain(..written)),
                Err(_) => self.aside.clear(),
            }
            self.aside_unflushed = true;
        } else if self.aside_unflushed {
            let _ = self.stderr.flush().await;
            self.aside_unflushed = false;
        } else if !self.pending.is_empty() {
            let written = self.stdout.write(&self.pending).await?;
            self.pending.drain(..written);
            self.unflushed = true;
        } else {
            self.stdout.flush().await?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Writes everything, and leaves the terminal as a shell likes it.
    pub(super) async fn finish(&mut self) -> std::io::Result<()> {
        self.undo();
        while self.has_pending() {
            self.write_some().await?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};

    use futures_util::FutureExt as _;

    use super::*;

    /// Shows whole lines at once, the rest when it is flushed, which takes a while: as the system's standard output.
    #[derive(Default)]
    struct Lines {
        held: Vec<u8>,
        shown: Arc<Mutex<Vec<u8>>>,
        flushing: bool,
    }

    impl AsyncWrite for Lines {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            self.held.extend_from_slice(bytes);
            if let Some(end) = self.held.iter().rposition(|byte| *byte == b'\n') {
                let lines: Vec<u8> = self.held.drain(..=end).collect();
                self.shown.lock().unwrap().extend(lines);
            }
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            if !std::mem::replace(&mut self.flushing, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let held = std::mem::take(&mut self.held);
            self.shown.lock().unwrap().extend(held);
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_prompt_is_shown_though_a_key_came_while_it_was_being_written() {
        let lines = Lines::default();
        let shown = lines.shown.clone();
        let aside = Box::new(tokio::io::sink());
        let mut output = Output::new(Box::new(lines), aside, false, false, false, Form::default());
        let bytes = Bytes::from_static(b"a line\nlogin: ");
        output.board(&Frame { offset: 0, time_us: 0, bytes });
        let mut waits = 0;
        while output.has_pending() {
            waits += usize::from(output.write_some().now_or_never().is_none());
            assert!(waits < 10);
        }
        assert!(waits > 0, "it was never in the middle of it");
        assert_eq!(shown.lock().unwrap().as_slice(), b"a line\nlogin: ");
    }
}
