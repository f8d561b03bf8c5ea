//! `lava-test-shell`: starts the runner on the board and follows its signals to the end.

use std::time::Duration;

use tokio::time::Instant;

use super::follower::{Follower, Mark};
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns};
use crate::dispatch::ledger::{Heard, Ledger};
use crate::dispatch::session::Wait;
use crate::dispatch::signals;
use crate::dispatch::watch::Stage;

#[derive(Debug)]
pub(super) struct TestShell {
    /// Which test block of the job this is.
    pub stage: usize,
}

/// The places in the list of patterns; see [`signals::PATTERNS`] for the first ones.
const SIGNAL: usize = 0;
const EXIT: usize = 1;
const INSTALL_FAIL: usize = 2;
const CHECK: usize = 3;
const TOTAL: usize = 4;

/// How often damaged signals are asked for again in vain before that is given up.
const TRIES: u32 = 3;
/// How long the board may take to say them again.
const AGAIN_LIMIT: Duration = Duration::from_secs(10);

impl Action for TestShell {
    fn name(&self) -> &'static str {
        "lava-test-shell"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let lava_dir = context.lava_dir();
            let line = format!("{lava_dir}/bin/lava-test-runner {lava_dir}/{}", self.stage);
            type_line(&line, context).await?;
            context.session()?.watch().enter(Stage::System);
            let mut shell =
                Shell { follower: Follower::new(self.stage), ledger: Ledger::default() };
            let done = shell.follow(context).await;
            let done = match done {
                Ok(()) => shell.ask_again(context).await,
                failed => failed,
            };
            let late = shell.ledger.give_up();
            let done = done.and(shell.count(late, context));
            shell.follower.finish(context);
            done
        })
    }
}

/// A test shell that runs.
struct Shell {
    follower: Follower,
    ledger: Ledger<Mark>,
}

impl Shell {
    async fn follow(&mut self, context: &mut Context) -> Result<(), Error> {
        let mut patterns = self.patterns()?;
        loop {
            // Silence is no error here: a test may take as long as its block may.
            let what = Some(self.follower.waiting_for());
            let wait = Wait { connection: None, what, ..context.wait() };
            let found = context.session()?.expect(&patterns, &wait).await?;
            match found.index {
                SIGNAL | CHECK | TOTAL => {
                    if self.heard(&found, context)? {
                        // Another definition may have another pattern.
                        patterns = self.patterns()?;
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
                self.ledger.total(number, word(2));
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
                        self.heard(&found, context)?;
                        if found.index == TOTAL {
                            break;
                        }
                    }
                    // The line that ends the answer may be damaged as well.
                    Err(Error::Timeout(_)) => break,
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
