//! When a wait is over before its time: a dead board is not waited for.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Session, Wait, elsewhere};
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns};
use crate::dispatch::kernel;
use crate::dispatch::watch::{Alarm, Arguments, Stage, Trouble};

/// After a panic a board has said all when it is quiet for the first of these; it has the second to say
/// it, so that the trace is in the log.
const LAST_WORDS: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(700)];
/// What looks like a panic or a reboot may only have been printed by a system that runs. When such a system
/// is quiet for this time it is sent a line end, which a terminal echoes that has a living kernel behind it,
/// whatever runs there.
const QUIET: Duration = Duration::from_millis(200);
/// How long the echo may take; of a board that is not known to echo, and has not said the last words of a
/// panic, the second.
const ECHO: [Duration; 2] = [Duration::from_millis(450), Duration::from_secs(5)];
/// So many line ends are typed for one sign that they do not decide.
const PROBES: u32 = 8;
/// So much of what is answered is looked at, in bytes.
const ANSWERED: usize = 256;
/// A kernel that was watched, has panicked for good and says nothing more for this time is dead.
const DEAD_QUIET: Duration = Duration::from_secs(5);
/// A board that was not reset may be at a prompt when it says nothing for this time. So may one that was,
/// when the reset had no effect; but it may also be slow to begin.
const NUDGE: Duration = Duration::from_secs(2);
const NUDGE_AFTER_RESET: Duration = Duration::from_secs(10);

/// What boot loaders say last.
const HANDED_OVER: [&str; 7] = [
    "Starting kernel",
    "Booting kernel",
    "EFI stub: ",
    "Booting Linux",
    "Loading initial ramdisk",
    "Uncompressing Linux",
    "booting the kernel",
];

/// What the end of a wait would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The board is dead.
    Dead,
    /// It waits where nobody meant it to.
    Elsewhere,
    /// Its kernel never said anything.
    Silent,
    /// It may want a line end.
    Nudge,
    /// A line end will show whether it lives.
    Probe,
}

/// A line end that was typed to see whether the board lives.
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// When the last one was typed.
    at: Option<Instant>,
    /// What has come since, up to [`ANSWERED`] bytes.
    answer: Vec<u8>,
    typed: u32,
    /// What was answered before.
    before: Option<String>,
}

impl Probe {
    /// What comes may be the answer.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        if self.at.is_some() {
            let room = ANSWERED.saturating_sub(self.answer.len());
            self.answer.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
}

/// Who answers a line end within this time was waiting for it.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

impl Session {
    /// Whether what was found at this position is what it seems to be.
    pub(super) fn stands(&mut self, position: u64) -> bool {
        let Some(alarm) = self.watch.alarm() else { return true };
        if alarm.position >= position {
            return true;
        }
        if !matches!(self.watch.stage(), Stage::System | Stage::Tested) {
            return false;
        }
        self.lives();
        true
    }

    /// The alarm was none.
    fn lives(&mut self) {
        if let Some(alarm) = self.watch.disprove() {
            let line = alarm.line;
            self.log.info(format!("the board goes on, so it has only printed {line:?}"));
        }
        self.note_alarm();
    }

    pub(super) fn note_alarm(&mut self) {
        if self.watch.alarm().is_none() {
            (self.alarmed, self.probe) = (None, Probe::default());
        } else if self.alarmed.is_none() {
            self.alarmed = Some(Instant::now());
        }
    }

    /// When a wait that began at `begin` is over before its time, as things are now.
    pub(super) fn due(&mut self, begin: Instant, nudge: bool) -> Option<(Instant, Due)> {
        self.note_alarm();
        if let (Some(alarm), Some(alarmed)) = (self.watch.alarm(), self.alarmed) {
            let quiet_since = self.heard.max(alarmed);
            return match self.watch.stage() {
                Stage::Tested => alarm.is_over.then_some((quiet_since + DEAD_QUIET, Due::Dead)),
                // Whoever has the console sees to the board.
                Stage::System if self.forced.is_some() => None,
                Stage::System => Some(match self.probe.at {
                    None => (quiet_since + QUIET, Due::Probe),
                    Some(at) => {
                        let answered = !self.probe.answer.is_empty();
                        let sure = self.typist.echoes() || alarm.is_over || answered;
                        let limit = ECHO[usize::from(!sure)];
                        (quiet_since.max(at) + limit, Due::Dead)
                    }
                }),
                _ => {
                    let [quiet, limit] = LAST_WORDS;
                    let over = alarm.is_over || alarm.trouble != Trouble::Panic;
                    let last = (self.heard + quiet).min(alarmed + limit);
                    Some((if over { alarmed } else { last }, Due::Dead))
                }
            };
        }
        if nudge && self.watch.is_silent_since_reset() {
            return Some((begin + NUDGE_AFTER_RESET, Due::Nudge));
        }
        if nudge && !self.watch.was_reset() && self.heard <= begin {
            return Some((begin + NUDGE, Due::Nudge));
        }
        let judged = matches!(self.watch.stage(), Stage::Booting | Stage::Loader);
        // Who has taken the console sees to the board.
        if judged && self.forced.is_none() {
            let patience = elsewhere::patience(&self.watch.partial(), &self.silences);
            if let Some(patience) = patience {
                return Some((self.heard + patience, Due::Elsewhere));
            }
        }
        // One that was told to be quiet, or may have been, is waited for as any.
        let handed_over = self.watch.stage() == Stage::Loader
            && !self.watch.has_kernel()
            && self.watch.arguments() != Arguments::Quiet
            && self.silence_told != Some(self.heard)
            && self
                .watch
                .last_line()
                .is_some_and(|line| HANDED_OVER.iter().any(|w| line.contains(w)));
        let silence = self.silences.kernel.filter(|_| handed_over)?;
        Some((self.heard + silence, Due::Silent))
    }

    /// Types a line end at a system that may be dead.
    pub(super) async fn probe(&mut self) -> Result<(), Error> {
        let Probe { at, answer, typed, .. } = &mut self.probe;
        (*at, *typed) = (Some(Instant::now()), *typed + 1);
        answer.clear();
        self.log.debug("a line end is typed, to see whether the board lives");
        self.type_bytes(Bytes::from_static(b"\n")).await
    }

    /// Whether the alarm means that the board is dead, now that it had time to say something.
    pub(super) fn is_dead(&mut self) -> bool {
        if self.watch.stage() != Stage::System {
            return true;
        }
        let answer = String::from_utf8_lossy(&self.probe.answer).into_owned();
        if answer.is_empty() {
            return true;
        }
        let said = answer.trim_matches(['\r', '\n']);
        let panicked = |alarm: &Alarm| alarm.trouble == Trouble::Panic && !alarm.began_again;
        let panicked = self.watch.alarm().is_some_and(panicked);
        // The echo of a line end is one. A kernel's own lines are no answer.
        let lives = match panicked {
            true => answer.starts_with(['\r', '\n']) || !said.starts_with('['),
            false => said.is_empty(),
        };
        if lives || self.probe.typed >= PROBES {
            self.lives();
            return false;
        }
        // A boot loader or a login that waits there answers the same each time.
        let waits = (!panicked && !answer.ends_with(['\r', '\n']))
            .then(|| said.rsplit(['\r', '\n']).next().unwrap_or_default().to_owned());
        let again = waits.is_some() && waits == self.probe.before;
        (self.probe.before, self.probe.at) = (waits, None);
        again
    }

    /// The failure that the alarm is for whoever waits.
    pub(super) fn dead(&self, patterns: &Patterns, wait: &Wait) -> Error {
        let Some(Alarm { trouble, place, line, .. }) = self.watch.alarm() else {
            return Error::Bug("a board without an alarm is taken for dead".into());
        };
        let what = match trouble {
            Trouble::Panic => "the kernel panicked",
            Trouble::Reboot => "the board rebooted by itself",
            Trouble::Circles => "the board begins to boot again and again",
        };
        let at = place.offset.map(|offset| format!(" at offset {offset}")).unwrap_or_default();
        Error::Dead(self.told(&format!("{what}{at}: {line:?}"), patterns, wait))
    }

    /// The failure that silence is of a kernel that was told to speak. Of another one it is told, once.
    pub(super) fn silent(&mut self, patterns: &Patterns, wait: &Wait) -> Option<Error> {
        let line = self.watch.last_line().unwrap_or_default();
        let seconds = self.silences.kernel.unwrap_or_default().as_secs();
        let what = format!(
            "the kernel says nothing: {seconds} s of silence after {line:?}; most often its device tree or \
             its console= is another board's, or it was loaded over something else"
        );
        if self.watch.arguments() == Arguments::Loud {
            return Some(Error::Dead(self.told(&what, patterns, wait)));
        }
        self.silence_told = Some(self.heard);
        self.log
            .warning(format!("{what}; it is waited for, since it may have been told to be quiet"));
        None
    }

    pub(super) fn elsewhere(&self, patterns: &Patterns, wait: &Wait) -> Error {
        let line = self.watch.partial();
        let seconds = elsewhere::patience(&line, &self.silences).unwrap_or_default().as_secs();
        let what = format!(
            "the board stands at {:?} and says nothing more for {seconds} s",
            kernel::cut(&line)
        );
        Error::Job(self.told(&what, patterns, wait))
    }

    pub(super) fn not_reset(&self, found: &Found) -> Error {
        let seconds = NUDGE_AFTER_RESET.as_secs();
        let said = found.groups.first().map(|said| said.trim()).unwrap_or_default();
        Error::Infrastructure(format!(
            "the reset had no effect: the board said nothing for {seconds} s, and then answered a line end \
             with {said:?}; is it at the outlet that was switched?"
        ))
    }

    /// A message with what was seen, what was waited for, and the last output.
    pub fn told(&self, what: &str, patterns: &Patterns, wait: &Wait) -> String {
        let action = wait.action;
        let waited_for = wait.what.clone().unwrap_or_else(|| patterns.describe());
        let tail: Vec<String> = self.watch.tail().iter().map(|line| format!("{line:?}")).collect();
        let tail = tail.join(", ");
        format!("{what} while {action} waited for {waited_for}; the last lines: {tail}")
    }
}
