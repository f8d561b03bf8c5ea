//! One person or script at one console: keys in, board's bytes and notices out.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, sleep_until};

use super::super::report;
use super::action::{self, Action, Done, Target};
use super::command::{self, Command};
use super::ending::{Ending, Over};
use super::notice;
use super::output::Output;
use super::own::OwnPower;
use super::sending::Sending;
use super::streams::{At, Streams};
use super::words::Words;
use crate::client::Attachment;
use crate::client::attach::Item;
use crate::model::event::Mode;
use crate::model::{self, Failure, Kind, Refusal};
use crate::wire::attach::{Session as Other, Verb};
use crate::wire::escape::{Escapes, Typed};

/// How long the begin of an escape, such as a lone `~`, is held before it goes to the board.
const ESCAPE_HOLD: Duration = Duration::from_secs(2);
/// So many typed pieces may wait for a command to finish; then no more keys are read.
pub(super) const MAX_STEPS: usize = 64;
/// So many power operations that were asked for here are known again by their events.
const OWN_POWER: usize = 4;
/// Ctrl-C ends what is being sent.
const CTRL_C: u8 = 0x03;

pub(super) struct Session {
    pub(super) attachment: Attachment,
    pub(super) target: Target,
    pub(super) output: Output,
    escapes: Escapes,
    /// The mode that was asked for.
    pub(super) wanted: Mode,
    pub(super) interactive: bool,
    input: Box<dyn AsyncRead + Send + Unpin>,
    /// The terminal that is typed at.
    pub(super) terminal: At,
    pub(super) ending: Ending,
    /// The lines that greet, until they are shown.
    pub(super) greeting: Option<Vec<String>>,
    pub(super) holder: Option<Other>,
    /// Whether typing is known to be refused, so that it need not be tried.
    pub(super) spy: bool,
    /// What was typed and is not carried out yet, in order.
    steps: VecDeque<Step>,
    pub(super) running: Option<Running>,
    /// The power operations that were asked for last.
    pub(super) power: Vec<OwnPower>,
    /// The last thing said about input that was not taken; said once.
    pub(super) told: Option<String>,
    pub(super) quit: bool,
    held: Option<Instant>,
    pub(super) failed: Option<Kind>,
}

enum Step {
    Board(Vec<u8>),
    Command(Command),
}

impl Step {
    fn needs_console(&self) -> bool {
        !matches!(
            self,
            Self::Command(
                Command::Quit
                    | Command::Help
                    | Command::Version
                    | Command::Suspend
                    | Command::Motd
                    | Command::Power(..)
            )
        )
    }
}

pub(super) enum Running {
    /// The answer to a request to the console's daemon is waited for.
    Request {
        id: u64,
        /// The mode that this session has when it is done, if that changes.
        mode: Option<Mode>,
    },
    Power(Action),
    Look(Action),
    Send(Box<Sending>),
}

impl Session {
    pub(super) fn new(
        attachment: Attachment,
        target: Target,
        escapes: Escapes,
        wanted: Mode,
        streams: Streams,
        linger: Option<Duration>,
    ) -> Self {
        let words = Words::of(&escapes);
        let greeting = notice::greeting(&target.board, wanted, attachment.hello(), &words);
        let Streams { input, output, aside, is_terminal, interactive, terminal } = streams;
        Self {
            escapes,
            holder: attachment.hello().holder.clone(),
            spy: attachment.mode() == Mode::Spy,
            greeting: Some(greeting),
            attachment,
            target,
            output: Output::new(output, aside, is_terminal, interactive),
            input,
            wanted,
            interactive,
            terminal,
            ending: Ending::new(linger),
            steps: VecDeque::new(),
            running: None,
            power: Vec::new(),
            told: None,
            quit: false,
            held: None,
            failed: None,
        }
    }

    /// How this person is talked to.
    pub(super) fn words(&self) -> Words {
        Words::of(&self.escapes)
    }

    /// Takes the write lock before anything else.
    pub(super) fn force(&mut self) {
        self.steps.push_front(Step::Command(Command::Force));
    }

    /// Until the person leaves or the input is dealt with. Gives the kind of the first command
    /// that failed, if a script wants to know.
    pub(super) async fn run(mut self) -> Result<Option<Kind>, Failure> {
        let mut keys = [0; 4096];
        self.steps().await;
        while !self.is_over() {
            let (wake, reads) = (self.wake(), self.reads());
            // Whoever types more than the board takes may be slow to look at what it prints.
            let types = self.output.has_pending() && self.attachment.has_to_type();
            tokio::select! {
                item = next(&mut self.attachment, types), if types || !self.output.has_pending() => {
                    if let Some(item) = item {
                        self.item(item);
                    }
                }
                written = self.output.write_some(), if self.output.has_pending() => match written {
                    Ok(()) => {}
                    // Nobody reads any more: no error, as with any other filter.
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
                    Err(error) => return Err(Failure::from_error(Kind::Infra, &error)),
                },
                read = self.input.read(&mut keys), if reads => match read {
                    Ok(0) | Err(_) => self.end(),
                    Ok(length) => {
                        let typed = self.escapes.feed(&keys[..length]);
                        self.take(typed);
                        self.held = self.escapes.holds().then(|| Instant::now() + ESCAPE_HOLD);
                    }
                },
                done = finished(&mut self.running) => self.done(done),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    if self.held.is_some_and(|until| until <= Instant::now()) {
                        self.held = None;
                        let typed = self.escapes.release();
                        self.take(typed);
                    }
                }
            }
            self.steps().await;
        }
        let failed = self.failed.filter(|_| !self.interactive);
        self.leave().await;
        Ok(failed)
    }

    async fn leave(mut self) {
        let closed = self.quit || self.attachment.is_attached();
        self.attachment.detach().await;
        if closed {
            self.output.say("Connection Closed (client)");
        }
        // If it cannot be shown, there is nobody to be told so.
        let _ = self.output.finish().await;
    }

    fn reads(&self) -> bool {
        self.ending.input.is_none() && self.steps.len() < MAX_STEPS
    }

    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        match self.over() {
            _ if self.quit => return true,
            Some((at, over)) if at <= now => self.say_over(over),
            _ => return false,
        }
        true
    }

    /// When a script's session is over, if nothing happens until then.
    fn over(&self) -> Option<(Instant, Over)> {
        // What is under way has limits of its own.
        let waits = self.interactive || self.running.is_some();
        let untyped = usize::from(self.attachment.untyped() > 0);
        if waits { None } else { self.ending.over(self.steps.len() + untyped) }
    }

    fn say_over(&mut self, over: Over) {
        match over {
            Over::Done => {}
            Over::Busy(after) => {
                let line = format!("[left after {after:?}; the board goes on printing]");
                self.output.say(&line);
            }
            Over::Gone(after) => {
                let line = format!("[given up: the console's daemon is away for {after:?}]");
                self.fail(Kind::Lab, &line);
            }
        }
    }

    fn wake(&self) -> Option<Instant> {
        self.over().map(|(at, _)| at).into_iter().chain(self.held).min()
    }

    fn end(&mut self) {
        self.ending.input = Some(Instant::now());
        let typed = self.escapes.finish();
        self.take(typed);
        if self.interactive {
            self.steps.push_back(Step::Command(Command::Quit));
        }
    }

    /// Takes what was typed. After `quit` nothing is taken but a second one, which does not wait.
    fn take(&mut self, typed: impl IntoIterator<Item = Typed>) {
        for mut typed in typed {
            // The Ctrl-C that ends sending is not the board's.
            if let Typed::Board(bytes) = &mut typed
                && let Some(at) = bytes.iter().position(|byte| *byte == CTRL_C)
                && self.cancel_sending()
            {
                bytes.remove(at);
            }
            let quitting =
                self.steps.iter().any(|step| matches!(step, Step::Command(Command::Quit)));
            match typed {
                Typed::Board(bytes) if bytes.is_empty() => {}
                Typed::Echo(bytes) => self.output.own(&String::from_utf8_lossy(&bytes)),
                Typed::Board(bytes) if !quitting => self.steps.push_back(Step::Board(bytes)),
                Typed::Board(_) => {}
                Typed::Command(line) => match command::parse(&line) {
                    Ok(Some(Command::Quit)) if quitting => self.quit = true,
                    Ok(Some(command)) if !quitting => {
                        self.steps.push_back(Step::Command(command));
                    }
                    Ok(_) => {}
                    Err(message) => {
                        let message = message.replace("~$", &self.words().prefix());
                        self.fail(Kind::User, &message);
                    }
                },
            }
        }
    }

    /// Carries out what can be carried out now. Keys need not wait for an outlet to be switched.
    async fn steps(&mut self) {
        self.send_on().await;
        while let Some(step) = self.steps.front() {
            let switching = matches!(self.running, Some(Running::Power(_)));
            if self.running.is_some() && !(switching && matches!(step, Step::Board(_))) {
                return;
            }
            // A script's input waits for a lost connection; a person's is dropped, and said to be. What
            // the board has not taken yet comes first.
            let away = !self.interactive && !self.attachment.is_attached();
            if step.needs_console() && (away || self.attachment.untyped() > 0) {
                return;
            }
            match self.steps.pop_front() {
                Some(Step::Board(bytes)) => self.board(bytes),
                Some(Step::Command(command)) => self.command(command).await,
                None => {}
            }
            self.ending.acted = Instant::now();
        }
    }

    fn board(&mut self, bytes: Vec<u8>) {
        if self.attachment.is_attached() && self.spy {
            let told = self.words().read_only(self.holder.as_ref());
            return self.not_taken(Kind::Refused, told);
        }
        self.ending.typed = true;
        if !self.attachment.is_attached() {
            let told = "[not connected: what is typed is dropped]".into();
            return self.not_taken(Kind::Lab, told);
        }
        self.attachment.type_later(bytes.into());
    }

    async fn command(&mut self, command: Command) {
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
                return self.begin_sending(&file, pace, line_pace);
            }
            Command::Log { lines } => action::log(console, lines),
            Command::Info => action::info(console),
            Command::Reopen => action::reopen(console, self.target.user.clone()),
            Command::Kick(whom) => action::kick(console, self.target.user.clone(), whom),
            Command::Break(asked) => return self.ask(Verb::Break(asked)).await,
            Command::Breaks => return self.ask(Verb::Sequences).await,
            Command::Message(text) => return self.ask(Verb::Message(text.into())).await,
            Command::Note(text) => return self.ask(Verb::Note(text.into())).await,
            Command::Who => return self.ask(Verb::Who).await,
            Command::Force => return self.ask(Verb::Force(Default::default())).await,
            Command::Release => return self.ask(Verb::Release(Default::default())).await,
            Command::Close => return self.ask(Verb::Close).await,
            Command::Open => return self.ask(Verb::Open).await,
            Command::Mode(mode) => return self.ask(Verb::Mode { mode }).await,
            Command::Line(set) => return self.ask(Verb::Line(set)).await,
        };
        self.running = Some(Running::Look(action));
    }

    async fn ask(&mut self, verb: Verb) {
        let mode = match verb {
            Verb::Force(_) => Some(Mode::Exclusive),
            Verb::Mode { mode } => {
                self.wanted = mode;
                Some(mode)
            }
            _ => None,
        };
        match self.attachment.ask(verb).await {
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

    fn done(&mut self, done: Result<Done, Failure>) {
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
            Ok(Done::Log { lines, bytes }) => {
                let title = self.words().replay(lines);
                let title = title.unwrap_or(format!("--- the last {lines} lines of the log ---"));
                self.output.past(&bytes, &title);
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
                    self.output.say(&format!("[{hint}]"));
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

    pub(super) fn not_taken(&mut self, kind: Kind, message: String) {
        self.failed.get_or_insert(kind);
        if self.told.as_ref() != Some(&message) {
            self.output.say(&message);
            self.told = Some(message);
        }
    }

    pub(super) fn fail(&mut self, kind: Kind, message: &str) {
        self.failed.get_or_insert(kind);
        self.output.say(message);
    }
}

/// The next thing from the console; or nothing, once what is typed has left. Cancel safe.
async fn next(attachment: &mut Attachment, types: bool) -> Option<Item> {
    if types {
        attachment.type_on().await;
        return None;
    }
    Some(attachment.next().await)
}

/// Waits for the action under way, if there is one; else for ever. Cancel safe.
async fn finished(running: &mut Option<Running>) -> Result<Done, Failure> {
    match running {
        Some(Running::Power(action) | Running::Look(action)) => action.await,
        Some(Running::Request { .. } | Running::Send(_)) | None => std::future::pending().await,
    }
}
