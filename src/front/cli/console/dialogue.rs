//! What a script does at a console in turn, and when each thing is done.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::IsTerminal as _;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use super::command::Command;
use super::session::{Running, Session};
use super::turns::{Turn, Turns, Wanted};
use crate::model::{self, Kind};
use crate::wire::attach::PortState;
use crate::wire::exec::{Exec, Next, Shell};
use crate::wire::expect::Expected;
use crate::wire::frame::Frame;
use crate::wire::heard::Heard;
use crate::wire::request::SendBreak;

/// How long a program that did not end in time may take to be interrupted.
const INTERRUPT: Duration = Duration::from_secs(2);

/// How the board's shell is.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// How long each thing that is waited for may take.
    pub(super) timeout: Duration,
    pub(super) prompt: Option<Expected>,
    pub(super) shell: Option<Shell>,
}

/// The turns that are left, and what was heard.
#[derive(Debug)]
pub(super) struct Dialogue {
    turns: Turns,
    manner: Manner,
    /// Whether one goes on at the console then.
    stay: bool,
    heard: Heard,
    /// Where the board was when this began.
    now: u64,
    /// All before this offset was shown, or is not to be.
    shown: u64,
    /// When something came, by our clock and by the console's.
    came: Instant,
    time_us: u64,
    /// Whether the board is waited for when there is no turn left: something was typed last.
    answers: bool,
}

/// Something that is waited for.
#[derive(Debug)]
pub(super) struct Waiting {
    what: What,
    begun: Instant,
    /// When it has taken too long.
    until: Instant,
    /// When it is to be looked at again if nothing comes.
    look: Option<Instant>,
}

#[derive(Debug)]
enum What {
    Expect(Wanted),
    Exec { command: String, exec: Exec, typed: Instant },
    Pause,
}

impl Dialogue {
    /// The stream is heard from the begin of `past` on, whose end is where the board is now. What comes
    /// before `shown` is only looked at.
    pub(super) fn new(
        turns: Turns,
        manner: Manner,
        stay: bool,
        past: Range<u64>,
        shown: u64,
    ) -> Self {
        let (heard, came) = (Heard::from(past.start), Instant::now());
        Self { turns, manner, stay, heard, now: past.end, shown, came, time_us: 0, answers: false }
    }

    /// Whether the next turn looks at the last line, and that has not come whole.
    fn is_behind(&self) -> bool {
        matches!(self.turns.0.front(), Some(Turn::Exec(_))) && self.heard.end() < self.now
    }

    /// The board has printed something.
    pub(super) fn hear(&mut self, frame: &Frame) {
        self.heard.push(frame.offset, &frame.bytes);
        (self.came, self.time_us) = (Instant::now(), frame.time_us);
    }

    /// What was heard and not shown, up to an offset.
    fn show(&mut self, end: u64) -> Option<Frame> {
        let bytes = Bytes::copy_from_slice(self.heard.range(self.shown..end));
        let offset = end.saturating_sub(bytes.len() as u64);
        self.shown = self.shown.max(end);
        (!bytes.is_empty()).then_some(Frame { offset, time_us: self.time_us, bytes })
    }
}

impl Session {
    /// Gets on with the turns; true when there is a step to be carried out for them.
    pub(super) async fn turns(&mut self) -> bool {
        let Some(mut dialogue) = self.dialogue.take() else { return false };
        loop {
            match self.running.take() {
                Some(Running::Waiting(waiting)) => match self.look(*waiting, &mut dialogue).await {
                    Some(waiting) => {
                        self.running = Some(Running::Waiting(Box::new(waiting)));
                        self.dialogue = Some(dialogue);
                        return false;
                    }
                    None => continue,
                },
                None if self.failed.is_some() || self.status.is_some() => break,
                None if self.steps.is_empty() && !dialogue.is_behind() => {
                    let Some(turn) = dialogue.turns.0.pop_front() else { break };
                    dialogue.answers =
                        !matches!(turn, Turn::Expect(_) | Turn::Exec(_) | Turn::Pause(_));
                    self.begin(turn, &mut dialogue);
                }
                running => {
                    let behind = dialogue.is_behind();
                    if !behind {
                        self.show(&mut dialogue, u64::MAX);
                    }
                    self.running = running;
                    self.dialogue = Some(dialogue);
                    return self.running.is_none() && !behind;
                }
            }
        }
        self.end_dialogue(dialogue);
        false
    }

    /// When the turn that is waited for has to be looked at again.
    pub(super) fn look_again(&self) -> Option<Instant> {
        let Some(Running::Waiting(waiting)) = &self.running else { return None };
        [Some(waiting.until), waiting.look, self.ending.gone()].into_iter().flatten().min()
    }

    fn begin(&mut self, turn: Turn, dialogue: &mut Dialogue) {
        let now = Instant::now();
        let wait = |what, time| {
            let until = now.checked_add(time).unwrap_or(now + Duration::from_secs(1 << 30));
            let waiting = Waiting { what, begun: now, until, look: None };
            Some(Running::Waiting(Box::new(waiting)))
        };
        match turn {
            Turn::Send(file) => {
                let (pace, line_pace) = (None, None);
                self.steps.command(Command::Send { file, pace, line_pace });
            }
            Turn::Type(bytes) => self.steps.board(bytes),
            Turn::Do(command) => {
                self.steps.command(command);
            }
            Turn::Keys(keys) => {
                for step in keys.steps().iter().rev() {
                    dialogue.turns.0.push_front(match step {
                        model::Step::Type(bytes) => Turn::Type(bytes.clone()),
                        model::Step::Break(ms) => {
                            let (ms, sequence) = (Some(*ms), None);
                            Turn::Do(Command::Break(SendBreak { ms, sequence }))
                        }
                        model::Step::Pause(ms) => Turn::Pause(Duration::from_millis(*ms)),
                    });
                }
            }
            Turn::Pause(time) => self.running = wait(What::Pause, time),
            Turn::Expect(wanted) => {
                dialogue.heard.search_again();
                self.running = wait(What::Expect(wanted), dialogue.manner.timeout);
            }
            Turn::Exec(command) => {
                let Manner { shell, prompt, timeout } = dialogue.manner.clone();
                let marker = format!("{:x}", RandomState::new().build_hasher().finish());
                match Exec::new(&command, shell, prompt, &marker) {
                    Ok(exec) => {
                        let what = What::Exec { command, exec, typed: now };
                        self.running = wait(what, timeout);
                    }
                    Err(why) => self.fail(Kind::User, &format!("--exec {command:?}: {why}")),
                }
            }
        }
    }

    /// Whether something that is waited for has come; gives it back if not.
    async fn look(&mut self, mut waiting: Waiting, dialogue: &mut Dialogue) -> Option<Waiting> {
        if self.failed.is_some() {
            self.show(dialogue, u64::MAX);
            return None;
        }
        let begun = waiting.begun;
        match &mut waiting.what {
            What::Pause => {
                self.show(dialogue, u64::MAX);
                if Instant::now() >= waiting.until {
                    return None;
                }
            }
            What::Expect(wanted) => {
                let Some(found) = dialogue.heard.find(&wanted.expected) else {
                    self.show(dialogue, u64::MAX);
                    let what = format!("--expect {:?}", wanted.text);
                    return self.in_time(waiting, dialogue, &what);
                };
                self.show(dialogue, found.end);
                self.output.tell(&json!({
                    "type": "expect",
                    "expression": wanted.text,
                    "found": String::from_utf8_lossy(dialogue.heard.range(found.clone())),
                    "offset": found.start,
                    "end": found.end,
                }));
                return None;
            }
            What::Exec { command, exec, typed } => loop {
                let since = dialogue.came.max(*typed);
                match exec.next(&mut dialogue.heard, since.elapsed()) {
                    Next::Type(bytes) => {
                        *typed = Instant::now();
                        self.board(bytes);
                        if self.failed.is_some() {
                            return None;
                        }
                    }
                    Next::Show { bytes, at } => {
                        let (time_us, bytes) = (dialogue.time_us, bytes.into());
                        self.output.part(&Frame { offset: at.start, time_us, bytes }, at.end);
                    }
                    Next::Wait(quiet) => {
                        waiting.look = quiet.map(|quiet| since + quiet);
                        let what = format!("--exec {command:?}");
                        let running = exec.is_running();
                        let kept = self.in_time(waiting, dialogue, &what);
                        if kept.is_none() && running {
                            self.interrupt().await;
                        }
                        return kept;
                    }
                    Next::Done(status) => {
                        dialogue.shown = dialogue.heard.end();
                        self.status = status.filter(|status| *status != 0);
                        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(0);
                        self.output.tell(&json!({
                            "type": "exec", "command": command, "status": status, "took_ms": took_ms,
                        }));
                        return None;
                    }
                    Next::Failed(why) => {
                        self.fail(Kind::Failed, &format!("--exec {command:?}: {why}"));
                        return None;
                    }
                }
            },
        }
        Some(waiting)
    }

    /// Gives back what may be waited for still; else says why not.
    fn in_time(&mut self, waiting: Waiting, dialogue: &Dialogue, what: &str) -> Option<Waiting> {
        let now = Instant::now();
        let gone = self.ending.gone().is_some_and(|gone| gone <= now);
        if now < waiting.until && !gone {
            return Some(waiting);
        }
        if gone {
            let away = self.ending.patience();
            self.fail(Kind::Lab, &format!("{what}: the console's daemon is away for {away:?}"));
            return None;
        }
        let time = dialogue.manner.timeout;
        let lost = match &self.port {
            _ if self.ending.away.is_some() => Some("the console's daemon is away".to_owned()),
            PortState::Closed { reason } => Some(format!("the port is not open: {reason}")),
            PortState::Open | PortState::Starting => None,
        };
        let line = dialogue.heard.line();
        let (kind, why) = match lost {
            Some(lost) => (Kind::Lab, lost),
            None if line.is_empty() => (Kind::Failed, "the board is silent".to_owned()),
            None => (Kind::Failed, format!("the last line is {line:?}")),
        };
        self.fail(kind, &format!("{what}: not within {time:?}; {why}"));
        None
    }

    /// Has what was typed and did not end ended: the next one is to find a prompt.
    async fn interrupt(&mut self) {
        let typing = self.attachment.type_bytes(b"\x03");
        let _ = tokio::time::timeout(INTERRUPT, typing).await;
    }

    /// The daemon has lost the stream, and counts anew from an offset on.
    pub(super) fn begin_anew(&mut self, from: u64) {
        if let Some(record) = &mut self.record {
            record.renumbered(from);
        }
        let Some(mut dialogue) = self.dialogue.take() else { return };
        let of_exec = |waiting: &Waiting| matches!(waiting.what, What::Exec { .. });
        let exec = matches!(&self.running, Some(Running::Waiting(it)) if of_exec(it));
        if !exec && !dialogue.is_behind() {
            self.show(&mut dialogue, u64::MAX);
        }
        dialogue.heard = Heard::from(from);
        (dialogue.now, dialogue.shown) = (from, from);
        self.dialogue = Some(dialogue);
    }

    fn show(&mut self, dialogue: &mut Dialogue, end: u64) {
        let end = end.min(dialogue.heard.end());
        if let Some(frame) = dialogue.show(end) {
            self.output.board(&frame);
        }
    }

    /// There is no turn left, or one has failed.
    fn end_dialogue(&mut self, mut dialogue: Dialogue) {
        let failed = self.failed.is_some() || self.status.is_some();
        // A person sees what failed, and may go on all the same.
        if dialogue.stay && (!failed || std::io::stdin().is_terminal()) {
            self.show(&mut dialogue, u64::MAX);
            self.attend();
        } else if failed {
            self.quit = true;
        } else if dialogue.answers || self.ending.lingers() {
            self.show(&mut dialogue, u64::MAX);
            self.ending.input = Some(Instant::now());
        } else {
            self.quit = true;
        }
    }
}
