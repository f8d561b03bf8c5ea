//! A console that somebody looks at.

use super::boards::Id;
use super::emulator::Emulator;
use super::past::{Past, Want};
use crate::client::ConsoleRef;
use crate::client::attach::Item;
use crate::front::cli::notice;
use crate::model::event::Mode;
use crate::model::{Name, What};
use crate::wire::attach::{Answer, PortState, Session};

/// The longest notice that is shown, in characters.
const MAX_NOTICE: usize = 300;

#[derive(Debug)]
pub(in super::super) struct Pane {
    /// Numbers it among all of the session.
    pub(in super::super) number: u64,
    pub(in super::super) id: Id,
    pub(in super::super) name: Name,
    pub(in super::super) console: ConsoleRef,
    pub(in super::super) emulator: Emulator,
    /// Rows and columns for it on the screen.
    pub(in super::super) room: (u16, u16),
    pub(in super::super) link: Linked,
    pub(in super::super) mode: Mode,
    pub(in super::super) holder: Option<Session>,
    pub(in super::super) past: Option<Past>,
    /// What happened last.
    pub(in super::super) notice: Option<String>,
}

/// Whether bytes come from the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Linked {
    Opening,
    Attached,
    /// It is tried again.
    Away(String),
    Ended(String),
}

impl Pane {
    pub(in super::super) fn new(
        number: u64,
        id: Id,
        name: Name,
        console: ConsoleRef,
        room: (u16, u16),
    ) -> Self {
        Self {
            number,
            id,
            name,
            console,
            emulator: Emulator::new(room),
            room,
            link: Linked::Opening,
            mode: Mode::Spy,
            holder: None,
            past: None,
            notice: None,
        }
    }

    pub(in super::super) fn rows(&self) -> usize {
        self.room.0.into()
    }

    pub(in super::super) fn set_room(&mut self, room: (u16, u16)) {
        if self.room != room {
            self.room = room;
            self.emulator.resize(room);
        }
    }

    /// Looks at what was printed before. Gives what is to be read.
    pub(in super::super) fn look_back(&mut self, around: Option<u64>) -> Option<Want> {
        match (&mut self.past, around) {
            (Some(past), Some(offset)) => past.go(offset, self.room.0.into()),
            (Some(_), None) => None,
            (none, around) => {
                let (past, want) = Past::new(around);
                *none = Some(past);
                Some(want)
            }
        }
    }

    /// Something comes from the console.
    pub(in super::super) fn item(&mut self, item: Item) {
        match item {
            Item::Bytes(frame) => self.emulator.feed(&frame.bytes),
            Item::Screen(screen) => self.emulator.redraw(screen.draw.as_bytes()),
            Item::Event(event) => {
                match &event.what {
                    What::Forced { .. } | What::Released { .. } => {}
                    What::PortOpen { .. } => self.link = Linked::Attached,
                    _ => {}
                }
                if let Some(text) = notice::event(&self.name, &event) {
                    self.tell(&text);
                }
            }
            Item::Mode { mode, holder, by } => {
                (self.mode, self.holder) = (mode, holder);
                if let Some(by) = by {
                    self.tell(&format!("{mode} from now on, by {by}"));
                }
            }
            Item::Gap { from, to } => {
                self.tell(&format!("{} bytes are not held any more", to.saturating_sub(from)));
            }
            Item::Answer { answer: Answer::Refused { reason }, .. } => self.tell(&reason),
            Item::Answer { .. } => {}
            Item::Notice(text) => self.tell(&text),
            Item::Ended { reason } => self.link = Linked::Ended(shown(&reason)),
            Item::Lost { reason } => self.link = Linked::Away(shown(&reason)),
            Item::Resumed(hello) => {
                (self.mode, self.holder) = (hello.mode, hello.holder);
                self.attached(&hello.port);
            }
            Item::Renumbered { .. } => self.emulator.redraw(b""),
        }
    }

    pub(in super::super) fn attached(&mut self, port: &PortState) {
        self.link = Linked::Attached;
        if let PortState::Closed { reason } = port {
            self.tell(&format!("the port is not open: {reason}"));
        }
    }

    pub(in super::super) fn tell(&mut self, text: &str) {
        self.notice = Some(shown(text));
    }
}

/// What somebody else says, fit for a line of ours.
pub(in super::super) fn shown(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    line.take(MAX_NOTICE).collect()
}
