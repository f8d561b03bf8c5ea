//! A test block with `interactive`: commands that are typed one by one, and what must come of each.

use super::{Text, Texts};
use crate::config::Table;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;

/// A dialogue with whatever is at the console: a shell or a boot loader.
#[derive(Debug, Clone)]
pub struct Interactive {
    pub name: String,
    /// Regular expressions for what the board says when it waits for a command.
    pub prompts: Vec<String>,
    /// The command's own echo is no answer to it.
    pub discard_echo: bool,
    pub script: Vec<Item>,
    /// The test cases that have to be reported.
    pub expected: Option<Vec<String>>,
}

/// One item of a script.
#[derive(Debug, Clone)]
pub enum Item {
    /// Seconds in which nothing is done.
    Delay(u32),
    /// What is asked of the job's group: as `WAIT`, and its words.
    Group {
        what: &'static str,
        words: String,
    },
    Command(Line),
}

/// One command. Without one, only its prompt is waited for.
#[derive(Debug, Clone)]
pub struct Line {
    pub command: Option<String>,
    /// The test case that the command's outcome is reported as.
    pub name: Option<String>,
    /// Regular expressions, one of which must come before the prompt, if there are any.
    pub successes: Vec<String>,
    pub failures: Vec<Failure>,
    /// A prompt comes after a success or a failure, and the next command is typed at it.
    pub wait_for_prompt: bool,
}

/// An answer that means that the command has failed.
#[derive(Debug, Clone)]
pub struct Failure {
    pub message: String,
    /// What is said about it.
    pub error: Option<String>,
    /// The class of error that ends the job, as `InfrastructureError`.
    pub exception: Option<String>,
}

/// What a script may ask of the group, by its keys.
const GROUP: [(&str, &str); 4] = [
    ("lava-send", "SEND"),
    ("lava-wait", "WAIT"),
    ("lava-wait-all", "WAIT_ALL"),
    ("lava-sync", "SYNC"),
];

const EXCEPTIONS: [&str; 3] = ["InfrastructureError", "JobError", "TestError"];

impl Interactive {
    /// Reads the dialogues of a test block.
    pub(in crate::dispatch) fn read_all(block: &Table<'_>) -> Vec<Self> {
        block.optional::<Text>("name");
        let all: Vec<Self> =
            block.tables("interactive").into_iter().filter_map(Self::read).collect();
        if all.is_empty() {
            block.problem("interactive", "an interactive block has at least one dialogue");
        }
        all
    }

    fn read(table: Table<'_>) -> Option<Self> {
        let prompts = table.required::<Texts>("prompts").unwrap_or_default().0;
        for prompt in &prompts {
            check(prompt, "prompts", &table);
        }
        let echo = super::artefact::one_of(&table, "echo", &["discard"]);
        if table.node("script").is_none() {
            table.problem("script", "\"script\" is missing");
        }
        let interactive = Self {
            name: table.required::<String>("name").unwrap_or_default(),
            prompts,
            discard_echo: echo.is_some(),
            script: table.tables("script").into_iter().flat_map(Item::read).collect(),
            expected: table.optional::<Texts>("expected").map(|texts| texts.0),
        };
        table.finish();
        Some(interactive)
    }
}

impl Item {
    /// The items of one entry: LAVA has a delay as an entry of its own, and some write it beside the
    /// command that it is before.
    fn read(table: Table<'_>) -> Vec<Self> {
        let delay: Option<u32> = table.optional("delay");
        let group = GROUP.into_iter().find(|(key, _)| table.node(key).is_some());
        let mut items: Vec<Self> = delay.into_iter().map(Self::Delay).collect();
        match group {
            Some((key, what)) => {
                let words = table.required::<Text>(key).map(|text| text.0).unwrap_or_default();
                if words.trim().is_empty() {
                    table.problem(key, "it names the message");
                }
                items.push(Self::Group { what, words });
                table.finish();
            }
            None if delay.is_some() && table.node("command").is_none() => table.finish(),
            None => items.push(Self::Command(Line::read(table))),
        }
        items
    }
}

impl Line {
    fn read(table: Table<'_>) -> Self {
        let null =
            table.node("command").is_some_and(|node| node.value == crate::config::Value::Null);
        let command = if null { None } else { table.required::<Text>("command") };
        let message = |table: &Table<'_>| {
            let message = table.required::<String>("message").unwrap_or_default();
            check(&message, "message", table);
            message
        };
        let success = |table: Table<'_>| {
            let message = message(&table);
            table.finish();
            message
        };
        let failure = |table: Table<'_>| {
            let failure = Failure {
                message: message(&table),
                error: table.optional("error"),
                exception: super::artefact::one_of(&table, "exception", &EXCEPTIONS),
            };
            table.finish();
            failure
        };
        let line = Self {
            command: command.map(|text| text.0),
            name: table.optional::<Text>("name").map(|text| text.0),
            successes: table.tables("successes").into_iter().map(success).collect(),
            failures: table.tables("failures").into_iter().map(failure).collect(),
            wait_for_prompt: table.optional("wait_for_prompt").unwrap_or(true),
        };
        table.finish();
        line
    }
}

impl Failure {
    /// The error that ends the job, if this failure does.
    pub fn exception(&self) -> Option<Error> {
        let what =
            self.error.clone().unwrap_or_else(|| format!("the board said {:?}", self.message));
        match self.exception.as_deref()? {
            "InfrastructureError" => Some(Error::Infrastructure(what)),
            "JobError" => Some(Error::Job(what)),
            _ => Some(Error::Test(what)),
        }
    }
}

fn check(pattern: &str, key: &str, table: &Table<'_>) {
    if let Err(why) = Patterns::new([pattern]) {
        table.problem(key, why);
    }
}
