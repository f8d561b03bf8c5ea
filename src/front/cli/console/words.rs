//! The words for a person at a console: those of the keymap that they type with.

use super::notice;
use crate::model::event::Mode;
use crate::model::{Event, What, calls_oneself};
use crate::wire::attach::Session;
use crate::wire::escape::{Escapes, Keymap};

/// How commands are typed, and how their results are told.
#[derive(Debug, Clone)]
pub(in crate::front) struct Words {
    keymap: Keymap,
    /// What begins an escape, as it is shown; `None` where there is no escape.
    introducer: Option<String>,
}

impl Words {
    pub(in crate::front) fn of(escapes: &Escapes) -> Self {
        let introducer = escapes.introducer().map(ToString::to_string);
        Self { keymap: escapes.keymap(), introducer }
    }

    /// How a command is typed: `~$force`, `^Ecf`; `None` where it cannot be.
    pub(in crate::front) fn key(&self, command: &str) -> Option<String> {
        let introducer = self.introducer.as_ref()?;
        let letter = match (self.keymap, command) {
            (Keymap::Lava, command) => command,
            (Keymap::Conserver, "quit") | (Keymap::Conman, "quit") => ".",
            (Keymap::Conserver, "force") => "f",
            (Keymap::Conserver, "rw") => "a",
            (Keymap::Conman, "force") => "F",
            (Keymap::Conman, "rw") => "J",
            (Keymap::Conserver | Keymap::Conman, "help") => "?",
            (Keymap::Conserver | Keymap::Conman, command) => &format!(":{command}"),
        };
        Some(format!("{introducer}{letter}"))
    }

    /// What stands before a command in words: `~$`, `^Ec:`.
    pub(in crate::front) fn prefix(&self) -> String {
        match (&self.introducer, self.keymap) {
            (None, _) => String::new(),
            (Some(introducer), Keymap::Lava) => introducer.clone(),
            (Some(introducer), Keymap::Conserver | Keymap::Conman) => format!("{introducer}:"),
        }
    }

    /// The begin of the greeting.
    pub(super) fn connected(&self, board: &str, channel: &str) -> String {
        let connected = format!("Connected to {board} [channel {channel}]");
        match (self.keymap, &self.introducer) {
            (_, None) => connected,
            (Keymap::Lava, Some(_)) => {
                format!("{connected} ({} to exit)", self.key("quit").unwrap_or_default())
            }
            (Keymap::Conserver | Keymap::Conman, Some(introducer)) => {
                format!("{connected}\n[Enter `{introducer}?' for help]")
            }
        }
    }

    /// Why one may not type, and what to do about it.
    pub(super) fn read_only(&self, holder: Option<&Session>) -> String {
        let how = |command: &str, does: &str| {
            self.key(command).map(|key| format!("; {key} {does}")).unwrap_or_default()
        };
        match holder {
            Some(holder) => format!(
                "[read-only: {} has the console since {}{}]",
                notice::user(&holder.user),
                crate::model::units::time_text(holder.since_us),
                how("force", "takes it")
            ),
            None => format!("[read-only: attached as a spy{}]", how("rw", "lets you type")),
        }
    }

    /// This session's own mode has changed, by `by`'s doing.
    pub(super) fn mode(
        &self,
        mode: Mode,
        by: Option<&str>,
        me: &str,
        holder: Option<&Session>,
    ) -> String {
        let other = by.filter(|by| !calls_oneself(by, me));
        match (self.keymap, mode, other) {
            (Keymap::Conserver, Mode::Spy, Some(by)) => {
                format!("[forced to `spy' mode by {by}]")
            }
            (Keymap::Conserver, Mode::Spy, None) => "[spying]".into(),
            (Keymap::Conserver, Mode::Rw | Mode::Exclusive, _) => "[attached]".into(),
            (_, Mode::Spy, _) => self.read_only(holder),
            (_, Mode::Rw, _) => "[you may type]".into(),
            (_, Mode::Exclusive, _) => match self.key("release") {
                Some(key) => format!("[you have the console; {key} gives it back]"),
                None => "[you have the console]".into(),
            },
        }
    }

    /// Another word for an event that this person knows it by; `None` for the usual one.
    pub(super) fn event(&self, event: &Event, me: &str) -> Option<String> {
        let own = event.who.as_deref().is_some_and(|who| calls_oneself(who, me));
        match (self.keymap, &event.what) {
            (Keymap::Conserver, What::Forced { from: Some(from), to: None }) if own => {
                Some(format!("[bumped {from}]"))
            }
            (Keymap::Conserver, What::Break { .. }) if own => Some("[halt sent]".into()),
            _ => None,
        }
    }

    /// A request was refused.
    pub(super) fn refused(&self, reason: &str, holder: Option<&Session>) -> String {
        match (self.keymap, holder) {
            (Keymap::Conserver, Some(holder)) if reason.starts_with("read-only") => {
                format!("[no, {} is attached]", holder.user)
            }
            _ => format!("[{reason}]"),
        }
    }

    /// What stands above the list of the commands, and the list of the letters.
    pub(super) fn help(&self) -> (&'static str, &'static [(&'static str, &'static str)]) {
        match self.keymap {
            Keymap::Lava => ("Console commands:", &[]),
            Keymap::Conserver | Keymap::Conman => ("[help]", self.keymap.help()),
        }
    }

    /// What stands above the past.
    pub(super) fn replay(&self, lines: usize) -> Option<String> {
        match (self.keymap, lines) {
            (Keymap::Conserver, 1) => Some("[^R]".into()),
            (Keymap::Conserver, 2..=20) => Some("[replay]".into()),
            (Keymap::Conserver, _) => Some("[playback]".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(keymap: Keymap) -> Words {
        Words::of(&Escapes::with(keymap, Some(keymap.introducer()), "panda01"))
    }

    #[test]
    fn each_keymap_tells_its_own_keys() {
        let connected = |keymap| words(keymap).connected("panda01", "connected");
        let conmux = "Connected to panda01 [channel connected] (~$quit to exit)";
        assert_eq!(connected(Keymap::Lava), conmux);
        assert!(connected(Keymap::Conserver).ends_with("\n[Enter `^Ec?' for help]"));
        assert_eq!(words(Keymap::Conman).key("force").as_deref(), Some("&F"));
        assert_eq!(words(Keymap::Conserver).key("release").as_deref(), Some("^Ec:release"));
        let none = Words::of(&Escapes::with(Keymap::Lava, None, "b"));
        assert_eq!(none.read_only(None), "[read-only: attached as a spy]");
    }

    #[test]
    fn conservers_words_are_those_that_its_users_know() {
        let words = words(Keymap::Conserver);
        assert_eq!(
            words.mode(Mode::Spy, Some("bob"), "alice", None),
            "[forced to `spy' mode by bob]"
        );
        assert_eq!(words.mode(Mode::Spy, Some("alice"), "alice", None), "[spying]");
        assert_eq!(words.mode(Mode::Rw, None, "alice", None), "[attached]");
        let what = What::Forced { from: Some("bob".into()), to: None };
        let forced = Event { offset: 0, time_us: 0, who: Some("alice".into()), what };
        assert_eq!(words.event(&forced, "alice").as_deref(), Some("[bumped bob]"));
        assert_eq!(words.event(&forced, "carol"), None);
        // Who has a token has its name before their own.
        let forced = Event { who: Some("ci (alice)".into()), ..forced };
        assert_eq!(words.event(&forced, "alice").as_deref(), Some("[bumped bob]"));
        assert_eq!(words.mode(Mode::Spy, Some("ci (alice)"), "alice", None), "[spying]");
    }
}
