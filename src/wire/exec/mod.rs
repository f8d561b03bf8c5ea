//! A command that is typed at a board's shell, as a program sees it: its output, and its status.
//!
//! A POSIX shell is given the command between two markers. The line that is typed has them in two
//! pieces, so that its echo has none, and only what comes between them is output. U-Boot has no braces:
//! there the output is what stands between the echo and the next prompt, and `echo $?` tells the status.

use std::ops::Range;
use std::time::Duration;

use super::expect::Expected;
use super::heard::{Heard, MAX_MATCH};
use super::plain::plain;

/// A prompt that is there already is seen within so long; then one is asked for, by Enter.
const READY: Duration = Duration::from_millis(300);
/// What looks like a prompt, but stands behind other text, is one after so long a quiet.
const BEHIND_TEXT: Duration = Duration::from_secs(1);
/// So long the prompt behind the command is waited for, when everything is known.
const SETTLE: Duration = Duration::from_secs(1);
/// The longest line that may be typed, in bytes: terminals take no longer ones.
pub const MAX_COMMAND: usize = 2048;
/// U-Boot's line that asks for the status of the last command.
const ASK_STATUS: &[u8] = b"echo $?\r";

/// Which shell a board has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Posix,
    /// U-Boot, and what does as it does.
    UBoot,
    /// One that tells no status.
    Plain,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Type(Vec<u8>),
    /// A part of the output, and where in the stream it stood. It is shorter than that by the carriage
    /// returns that are not the command's.
    Show {
        bytes: Vec<u8>,
        at: Range<u64>,
    },
    /// More has to come; or, if nothing comes for so long, it has to be asked again.
    Wait(Option<Duration>),
    /// It has ended, with a status if the shell tells it.
    Done(Option<u8>),
    /// It cannot be done.
    Failed(String),
}

/// One command under way.
#[derive(Debug)]
pub struct Exec {
    command: String,
    /// `None`: as the prompt looks.
    shell: Option<Shell>,
    prompt: Option<Expected>,
    /// What is in no output.
    marker: String,
    /// The prompt at which the command was typed.
    seen: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The prompt is waited for; whether one was asked for.
    Ready {
        asked: bool,
    },
    /// The first marker is waited for, or the end of the echo.
    Begin(Shell),
    Output(Shell),
    /// The status was asked for.
    Status,
    /// The last prompt is waited for.
    Settle(Option<u8>),
}

impl Exec {
    /// `marker`: some letters and digits that are new. `prompt` is in a line of a prompt; if there is none, a
    /// prompt is what ends in `#`, `$` or `>`, and a blank.
    ///
    /// # Errors
    /// A command that cannot be typed.
    pub fn new(
        command: &str,
        shell: Option<Shell>,
        prompt: Option<Expected>,
        marker: &str,
    ) -> Result<Self, String> {
        if command.len() > MAX_COMMAND {
            return Err(format!("a command has at most {MAX_COMMAND} bytes"));
        }
        if command.trim().is_empty() {
            return Err("there is no command".into());
        }
        if command.chars().any(|c| c.is_control() && c != '\n') {
            return Err("a command has no control characters".into());
        }
        let state = State::Ready { asked: false };
        let (command, marker) = (command.to_owned(), marker.to_owned());
        Ok(Self { command, shell, prompt, marker, seen: String::new(), state })
    }

    /// Whether something was typed that may still be running.
    pub fn is_running(&self) -> bool {
        !matches!(self.state, State::Ready { .. } | State::Settle(_))
    }

    /// Gets on, after so long a quiet. To be asked again until it waits or has ended.
    pub fn next(&mut self, heard: &mut Heard, quiet: Duration) -> Next {
        match self.state {
            State::Ready { asked } => self.ready(heard, quiet, asked),
            State::Begin(Shell::Posix) => self.first_marker(heard),
            State::Begin(shell) => match line_end(heard.rest()) {
                Some(end) => self.go_on(heard, end, State::Output(shell)),
                None => Next::Wait(None),
            },
            State::Output(Shell::Posix) => self.between_markers(heard),
            State::Output(shell) => self.until_prompt(heard, shell, quiet),
            State::Status => self.status(heard),
            State::Settle(status) => {
                if self.prompt_in(&heard.line()) != Some(0) && quiet < SETTLE {
                    return Next::Wait(Some(SETTLE));
                }
                heard.take(usize::MAX);
                Next::Done(status)
            }
        }
    }

    fn go_on(&mut self, heard: &mut Heard, taken: usize, state: State) -> Next {
        heard.take(taken);
        self.state = state;
        self.next(heard, Duration::ZERO)
    }

    fn ready(&mut self, heard: &mut Heard, quiet: Duration, asked: bool) -> Next {
        let line = heard.line();
        if self.prompt_in(&line) == Some(0) {
            let u_boot = line.trim_end().ends_with("=>") || line.contains("U-Boot");
            let shell = self.shell.unwrap_or(if u_boot { Shell::UBoot } else { Shell::Posix });
            let typed = match (shell, self.command.contains('\n')) {
                (Shell::Posix, _) => self.between(),
                (_, true) => return Next::Failed("this shell takes commands of one line".into()),
                (_, false) => format!("{}\r", self.command),
            };
            self.seen = line;
            heard.take(usize::MAX);
            self.state = State::Begin(shell);
            return Next::Type(typed.into());
        }
        if quiet < READY {
            return Next::Wait(Some(READY));
        }
        let asks = line.trim_end().to_ascii_lowercase();
        if asks.ends_with("login:") || asks.ends_with("password:") {
            return Next::Failed(format!("it asks for a login: {line:?}"));
        }
        if asked {
            return Next::Wait(None);
        }
        self.state = State::Ready { asked: true };
        // What somebody has left there half typed is not to be carried out.
        Next::Type(b"\x15\r".to_vec())
    }

    /// The command between two markers, as it is typed.
    fn between(&self) -> String {
        let Self { command, marker, .. } = self;
        let command = command.trim();
        if !command.contains(['\n', '#']) && !command.ends_with(['&', ';', '\\']) {
            return format!("echo '{marker}''b'; {command}; echo '{marker}''e'$?\r");
        }
        // Behind a comment, or `&`, the brace is on a line of its own. The shell carries out nothing before
        // it has read that.
        let command = command.replace('\n', "\r");
        format!("{{ echo '{marker}''b'; {command}\r}}; echo '{marker}''e'$?\r")
    }

    fn first_marker(&mut self, heard: &mut Heard) -> Next {
        let begin = format!("{}b", self.marker).into_bytes();
        let rest = heard.rest();
        let Some(at) = position(rest, &begin) else {
            // The echo may be long.
            heard.take(rest.len().saturating_sub(begin.len()));
            return Next::Wait(None);
        };
        match line_end(&rest[at..]) {
            Some(end) => self.go_on(heard, at + end, State::Output(Shell::Posix)),
            None => Next::Wait(None),
        }
    }

    fn between_markers(&mut self, heard: &mut Heard) -> Next {
        let marker = format!("{}e", self.marker).into_bytes();
        let rest = heard.rest();
        if let Some(at) = position(rest, &marker) {
            if at > 0 {
                return show(heard, at);
            }
            let behind = &rest[marker.len()..];
            let Some(end) = line_end(behind) else { return Next::Wait(None) };
            let status = number(&behind[..end]);
            return self.go_on(heard, marker.len() + end, State::Settle(status));
        }
        // Its end may be the begin of the marker, or of a line's end.
        let begun = (1..marker.len()).rev().find(|length| rest.ends_with(&marker[..*length]));
        let held = begun.unwrap_or(usize::from(rest.ends_with(b"\r")));
        match rest.len() - held {
            0 => Next::Wait(None),
            shown => show(heard, shown),
        }
    }

    fn until_prompt(&mut self, heard: &mut Heard, shell: Shell, quiet: Duration) -> Next {
        let rest = heard.rest();
        let begin = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if begin > 0 {
            return show(heard, begin);
        }
        let line = plain(rest);
        let Some(at) = self.prompt_in(&line) else {
            return if rest.len() > MAX_MATCH { show(heard, rest.len()) } else { Next::Wait(None) };
        };
        if at > 0 {
            if quiet < BEHIND_TEXT {
                return Next::Wait(Some(BEHIND_TEXT));
            }
            let bytes = line[..at].to_owned().into_bytes();
            let begin = heard.cursor();
            heard.take(usize::MAX);
            let text = Next::Show { bytes, at: begin..heard.cursor() };
            // What is left is a prompt at the begin of a line.
            self.state = State::Settle(None);
            if shell == Shell::UBoot {
                self.state = State::Output(shell);
                heard.push(heard.end(), &line.as_bytes()[at..]);
            }
            return text;
        }
        if shell == Shell::Plain {
            return self.go_on(heard, usize::MAX, State::Settle(None));
        }
        heard.take(usize::MAX);
        self.state = State::Status;
        Next::Type(ASK_STATUS.to_vec())
    }

    fn status(&mut self, heard: &mut Heard) -> Next {
        let rest = heard.rest();
        let answer = line_end(rest).map(|end| &rest[end..]);
        let Some(answer) = answer.and_then(|rest| Some(&rest[..line_end(rest)?])) else {
            return Next::Wait(None);
        };
        let status = number(answer);
        self.go_on(heard, 0, State::Settle(status))
    }

    /// Where in a line the prompt begins that the line ends in.
    fn prompt_in(&self, line: &str) -> Option<usize> {
        if matches!(self.state, State::Output(_)) && line.ends_with(&self.seen) {
            return Some(line.len() - self.seen.len());
        }
        let is_one = match &self.prompt {
            Some(prompt) => prompt.is_in(line.as_bytes()),
            None if matches!(self.state, State::Output(_)) => false,
            None => {
                // Progress is shown by # and by %, but not by # and a blank.
                ["# ", "$ ", "> "].iter().any(|end| line.ends_with(end))
            }
        };
        is_one.then_some(0)
    }
}

/// The next bytes are output, with the line ends that the command wrote: the terminal on the board has
/// made CR LF of LF.
fn show(heard: &mut Heard, length: usize) -> Next {
    let bytes = &heard.rest()[..length];
    let mut out = Vec::with_capacity(length);
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            out.push(*byte);
        }
    }
    let begin = heard.cursor();
    heard.take(length);
    Next::Show { bytes: out, at: begin..heard.cursor() }
}

/// What stands in a line as a status; larger ones are 255.
fn number(line: &[u8]) -> Option<u8> {
    let text = plain(line.trim_ascii());
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u32 = digits.parse().ok()?;
    Some(u8::try_from(number).unwrap_or(u8::MAX))
}

fn position(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// Behind the first line end.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

#[cfg(test)]
mod tests;
