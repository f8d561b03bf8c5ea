//! `lava-test-interactive`: types commands one by one, and looks at what comes of each.

use std::time::Duration;

use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::job::{Interactive, InteractiveLine as Line};
use crate::dispatch::results::CaseResult;
use crate::dispatch::watch::Stage;

/// `lava-test-interactive-retry`: has the dialogues again when one could not be had.
#[derive(Debug)]
pub struct InteractiveRetry(pub Vec<Interactive>);

#[derive(Debug)]
pub(super) struct TestInteractive(pub Vec<Interactive>);

/// What came of a command.
enum Outcome {
    Prompt,
    Success,
    /// Which of the failures.
    Failure(usize),
}

impl Action for InteractiveRetry {
    fn name(&self) -> &'static str {
        "lava-test-interactive-retry"
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![Box::new(TestInteractive(self.0.clone()))]
    }
}

impl Action for TestInteractive {
    fn name(&self) -> &'static str {
        "lava-test-interactive"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            // The dialogue knows what the board is to do, a reboot included.
            context.session()?.watch().enter(Stage::Unjudged);
            for dialogue in &self.0 {
                for line in &dialogue.script {
                    say(line, dialogue, context).await?;
                }
            }
            Ok(())
        })
    }
}

/// Types a command and reports what came of it.
async fn say(line: &Line, dialogue: &Interactive, context: &mut Context) -> Result<(), Error> {
    let begin = context.log.lines();
    tokio::time::sleep(Duration::from_secs(line.delay.into())).await;
    if let Some(command) = &line.command {
        let command = command.replace("{SERVER_IP}", &context.settings.dispatcher_ip);
        let delay = Duration::from_millis(context.device.test_character_delay);
        let wait = context.wait();
        let session = context.session()?;
        // What the board said before is no answer.
        session.forget();
        session.send_line(&command, delay).await?;
        if dialogue.discard_echo && !command.is_empty() {
            let echo = Patterns::literal(&command).map_err(Error::Bug)?;
            session.expect(&echo, &wait).await?;
        }
    }
    let answered = answer(line, dialogue, context).await;
    let failure = match &answered {
        Ok(Outcome::Failure(which)) => line.failures.get(*which),
        _ => None,
    };
    let passed = match &answered {
        Ok(Outcome::Success) => true,
        // A prompt alone is good enough where nothing else was asked for.
        Ok(Outcome::Prompt) => line.successes.is_empty(),
        _ => false,
    };
    if let Some(case) = &line.name {
        context.result(CaseResult {
            definition: dialogue.name.clone(),
            case: case.clone(),
            result: if passed { "pass" } else { "fail" }.into(),
            starttc: Some(begin),
            endtc: Some(context.log.lines()),
            ..CaseResult::default()
        });
    }
    if let Some(failure) = failure {
        let what = failure.error.as_deref().unwrap_or(&failure.message);
        context.log.error(format!("{}: {:?} failed: {what}", dialogue.name, line.command));
        if let Some(error) = failure.exception() {
            return Err(error);
        }
    }
    let outcome = answered?;
    if !matches!(outcome, Outcome::Prompt) && !is_last(line, dialogue) {
        // The next command is typed at a prompt.
        let prompts = Patterns::new(&dialogue.prompts).map_err(Error::Configuration)?;
        let wait = context.wait();
        context.session()?.expect(&prompts, &wait).await?;
    }
    Ok(())
}

async fn answer(
    line: &Line,
    dialogue: &Interactive,
    context: &mut Context,
) -> Result<Outcome, Error> {
    let failures = line.failures.iter().map(|failure| &failure.message);
    let all = line.successes.iter().chain(failures).chain(&dialogue.prompts);
    let patterns = Patterns::new(all).map_err(Error::Configuration)?;
    let wait = context.wait();
    let found = context.session()?.expect(&patterns, &wait).await?;
    let (successes, failures) = (line.successes.len(), line.failures.len());
    Ok(match found.index {
        index if index < successes => Outcome::Success,
        index if index < successes + failures => Outcome::Failure(index - successes),
        _ => Outcome::Prompt,
    })
}

/// After its last command a dialogue may leave the board where no prompt comes: it boots.
fn is_last(line: &Line, dialogue: &Interactive) -> bool {
    dialogue.script.last().is_some_and(|last| std::ptr::eq(last, line))
}
