//! What is typed at a board, and the escapes in it, which are those of `lava-console`.

use super::overlay::{Lines, Overlay};
use super::pane::{Linked, Pane};
use super::{App, Effect};
use crate::config::top::Action;
use crate::front::cli::command::{self, Command};
use crate::front::cli::words::Words;
use crate::front::tui::work::Matter;
use crate::model::PowerRequest;
use crate::wire::attach::Verb;
use crate::wire::escape::Typed;
use crate::wire::keyboard::{Code, Input, Key};

/// Gives up a command that is being typed.
const CTRL_C: u8 = 0x03;

impl App {
    /// Keys for the board; ours are only those that end it, and escapes.
    pub(super) fn type_at_board(&mut self, input: &Input, action: Option<Action>, bytes: Vec<u8>) {
        if action == Some(Action::Leave) {
            return self.leave_typing();
        }
        let at = self.focus;
        // Who types wants to see what comes of it.
        self.show_now(at);
        let Some(pane) = self.panes.get_mut(at) else { return };
        if pane.escapes.in_command() {
            if let Some(bytes) = for_command(input, bytes) {
                let typed = pane.escapes.feed(&bytes);
                self.typed_at(at, typed);
            }
            return;
        }
        let bytes = match for_board(input, bytes, pane) {
            Some(ForBoard::Typed(bytes)) => {
                let typed = pane.escapes.feed(&bytes);
                return self.typed_at(at, typed);
            }
            Some(ForBoard::AsItIs(bytes)) => bytes,
            None => return,
        };
        let before = pane.escapes.release();
        self.typed_at(at, before.into_iter().chain([Typed::Board(bytes)]));
    }

    /// Nobody types any more: what began an escape is the board's, and a command is given up.
    pub(super) fn leave_typing(&mut self) {
        let at = self.focus;
        self.typing = false;
        if let Some(pane) = self.panes.get_mut(at) {
            let typed = match pane.escapes.in_command() {
                true => pane.escapes.feed(&[CTRL_C]),
                false => pane.escapes.release().into_iter().collect(),
            };
            self.typed_at(at, typed);
        }
    }

    /// Whether something is held that may begin an escape.
    pub(in super::super) fn holds_escape(&self) -> bool {
        self.panes.get(self.focus).is_some_and(|pane| pane.escapes.holds())
    }

    /// Nothing has followed it for a while: it is the board's.
    pub(in super::super) fn release_escape(&mut self) {
        let at = self.focus;
        let typed = self.panes.get_mut(at).and_then(|pane| pane.escapes.release());
        self.typed_at(at, typed);
    }

    fn typed_at(&mut self, at: usize, typed: impl IntoIterator<Item = Typed>) {
        for typed in typed {
            // A command before it may have closed it.
            let Some(pane) = self.panes.get_mut(at) else { return };
            match typed {
                Typed::Echo(bytes) => pane.echo(&bytes),
                Typed::Board(bytes) => match &pane.link {
                    Linked::Away(_) => pane.tell("not attached: what is typed is dropped"),
                    Linked::Ended(_) => {}
                    Linked::Opening | Linked::Attached => {
                        let pane = pane.number;
                        self.push_typed(pane, bytes);
                    }
                },
                Typed::Command(line) => match command::parse(&line) {
                    Ok(Some(command)) => self.command(at, command),
                    Ok(None) => {}
                    Err(message) => {
                        let prefix = Words::of(&pane.escapes).prefix();
                        pane.tell(&message.replace("~$", &prefix));
                    }
                },
            }
        }
    }

    /// What is typed in one go is one order.
    fn push_typed(&mut self, pane: u64, mut more: Vec<u8>) {
        match self.effects.last_mut() {
            Some(Effect::Type { pane: last, bytes }) if *last == pane => bytes.append(&mut more),
            _ => self.effects.push(Effect::Type { pane, bytes: more }),
        }
    }

    /// Carries out a command that was typed at a console.
    fn command(&mut self, at: usize, command: Command) {
        let pane = &mut self.panes[at];
        let verb = match command {
            Command::Quit => return self.close(at),
            Command::Help => {
                let lines = command::HELP.iter().map(|(usage, what)| format!("{usage:<24} {what}"));
                let letters = pane.escapes.keymap().help().iter();
                let letters = letters.map(|(letter, what)| format!(" {letter:<10} {what}"));
                let lines = letters.chain(lines).collect();
                let title = format!("behind {}", Words::of(&pane.escapes).prefix());
                self.overlay = Some(Overlay::Lines(Lines { title, lines, top: 0 }));
                return;
            }
            Command::Version => return pane.tell(concat!("lavamux ", env!("CARGO_PKG_VERSION"))),
            Command::Motd => return pane.tell("there is no message of the day"),
            Command::Suspend => {
                self.wants.suspend = true;
                return;
            }
            Command::Log { .. } => {
                let want = pane.look_back(None);
                self.typing = false;
                return self.read_on(at, want);
            }
            Command::Power(verb, reason) => {
                let (id, user) = (pane.id.clone(), Some(self.user.clone()));
                return self.switch(&id, verb, PowerRequest { user, reason, force: false });
            }
            Command::Send { .. } => {
                let what = format!("send: lava send {} --file types a file", pane.name);
                return pane.tell(&what);
            }
            Command::Info => return self.matter(at, Matter::Info),
            Command::Reopen => return self.matter(at, Matter::Reopen),
            Command::Kick(whom) => return self.matter(at, Matter::Kick(whom)),
            Command::Break(asked) => Verb::Break(asked),
            Command::Breaks => Verb::Sequences,
            Command::Message(text) => Verb::Message(text.into()),
            Command::Note(text) => Verb::Note(text.into()),
            Command::Who => Verb::Who,
            Command::Force => Verb::Force(Default::default()),
            Command::Release => Verb::Release(Default::default()),
            Command::Close => Verb::Close,
            Command::Open => Verb::Open,
            Command::Mode(mode) => Verb::Mode { mode },
            Command::Line(set) => Verb::Line(set),
        };
        self.ask(at, verb);
    }

    fn matter(&mut self, at: usize, matter: Matter) {
        let pane = &self.panes[at];
        let (pane, console) = (pane.number, pane.console.clone());
        self.effects.push(Effect::Matter { pane, console, matter });
    }
}

enum ForBoard {
    /// It may have escapes in it.
    Typed(Vec<u8>),
    AsItIs(Vec<u8>),
}

/// What a board is sent of something that was typed or pasted.
fn for_board(input: &Input, bytes: Vec<u8>, pane: &Pane) -> Option<ForBoard> {
    let screen = pane.emulator.screen();
    let arrow = |letter| {
        let begin = if screen.application_cursor() { b'O' } else { b'[' };
        vec![0x1b, begin, letter]
    };
    Some(ForBoard::AsItIs(match input {
        Input::Paste(pasted) => pasted.clone(),
        // The brackets around what is pasted.
        Input::Unknown if bytes.starts_with(b"\x1b[20") && !screen.bracketed_paste() => {
            return None;
        }
        Input::Key(Key { code, ctrl: false, alt: false, shift: false }) => match code {
            Code::Up => arrow(b'A'),
            Code::Down => arrow(b'B'),
            Code::Right => arrow(b'C'),
            Code::Left => arrow(b'D'),
            _ if bytes.len() > 1 && bytes[0] == 0x1b => bytes,
            _ => return Some(ForBoard::Typed(bytes)),
        },
        // The `~` at the end of a function key begins nothing.
        _ if bytes.len() > 1 && bytes[0] == 0x1b => bytes,
        _ => return Some(ForBoard::Typed(bytes)),
    }))
}

/// What goes into the line of a command: no keys that move, and of what is pasted no Enter.
fn for_command(input: &Input, bytes: Vec<u8>) -> Option<Vec<u8>> {
    match input {
        Input::Key(Key { code: Code::Esc, .. }) => Some(vec![CTRL_C]),
        Input::Paste(pasted) => {
            Some(pasted.iter().copied().filter(|byte| !byte.is_ascii_control()).collect())
        }
        _ if bytes.first() != Some(&0x1b) => Some(bytes),
        _ => None,
    }
}

impl Pane {
    /// Shows what a command's line says: it is a line, with a character taken back now and then.
    fn echo(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.echo);
                    // That a letter means nothing, for example.
                    if line.starts_with(b"[") {
                        self.tell(&String::from_utf8_lossy(&line));
                    }
                }
                0x08 => {
                    // The further bytes of a UTF-8 character are 10xxxxxx.
                    while self.echo.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
                }
                b' '.. => self.echo.push(*byte),
                _ => {}
            }
        }
    }

    /// The line of the command that is being typed.
    pub(in super::super) fn command_line(&self) -> Option<String> {
        let begun = self.escapes.introducer().map(ToString::to_string).unwrap_or_default();
        let line = String::from_utf8_lossy(&self.echo).into_owned();
        self.escapes.in_command().then_some(if line.is_empty() { begun } else { line })
    }
}
