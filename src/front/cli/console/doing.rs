//! Carrying out what was asked for at a console.

use tokio::time::Instant;

use super::super::report;
use super::action::{self, Done};
use super::command::{self, Command};
use super::notice;
use super::own::OwnPower;
use super::session::{OWN_POWER, Running, Session};
use super::streams::At;
use crate::model::event::Mode;
use crate::model::{self, Failure, Kind, Refusal};
use crate::wire::attach::Verb;

impl Session {
    pub(super) async fn command(&mut self, command: Command) {
        let console = self.attachment.console().clone();
        let action = match command {
            Command::Quit => {
                self.quit = true;
                return;
            }
            Command::Help => return self.help(),
            Command::Version => {
                let line = format!("[version `lavamux {}']", env!("CARGO_PKG_VERSION"));
                return self.output.say(&line);
            }
            Command::Motd => return self.output.say("[there is no message of the day]"),
            Command::Suspend => return self.suspend().await,
            Command::Power(verb, reason) => {
                if verb != model::Verb::Status {
                    if self.power.len() == OWN_POWER {
                        self.power.remove(0);
                    }
                    self.power.push(OwnPower::new(&self.target.user, verb));
                }
                let action = action::power(self.target.clone(), console, verb, reason);
                self.running = Some(Running::Power(action));
                return;
            }
            Command::Send { file, pace, line_pace } => {
                self.begin_sending(&file, pace, line_pace);
                return self.send_on();
            }
            Command::Log { lines } => action::log(console, lines),
            Command::Info => action::info(console),
            Command::Reopen => action::reopen(console, self.target.user.clone()),
            Command::Kick(whom) => action::kick(console, self.target.user.clone(), whom),
            Command::Break(asked) => return self.ask(Verb::Break(asked)),
            Command::Breaks => return self.ask(Verb::Sequences),
            Command::Message(text) => return self.ask(Verb::Message(text.into())),
            Command::Note(text) => return self.ask(Verb::Note(text.into())),
            Command::Who => return self.ask(Verb::Who),
            Command::Force => return self.ask(Verb::Force(Default::default())),
            Command::Release => return self.ask(Verb::Release(Default::default())),
            Command::Close => return self.ask(Verb::Close),
            Command::Open => return self.ask(Verb::Open),
            Command::Mode(mode) => return self.ask(Verb::Mode { mode }),
            Command::Line(set) => return self.ask(Verb::Line(set)),
        };
        self.running = Some(Running::Look(action));
    }

    fn ask(&mut self, verb: Verb) {
        let mode = match verb {
            Verb::Force(_) => Some(Mode::Exclusive),
            Verb::Mode { mode } => {
                self.wanted = mode;
                Some(mode)
            }
            _ => None,
        };
        match self.attachment.ask_later(verb) {
            Ok(id) => self.running = Some(Running::Request { id, mode }),
            Err(error) => self.fail(Kind::Lab, &format!("[{error}]")),
        }
    }

    fn help(&mut self) {
        let (title, letters) = self.words().help();
        self.output.say(title);
        for (letter, what) in letters {
            self.output.say(&format!(" {letter:<10} {what}"));
        }
        if !letters.is_empty() {
            self.output.say("Commands in words:");
        }
        for (usage, what) in command::HELP {
            self.output.say(&format!("{usage:<24} {what}"));
        }
    }

    /// Stops this program until its shell lets it go on.
    async fn suspend(&mut self) {
        let mut terminal = match std::mem::replace(&mut self.terminal, At::Here(None)) {
            At::Here(Some(terminal)) => terminal,
            At::Here(None) => return self.fail(Kind::User, "suspend: there is no terminal"),
            At::Elsewhere => {
                self.terminal = At::Elsewhere;
                let told = "suspend: that is done where you sit; ssh does it on Enter ~ Ctrl-Z";
                return self.fail(Kind::User, told);
            }
        };
        // Whoever looks at the terminal meanwhile is to see everything so far.
        let _ = self.output.finish().await;
        if let Err(error) = terminal.suspend() {
            self.fail(Kind::Infra, &format!("[suspend: {error}]"));
        }
        self.terminal = At::Here(Some(terminal));
    }

    pub(super) fn done(&mut self, done: Result<Done, Failure>) {
        self.running = None;
        self.ending.acted = Instant::now();
        match done {
            Ok(Done::Report(report)) => {
                let own = self.power.last_mut().filter(|_| report.verb != model::Verb::Status);
                let before = own.and_then(|own| own.done(&report.outlet));
                if let Some(line) = before.and_then(|e| notice::event(&self.target.board, &e)) {
                    self.output.say(&line);
                }
                self.output.say(&format!("[{}]", report::text(&report)));
            }
            Ok(Done::Log { lines, frames }) => {
                let title = self.words().replay(lines);
                let title = title.unwrap_or(format!("--- the last {lines} lines of the log ---"));
                self.output.past(&frames, &title);
            }
            Ok(Done::Said(lines)) => lines.iter().for_each(|line| self.output.say(line)),
            Err(failure) if failure.kind == Kind::Refused => {
                // Nothing has begun.
                self.power.pop();
                let yields = failure.refusal.is_some_and(Refusal::yields_to_holder);
                let how = self.words().key("force").filter(|_| yields);
                let how = how.map(|key| format!("; {key} takes the console, then try again"));
                let line = format!("[{}{}]", failure.message, how.unwrap_or_default());
                self.fail(Kind::Refused, &line);
                if let Some(hint) = failure.hint.filter(|_| !yields) {
                    self.output.complain(&format!("[{hint}]"));
                }
            }
            Err(failure) => {
                if let Some(own) = self.power.last_mut() {
                    own.failed();
                }
                let lines = failure.to_string();
                lines.lines().for_each(|line| self.fail(failure.kind, line));
            }
        }
    }
}

/// Waits for the action under way, if there is one; else for ever. Cancel safe.
pub(super) async fn finished(running: &mut Option<Running>) -> Result<Done, Failure> {
    match running {
        Some(Running::Power(action) | Running::Look(action)) => action.await,
        Some(Running::Request { .. } | Running::Send(_) | Running::Waiting(_)) | None => {
            std::future::pending().await
        }
    }
}
