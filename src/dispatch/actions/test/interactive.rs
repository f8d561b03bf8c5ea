//! `lava-test-interactive`: types commands one by one, and looks at what comes of each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::calls;
use super::follower::{missing, unexpected};
use super::shell::{free_shell, read_prompt};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Patterns, Place};
use crate::dispatch::job::{Interactive, InteractiveItem as Item, InteractiveLine as Line};
use crate::dispatch::results::{CaseResult, LAVA};
use crate::dispatch::suite;
use crate::dispatch::watch::Stage;

/// `lava-test-interactive-retry`: has the dialogues again when one could not be had.
#[derive(Debug)]
pub struct InteractiveRetry(pub Vec<Interactive>);

#[derive(Debug)]
pub(super) struct TestInteractive {
    /// As LAVA counts the blocks whose suites have a number.
    pub stage: usize,
    pub dialogues: Vec<Interactive>,
}

/// What came of a command.
enum Outcome {
    Prompt(String),
    Success,
    /// Which of the failures.
    Failure(usize),
}

/// What came of a command, and where in the console's stream.
struct Answered {
    outcome: Outcome,
    place: Place,
}

/// A dialogue that is being had.
struct Talk<'a> {
    dialogue: &'a Interactive,
    suite: String,
    /// What the words in braces stand for. What has matched is learned, and what the group says.
    words: BTreeMap<String, String>,
    reported: BTreeSet<String>,
}

impl Action for InteractiveRetry {
    fn name(&self) -> &'static str {
        "lava-test-interactive-retry"
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![Box::new(TestInteractive { stage: scene.stage(), dialogues: self.0.clone() })]
    }
}

impl Action for TestInteractive {
    fn name(&self) -> &'static str {
        "lava-test-interactive"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let deadline = context.wait().deadline;
            free_shell(context, deadline).await?;
            read_prompt(context).await?;
            // The dialogue knows what the board is to do, a reboot included.
            context.session()?.watch().enter(Stage::Tested);
            let mut done = Ok(());
            let mut words = words(context);
            for dialogue in &self.dialogues {
                let suite = suite::script(self.stage, &dialogue.name);
                let reported = BTreeSet::new();
                let mut talk = Talk { dialogue, suite, words, reported };
                if done.is_ok() {
                    let begin = Instant::now();
                    done = talk.have(context).await;
                    context.result(whole(&talk.suite, done.is_ok(), begin));
                }
                if let Some(expected) = &dialogue.expected {
                    missing(&talk.suite, expected, &talk.reported, context);
                }
                words = talk.words;
            }
            done
        })
    }
}

/// The result of a whole script, as LAVA has it in its own suite.
fn whole(suite: &str, passed: bool, begin: Instant) -> CaseResult {
    CaseResult {
        definition: LAVA.into(),
        case: suite.to_owned(),
        result: if passed { "pass" } else { "fail" }.into(),
        duration: Some(begin.elapsed().as_secs_f64()),
        ..CaseResult::default()
    }
}

/// What words in braces stand for before anything was said.
fn words(context: &mut Context) -> BTreeMap<String, String> {
    let (server, job) = (context.settings.dispatcher_ip.clone(), context.settings.job_id.clone());
    let known = context.shared().values.known();
    let known = known.filter(|(_, value)| !value.is_empty());
    let mut words: BTreeMap<String, String> =
        known.map(|(name, value)| (name.to_owned(), value)).collect();
    words.insert("{SERVER_IP}".into(), server);
    words.insert("{JOB_ID}".into(), job);
    words
}

impl Talk<'_> {
    async fn have(&mut self, context: &mut Context) -> Result<(), Error> {
        for item in &self.dialogue.script {
            match item {
                Item::Delay(seconds) => {
                    context.log.info(format!("nothing is typed for {seconds} s, as the job says"));
                    tokio::time::sleep(Duration::from_secs((*seconds).into())).await;
                }
                Item::Group { what, words } => self.ask(what, words, context).await?,
                Item::Command(line) => self.say(line, context).await?,
            }
        }
        Ok(())
    }

    /// Asks the group for something, and learns what comes with the answer.
    async fn ask(&mut self, what: &str, words: &str, context: &mut Context) -> Result<(), Error> {
        let alone = || Error::Configuration("the job asks a group, and runs without one".into());
        let member = context.member.clone().ok_or_else(alone)?;
        let ask = calls::understood(what, &self.filled(words)).map_err(Error::Job)?;
        let called = ask.called();
        context.log.info(format!("the script calls {called}"));
        let left = context.now.deadline.saturating_duration_since(Instant::now());
        for entry in member.call(ask, Some(left)).await? {
            context.log.info(format!("{}: {} is {:?}", entry.member, entry.key, entry.value));
            self.words.insert(format!("{{{}}}", entry.key), entry.value);
        }
        Ok(())
    }

    /// Types a command and reports what came of it.
    async fn say(&mut self, line: &Line, context: &mut Context) -> Result<(), Error> {
        let dialogue = self.dialogue;
        let (begin, first) = (Instant::now(), context.log.lines());
        let mut from = context.session()?.place();
        if let Some(command) = &line.command {
            let command = self.filled(command);
            if let Some(left) = placeholder(&command) {
                context
                    .log
                    .warning(format!("{left} stands for nothing that is known, and is typed"));
            }
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
        let answered = self.answer(line, context).await;
        if line.command.is_some() {
            from = context.session()?.first().unwrap_or(from);
        }
        let to = answered.as_ref().ok().map(|answered| answered.place);
        let answered = answered.map(|answered| answered.outcome);
        let failure = match &answered {
            Ok(Outcome::Failure(which)) => line.failures.get(*which),
            _ => None,
        };
        let passed = match &answered {
            Ok(Outcome::Success) => true,
            // A prompt alone is good enough where nothing else was asked for.
            Ok(Outcome::Prompt(_)) => line.successes.is_empty(),
            _ => false,
        };
        let command = line.command.as_deref().unwrap_or_default();
        if let Ok(Outcome::Prompt(prompt)) = &answered
            && !passed
        {
            let wanted = line.successes.join("\" or \"");
            context.log.error(format!(
                "{}: the prompt {prompt:?} came where \"{wanted}\" was expected of {command:?}",
                dialogue.name
            ));
        }
        if let Some(case) = &line.name {
            let word = if passed { "pass" } else { "fail" };
            let result = unexpected(dialogue.expected.as_deref(), case, word.into(), context);
            self.reported.insert(case.clone());
            context.result(CaseResult {
                definition: self.suite.clone(),
                case: case.clone(),
                result,
                // From the command's first echo to its answer, by the console's own clock.
                duration: Some(match to {
                    Some(to) => to.time_us.saturating_sub(from.time_us) as f64 / 1e6,
                    None => begin.elapsed().as_secs_f64(),
                }),
                starttc: Some(first),
                endtc: Some(context.log.lines()),
                start_offset: from.offset,
                end_offset: to.and_then(|to| to.offset),
                ..CaseResult::default()
            });
        }
        if let Some(failure) = failure {
            let what = failure.error.as_deref().unwrap_or(&failure.message);
            context.log.error(format!("{}: {command:?} failed: {what}", dialogue.name));
            if let Some(error) = failure.exception() {
                return Err(error);
            }
        }
        let outcome = answered?;
        let goes_on = line.wait_for_prompt && !is_last(line, dialogue);
        if !matches!(outcome, Outcome::Prompt(_)) && goes_on {
            // The next command is typed at a prompt.
            let prompts = Patterns::new(&dialogue.prompts).map_err(Error::Configuration)?;
            let wait = context.wait();
            context.session()?.expect(&prompts, &wait).await?;
        }
        // A case has failed and the script goes on; what is no case must not fail.
        match passed || line.name.is_some() {
            true => Ok(()),
            false => Err(Error::Test(format!("{}: {command:?} failed", dialogue.name))),
        }
    }

    async fn answer(&mut self, line: &Line, context: &mut Context) -> Result<Answered, Error> {
        let failures = line.failures.iter().map(|failure| &failure.message);
        let all = line.successes.iter().chain(failures).chain(&self.dialogue.prompts);
        let patterns = Patterns::new(all).map_err(Error::Configuration)?;
        let wait = context.wait();
        let found = context.session()?.expect(&patterns, &wait).await?;
        let (successes, failures) = (line.successes.len(), line.failures.len());
        let place = found.place;
        let outcome = match found.index {
            index if index < successes => {
                let learned = patterns.named(&found);
                let learned = learned.map(|(name, text)| (format!("{{{name}}}"), text.to_owned()));
                self.words.extend(learned);
                Outcome::Success
            }
            index if index < successes + failures => Outcome::Failure(index - successes),
            _ => Outcome::Prompt(found.groups.into_iter().next().unwrap_or_default()),
        };
        Ok(Answered { outcome, place })
    }

    fn filled(&self, text: &str) -> String {
        let fill = |text: String, (name, value): (&String, &String)| text.replace(name, value);
        self.words.iter().fold(text.to_owned(), fill)
    }
}

/// A placeholder that is left in a command. What a shell's `${name}` is, is none.
fn placeholder(command: &str) -> Option<&str> {
    let mut from = 0;
    while let Some(begin) = command[from..].find('{').map(|at| from + at) {
        let end = begin + command[begin..].find('}')? + 1;
        let name = &command[begin + 1..end - 1];
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        if is_name && !command[..begin].ends_with('$') {
            return Some(&command[begin..end]);
        }
        from = begin + 1;
    }
    None
}

/// After its last command a dialogue may leave the board where no prompt comes: it boots.
fn is_last(line: &Line, dialogue: &Interactive) -> bool {
    let last = dialogue.script.last();
    last.is_some_and(|last| matches!(last, Item::Command(last) if std::ptr::eq(last, line)))
}
