//! Whether the board behind a console is still where it is thought to be: what tells of a panic, a
//! reboot that nobody asked for, or a boot that goes round in circles.
//!
//! Every byte of the console comes through here once, in whole lines, however the pieces were cut. What
//! a sign means depends on the [`Stage`]: a boot loader's banner is right after a reset, and a reboot
//! once the kernel has begun. A sign becomes an [`Alarm`] with its position in the stream, so that what
//! was waited for and came before it still counts.

use std::collections::VecDeque;
use std::sync::LazyLock;

use memchr::memrchr2;
use regex::Regex;
use regex::bytes::Regex as BytesRegex;

use super::expect::{Place, plain};
use super::kernel::{self, Kind, Messages};

/// The longest line that is looked at, in bytes; of a longer one the beginning.
const MAX_LINE: usize = 1024;
/// How many of the last lines a message shows, and how much of each, in characters.
const TAIL: usize = 4;
const SHOWN: usize = 200;
/// A boot loader or a kernel that begins for this time without getting anywhere goes round in circles.
/// Not the second: a kernel prints all again when another of its consoles takes over.
const ROUNDS: usize = 3;
/// So many banners are kept; a boot has a handful.
const BANNERS: usize = 32;

/// A kernel that prints what is below this level, and it says its name above it (`KERN_INFO` is 6).
const LOUD: u32 = 7;

/// What a line has to have to be looked at more closely.
static SIGNS: LazyLock<Option<BytesRegex>> = LazyLock::new(|| {
    let signs = r"cut here \]|Unhandled fault|BUG|Oops|WARNING:|invalid opcode:|Kernel panic|Internal error: |Unable to handle kernel |---\[ end |Rebooting in |U-Boot |barebox 2|SeaBIOS \(version|BL[12]: v|OpenSBI v|coreboot-|UEFI firmware \(version|Linux version [0-9]|Restarting system|quiet|loglevel=|console=|bootargs";
    BytesRegex::new(signs).ok()
});
/// The banners of boot loaders.
static BANNER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let banner = r"(?:U-Boot (?:SPL |TPL |VPL )?20\d\d\.\d\d|barebox 20\d\d\.|SeaBIOS \(version|BL[12]: v\d|OpenSBI v\d|coreboot-\d|UEFI firmware \(version).*";
    Regex::new(banner).ok()
});

/// How far the board is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nobody knows, or whoever drives the board knows best: nothing is judged.
    Unjudged,
    /// It was reset, and starts by itself.
    Booting,
    /// Its boot loader was reached and does what it is told.
    Loader,
    /// Its system runs: what it prints may be anything, so that a sign has to be borne out by silence and
    /// by a line end that is not answered.
    System,
    /// What the job watches or drives by itself runs, and may begin as often as it likes: only a kernel that
    /// has panicked for good is judged.
    Tested,
}

/// What is known of the arguments that the next kernel is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Arguments {
    /// They were not seen, or not all of them.
    #[default]
    Unknown,
    /// They were typed or printed, and have the kernel print what it does.
    Loud,
    /// They have it say little or nothing.
    Quiet,
}

/// What a sign tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Panic,
    Reboot,
    /// The same beginning again and again.
    Circles,
}

/// The board is not where it was thought to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub trouble: Trouble,
    /// How many bytes of the console came before its line.
    pub position: u64,
    pub place: Place,
    pub line: String,
    /// The board has said all that it will say of it.
    pub is_over: bool,
    /// A boot loader has begun after it.
    pub began_again: bool,
}

/// Looks through a console's stream.
#[derive(Debug)]
pub struct Watch {
    line: Vec<u8>,
    /// Of the first byte of `line`.
    begin: Option<(u64, Place)>,
    /// How many bytes have come.
    position: u64,
    stage: Stage,
    ignores_kernel: bool,
    /// The position at the last reset, if the job has reset the board.
    reset: Option<u64>,
    banners: Vec<String>,
    kernels: usize,
    restarts: usize,
    arguments: Arguments,
    messages: Messages,
    alarm: Option<Alarm>,
    tail: VecDeque<String>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            line: Vec::new(),
            begin: None,
            position: 0,
            stage: Stage::Unjudged,
            ignores_kernel: false,
            reset: None,
            banners: Vec::new(),
            kernels: 0,
            restarts: 0,
            arguments: Arguments::Unknown,
            messages: Messages::default(),
            alarm: None,
            tail: VecDeque::new(),
        }
    }
}

impl Watch {
    /// Takes a piece of the stream.
    pub fn push(&mut self, place: Place, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let dull = self.dull(rest);
            if dull > 0 {
                self.keep_last(&rest[..dull]);
                rest = &rest[dull..];
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let piece = &rest[..end.unwrap_or(rest.len())];
            if !piece.is_empty() {
                let gone = (bytes.len() - rest.len()) as u64;
                let offset = place.offset.map(|offset| offset + gone);
                self.begin.get_or_insert((self.position + gone, Place { offset, ..place }));
                let room = MAX_LINE - self.line.len();
                self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            match end {
                Some(end) => {
                    self.end_line();
                    rest = &rest[end + 1..];
                }
                None => break,
            }
        }
        self.position += bytes.len() as u64;
    }

    /// The length of the whole lines in front that say nothing of the board. Most of what boards print is
    /// such, and not looked at line by line.
    fn dull(&self, bytes: &[u8]) -> usize {
        let Some(signs) =
            SIGNS.as_ref().filter(|_| self.begin.is_none() && !self.messages.is_open())
        else {
            return 0;
        };
        let whole = |bytes: &[u8]| memrchr2(b'\n', b'\r', bytes).map_or(0, |end| end + 1);
        let lines = &bytes[..whole(bytes)];
        signs.find(lines).map_or(lines.len(), |sign| whole(&lines[..sign.start()]))
    }

    /// Keeps the last of these lines for messages.
    fn keep_last(&mut self, lines: &[u8]) {
        let lines = lines.rsplit(|byte| matches!(byte, b'\n' | b'\r'));
        let last: Vec<&[u8]> =
            lines.filter(|line| !line.trim_ascii().is_empty()).take(TAIL).collect();
        for line in last.into_iter().rev() {
            self.keep(&String::from_utf8_lossy(&line[..line.len().min(MAX_LINE)]));
        }
    }

    /// Keeps a line for messages, if there is anything on it.
    fn keep(&mut self, line: &str) {
        if !line.trim().is_empty() {
            let oldest = if self.tail.len() == TAIL { self.tail.pop_front() } else { None };
            let mut kept = oldest.unwrap_or_default();
            kept.clear();
            let plain = plain(line);
            kept.extend(plain.trim().chars().filter(|c| !c.is_control()).take(SHOWN));
            self.tail.push_back(kept);
        }
    }

    /// Nothing has come for a while: a board that has died in the middle of a line has said all.
    pub fn pause(&mut self) {
        if self.has_sign() {
            self.end_line();
        }
    }

    fn has_sign(&self) -> bool {
        SIGNS.as_ref().is_some_and(|signs| signs.is_match(&self.line))
    }

    fn end_line(&mut self) {
        let Some((position, place)) = self.begin.take() else { return };
        let has_sign = self.has_sign();
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        if has_sign {
            self.judge(&text, position, place);
        } else if self.messages.is_open() {
            self.messages.line(&text, place);
        }
        self.keep(&text);
        // The buffer is used again.
        self.line = line;
        self.line.clear();
    }

    fn judge(&mut self, line: &str, position: u64, place: Place) {
        if self.stage == Stage::Unjudged {
            return;
        }
        let alarm = |trouble| Alarm {
            trouble,
            position,
            place,
            line: kernel::cut(line),
            is_over: false,
            began_again: false,
        };
        if let Some(alarm) = self.alarm.as_mut().filter(|alarm| alarm.trouble == Trouble::Panic) {
            alarm.is_over |= match self.stage {
                Stage::Tested => kernel::stays_dead(line),
                _ => kernel::is_last_word(line),
            };
        }
        let system = matches!(self.stage, Stage::System | Stage::Tested);
        let panicked = !self.ignores_kernel && self.messages.line(line, place) == Some(Kind::Panic);
        // A system may print what was in the log of a boot before.
        if panicked && (!system || is_kernels_own(line, "Kernel panic")) {
            self.alarm.get_or_insert(alarm(Trouble::Panic));
        }
        if let Some(trouble) = self.beginning(line) {
            // Whoever panicked before has rebooted meanwhile.
            let alarm = self.alarm.get_or_insert(alarm(trouble));
            alarm.is_over |= !system;
            alarm.began_again = true;
        }
        self.typed(line);
    }

    /// Whether the line is a beginning that is none of a boot which goes on.
    fn beginning(&mut self, line: &str) -> Option<Trouble> {
        if self.stage == Stage::Tested {
            return None;
        }
        let system = self.stage == Stage::System;
        if let Some(text) = banner(line) {
            let before = self.banners.iter().filter(|banner| *banner == text).count();
            if system {
                return line.trim_start().starts_with(text).then_some(Trouble::Reboot);
            }
            if self.kernels > 0 || (before > 0 && self.stage == Stage::Loader) {
                return Some(Trouble::Reboot);
            }
            if self.banners.len() < BANNERS {
                self.banners.push(text.to_owned());
            }
            return (before + 1 >= ROUNDS).then_some(Trouble::Circles);
        }
        if is_kernels_own(line, "Linux version ") && !system {
            if self.kernels == 0 {
                // What boot loaders warn of is no message of the kernel's.
                self.messages.begin();
            }
            self.kernels += 1;
            return (self.kernels >= ROUNDS).then_some(Trouble::Circles);
        }
        // The one thing that a quiet kernel says of a round.
        if is_kernels_own(line, "reboot: Restarting system") && !system {
            self.restarts += 1;
            return (self.restarts >= ROUNDS).then_some(Trouble::Circles);
        }
        None
    }

    /// The board was reset just now: what comes from here on is a new boot.
    pub fn reset(&mut self) {
        self.begin(Stage::Booting);
        self.reset = Some(self.position);
    }

    /// Another system is started by the one that runs.
    pub fn begin(&mut self, stage: Stage) {
        self.stage = stage;
        self.line.clear();
        self.banners.clear();
        (self.begin, self.alarm, self.kernels) = (None, None, 0);
        self.arguments = Arguments::Unknown;
        (self.reset, self.restarts) = (None, 0);
        self.messages = Messages::default();
    }

    /// A line that the job types, or that the board prints: the kernel's arguments may be in it, or begin what has others.
    /// What was once told to be quiet stays so; what is in variables is not known.
    pub fn typed(&mut self, line: &str) {
        let words = || line.split([' ', '\'', '"', ';', '=', ',']);
        let levels = line.split("loglevel=").skip(1);
        let level = |text: &str| text.chars().next().and_then(|digit| digit.to_digit(10));
        let low = levels.filter_map(level).any(|level| level < LOUD);
        if self.arguments == Arguments::Quiet || self.kernels > 0 {
            return;
        }
        let is = |names: &[&str]| words().any(|word| names.contains(&word.trim()));
        if low || is(&["quiet"]) {
            self.arguments = Arguments::Quiet;
        } else if is(&["bootargs", "linux", "linuxefi", "kernel", "imgargs"]) && is(&["console"]) {
            // A screen is no console of ours.
            let mut consoles = line.split("console=").skip(1);
            let all = !line.contains('$') && consoles.any(|it| !is_screen(it));
            self.arguments = if all { Arguments::Loud } else { Arguments::Unknown };
        } else if is(&["bootargs", "console", "run", "source", "boot", "bootd"]) {
            self.arguments = Arguments::Unknown;
        }
    }

    /// The board is further now; an alarm before this still counts.
    pub fn enter(&mut self, stage: Stage) {
        if matches!(stage, Stage::Unjudged | Stage::Tested) {
            self.alarm = None;
        }
        self.stage = stage;
    }

    /// A boot is followed from now on, also of a board that the job has not reset.
    pub fn wake(&mut self, ignores_kernel: bool) {
        self.ignores_kernel = ignores_kernel;
        if matches!(self.stage, Stage::Unjudged | Stage::System | Stage::Tested) {
            self.begin(Stage::Booting);
        }
    }

    pub fn stage(&self) -> Stage {
        self.stage
    }

    pub fn alarm(&self) -> Option<&Alarm> {
        self.alarm.as_ref()
    }

    /// The board goes on: what looked like a sign was only printed.
    pub fn disprove(&mut self) -> Option<Alarm> {
        self.alarm.take()
    }

    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Whether the job has reset the board, which has said nothing since then.
    pub fn is_silent_since_reset(&self) -> bool {
        self.reset == Some(self.position)
    }

    /// Whether the job has reset the board.
    pub fn was_reset(&self) -> bool {
        self.reset.is_some()
    }

    /// Whether a kernel has begun since the last reset.
    pub fn has_kernel(&self) -> bool {
        self.kernels > 0
    }

    /// What the kernel was told of what to print, as far as the console shows it.
    pub fn arguments(&self) -> Arguments {
        self.arguments
    }

    /// The line that has no end yet.
    pub fn partial(&self) -> String {
        plain(&String::from_utf8_lossy(&self.line)).into_owned()
    }

    /// The last line that has something on it.
    pub fn last_line(&self) -> Option<String> {
        self.tail().pop()
    }

    /// The last lines that have something on them, the last one last; also one without an end.
    pub fn tail(&self) -> Vec<String> {
        let partial = kernel::cut(&String::from_utf8_lossy(&self.line));
        let whole = self.tail.iter().cloned();
        whole.chain((!partial.is_empty()).then_some(partial)).collect()
    }
}

/// Whether a kernel's `console=` begins so that names none of a board's serial lines.
fn is_screen(console: &str) -> bool {
    let number = console.strip_prefix("tty").unwrap_or_default();
    number.starts_with(|c: char| c.is_ascii_digit()) || console.starts_with("null")
}

/// The banner that a line is. A kernel that tells which firmware it was started by tells it in a sentence.
fn banner(line: &str) -> Option<&str> {
    let found = BANNER.as_ref()?.find(line)?;
    let before = line[..found.start()].trim_end();
    let is_first = !before.contains(' ') || before.trim_start() == "NOTICE:";
    is_first.then(|| found.as_str().trim())
}

/// Whether this is a line of the kernel's own that begins so, behind the time that it may put there; what
/// was on the line before, a prompt for one, does not matter. A saved log has the level in front.
fn is_kernels_own(line: &str, beginning: &str) -> bool {
    let Some((before, _)) = line.split_once(beginning) else { return false };
    let mut before = before.trim_end();
    while let Some((rest, stamp)) = before.strip_suffix(']').and_then(|b| b.rsplit_once('[')) {
        if !stamp.chars().all(|c| c.is_ascii_digit() || " .TC".contains(c)) {
            return false;
        }
        if !rest.ends_with(']') {
            return !rest.ends_with('>');
        }
        before = rest;
    }
    before.trim().is_empty()
}

#[cfg(test)]
mod tests;
