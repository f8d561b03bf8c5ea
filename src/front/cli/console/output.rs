//! Where things go: the board's bytes to standard output, our own words beside them.

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// Undoes what a board may have set on a terminal: attributes, hidden cursor, application keys,
/// bracketed paste, mouse reports.
const RESET: &[u8] = b"\x1b[m\x1b[?25h\x1b[?1l\x1b>\x1b[?2004l\x1b[?1000l\x1b[?1002l\x1b[?1006l";

/// Standard output and standard error of a console session.
///
/// On a terminal both are the same to a person, so our own words go to standard output, in order
/// with the board's. Otherwise standard output has the board's bytes and nothing else.
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
    /// Whether a line of ours would begin at the left edge.
    at_edge: bool,
}

impl Output {
    pub(super) fn new(
        stdout: Box<dyn AsyncWrite + Send + Unpin>,
        stderr: Box<dyn AsyncWrite + Send + Unpin>,
        is_terminal: bool,
        raw: bool,
    ) -> Self {
        let (pending, aside) = (Vec::new(), Vec::new());
        Self { stdout, stderr, pending, aside, is_terminal, raw, at_edge: true }
    }

    /// Bytes of the board.
    pub(super) fn board(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        if self.is_terminal {
            self.at_edge = bytes.last().map_or(self.at_edge, |last| matches!(last, b'\n' | b'\r'));
        }
    }

    /// Bytes that the board printed earlier. On a terminal marks set them apart from what it prints
    /// now.
    pub(super) fn past(&mut self, bytes: &[u8], title: &str) {
        if !self.is_terminal {
            return self.board(bytes);
        }
        self.say(title);
        self.board(bytes);
        // The past may end in the middle of a colour.
        self.pending.extend_from_slice(b"\x1b[m");
        self.say("--- end of the log ---");
    }

    /// A line of our own, on a line of its own.
    pub(super) fn say(&mut self, line: &str) {
        let begin = if self.at_edge { "" } else { "\n" };
        self.own(&format!("{begin}{line}\n"));
        self.at_edge = true;
    }

    /// Text of our own as it is, such as the echo of a command.
    pub(super) fn own(&mut self, text: &str) {
        let cooked = text.replace("\r\n", "\n");
        if self.is_terminal {
            self.pending.extend_from_slice(cooked.replace('\n', "\r\n").as_bytes());
        } else {
            let shown = if self.raw { cooked.replace('\n', "\r\n") } else { cooked };
            self.aside.extend_from_slice(shown.as_bytes());
        }
        self.at_edge = text.ends_with('\n');
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
        if self.is_terminal {
            self.pending.extend_from_slice(RESET);
        }
        while self.has_pending() {
            self.write_some().await?;
        }
        self.stdout.flush().await
    }
}
