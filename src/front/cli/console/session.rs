//! One person or script at one console: keys in, board's bytes and notices out.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep_until};

use super::super::report;
use super::action::{self, Action, Done, Target};
use super::command::{self, Command, HELP};
use super::ending::{Ending, Over};
use super::output::Output;
use super::own::OwnPower;
use super::{draw, notice};
use crate::client::Attachment;
use crate::client::attach::{Hello, Item, Screen};
use crate::model::event::Mode;
use crate::model::{self, Failure, Kind, units};
use crate::wire::attach::{Answer, Session as Other, Verb};
use crate::wire::escape::{Escapes, Typed};
use crate::wire::request::{OfSession, SendBreak, Text};

/// How long a lone `~` is held before it goes to the board.
const TILDE_HOLD: Duration = Duration::from_secs(2);
/// So many typed pieces may wait for a command to finish; then no more keys are read.
pub(super) const MAX_STEPS: usize = 64;

pub(super) struct Session {
    attachment: Attachment,
    target: Target,
    output: Output,
    escapes: Escapes,
    /// The mode that was asked for.
    wanted: Mode,
    interactive: bool,
    ending: Ending,
    /// The lines that greet, until they are shown.
    greeting: Option<Vec<String>>,
    holder: Option<Other>,
    /// Whether typing is known to be refused, so that it need not be tried.
    spy: bool,
    /// What was typed and is not carried out yet, in order.
    steps: VecDeque<Step>,
    running: Option<Running>,
    /// The power operation that was asked for last.
    power: Option<OwnPower>,
    /// The last thing said about input that was not taken; said once.
    told: Option<String>,
    quit: bool,
    held: Option<Instant>,
    failed: Option<Kind>,
}

enum Step {
    Board(Vec<u8>),
    Command(Command),
}

impl Step {
    fn needs_console(&self) -> bool {
        !matches!(self, Self::Command(Command::Quit | Command::Help | Command::Power(..)))
    }
}

enum Running {
    /// The answer to a request to the console's daemon is waited for.
    Request {
        id: u64,
        force: bool,
    },
    Power(Action),
    Log(Action),
}

impl Session {
    pub(super) fn new(
        attachment: Attachment,
        target: Target,
        output: Output,
        wanted: Mode,
        interactive: bool,
        linger: Option<Duration>,
    ) -> Self {
        let greeting = notice::greeting(&target.board, wanted, attachment.hello());
        Self {
            escapes: Escapes::new(target.board.as_str()),
            holder: attachment.hello().holder.clone(),
            spy: attachment.mode() == Mode::Spy,
            greeting: Some(greeting),
            attachment,
            target,
            output,
            wanted,
            interactive,
            ending: Ending::new(linger),
            steps: VecDeque::new(),
            running: None,
            power: None,
            told: None,
            quit: false,
            held: None,
            failed: None,
        }
    }

    /// Takes the write lock before anything else.
    pub(super) fn force(&mut self) {
        self.steps.push_front(Step::Command(Command::Force));
    }

    /// Until the person leaves or the input is dealt with. Gives the kind of the first command
    /// that failed, if a script wants to know.
    pub(super) async fn run(mut self) -> Result<Option<Kind>, Failure> {
        let mut stdin = tokio::io::stdin();
        let mut keys = [0; 4096];
        self.steps().await;
        while !self.is_over() {
            let wake = self.wake();
            tokio::select! {
                item = self.attachment.next(), if !self.output.has_pending() => self.item(item),
                written = self.output.write_some(), if self.output.has_pending() => match written {
                    Ok(()) => {}
                    // Nobody reads any more: no error, as with any other filter.
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
                    Err(error) => return Err(Failure::from_error(Kind::Infra, &error)),
                },
                read = stdin.read(&mut keys), if self.reads() => match read {
                    Ok(0) | Err(_) => self.end(),
                    Ok(length) => {
                        let typed = self.escapes.feed(&keys[..length]);
                        self.take(typed);
                        self.held = self.escapes.holds().then(|| Instant::now() + TILDE_HOLD);
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
        if waits { None } else { self.ending.over(self.steps.len()) }
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
        for typed in typed {
            let quitting =
                self.steps.iter().any(|step| matches!(step, Step::Command(Command::Quit)));
            match typed {
                Typed::Echo(bytes) => self.output.own(&String::from_utf8_lossy(&bytes)),
                Typed::Board(bytes) if !quitting => self.steps.push_back(Step::Board(bytes)),
                Typed::Board(_) => {}
                Typed::Command(line) => match command::parse(&line) {
                    Ok(Some(Command::Quit)) if quitting => self.quit = true,
                    Ok(Some(command)) if !quitting => {
                        self.steps.push_back(Step::Command(command));
                    }
                    Ok(_) => {}
                    Err(message) => self.fail(Kind::User, &message),
                },
            }
        }
    }

    /// Carries out what can be carried out now. Keys need not wait for an outlet to be switched.
    async fn steps(&mut self) {
        while let Some(step) = self.steps.front() {
            let switching = matches!(self.running, Some(Running::Power(_)));
            if self.running.is_some() && !(switching && matches!(step, Step::Board(_))) {
                return;
            }
            // A script's input waits for a lost connection; a person's is dropped, and said to be.
            if !self.interactive && !self.attachment.is_attached() && step.needs_console() {
                return;
            }
            match self.steps.pop_front() {
                Some(Step::Board(bytes)) => self.board(&bytes).await,
                Some(Step::Command(command)) => self.command(command).await,
                None => {}
            }
            self.ending.acted = Instant::now();
        }
    }

    async fn board(&mut self, bytes: &[u8]) {
        if self.attachment.is_attached() && self.spy {
            let told = notice::read_only(self.holder.as_ref());
            return self.not_taken(Kind::Refused, told);
        }
        self.ending.typed = true;
        if self.attachment.type_bytes(bytes).await.is_err() {
            self.not_taken(Kind::Lab, "[not connected: what is typed is dropped]".into());
        }
    }

    async fn command(&mut self, command: Command) {
        let verb = match command {
            Command::Quit => {
                self.quit = true;
                return;
            }
            Command::Help => {
                self.output.say("Console commands:");
                for (usage, what) in HELP {
                    self.output.say(&format!("{usage:<20} {what}"));
                }
                return;
            }
            Command::Power(verb, reason) => {
                if verb != model::Verb::Status {
                    self.power = Some(OwnPower::new(&self.target.user, verb));
                }
                let console = self.attachment.console().clone();
                let action = action::power(self.target.clone(), console, verb, reason);
                self.running = Some(Running::Power(action));
                return;
            }
            Command::Log { lines } => {
                let action = action::log(self.attachment.console().clone(), lines);
                self.running = Some(Running::Log(action));
                return;
            }
            Command::Break { ms } => Verb::Break(SendBreak { ms, sequence: None }),
            Command::Message(text) => Verb::Message(Text { text }),
            Command::Who => Verb::Who,
            Command::Force => Verb::Force(OfSession::default()),
            Command::Release => Verb::Release(OfSession::default()),
        };
        let force = matches!(verb, Verb::Force(_));
        match self.attachment.ask(verb).await {
            Ok(id) => self.running = Some(Running::Request { id, force }),
            Err(error) => self.fail(Kind::Lab, &format!("[{error}]")),
        }
    }

    fn done(&mut self, done: Result<Done, Failure>) {
        self.running = None;
        self.ending.acted = Instant::now();
        match done {
            Ok(Done::Report(report)) => {
                let own = self.power.as_mut().filter(|_| report.verb != model::Verb::Status);
                let before = own.and_then(|own| own.done(&report.outlet));
                if let Some(line) = before.and_then(|e| notice::event(&self.target.board, &e)) {
                    self.output.say(&line);
                }
                self.output.say(&format!("[{}]", report::text(&report)));
            }
            Ok(Done::Log { lines, bytes }) => {
                let title = format!("the last {lines} lines of the log");
                self.output.past(&bytes, &title);
            }
            Err(failure) if failure.kind == Kind::Refused => {
                // Nothing has begun.
                self.power = None;
                let what = failure.message;
                let line = format!("[{what}; ~$force takes the console, then try again]");
                self.fail(Kind::Refused, &line);
            }
            Err(failure) => {
                if let Some(own) = &mut self.power {
                    own.failed();
                }
                let lines = failure.to_string();
                lines.lines().for_each(|line| self.fail(failure.kind, line));
            }
        }
    }

    fn item(&mut self, item: Item) {
        if !matches!(item, Item::Screen(_)) {
            self.greet(None);
        }
        match item {
            Item::Bytes(frame) => {
                self.ending.printed = Instant::now();
                self.output.board(&frame.bytes);
            }
            Item::Screen(screen) => self.greet(Some(&screen)),
            Item::Event(event) => {
                let known = self.power.as_mut().is_some_and(|own| own.hides(&event));
                if !known && let Some(line) = notice::event(&self.target.board, &event) {
                    self.output.say(&line);
                }
            }
            Item::Mode { mode, holder, .. } => {
                self.told = None;
                self.spy = mode == Mode::Spy;
                self.output.say(&notice::mode(mode, holder.as_ref()));
                self.holder = holder;
            }
            Item::Gap { from, to } => {
                self.output.say(&format!("[{} bytes are not held any more]", to - from));
            }
            Item::Answer { id, answer } => self.answer(id, answer),
            Item::Lost { reason } => {
                self.ending.away = Some(Instant::now());
                self.output.say(&format!("[lost: {reason}; reconnecting]"));
                if let Some(Running::Request { .. }) = self.running {
                    self.running = None;
                    self.fail(Kind::Lab, "[it is not known whether the command was carried out]");
                }
            }
            Item::Resumed(hello) => self.back(hello),
            Item::Notice(text) => self.output.say(&format!("[{text}]")),
            Item::Ended { reason } => {
                self.output.say(&format!("[{reason}]"));
                self.quit = true;
            }
            Item::Renumbered { .. } => {
                self.output.say("[the console's record is a new one; something may be missing]");
            }
        }
    }

    fn back(&mut self, hello: Hello) {
        self.told = None;
        self.ending.away = None;
        self.ending.printed = Instant::now();
        self.spy = hello.mode == Mode::Spy;
        self.output.say("[back]");
        if hello.mode == Mode::Spy && self.wanted != Mode::Spy {
            self.output.say(&notice::read_only(hello.holder.as_ref()));
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
        let Some(Running::Request { id: asked, force }) = self.running else { return };
        if asked != id {
            return;
        }
        self.running = None;
        self.ending.acted = Instant::now();
        match answer {
            // What was typed behind `~$force` need not wait for the news of the new mode.
            Answer::Done => self.spy &= !force,
            Answer::Refused { reason } => self.fail(Kind::Failed, &format!("[{reason}]")),
            Answer::Sequences { .. } | Answer::Line(_) | Answer::Sent { .. } => {}
            Answer::Sessions { sessions } => {
                for other in sessions {
                    let since = units::time_text(other.since_us);
                    let line = format!(
                        "({}) {} by {} from {} since {since}",
                        notice::user(&other.user),
                        other.mode,
                        other.via,
                        other.peer
                    );
                    self.output.say(&line);
                }
            }
        }
    }

    /// Shows the lines that greet, once; before anything else comes.
    pub(super) fn greet(&mut self, screen: Option<&Screen>) {
        let Some(greeting) = self.greeting.take() else { return };
        if screen.is_some() {
            self.output.board(&draw::greet(&greeting, screen));
        } else {
            greeting.iter().for_each(|line| self.output.say(line));
        }
    }

    fn not_taken(&mut self, kind: Kind, message: String) {
        self.failed.get_or_insert(kind);
        if self.told.as_ref() != Some(&message) {
            self.output.say(&message);
            self.told = Some(message);
        }
    }

    fn fail(&mut self, kind: Kind, message: &str) {
        self.failed.get_or_insert(kind);
        self.output.say(message);
    }
}

/// Waits for the action under way, if there is one; else for ever. Cancel safe.
async fn finished(running: &mut Option<Running>) -> Result<Done, Failure> {
    match running {
        Some(Running::Power(action) | Running::Log(action)) => action.await,
        Some(Running::Request { .. }) | None => std::future::pending().await,
    }
}
