//! `lava-test-shell`: starts the runner on the board and follows its signals to the end.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::account::{Account, Entry};
use super::calls::Calls;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::{Context, ShellUse};
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns};
use crate::dispatch::job::{Kind, MULTINODE_TEST};
use crate::dispatch::results::{CaseResult, LAVA};
use crate::dispatch::session::Wait;
use crate::dispatch::signals;
use crate::dispatch::watch::Stage;
use crate::model::units;

#[derive(Debug)]
pub(super) struct TestShell {
    /// Which test block of the namespace this is.
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
/// What is like a prompt at rest is one when a line end brings it back within this time.
const BACK_LIMIT: Duration = Duration::from_secs(8);
/// A runner that has not gone within this time is sent the next of [`ENDINGS`].
const FREE_LIMIT: Duration = Duration::from_secs(3);
/// Ctrl-C, Ctrl-\ and Ctrl-Z: a test may ignore some of them.
const ENDINGS: [Bytes; 3] = [CTRL_C, Bytes::from_static(b"\x1c"), Bytes::from_static(b"\x1a")];
/// Ends what runs in the foreground of a shell.
pub(in crate::dispatch) const CTRL_C: Bytes = Bytes::from_static(b"\x03");
/// So many line ends are typed at most: tests may print what is like a prompt.
const LINE_ENDS: u32 = 10;

impl Action for TestShell {
    fn name(&self) -> &'static str {
        if self.multinode { MULTINODE_TEST } else { "lava-test-shell" }
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let deadline = context.wait().deadline;
            free_shell(context, deadline).await?;
            let prompts = context.shared().prompts.clone();
            let logins = logins(context);
            context.shared().shell = ShellUse::Runner(self.stage);
            run_tests(self.stage, Stage::System, prompts, logins, context).await?;
            context.shared().shell = ShellUse::RunnerEnded;
            Ok(())
        })
    }
}

/// The login prompts of what the namespace boots.
fn logins(context: &Context) -> Vec<String> {
    let blocks = context.job.blocks.iter();
    let here = blocks.filter(|block| block.namespace() == context.now.namespace);
    let logins = here.filter_map(|block| match &block.kind {
        Kind::Boot(boot) => Some(boot.auto_login.as_ref()?.login_prompt.clone()),
        _ => None,
    });
    logins.filter(|prompt| !prompt.is_empty()).collect()
}

/// Runs the tests of a stage at the console, where what it prints means what `watched` says. A prompt that
/// is there again tells of a runner that has ended.
///
/// # Errors
/// When they do not come to their end; how each went is in the results.
pub(super) async fn run_tests(
    stage: usize,
    watched: Stage,
    prompts: Vec<String>,
    logins: Vec<String>,
    context: &mut Context,
) -> Result<(), Error> {
    if !context.shared().tests.iter().any(|test| test.stage == stage) {
        let namespace = &context.now.namespace;
        return Err(Error::Job(format!(
            "no deploy action of the namespace {namespace:?} has made an overlay with these tests: deploy something \
             before, or have `to: overlay`"
        )));
    }
    let lava_dir = context.lava_dir();
    type_line(&format!("{lava_dir}/bin/lava-test-runner {lava_dir}/{stage}"), context).await?;
    context.session()?.watch().enter(watched);
    let account = Account::new(stage);
    context.account = Some(account.clone());
    let mut shell = Shell {
        stage,
        account: account.clone(),
        calls: Calls::new(context.member.clone()),
        prompts,
        logins,
        at_prompt: None,
        line_ends: 0,
    };
    let done = match shell.follow(context).await {
        Ok(prompt) => match shell.ask_again(context).await {
            Ok(()) => shell.ended(prompt, context),
            failed => failed,
        },
        Err(failed) => Err(failed),
    };
    context.account = None;
    done.and(account.close(context))
}

/// Ends a test runner that was not followed to its end, and all that it has started, and reads on to where the shell is
/// free: nothing that those have said is taken for what comes next.
///
/// # Errors
/// [`Error::Timeout`] when the shell is not free until `deadline`.
pub(in crate::dispatch) async fn free_shell(
    context: &mut Context,
    deadline: Instant,
) -> Result<(), Error> {
    let ShellUse::Runner(stage) = context.shared().shell else { return Ok(()) };
    let (lava_dir, word) = (context.lava_dir(), units::now_us());
    // What is printed is not what is typed, which the board echoes.
    let line = format!(
        "kill -9 -$(cat {lava_dir}/{stage}/pid) 2>/dev/null; echo lava-shell-is''-free-{word}"
    );
    let free = Patterns::new([format!("lava-shell-is-free-{word}")]).map_err(Error::Bug)?;
    context.log.info("a test runner may still be at the shell: it is ended");
    for ending in ENDINGS.iter().cycle() {
        // It drops what was typed and not read, too.
        context.session()?.type_bytes(ending.clone()).await?;
        type_line(&line, context).await?;
        let again = deadline.min(Instant::now() + FREE_LIMIT);
        let what = Some("the shell to be free of the tests before".to_owned());
        let wait = Wait { deadline: again, connection: None, what, ..context.wait() };
        match context.expect(&free, &wait).await {
            Ok(_) => break,
            Err(Error::Timeout(_)) if again < deadline => {}
            Err(error) => return Err(error),
        }
    }
    context.shared().shell = ShellUse::RunnerEnded;
    read_prompt(context).await
}

/// Reads the prompt that is there after a test runner, so that nobody takes it for an answer to what they type.
pub(super) async fn read_prompt(context: &mut Context) -> Result<(), Error> {
    if context.shared().shell != ShellUse::RunnerEnded {
        return Ok(());
    }
    let prompts = Patterns::new(&context.shared().prompts).map_err(Error::Configuration)?;
    let wait = context.wait();
    let deadline = wait.deadline.min(Instant::now() + EXIT_LIMIT);
    match context.expect(&prompts, &Wait { deadline, ..wait }).await {
        Ok(_) | Err(Error::Timeout(_)) => context.shared().shell = ShellUse::Free,
        Err(error) => return Err(error),
    }
    Ok(())
}

/// A test shell that runs.
struct Shell {
    stage: usize,
    account: Account,
    calls: Calls,
    prompts: Vec<String>,
    logins: Vec<String>,
    /// When a line end was typed, since what is like a prompt stood there.
    at_prompt: Option<Instant>,
    line_ends: u32,
}

impl Shell {
    /// Follows the runner to its end. Gives the shell's prompt, if that is what tells of it.
    async fn follow(&mut self, context: &mut Context) -> Result<Option<String>, Error> {
        let mut patterns = self.patterns()?;
        loop {
            // Silence is no error here: a test may take as long as its block may.
            let what = self.calls.waiting_for().unwrap_or_else(|| self.account.waiting_for());
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
            if patterns.is_at_rest(found.index) {
                match self.prompt(&found, context).await? {
                    Some(prompt) => return Ok(Some(prompt)),
                    None => continue,
                }
            }
            self.at_prompt = None;
            match found.index {
                TOTAL if self.account.is_end(&found) => {
                    return self.leave(context).await.map(|()| None);
                }
                CALL => {
                    if let Some(line) = self.calls.heard(&found, &context.log).await? {
                        type_line(&line, context).await?;
                    }
                }
                EXIT => return Ok(None),
                INSTALL_FAIL => {
                    context.result(CaseResult {
                        definition: LAVA.into(),
                        case: format!("stage_{}", self.stage),
                        result: "fail".into(),
                        ..CaseResult::default()
                    });
                    // The runner says which before it.
                    let line = found.before.trim_end().rsplit('\n').next().unwrap_or_default();
                    let of = line.rsplit_once("cannot install ").map(|(_, run)| run.trim());
                    let of = of.map(|run| format!(" of {run:?}")).unwrap_or_default();
                    return Err(Error::Test(format!("an install step{of} failed on the board")));
                }
                index => {
                    let entry = entry(index).unwrap_or(Entry::Own);
                    if self.account.heard(entry, &found, context)? {
                        // Another definition has another pattern.
                        patterns = self.patterns()?;
                    }
                    context.take_in_feedback().await;
                }
            }
        }
    }

    /// What is like a prompt stands there, and nothing follows. Gives it when it is one.
    async fn prompt(
        &mut self,
        found: &Found,
        context: &mut Context,
    ) -> Result<Option<String>, Error> {
        let said = found.groups.first().map_or("", String::as_str);
        let login = Patterns::new(&self.logins).map_err(Error::Configuration)?;
        let (prompt, is_login) = (said.trim().to_owned(), login.first_in(said).is_some());
        if self.at_prompt.take().is_some_and(|typed| typed.elapsed() < BACK_LIMIT) {
            if is_login {
                return Err(Error::Dead(format!(
                    "the board waits at {prompt:?} for somebody to log in while {} was waited for: it has \
                     rebooted, or the tests have ended their own shell",
                    self.account.waiting_for()
                )));
            }
            return Ok(Some(prompt));
        }
        if self.line_ends < LINE_ENDS {
            self.line_ends += 1;
            self.at_prompt = Some(Instant::now());
            context.log.debug(format!("{prompt:?} may be a prompt: a line end is typed"));
            context.session()?.type_bytes(Bytes::from_static(b"\n")).await?;
        }
        Ok(None)
    }

    /// Whether the runner had come to its end, when its shell's prompt is there and it has not said so.
    fn ended(&self, prompt: Option<String>, context: &mut Context) -> Result<(), Error> {
        let Some(prompt) = prompt else { return Ok(()) };
        if self.account.is_complete(context) {
            context
                .log
                .warning("the test runner's last line did not come, but all that it ran has ended");
            return Ok(());
        }
        let what = self.account.waiting_for();
        Err(Error::Test(format!(
            "the test runner is gone: the shell's prompt {prompt:?} is there, while {what} was waited for"
        )))
    }

    /// Takes in the last line of a board that has said how many signals it gave; it may be damaged.
    async fn leave(&mut self, context: &mut Context) -> Result<(), Error> {
        let last = Patterns::new([signals::PATTERNS[EXIT]]).map_err(Error::Bug)?;
        let wait = context.wait();
        let deadline = wait.deadline.min(Instant::now() + EXIT_LIMIT);
        match context.expect(&last, &Wait { deadline, ..wait }).await {
            Ok(_) | Err(Error::Timeout(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn patterns(&self) -> Result<Patterns, Error> {
        let mut patterns = Patterns::new(signals::PATTERNS).map_err(Error::Bug)?;
        if let Some(own) = self.account.own_pattern() {
            patterns = own.join(patterns).map_err(Error::Test)?;
        }
        let prompts = self.prompts.iter().chain(&self.logins);
        patterns.or_at_rest(prompts).map_err(Error::Configuration)
    }

    /// Asks for the signals that did not come whole until they are here, or it is no use.
    async fn ask_again(&mut self, context: &mut Context) -> Result<(), Error> {
        let lava_dir = context.lava_dir();
        let patterns = Patterns::new(signals::PATTERNS).map_err(Error::Bug)?;
        let (mut in_vain, mut asked) = (0, None);
        self.account.asks_again();
        while in_vain < TRIES {
            let Some(missing) = self.account.missing() else { return Ok(()) };
            in_vain = if asked.as_ref() == Some(&missing) { in_vain + 1 } else { 0 };
            let numbers: String = missing.iter().map(|number| format!(" {number}")).collect();
            let stage = self.stage;
            let line = format!("{lava_dir}/bin/lava-signals-again {lava_dir}/{stage}{numbers}");
            type_line(&line, context).await?;
            asked = Some(missing);
            let wait = context.wait();
            let deadline = wait.deadline.min(Instant::now() + AGAIN_LIMIT);
            let wait = Wait { deadline, ..wait };
            loop {
                match context.expect(&patterns, &wait).await {
                    Ok(found) => {
                        if let Some(entry) = entry(found.index) {
                            self.account.heard(entry, &found, context)?;
                        }
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
        if let Some(missing) = self.account.missing() {
            let lost = missing.len();
            context.log.error(format!(
                "{lost} or more signals of the board's came damaged each time: results are missing"
            ));
        }
        Ok(())
    }
}

fn entry(index: usize) -> Option<Entry> {
    match index {
        SIGNAL => Some(Entry::Signal),
        CHECK => Some(Entry::Check),
        TOTAL => Some(Entry::Total),
        _ => None,
    }
}

/// Types a line as fast as the board's shell takes it.
async fn type_line(line: &str, context: &mut Context) -> Result<(), Error> {
    let delay = Duration::from_millis(context.device.test_character_delay);
    context.session()?.send_line(line, delay).await
}
