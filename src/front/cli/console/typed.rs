//! What a person or a script types: for the board, or a command.

use std::time::Duration;

use tokio::time::Instant;

use super::command::{self, Command};
use super::session::Session;
use super::steps::MAX_TYPED;
use crate::model::Kind;
use crate::wire::escape::Typed;

/// Ctrl-C ends what is being sent.
const CTRL_C: u8 = 0x03;
/// Who wants to quit does not wait for a board that takes nothing for so long.
const STUCK: Duration = Duration::from_secs(2);

/// What a person who has asked to quit waits for.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// How many bytes the board had still to take, and since when.
    stuck: Option<(usize, Instant)>,
}

impl Leaving {
    /// When it has been waited for long enough, if nothing happens until then.
    pub(super) fn until(&self) -> Option<Instant> {
        self.stuck.map(|(_, since)| since + STUCK)
    }
}

impl Session {
    /// Whether keys are read. A person's always are: among them may be what ends all this. A script can wait.
    pub(super) fn reads(&self) -> bool {
        let full = self.output.is_full() || !self.interactive && self.steps.is_full();
        self.reads && self.ending.input.is_none() && !full
    }

    /// Takes what was typed. After `quit` nothing is taken but a second one, which does not wait.
    pub(super) fn take(&mut self, typed: impl IntoIterator<Item = Typed>) {
        for mut typed in typed {
            // The Ctrl-C that ends sending is not the board's.
            if let Typed::Board(bytes) = &mut typed
                && let Some(at) = bytes.iter().position(|byte| *byte == CTRL_C)
                && self.cancel_sending()
            {
                bytes.remove(at);
            }
            let quitting = self.steps.is_quitting();
            match typed {
                Typed::Board(bytes) if bytes.is_empty() => {}
                Typed::Echo(bytes) => self.output.own(&String::from_utf8_lossy(&bytes)),
                Typed::Board(bytes) if !quitting => self.type_ahead(bytes),
                Typed::Board(_) => {}
                Typed::Command(line) => match command::parse(&line) {
                    Ok(Some(Command::Quit)) if quitting => self.quit = true,
                    Ok(Some(command)) if !quitting => {
                        if !self.steps.command(command) {
                            let told = "[too many commands wait: this one is dropped]";
                            self.fail(Kind::Lab, told);
                        }
                    }
                    Ok(_) => {}
                    Err(message) => {
                        let message = message.replace("~$", &self.words().prefix());
                        self.fail(Kind::User, &message);
                    }
                },
            }
        }
    }

    /// Keys for the board. Of a person's, those are dropped that come before it has taken what waits already;
    /// and with them all until it has, so that there is one hole, and no sieve.
    fn type_ahead(&mut self, bytes: Vec<u8>) {
        let waits = self.steps.bytes() + self.attachment.untyped();
        let before = self.overfull;
        self.overfull = self.interactive && (before && waits > 0 || waits > MAX_TYPED);
        if !self.overfull {
            self.steps.board(bytes);
        } else if !before {
            let told = format!("[the board has {waits} bytes to take: what is typed is dropped]");
            self.fail(Kind::Lab, &told);
        }
    }

    /// Ends a person's session who has asked for it, where the board takes nothing of what was typed before.
    pub(super) fn leave_if_stuck(&mut self) {
        let waits = self.steps.bytes() + self.attachment.untyped();
        let stuck = self.interactive && self.running.is_none() && self.steps.is_quitting();
        if !stuck || waits == 0 {
            self.leaving.stuck = None;
            return;
        }
        let now = Instant::now();
        match self.leaving.stuck {
            Some((before, since)) if before == waits => {
                if since + STUCK <= now {
                    let told = format!("[the board has not taken {waits} bytes that were typed]");
                    self.output.complain(&told);
                    self.quit = true;
                }
            }
            _ => self.leaving.stuck = Some((waits, now)),
        }
    }
}
