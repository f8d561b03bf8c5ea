//! `lava-test-shell`: starts the runner on the board and follows its signals to the end.

use std::time::Duration;

use tokio::time::Instant;

use super::calls::Calls;
use super::follower::{Follower, Mark};
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns};
use crate::dispatch::job::MULTINODE_TEST;
use crate::dispatch::ledger::{Heard, Ledger};
use crate::dispatch::session::Wait;
use crate::dispatch::signals;
use crate::dispatch::watch::Stage;

#[derive(Debug)]
pub(super) struct TestShell {
    /// Which test block of the job this is.
    pub stage: usize,
    /// As requests to the group name it, if this one has any.
    pub multinode: bool,
}

/// The places in the list of patterns; see [`signals::PATTERNS`] for the first ones.
const SIGNAL: usize = 0;
const EXIT: usize = 1;
const INSTALL_FAIL: usize = 2;
const CHECK: usize = 3;
const TOTAL: usize = 4;
const CALL: usize = 5;

/// How often damaged signals are asked for again in vain before that is given up.
const TRIES: u32 = 3;
/// How long the board may take to say them again.
const AGAIN_LIMIT: Duration = Duration::from_secs(10);
/// How long the last line of the board's may take to come after the one before it.
const EXIT_LIMIT: Duration = Duration::from_secs(2);

impl Action for TestShell {
    fn name(&self) -> &'static str {
        if self.multinode { MULTINODE_TEST } else { "lava-test-shell" }
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(run_tests(self.stage, Stage::System, context))
    }
}

/// Runs the tests of a stage at the console, where what it prints means what `watched` says.
///
/// # Errors
/// When they do not come to their end; how each went is in the results.
pub(super) async fn run_tests(
    stage: usize,
    watched: Stage,
    context: &mut Context,
) -> Result<(), Error> {
    let lava_dir = context.lava_dir();
    type_line(&format!("{lava_dir}/bin/lava-test-runner {lava_dir}/{stage}"), context).await?;
    context.session()?.watch().enter(watched);
    let mut shell = Shell {
        follower: Follower::new(stage),
        ledger: Ledger::default(),
        calls: Calls::new(context.member.clone()),
    };
    let done = shell.follow(context).await;
    let done = match done {
        Ok(()) => shell.ask_again(context).await,
        failed => failed,
    };
    let late = shell.ledger.give_up();
    let done = done.and(shell.count(late, context));
    shell.follower.finish(context);
    done
}

/// A test shell that runs.
struct Shell {
    follower: Follower,
    ledger: Ledger<Mark>,
    calls: Calls,
}

impl Shell {
    async fn follow(&mut self, context: &mut Context) -> Result<(), Error> {
        let mut patterns = self.patterns()?;
        loop {
            // Silence is no error here: a test may take as long as its block may.
            let what = self.calls.waiting_for().unwrap_or_else(|| self.follower.waiting_for());
            let wait = Wait { connection: None, what: Some(what), ..context.wait() };
            let found = tokio::select! {
                found = context.expect(&patterns, &wait) => found?,
                came = self.calls.came() => {
                    if let Some(line) = self.calls.settle(&came?, &context.log) {
                        type_line(&line, context).await?;
                    }
                    continue;
                }
            };
            match found.index {
                SIGNAL | CHECK | TOTAL => {
                    if self.is_end(&found) {
                        return self.leave(context).await;
                    }
                    if self.heard(&found, context)? {
                        // Another definition may have another pattern.
                        patterns = self.patterns()?;
                    }
                }
                CALL => {
                    if let Some(line) = self.calls.heard(&found, &context.log).await? {
                        type_line(&line, context).await?;
                    }
                }
                EXIT => return Ok(()),
                INSTALL_FAIL => {
                    return Err(Error::Test("an install step failed on the board".into()));
                }
                // The definition's own pattern.
                _ => self.follower.own(&found, context),
            }
        }
    }

    /// Whether this is the board's own account of all its signals, which is the last but one of its lines.
    fn is_end(&mut self, found: &Found) -> bool {
        let word = |i: usize| found.groups.get(i).map_or("", String::as_str);
        let number = word(1).parse().unwrap_or_default();
        found.index == TOTAL && number > 0 && self.ledger.total(number, word(2))
    }

    /// Takes in the last line of a board that has said how many signals it gave; it may be damaged.
    async fn leave(&mut self, context: &mut Context) -> Result<(), Error> {
        let last = Patterns::new([signals::PATTERNS[EXIT]]).map_err(Error::Bug)?;
        let wait = context.wait();
        let deadline = wait.deadline.min(Instant::now() + EXIT_LIMIT);
        match context.session()?.expect(&last, &Wait { deadline, ..wait }).await {
            Ok(_) | Err(Error::Timeout { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn patterns(&self) -> Result<Patterns, Error> {
        let own = self.follower.own_pattern().map(|own| own.regex.clone());
        let fixed = signals::PATTERNS.into_iter().map(ToOwned::to_owned);
        Patterns::new(fixed.chain(own)).map_err(Error::Test)
    }

    /// Takes in a signal or what the board says about its signals. Tells whether any counted.
    fn heard(&mut self, found: &Found, context: &mut Context) -> Result<bool, Error> {
        let word = |i: usize| found.groups.get(i).map_or("", String::as_str);
        let number = word(1).parse().unwrap_or_default();
        let damaged = self.ledger.damaged();
        let counting = match found.index {
            CHECK => self.ledger.vouched(number, word(2)),
            TOTAL => {
                let _ = self.ledger.total(number, word(2));
                Vec::new()
            }
            _ => {
                let with = Mark::of(found, context);
                let [text, name, arguments] = [0, 1, 2].map(|i| word(i).to_owned());
                self.ledger.heard(Heard { text, name, arguments, with }).into_iter().collect()
            }
        };
        if damaged == 0 && self.ledger.damaged() > 0 {
            context.log.warning(
                "a signal of the board's came damaged: it is asked for again at the end of the tests, \
                 and those after it wait for it",
            );
        }
        let any = !counting.is_empty();
        self.count(counting, context)?;
        Ok(any)
    }

    fn count(&mut self, signals: Vec<Heard<Mark>>, context: &mut Context) -> Result<(), Error> {
        signals.into_iter().try_for_each(|signal| self.follower.signal(&signal, context))
    }

    /// Asks for the signals that did not come whole until they are here, or it is no use.
    async fn ask_again(&mut self, context: &mut Context) -> Result<(), Error> {
        let lava_dir = context.lava_dir();
        let patterns = Patterns::new(signals::PATTERNS).map_err(Error::Bug)?;
        let (mut in_vain, mut asked) = (0, None);
        while in_vain < TRIES {
            let Some(missing) = self.ledger.missing() else { return Ok(()) };
            in_vain = if asked.as_ref() == Some(&missing) { in_vain + 1 } else { 0 };
            let numbers: String = missing.iter().map(|number| format!(" {number}")).collect();
            let stage = self.follower.stage();
            let line = format!("{lava_dir}/bin/lava-signals-again {lava_dir}/{stage}{numbers}");
            type_line(&line, context).await?;
            asked = Some(missing);
            let wait = context.wait();
            let deadline = wait.deadline.min(Instant::now() + AGAIN_LIMIT);
            let wait = Wait { deadline, ..wait };
            loop {
                match context.session()?.expect(&patterns, &wait).await {
                    Ok(found) => {
                        if matches!(found.index, SIGNAL | CHECK | TOTAL) {
                            self.heard(&found, context)?;
                        }
                        if found.index == TOTAL {
                            break;
                        }
                    }
                    // The line that ends the answer may be damaged as well.
                    Err(Error::Timeout { .. }) => break,
                    Err(error) => return Err(error),
                }
            }
        }
        if let Some(missing) = self.ledger.missing() {
            let lost = missing.len();
            context.log.error(format!(
                "{lost} or more signals of the board's came damaged each time: results are missing"
            ));
        }
        Ok(())
    }
}

/// Types a line as fast as the board's shell takes it.
async fn type_line(line: &str, context: &mut Context) -> Result<(), Error> {
    let delay = Duration::from_millis(context.device.test_character_delay);
    context.session()?.send_line(line, delay).await
}
