//! What comes from the console to a person or script at it.

use tokio::time::Instant;

use super::super::line_text;
use super::session::{Running, Session};
use super::{draw, notice};
use crate::client::attach::{Hello, Item, Screen};
use crate::model::event::Mode;
use crate::model::{Kind, What};
use crate::wire::attach::{Answer, PortState};

impl Session {
    pub(super) fn item(&mut self, item: Item) {
        if !matches!(item, Item::Screen(_)) {
            self.greet(None);
        }
        match item {
            Item::Bytes(frame) => {
                self.ending.printed = Instant::now();
                if let Some(Err(line)) = self.record.as_mut().map(|record| record.write(&frame)) {
                    self.record = None;
                    self.fail(Kind::Infra, &line);
                }
                match &mut self.dialogue {
                    Some(dialogue) => dialogue.hear(&frame),
                    None => self.output.board(&frame),
                }
            }
            Item::Screen(screen) => self.greet(Some(&screen)),
            Item::Event(event) => {
                match &event.what {
                    What::PortOpen { .. } => self.port = PortState::Open,
                    What::PortLost { reason } => {
                        self.port = PortState::Closed { reason: reason.clone() };
                    }
                    What::PortDown => {
                        let who = event.who.as_deref().unwrap_or("somebody");
                        self.port = PortState::Closed { reason: format!("{who} has closed it") };
                    }
                    _ => {}
                }
                if self.output.event(&event) || self.power.iter_mut().any(|own| own.hides(&event)) {
                    return;
                }
                let own = self.words().event(&event, &self.target.user);
                if let Some(line) = own.or_else(|| notice::event(&self.target.board, &event)) {
                    self.output.say(&line);
                }
            }
            Item::Mode { mode, by, holder } => {
                self.told = None;
                self.spy = mode == Mode::Spy;
                let me = &self.target.user;
                let line = self.words().mode(mode, by.as_deref(), me, holder.as_ref());
                self.output.say(&line);
                self.holder = holder;
            }
            Item::Gap { from, to } => {
                self.output.say(&format!("[{} bytes are not held any more]", to - from));
            }
            Item::Answer { id, answer } => self.answer(id, answer),
            Item::Lost { reason } => self.lost(&reason),
            Item::Resumed(hello) => self.back(hello),
            Item::Notice(text) => self.output.say(&format!("[{text}]")),
            Item::Ended { reason } => {
                self.output.say(&format!("[{reason}]"));
                self.failed.get_or_insert(Kind::Refused);
                self.quit = true;
            }
            Item::Renumbered { from } => {
                self.begin_anew(from);
                self.output.say("[the console's record is a new one; something may be missing]");
            }
        }
    }

    fn lost(&mut self, reason: &str) {
        self.ending.away = Some(Instant::now());
        self.output.say(&format!("[lost: {reason}; reconnecting]"));
        match self.running.take() {
            Some(Running::Request { .. }) => {
                self.fail(Kind::Lab, "[it is not known whether the command was carried out]");
            }
            Some(Running::Send(sending)) => {
                let line = format!("[{}]", sending.lost());
                self.fail(Kind::Lab, &line);
            }
            running => self.running = running,
        }
        // There would be a hole in it: what was typed just before may be lost. A script's waits.
        if self.interactive && self.attachment.untyped() > 0 {
            let untyped = self.attachment.untyped();
            self.attachment.forget_typing();
            self.output.say(&format!("[{untyped} bytes that were typed are dropped]"));
        }
    }

    fn back(&mut self, hello: Hello) {
        self.told = None;
        self.ending.away = None;
        self.ending.printed = Instant::now();
        self.spy = hello.mode == Mode::Spy;
        self.port = hello.port;
        self.output.say("[back]");
        if hello.mode == Mode::Spy && self.wanted != Mode::Spy {
            let line = self.words().read_only(hello.holder.as_ref());
            self.output.say(&line);
        }
        self.holder = hello.holder;
    }

    fn answer(&mut self, id: u64, answer: Answer) {
        // 0 is about typed bytes, which have no id.
        if id == 0 {
            if let Answer::Refused { reason } = answer {
                let kind = if self.spy { Kind::Refused } else { Kind::Lab };
                self.not_taken(kind, format!("[not typed: {reason}]"));
            }
            return;
        }
        if self.sent(id, &answer) {
            return;
        }
        let Some(Running::Request { id: asked, mode }) = self.running else { return };
        if asked != id {
            return;
        }
        self.running = None;
        self.ending.acted = Instant::now();
        match answer {
            // What was typed behind `~$force` need not wait for the news of the new mode.
            Answer::Done => self.spy = mode.map_or(self.spy, |mode| mode == Mode::Spy),
            Answer::Refused { reason } => {
                let line = self.words().refused(&reason, self.holder.as_ref());
                self.fail(Kind::Failed, &line);
            }
            Answer::Sessions { sessions } => {
                sessions.iter().for_each(|other| self.output.say(&notice::session(other)));
            }
            Answer::Sequences { sequences } if sequences.is_empty() => {
                self.output.say("[there is no break sequence]");
            }
            Answer::Sequences { sequences } => {
                for (name, keys) in sequences {
                    self.output.say(&format!("{name:<20} {keys}"));
                }
            }
            Answer::Line(line) => self.output.say(&format!("[{}]", line_text::text(&line))),
            Answer::Sent { .. } => {}
        }
    }

    /// Shows the lines that greet, once; before anything else comes.
    pub(super) fn greet(&mut self, screen: Option<&Screen>) {
        if self.dialogue.is_some() || self.is_quiet() {
            return;
        }
        let Some(greeting) = self.greeting.take() else { return };
        if screen.is_some() {
            let greeting = if self.output.is_quiet() { &[][..] } else { &greeting };
            self.output.screen(&draw::greet(greeting, screen));
        } else {
            greeting.iter().for_each(|line| self.output.say(line));
        }
    }
}
