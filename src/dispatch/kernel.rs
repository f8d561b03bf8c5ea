//! What a Linux kernel says of its troubles, by LAVA's names.
//!
//! A message begins with a line that has one of the signs, and ends with the kernel's own end mark, or
//! after [`MESSAGE_LINES`] lines. What is in it belongs to it: an Oops within what began as a BUG is no
//! message of its own. Only a panic always is.

use std::collections::BTreeMap;

use super::expect::{Place, plain};

/// The longest message, in lines; a kernel that was cut off writes no end mark.
const MESSAGE_LINES: u32 = 100;
/// So many messages are kept with their text, the rest is counted.
const MESSAGES: usize = 64;
/// The most of a line that is kept, in characters.
const LINE: usize = 200;

/// Kinds of messages, with LAVA's names for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Exception,
    Fault,
    Kcsan,
    Kasan,
    Kfence,
    Oops,
    Warning,
    Bug,
    InvalidOpcode,
    Panic,
}

/// What a line has that begins a message; the first that is found says which.
const SIGNS: [(&str, Kind); 15] = [
    ("Kernel panic - not syncing", Kind::Panic),
    ("-[ cut here ]", Kind::Exception),
    ("Unhandled fault", Kind::Fault),
    ("BUG: KCSAN:", Kind::Kcsan),
    ("BUG: KASAN:", Kind::Kasan),
    ("BUG: KFENCE:", Kind::Kfence),
    ("Unable to handle kernel ", Kind::Oops),
    ("Internal error: ", Kind::Oops),
    ("Oops -", Kind::Oops),
    ("Oops:", Kind::Oops),
    ("WARNING:", Kind::Warning),
    ("kernel BUG at", Kind::Bug),
    ("BUG:", Kind::Bug),
    ("BUG at ", Kind::Bug),
    ("invalid opcode:", Kind::InvalidOpcode),
];

/// The kernel's own mark of a message's end.
const END: &str = "---[ end ";
/// What a kernel says that has panicked and is done with telling why.
const LAST_WORDS: [&str; 2] = ["---[ end Kernel panic", "Rebooting in "];

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: Kind,
    pub place: Place,
    /// Its most telling line.
    pub line: String,
}

/// The messages of one boot.
#[derive(Debug, Default)]
pub struct Messages {
    kept: Vec<Message>,
    counts: BTreeMap<Kind, u32>,
    /// How many more lines belong to the message that has not ended.
    open: u32,
    /// The next line says more than the one that began the message.
    telling: bool,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Exception => "exception",
            Self::Fault => "fault",
            Self::Kcsan => "kcsan",
            Self::Kasan => "kasan",
            Self::Kfence => "kfence",
            Self::Oops => "oops",
            Self::Warning => "warning",
            Self::Bug => "bug",
            Self::InvalidOpcode => "invalid opcode",
            Self::Panic => "panic",
        }
    }
}

impl Messages {
    /// Takes the next line of the console, and gives the kind of the message that begins with it.
    pub fn line(&mut self, line: &str, place: Place) -> Option<Kind> {
        if line.contains(END) {
            self.open = 0;
            return None;
        }
        let kind = SIGNS.iter().find(|(sign, _)| line.contains(sign)).map(|(_, kind)| *kind);
        if self.open > 0 && kind != Some(Kind::Panic) {
            self.open -= 1;
            if std::mem::take(&mut self.telling)
                && let Some(last) = self.kept.last_mut()
            {
                last.line = cut(line);
            }
            return None;
        }
        let kind = kind?;
        // Of a warning by itself nothing belongs to it; one with a trace tells of the processor.
        let alone = kind == Kind::Warning && !line.contains("CPU:");
        self.open = if alone { 0 } else { MESSAGE_LINES };
        *self.counts.entry(kind).or_default() += 1;
        self.telling = kind == Kind::Exception && self.kept.len() < MESSAGES;
        if self.kept.len() < MESSAGES {
            self.kept.push(Message { kind, place, line: cut(line) });
        }
        Some(kind)
    }

    /// A kernel begins: what came before was not its own, save a panic of the one before it.
    pub fn begin(&mut self) {
        self.open = 0;
        self.kept.retain(|message| message.kind == Kind::Panic);
        self.counts.retain(|kind, _| *kind == Kind::Panic);
    }

    /// Whether a message has not come to its end.
    pub fn is_open(&self) -> bool {
        self.open > 0
    }

    /// Those that are kept, in their order.
    pub fn all(&self) -> &[Message] {
        &self.kept
    }

    /// How many there were of each kind, also of those that are not kept.
    pub fn counts(&self) -> &BTreeMap<Kind, u32> {
        &self.counts
    }
}

/// Whether a line is the last of a kernel that has panicked and does not reboot by itself.
pub fn stays_dead(line: &str) -> bool {
    line.contains(LAST_WORDS[0])
}

/// Whether a line is the last that a kernel says after a panic.
pub fn is_last_word(line: &str) -> bool {
    LAST_WORDS.iter().any(|words| line.contains(words))
}

/// A line as messages show it: what controls a terminal is left out, and it is not too long.
pub fn cut(line: &str) -> String {
    plain(line).trim().chars().filter(|c| !c.is_control()).take(LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place { offset: None, time_us: 0 };

    fn kinds(text: &str) -> Vec<&'static str> {
        let mut messages = Messages::default();
        text.lines().filter_map(|line| messages.line(line, HERE)).map(Kind::name).collect()
    }

    #[test]
    fn each_kind_has_lavas_name() {
        for (line, name) in [
            ("[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs", "panic"),
            ("[    1.0] ------------[ cut here ]------------", "exception"),
            ("Unhandled fault: imprecise external abort (0x1406) at 0x00000000", "fault"),
            ("BUG: KASAN: slab-out-of-bounds in kmalloc_oob_right+0xa8/0xbc", "kasan"),
            ("BUG: KCSAN: data-race in a / b", "kcsan"),
            ("BUG: KFENCE: out-of-bounds read in test+0xa3/0x22b", "kfence"),
            ("Internal error: Oops - undefined instruction: 0 [#1] SMP ARM", "oops"),
            ("Unable to handle kernel NULL pointer dereference at virtual address 0", "oops"),
            ("Oops: 0002 [#1] PREEMPT SMP", "oops"),
            ("WARNING: CPU: 0 PID: 1 at kernel/x.c:1 y+0x1/0x2", "warning"),
            ("kernel BUG at mm/slub.c:4000!", "bug"),
            ("watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [sh:1]", "bug"),
            ("invalid opcode: 0000 [#1] SMP", "invalid opcode"),
        ] {
            assert_eq!(kinds(line), [name], "{line}");
        }
        assert_eq!(kinds("[    0.5] Kernel command line: panic=5 oops=panic"), [""; 0]);
    }

    #[test]
    fn what_is_in_a_message_is_none_of_its_own_but_a_panic_is() {
        let text = "[ 1.0] ------------[ cut here ]------------
[ 1.0] kernel BUG at drivers/x.c:7!
[ 1.0] invalid opcode: 0000 [#1] SMP
[ 1.0] ---[ end trace 0000000000000000 ]---
[ 1.1] WARNING: CPU: 0 PID: 1 at y.c:1
[ 1.2] Kernel panic - not syncing: Fatal exception
[ 1.3] ---[ end Kernel panic - not syncing: Fatal exception ]---
";
        assert_eq!(kinds(text), ["exception", "warning", "panic"]);
        let mut messages = Messages::default();
        for line in text.lines() {
            messages.line(line, HERE);
        }
        assert_eq!(messages.all()[0].line, "[ 1.0] kernel BUG at drivers/x.c:7!");
        assert!(!messages.is_open());
    }

    #[test]
    fn a_warning_by_itself_hides_no_other_message_and_a_boot_loaders_is_none() {
        let text = "WARNING: Caches not enabled
WARNING: running as root
[ 2.0] Unable to handle kernel NULL pointer dereference at virtual address 0
";
        assert_eq!(kinds(text), ["warning", "warning", "oops"]);
        let mut messages = Messages::default();
        messages.line("WARNING: Caches not enabled", HERE);
        messages.line("[ 1.0] Kernel panic - not syncing: x", HERE);
        messages.begin();
        assert_eq!(messages.counts().keys().map(|kind| kind.name()).collect::<Vec<_>>(), ["panic"]);
    }

    #[test]
    fn a_flood_of_messages_is_counted_and_not_kept() {
        let mut messages = Messages::default();
        for _ in 0..1_000 {
            messages.line("WARNING: again", HERE);
            messages.line("---[ end trace 0 ]---", HERE);
        }
        assert_eq!((messages.all().len(), messages.counts()[&Kind::Warning]), (MESSAGES, 1_000));
    }
}
