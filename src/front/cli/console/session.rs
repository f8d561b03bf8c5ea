//! One person or script at one console: keys in, board's bytes and notices out.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, sleep_until};

use super::action::{Action, Target};
use super::command::Command;
use super::dialogue::{Dialogue, Waiting};
use super::doing::finished;
use super::ending::{Ending, Over};
use super::notice;
use super::output::{Form, Output};
use super::own::OwnPower;
use super::record::Record;
use super::sending::Sending;
use super::steps::{MAX_STEPS, Step, Steps};
use super::streams::{At, Streams};
use super::typed::Leaving;
use super::words::Words;
use crate::client::Attachment;
use crate::client::attach::Item;
use crate::model::event::Mode;
use crate::model::{Failure, Kind};
use crate::wire::attach::{PortState, Session as Other};
use crate::wire::escape::Escapes;

/// How long the begin of an escape, such as a lone `~`, is held before it goes to the board.
const ESCAPE_HOLD: Duration = Duration::from_secs(2);
/// So many power operations that were asked for here are known again by their events.
pub(super) const OWN_POWER: usize = 4;

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
    /// Whether standard input is read.
    pub(super) reads: bool,
    /// Own words are for standard error, and there is no greeting and no farewell.
    quiet: bool,
    /// What is done in turn, until it is.
    pub(super) dialogue: Option<Dialogue>,
    /// The file that gets what the board prints.
    pub(super) record: Option<Record>,
    /// How the port stands.
    pub(super) port: PortState,
    /// What was typed and is not carried out yet, in order.
    pub(super) steps: Steps,
    /// More was typed than the board takes: the rest is dropped.
    pub(super) overfull: bool,
    pub(super) leaving: Leaving,
    pub(super) running: Option<Running>,
    /// The power operations that were asked for last.
    pub(super) power: Vec<OwnPower>,
    /// The last thing said about input that was not taken; said once.
    pub(super) told: Option<String>,
    pub(super) quit: bool,
    held: Option<Instant>,
    pub(super) failed: Option<Kind>,
    /// The status of a command on the board that failed.
    pub(super) status: Option<u8>,
}

/// What a session begins with.
pub(super) struct Opening {
    pub(super) attachment: Attachment,
    pub(super) target: Target,
    pub(super) escapes: Escapes,
    /// The mode that was asked for.
    pub(super) wanted: Mode,
    pub(super) streams: Streams,
    pub(super) linger: Option<Duration>,
    pub(super) form: Form,
    pub(super) dialogue: Option<Dialogue>,
    pub(super) record: Option<Record>,
    /// Whether standard input is read from the begin on.
    pub(super) reads: bool,
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
    /// A turn is waited for.
    Waiting(Box<Waiting>),
}

impl Session {
    pub(super) fn new(opening: Opening) -> Self {
        let Opening { attachment, target, escapes, wanted, streams, linger, form, .. } = opening;
        let words = Words::of(&escapes);
        let greeting = notice::greeting(&target.board, wanted, attachment.hello(), &words);
        let hello = attachment.hello();
        let Streams { input, output, aside, is_terminal, interactive, terminal } = streams;
        let here = matches!(terminal, At::Here(_));
        Self {
            escapes,
            holder: hello.holder.clone(),
            port: hello.port.clone(),
            spy: attachment.mode() == Mode::Spy,
            greeting: Some(greeting),
            attachment,
            target,
            output: Output::new(output, aside, is_terminal, interactive, here, form),
            input,
            wanted,
            interactive,
            terminal,
            ending: Ending::new(linger),
            reads: opening.reads,
            quiet: form.aside,
            dialogue: opening.dialogue,
            record: opening.record,
            steps: Steps::default(),
            overfull: false,
            leaving: Leaving::default(),
            running: None,
            power: Vec::new(),
            told: None,
            quit: false,
            held: None,
            failed: None,
            status: None,
        }
    }

    /// How this person is talked to.
    pub(super) fn words(&self) -> Words {
        Words::of(&self.escapes)
    }

    /// Takes the write lock before anything else.
    pub(super) fn force(&mut self) {
        self.steps.command_first(Command::Force);
    }

    /// Until the person leaves or the input is dealt with. Gives the exit code: of the first command
    /// that failed, if a script wants to know.
    pub(super) async fn run(mut self) -> Result<u8, Failure> {
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
        let failed = self.failed.filter(|_| !self.interactive).map_or(0, Kind::exit_code);
        let code = self.status.unwrap_or(failed);
        self.leave(code).await;
        Ok(code)
    }

    async fn leave(mut self, code: u8) {
        let closed = self.quit || self.attachment.is_attached();
        // Who leaves before the board has taken all of it has it dropped.
        self.attachment.forget_typing();
        self.attachment.detach().await;
        if closed && !self.quiet {
            self.output.say("Connection Closed (client)");
        }
        self.output.tell(&json!({"type": "result", "code": code}));
        // If it cannot be shown, there is nobody to be told so.
        let _ = self.output.finish().await;
    }

    /// Whether only what was asked for is told.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
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
        let steps = if self.steps.is_full() { MAX_STEPS } else { self.steps.len() };
        if waits { None } else { self.ending.over(steps + untyped) }
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
        let over = self.over().map(|(at, _)| at);
        let more = [self.held, self.look_again(), self.leaving.until()];
        over.into_iter().chain(more.into_iter().flatten()).min()
    }

    fn end(&mut self) {
        self.ending.input = Some(Instant::now());
        let typed = self.escapes.finish();
        self.take(typed);
        if self.interactive {
            self.steps.command(Command::Quit);
        }
    }

    /// From now on somebody is at the console: a person, where there is a terminal.
    pub(super) fn attend(&mut self) {
        self.reads = true;
        match self.terminal.attend() {
            Ok(interactive) => self.interactive = interactive,
            Err(error) => self.fail(Kind::Infra, &error.to_string()),
        }
        self.quiet = false;
        self.output.attended(self.interactive);
        self.greet(None);
    }

    /// Carries out what can be carried out now, and gets on with what is done in turn.
    async fn steps(&mut self) {
        self.carry_out().await;
        while self.turns().await {
            self.carry_out().await;
            if !self.steps.is_empty() {
                return;
            }
        }
        self.leave_if_stuck();
    }

    /// Keys need not wait for an outlet to be switched.
    async fn carry_out(&mut self) {
        self.send_on();
        while let Some(step) = self.steps.first() {
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
            match self.steps.take_first() {
                Some(Step::Board(bytes)) => self.board(bytes),
                Some(Step::Command(command)) => self.command(command).await,
                None => {}
            }
            self.ending.acted = Instant::now();
        }
    }

    pub(super) fn board(&mut self, bytes: Vec<u8>) {
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

    pub(super) fn not_taken(&mut self, kind: Kind, message: String) {
        self.failed.get_or_insert(kind);
        if self.told.as_ref() != Some(&message) {
            self.output.complain(&message);
            self.told = Some(message);
        }
    }

    pub(super) fn fail(&mut self, kind: Kind, message: &str) {
        self.failed.get_or_insert(kind);
        self.output.complain(message);
    }
}

/// The next thing from the console; or nothing, once what is typed has left. Cancel safe.
async fn next(attachment: &mut Attachment, types: bool) -> Option<Item> {
    if types {
        attachment.type_on().await;
        return None;
    }
    attachment.next_or_typed().await
}
