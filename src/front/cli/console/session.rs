//! One person or script at one console: keys in, board's bytes and notices out.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep_until};

use super::action::{self, Action, Done, Target};
use super::command::{self, Command, HELP};
use super::output::Output;
use super::{draw, notice};
use crate::client::Attachment;
use crate::client::attach::{Hello, Item, Screen};
use crate::model::event::Mode;
use crate::model::{Failure, Kind, What, units};
use crate::wire::attach::{Answer, Session as Other, Verb};
use crate::wire::escape::{Escapes, Typed};

/// How long a lone `~` is held before it goes to the board.
const TILDE_HOLD: Duration = Duration::from_secs(2);
/// How long the board must be quiet after the end of typed input, if nothing else was asked for.
const LINGER: Duration = Duration::from_secs(1);
/// How long to wait, after the last command, for the events that it caused.
const SETTLE: Duration = Duration::from_millis(100);
/// So many typed pieces may wait for a command to finish; then no more keys are read.
const MAX_STEPS: usize = 64;

pub(super) struct Session {
    attachment: Attachment,
    target: Target,
    output: Output,
    escapes: Escapes,
    /// The mode that was asked for.
    wanted: Mode,
    interactive: bool,
    linger: Option<Duration>,
    /// The lines that greet, until they are shown.
    greeting: Option<Vec<String>>,
    holder: Option<Other>,
    /// Whether typing is known to be refused, so that it need not be tried.
    spy: bool,
    /// What was typed and is not carried out yet, in order.
    steps: VecDeque<Step>,
    running: Option<Running>,
    /// The last thing said about input that was not taken; said once.
    told: Option<String>,
    /// Whether anything was typed to the board.
    typed: bool,
    /// Whether the input has ended.
    ended: bool,
    quit: bool,
    /// When the board last printed something.
    printed: Instant,
    /// When something typed was last carried out.
    acted: Instant,
    held: Option<Instant>,
    failed: Option<Kind>,
}

enum Step {
    Board(Vec<u8>),
    Command(Command),
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
            linger,
            steps: VecDeque::new(),
            running: None,
            told: None,
            typed: false,
            ended: false,
            quit: false,
            printed: Instant::now(),
            acted: Instant::now(),
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
        self.attachment.detach().await;
        self.output.say("Connection Closed (client)");
        // If it cannot be shown, there is nobody to be told so.
        let _ = self.output.finish().await;
    }

    /// Whether keys are wanted. A script's input waits for a lost connection; a person's is
    /// dropped, and said to be.
    fn reads(&self) -> bool {
        let attached = self.interactive || self.attachment.is_attached();
        !self.ended && attached && self.steps.len() < MAX_STEPS
    }

    fn is_over(&self) -> bool {
        self.quit || self.over_at().is_some_and(|over| over <= Instant::now())
    }

    /// When a script's session is over, if nothing happens until then.
    fn over_at(&self) -> Option<Instant> {
        let idle = self.ended && self.steps.is_empty() && self.running.is_none();
        let linger = self.linger.or(self.typed.then_some(LINGER));
        let quiet = linger.map(|linger| self.printed.max(self.acted) + linger);
        (idle && self.attachment.is_attached())
            .then(|| (self.acted + SETTLE).max(quiet.unwrap_or(self.acted)))
    }

    fn wake(&self) -> Option<Instant> {
        self.over_at().into_iter().chain(self.held).min()
    }

    fn end(&mut self) {
        self.ended = true;
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
            match self.steps.pop_front() {
                Some(Step::Board(bytes)) => self.board(&bytes).await,
                Some(Step::Command(command)) => self.command(command).await,
                None => {}
            }
            self.acted = Instant::now();
        }
    }

    async fn board(&mut self, bytes: &[u8]) {
        if self.attachment.is_attached() && self.spy {
            let told = notice::read_only(self.holder.as_ref());
            return self.not_taken(Kind::Refused, told);
        }
        self.typed = true;
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
            Command::Break { ms } => Verb::Break { ms },
            Command::Message(text) => Verb::Message { text },
            Command::Who => Verb::Who,
            Command::Force => Verb::Force,
            Command::Release => Verb::Release,
        };
        let force = verb == Verb::Force;
        match self.attachment.ask(verb).await {
            Ok(id) => self.running = Some(Running::Request { id, force }),
            Err(error) => self.fail(Kind::Lab, &format!("[{error}]")),
        }
    }

    fn done(&mut self, done: Result<Done, Failure>) {
        self.running = None;
        self.acted = Instant::now();
        match done {
            Ok(Done::Line(line)) => self.output.say(&line),
            Ok(Done::Bytes(bytes)) => self.output.board(&bytes),
            Err(failure) => {
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
                self.printed = Instant::now();
                self.output.board(&frame.bytes);
            }
            Item::Screen(screen) => self.greet(Some(&screen)),
            Item::Event(event) => {
                // The answer to our own operation says more than its last event.
                let ours = matches!(self.running, Some(Running::Power(_)))
                    && event.who.as_deref() == Some(self.target.user.as_str());
                let ending = matches!(&event.what, What::Power { phase, .. }
                    if *phase != crate::model::event::Phase::Begin);
                if !(ours && ending)
                    && let Some(line) = notice::event(&self.target.board, &event)
                {
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
                self.output.say(&format!("[lost: {reason}; reconnecting]"));
                if let Some(Running::Request { .. }) = self.running {
                    self.running = None;
                    self.fail(Kind::Lab, "[it is not known whether the command was carried out]");
                }
            }
            Item::Resumed(hello) => self.back(hello),
            Item::Renumbered { .. } => {
                self.output.say("[the console's record is a new one; something may be missing]");
            }
        }
    }

    fn back(&mut self, hello: Hello) {
        self.told = None;
        self.printed = Instant::now();
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
        self.acted = Instant::now();
        match answer {
            // What was typed behind `~$force` need not wait for the news of the new mode.
            Answer::Done => self.spy &= !force,
            Answer::Refused { reason } => self.fail(Kind::Failed, &format!("[{reason}]")),
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
