//! A console that somebody looks at.

use super::boards::Id;
use super::emulator::Emulator;
use super::past::{Past, Want};
use crate::client::attach::Hello;
use crate::client::attach::Item;
use crate::client::{ConsoleRef, Endpoint};
use crate::front::cli::{line_text, notice};
use crate::model::event::Mode;
use crate::model::{Name, What, is_shown};
use crate::wire::attach::{Answer, PortState};
use crate::wire::escape::Escapes;

/// The rows and columns of a console until it has its place.
const ROOM: (u16, u16) = (24, 80);
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
    /// The right to type was asked for, and that is not answered yet.
    pub(in super::super) asked: bool,
    pub(in super::super) escapes: Escapes,
    /// What is shown of a command that is being typed.
    pub(in super::super) echo: Vec<u8>,
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
        escapes: Escapes,
    ) -> Self {
        Self {
            number,
            id,
            name,
            console,
            emulator: Emulator::new(ROOM),
            room: ROOM,
            link: Linked::Opening,
            mode: Mode::Spy,
            asked: false,
            escapes,
            echo: Vec::new(),
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

    /// Whether its session finds the console at another address by itself.
    pub(super) fn finds_it_at(&self, console: &ConsoleRef) -> bool {
        let host = |console: &ConsoleRef| matches!(console.endpoint, Endpoint::Unix(_));
        self.link == Linked::Attached || (host(&self.console) && host(console))
    }

    /// It is attached to once more, under another number.
    pub(super) fn again(&mut self, number: u64) {
        (self.number, self.link, self.asked, self.past) = (number, Linked::Opening, false, None);
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
                if matches!(event.what, What::PortOpen { .. }) {
                    self.link = Linked::Attached;
                }
                if let Some(text) = notice::event(&self.name, &event) {
                    self.tell(&text);
                }
            }
            Item::Mode { mode, by, .. } => {
                self.mode = mode;
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
            Item::Lost { reason } => {
                (self.link, self.asked) = (Linked::Away(shown(&reason)), false);
            }
            Item::Resumed(hello) => self.attached(&hello),
            Item::Renumbered { .. } => self.emulator.redraw(b""),
        }
    }

    pub(in super::super) fn attached(&mut self, hello: &Hello) {
        (self.link, self.mode) = (Linked::Attached, hello.mode);
        if let PortState::Closed { reason } = &hello.port {
            self.tell(&format!("the port is not open: {reason}"));
        }
    }

    pub(in super::super) fn tell(&mut self, text: &str) {
        self.notice = Some(shown(text));
    }
}

/// What somebody else says, fit for a line of ours.
pub(in super::super) fn shown(text: &str) -> String {
    let line = text.chars().map(|c| match c {
        '\n' => ' ',
        c if is_shown(c) => c,
        _ => '\u{fffd}',
    });
    line.take(MAX_NOTICE).collect()
}

/// An answer that is for people to read.
pub(super) fn answer_lines(answer: &Answer) -> Option<Vec<String>> {
    Some(match answer {
        Answer::Sessions { sessions } => sessions.iter().map(notice::session).collect(),
        Answer::Sequences { sequences } if sequences.is_empty() => {
            vec!["there is no break sequence".into()]
        }
        Answer::Sequences { sequences } => {
            sequences.iter().map(|(name, keys)| format!("{name:<20} {keys}")).collect()
        }
        Answer::Line(line) => vec![line_text::text(line)],
        Answer::Done | Answer::Refused { .. } | Answer::Sent { .. } => return None,
    })
}
