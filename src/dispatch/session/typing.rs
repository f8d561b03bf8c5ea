//! Typing that is borne out by the board's echo, as fast as the board takes it.
//!
//! A line goes in pieces, and each has to come back before the next is typed; the line's end is typed when
//! all of it has. A piece that comes back whole makes the next one longer, one that does not makes it
//! shorter, and the line is taken back and typed again. So a slow board gets what it can take without
//! anybody knowing beforehand how slow it is. Where nothing comes back (a password, a program that does
//! not echo) the characters follow each other with the pauses that the device dictionary asks for; a board
//! that has echoed before is given more time until it counts as one that does not.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::Session;
use crate::dispatch::error::Error;

/// The first piece of a line, and the longest, in bytes; a device with character delays begins with one.
const FIRST: usize = 16;
const LONGEST: usize = 64;
/// How long nothing may come back before the board counts as one that does not echo.
const ECHO: Duration = Duration::from_millis(300);
/// The same while the board prints something else in between, and for one that has echoed what was typed last:
/// it may be at something that keeps it from it.
const ECHO_LIMIT: Duration = Duration::from_secs(3);
/// So many lines in a row without an echo, and it is waited for only now and then: a line of so many.
const MUTE: u32 = 2;
const NOW_AND_THEN: u32 = 16;
/// How often a line that came back damaged is typed again before it is typed without looking.
const TRIES: u32 = 3;
/// Takes back what stands on the line: shells, login prompts, U-Boot, barebox and GRUB know it.
const KILL_LINE: Bytes = Bytes::from_static(b"\x15");
/// The line is empty again when nothing has come for the first of these.
const KILLED: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];
/// What comes after so many bytes is no echo any more.
const LATEST: u64 = 64 * 1024;
/// So much of a line that comes back is an echo and no chance.
const CERTAIN: usize = 3;

/// What is known of how a board takes what is typed.
#[derive(Debug, Default)]
pub(super) struct Typist {
    /// The length of the next piece; 0 before the first line.
    piece: usize,
    /// Longer pieces have come back damaged.
    longest: Option<usize>,
    /// Lines in a row that did not come back.
    mute: u32,
    /// The board has echoed before.
    echoes: bool,
    /// What should come back.
    echo: Echo,
}

/// Compares what comes with what was typed.
#[derive(Debug, Default)]
struct Echo {
    expected: Vec<u8>,
    /// So much of it has come back.
    seen: usize,
    /// The most of it that has come back in one go.
    most: usize,
    /// Something else is being printed, up to the end of its line.
    foreign: bool,
    escape: Escape,
    /// How many bytes have come.
    heard: u64,
    /// The characters that have come, at most as many as were typed.
    said: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Sequence,
}

/// How a line was taken.
enum Taken {
    Whole,
    /// Nothing came back; so much was typed.
    Mute(usize),
    Damaged,
}

impl Typist {
    /// Whether the board has echoed what was typed.
    pub(super) fn echoes(&self) -> bool {
        self.echoes
    }

    /// How long nothing at all may come back.
    fn patience(&self) -> Duration {
        if self.echoes && self.mute == 0 { ECHO_LIMIT } else { ECHO }
    }

    /// What has come back of the last line since it was typed without looking tells that the board does echo.
    fn learn(&mut self) {
        if self.mute > 0 && self.echo.most > CERTAIN {
            (self.echoes, self.mute) = (true, 0);
        }
    }

    /// Whether the echo of the next line is waited for.
    fn looks(&mut self) -> bool {
        let looks = self.mute < MUTE || self.mute.is_multiple_of(NOW_AND_THEN);
        if !looks {
            self.mute += 1;
        }
        looks
    }
}

impl Echo {
    fn of(line: &str) -> Self {
        Self { expected: line.into(), ..Self::default() }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.seen == self.expected.len() || self.heard > LATEST {
            return;
        }
        self.heard += bytes.len() as u64;
        for &byte in bytes {
            match (&self.escape, byte) {
                (_, 0x1b) => self.escape = Escape::Begun,
                (Escape::Begun, b'[') => self.escape = Escape::Sequence,
                (Escape::Begun, _) | (Escape::Sequence, 0x40..=0x7e) => self.escape = Escape::None,
                (Escape::Sequence, _) => {}
                (Escape::None, b'\n' | b'\r') => self.foreign = false,
                (Escape::None, 0..b' ' | 0x7f) => {}
                (Escape::None, _) if !self.foreign => self.character(byte),
                _ => {}
            }
        }
    }

    fn character(&mut self, byte: u8) {
        if self.said.len() < self.expected.len() {
            self.said.push(byte);
        }
        if self.expected.get(self.seen) == Some(&byte) {
            self.seen += 1;
        } else if self.seen <= CERTAIN {
            // Most likely the rest of the prompt.
            self.seen = usize::from(self.expected.first() == Some(&byte));
        } else if self.seen < self.expected.len() {
            self.foreign = true;
        }
        self.most = self.most.max(self.seen);
    }

    /// Whether what has come is like what was typed, with some of it lost.
    fn is_like(&self, typed: usize) -> bool {
        let mut typed_bytes = self.expected[..typed].iter();
        let in_order = self.said.iter().all(|byte| typed_bytes.any(|typed| typed == byte));
        self.most >= CERTAIN || (in_order && self.said.len() * 2 >= typed)
    }
}

impl Session {
    /// Types a line. `delay` is what the board needs between two characters, where it does not echo.
    ///
    /// # Errors
    /// As [`Session::type_bytes`].
    pub async fn send_line(&mut self, line: &str, delay: Duration) -> Result<(), Error> {
        self.log.input(line);
        self.watch.typed(line);
        let typist = &mut self.typist;
        if typist.piece == 0 {
            typist.piece = if delay.is_zero() { FIRST } else { 1 };
        }
        typist.learn();
        typist.echo = Echo::of(line);
        let plain = !line.is_empty() && line.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !plain || !typist.looks() {
            return self.type_plain(&format!("{line}\n"), delay).await;
        }
        for _ in 0..TRIES {
            match self.type_looking(line).await? {
                Taken::Whole => {
                    (self.typist.echoes, self.typist.mute) = (true, 0);
                    return self.type_bytes(Bytes::from_static(b"\n")).await;
                }
                Taken::Mute(typed) => {
                    if self.typist.patience() == ECHO_LIMIT {
                        let seconds = ECHO_LIMIT.as_secs();
                        self.log.debug(format!(
                            "the board has echoed before, and nothing for {seconds} s now: it is typed without looking"
                        ));
                    }
                    self.typist.mute += 1;
                    return self.type_plain(&format!("{}\n", &line[typed..]), delay).await;
                }
                Taken::Damaged => {
                    let length = self.typist.piece;
                    self.log.debug(format!(
                        "what was typed came back damaged: it is typed again, {length} characters at a time"
                    ));
                    self.type_bytes(KILL_LINE).await?;
                    let [quiet, limit] = KILLED;
                    self.drain(quiet, limit).await?;
                    self.typist.echo = Echo::of(line);
                }
            }
        }
        self.log.warning(format!("the board's echo of {line:?} is not what was typed"));
        self.type_plain(&format!("{line}\n"), delay).await
    }

    /// Types text as it is, which is logged.
    ///
    /// # Errors
    /// As [`Session::type_bytes`].
    pub async fn type_text(&mut self, text: &str, delay: Duration) -> Result<(), Error> {
        self.log.input(text.trim_end_matches('\n'));
        self.type_plain(text, delay).await
    }

    /// Types text as it is, which is logged nowhere: a password.
    ///
    /// # Errors
    /// As [`Session::type_bytes`].
    pub async fn type_secret(&mut self, text: &str, delay: Duration) -> Result<(), Error> {
        self.type_plain(text, delay).await
    }

    async fn type_plain(&mut self, text: &str, delay: Duration) -> Result<(), Error> {
        if delay.is_zero() {
            return self.type_bytes(Bytes::copy_from_slice(text.as_bytes())).await;
        }
        for character in text.chars() {
            self.type_bytes(Bytes::from(character.to_string())).await?;
            tokio::time::sleep(delay).await;
        }
        Ok(())
    }

    /// Types a line of plain characters in pieces.
    async fn type_looking(&mut self, line: &str) -> Result<Taken, Error> {
        let mut typed = 0;
        while typed < line.len() {
            let length = self.typist.piece.min(line.len() - typed);
            let piece = Bytes::copy_from_slice(&line.as_bytes()[typed..typed + length]);
            self.type_bytes(piece).await?;
            typed += length;
            if !self.comes_back(typed).await? {
                let Typist { echo, echoes, piece, longest, .. } = &mut self.typist;
                if echo.said.is_empty() || (!*echoes && !echo.is_like(typed)) {
                    return Ok(Taken::Mute(typed));
                }
                *piece = (length / 4).max(1);
                *longest = Some((length / 2).max(1));
                return Ok(Taken::Damaged);
            }
            let longest = self.typist.longest.unwrap_or(LONGEST);
            self.typist.piece = (self.typist.piece * 2).min(longest);
        }
        Ok(Taken::Whole)
    }

    /// Whether the first so many bytes of the line have come back.
    async fn comes_back(&mut self, typed: usize) -> Result<bool, Error> {
        let begin = Instant::now();
        let mut due = begin + self.typist.patience();
        loop {
            let (heard, most) = (self.typist.echo.heard, self.typist.echo.most);
            if self.typist.echo.seen >= typed {
                return Ok(true);
            }
            match timeout_at(due, self.receive()).await {
                Ok(received) => received?,
                Err(_) => return Ok(false),
            }
            let soon = (Instant::now() + ECHO).min(begin + ECHO_LIMIT);
            if self.typist.echo.most > most {
                // It has begun to come, and the rest follows at once.
                due = soon;
            } else if self.typist.echo.heard > heard {
                due = due.max(soon);
            }
        }
    }

    /// What has come may be the echo of what is being typed.
    pub(super) fn hear_echo(&mut self, bytes: &[u8]) {
        self.typist.echo.push(bytes);
    }
}

#[cfg(test)]
mod tests;
