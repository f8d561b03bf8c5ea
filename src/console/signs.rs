//! Recognising what a board prints: boot loaders, kernels, panics, resets.
//!
//! Every byte of every console comes through here, so a piece is looked through once for all signs
//! together, and nothing is done to a piece without any. What a board prints is hostile: lines are cut
//! and cleaned, and each kind of sign is told at most once a second.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde::{Deserialize, Serialize};

use crate::model::health::{Seen, Sight};

/// The most of a line that is told in front of a sign, in bytes.
const BEFORE: usize = 64;
/// No sign is longer than this, in bytes.
const SIGN: usize = 32;
/// How many bytes are kept for what begins in them.
const TAIL: usize = BEFORE + SIGN;
/// The longest line that is told, in bytes.
const LINE: usize = 200;
/// A sign of one kind is told again after this time, in microseconds.
const AGAIN_US: u64 = 1_000_000;
/// Boot loaders that follow each other within this time are stages of one boot, in microseconds.
const BOOT_US: u64 = 60_000_000;
/// So many signs are looked at in one piece; a board that prints more of them is not worth the time.
const SIGNS_A_PIECE: usize = 16;

/// Where in a line a sign counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Not within a word.
    Word,
    /// Where the kernel's own lines begin: first, or behind the time that it puts there.
    Kernel,
    Anywhere,
}

/// What a sign means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A stage of a boot.
    Loader,
    Kernel,
    /// The end of the kernel: what follows tells which.
    Reboot,
    Other(Seen),
}

use Meaning::{Kernel, Loader, Other, Reboot};

const SIGNS: &[(&str, Meaning, Place)] = &[
    ("U-Boot 2", Loader, Place::Word),
    ("U-Boot SPL 2", Loader, Place::Word),
    ("U-Boot TPL 2", Loader, Place::Word),
    ("barebox 2", Loader, Place::Word),
    ("BL1: v", Loader, Place::Word),
    ("BL2: v", Loader, Place::Word),
    ("BL31: v", Loader, Place::Word),
    ("OpenSBI v", Loader, Place::Word),
    ("coreboot-", Loader, Place::Word),
    ("SeaBIOS (version ", Loader, Place::Anywhere),
    ("GNU GRUB  version ", Loader, Place::Anywhere),
    ("UEFI firmware (version ", Loader, Place::Anywhere),
    ("iPXE initialising devices", Loader, Place::Word),
    ("RedBoot(tm)", Loader, Place::Word),
    ("CFE version ", Loader, Place::Word),
    ("Booting MCUboot", Loader, Place::Word),
    ("Booting Zephyr OS", Loader, Place::Word),
    ("Linux version ", Kernel, Place::Kernel),
    ("Kernel panic - not syncing", Other(Seen::Panic), Place::Word),
    ("Oops: ", Other(Seen::Oops), Place::Kernel),
    ("Oops - ", Other(Seen::Oops), Place::Kernel),
    ("Internal error: ", Other(Seen::Oops), Place::Kernel),
    ("kernel BUG at ", Other(Seen::Oops), Place::Word),
    ("BUG: ", Other(Seen::Oops), Place::Kernel),
    ("Unable to handle kernel ", Other(Seen::Oops), Place::Kernel),
    ("general protection fault", Other(Seen::Oops), Place::Kernel),
    ("watchdog: BUG: ", Other(Seen::Watchdog), Place::Word),
    ("detected stall", Other(Seen::Watchdog), Place::Anywhere),
    ("watchdog did not stop", Other(Seen::Watchdog), Place::Word),
    ("atchdog reset", Other(Seen::Watchdog), Place::Anywhere),
    ("atchdog timeout", Other(Seen::Watchdog), Place::Anywhere),
    ("eset cause: WDOG", Other(Seen::Watchdog), Place::Anywhere),
    ("eset cause: WATCHDOG", Other(Seen::Watchdog), Place::Anywhere),
    ("reboot: ", Reboot, Place::Kernel),
    ("Restarting system", Other(Seen::Restart), Place::Kernel),
];

/// All signs at once. The small kind of automaton: its table would be larger than everything else that
/// a process with one console holds, and the search for the signs' first bytes does the work.
static MATCHER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(SIGNS.iter().map(|(sign, ..)| sign))
        .ok()
});

/// What has come of a console's stream so far.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Signs {
    /// The last [`TAIL`] bytes at most.
    tail: Vec<u8>,
    /// What is before this offset is dealt with.
    done: u64,
    /// A line with a sign that has not ended yet.
    open: Option<Open>,
    /// The boot under way: its first sign's time, the loaders that were in it, as bits, and whether the
    /// kernel has started.
    boot_us: u64,
    loaders: u64,
    kernel: bool,
    /// When each was told last.
    told: BTreeMap<Seen, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Open {
    /// Which one of [`SIGNS`].
    sign: usize,
    time_us: u64,
    /// The offset of the line's first byte.
    at: u64,
    line: Vec<u8>,
}

impl Signs {
    /// As another program has left it, whose tail and signs may be others.
    pub(super) fn checked(mut self) -> Self {
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        self
    }

    /// Looks through bytes that came at an offset and a time; the signs in lines that are whole now.
    pub(super) fn feed(&mut self, offset: u64, time_us: u64, bytes: &[u8]) -> Vec<Sight> {
        let mut found = Vec::new();
        let mut from = self.go_on(bytes, &mut found);
        if from == 0
            && self.open.is_none()
            && let Some((sign, back)) = self.across(offset, bytes)
        {
            let start = self.tail.len() - back - self.before_tail(back).len();
            let line = self.tail[start..].to_vec();
            let at = offset.saturating_sub(line.len() as u64);
            from = self.begin(Open { sign, time_us, at, line }, bytes, &mut found);
        }
        for _ in 0..SIGNS_A_PIECE {
            let Some((sign, at)) = self.next(bytes, from) else { break };
            from = at + SIGNS[sign].0.len();
            let before = self.before(bytes, at);
            let start = line_start(&before);
            if counts(SIGNS[sign].2, &before[start..]) {
                let line = before[start..].to_vec();
                let start = offset + at as u64 - (line.len() as u64).min(offset + at as u64);
                let open = Open { sign, time_us, at: start, line };
                from = at + self.begin(open, &bytes[at..], &mut found);
            }
        }
        if from > 0 {
            self.done = offset + from as u64;
        }
        self.keep(bytes);
        found
    }

    /// The sign of a line that has not ended, and that is not waited for any more.
    pub(super) fn flush(&mut self) -> Option<Sight> {
        let open = self.open.take()?;
        self.judge(open)
    }

    /// Takes what belongs to the line that is open, and tells how much that was.
    fn go_on(&mut self, bytes: &[u8], found: &mut Vec<Sight>) -> usize {
        match self.open.take() {
            Some(open) => self.begin(open, bytes, found),
            None => 0,
        }
    }

    /// Takes the rest of a line, and tells how much that was.
    fn begin(&mut self, mut open: Open, bytes: &[u8], found: &mut Vec<Sight>) -> usize {
        let room = LINE - open.line.len().min(LINE);
        let end = bytes.iter().take(room).position(|byte| matches!(byte, b'\n' | b'\r'));
        let took = end.unwrap_or(bytes.len().min(room));
        open.line.extend_from_slice(&bytes[..took]);
        if end.is_some() || took == room {
            found.extend(self.judge(open));
        } else {
            self.open = Some(open);
        }
        took
    }

    /// The first sign from a position on, and where it is.
    fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, usize)> {
        if self.open.is_some() {
            return None;
        }
        let found = MATCHER.as_ref()?.find(bytes.get(from..)?)?;
        Some((found.pattern().as_usize(), from + found.start()))
    }

    /// A sign that began in the bytes before, and how far before.
    fn across(&self, offset: u64, bytes: &[u8]) -> Option<(usize, usize)> {
        if self.tail.is_empty() || bytes.is_empty() {
            return None;
        }
        let mut window = [0; TAIL + SIGN];
        let old = self.tail.len();
        let new = bytes.len().min(SIGN);
        window[..old].copy_from_slice(&self.tail);
        window[old..old + new].copy_from_slice(&bytes[..new]);
        let dealt_with = old - (offset.saturating_sub(self.done) as usize).min(old);
        let matches = MATCHER.as_ref()?.find_iter(&window[dealt_with..old + new]);
        let mut across = matches
            .map(|found| (found.pattern(), dealt_with + found.start(), dealt_with + found.end()));
        let (sign, start, _) = across.find(|(_, start, end)| *start < old && *end > old)?;
        let (sign, back) = (sign.as_usize(), old - start);
        counts(SIGNS[sign].2, self.before_tail(back)).then_some((sign, back))
    }

    /// What of the line is in front of a sign that begins so far back.
    fn before_tail(&self, back: usize) -> &[u8] {
        let before = &self.tail[..self.tail.len() - back];
        let before = &before[before.len().saturating_sub(BEFORE)..];
        &before[line_start(before)..]
    }

    /// The last [`BEFORE`] bytes at most in front of a position.
    fn before(&self, bytes: &[u8], at: usize) -> Vec<u8> {
        let near = &bytes[at.saturating_sub(BEFORE)..at];
        let far = &self.tail[self.tail.len().saturating_sub(BEFORE - near.len())..];
        [far, near].concat()
    }

    fn keep(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(TAIL)..];
        let old = (self.tail.len() + new.len()).saturating_sub(TAIL);
        self.tail.drain(..old);
        self.tail.extend_from_slice(new);
    }

    /// What a line means; `None` when it is nothing new.
    fn judge(&mut self, open: Open) -> Option<Sight> {
        let Open { sign, time_us, at, line } = open;
        let (_, meaning, _) = SIGNS.get(sign)?;
        let what = match *meaning {
            Loader => self.loader(sign, time_us)?,
            Kernel => self.kernel(time_us),
            Reboot if ["Power down", "halted"].iter().any(|word| contains(&line, word)) => {
                Seen::Halt
            }
            Reboot => Seen::Restart,
            Other(seen) => seen,
        };
        let again = self.told.get(&what).is_some_and(|told| time_us.abs_diff(*told) < AGAIN_US);
        if again {
            return None;
        }
        self.told.insert(what, time_us);
        Some(Sight { what, time_us, at, line: clean(&line) })
    }

    /// A loader begins a boot, unless it is a further stage of one.
    fn loader(&mut self, sign: usize, time_us: u64) -> Option<Seen> {
        let bit = 1 << sign;
        let late = time_us.saturating_sub(self.boot_us) > BOOT_US;
        let further = !self.kernel && !late && self.loaders != 0 && self.loaders & bit == 0;
        if further {
            self.loaders |= bit;
            return None;
        }
        (self.boot_us, self.loaders, self.kernel) = (time_us, bit, false);
        Some(Seen::Boot)
    }

    /// A kernel begins a boot unless a loader did, however long that waited.
    fn kernel(&mut self, time_us: u64) -> Seen {
        if !self.kernel && self.loaders != 0 {
            self.kernel = true;
            return Seen::Kernel;
        }
        (self.boot_us, self.loaders, self.kernel) = (time_us, 0, true);
        Seen::Boot
    }
}

/// Where the line begins that these bytes end in.
fn line_start(before: &[u8]) -> usize {
    before.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1)
}

/// Whether a sign counts behind this beginning of a line.
fn counts(place: Place, before: &[u8]) -> bool {
    let before = without_colour(before);
    match place {
        Place::Anywhere => true,
        Place::Word => !before.last().is_some_and(u8::is_ascii_alphanumeric),
        Place::Kernel => before.is_empty() || before.ends_with(b"] "),
    }
}

/// The same without a terminal's command at the end, `ESC [ 3 1 m`.
fn without_colour(before: &[u8]) -> &[u8] {
    let Some(escape) = before.iter().rposition(|byte| *byte == 0x1b) else { return before };
    match &before[escape + 1..] {
        [b'[', parameters @ .., b'A'..=b'z']
            if parameters.iter().all(|byte| (b'0'..=b';').contains(byte)) =>
        {
            &before[..escape]
        }
        _ => before,
    }
}

fn contains(line: &[u8], word: &str) -> bool {
    line.windows(word.len()).any(|window| window == word.as_bytes())
}

/// A line as text without anything that a terminal could take for a command.
fn clean(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let mut text = String::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        // A terminal's command: ESC [ parameters, and a letter.
        if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            while chars.next_if(|c| !('@'..='~').contains(c)).is_some() {}
            chars.next();
        } else if !c.is_control() {
            text.push(c);
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests;
