//! What a script does at a console in turn: options whose order matters.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, FromArgMatches, builder::ValueParser, value_parser};

use super::command::{self, Command};
use crate::model::Keys;
use crate::wire::expect::Expected;

/// The heading of these options in `--help`.
const HEADING: &str = "In turn, in the order in which they are given";

/// One thing to be done, before the next one is begun.
#[derive(Debug, Clone)]
pub(super) enum Turn {
    /// Types a file at the board.
    Send(PathBuf),
    /// Types some bytes.
    Type(Vec<u8>),
    /// Types keys, with breaks and pauses.
    Keys(Keys),
    Pause(Duration),
    /// Carries out an escape's command.
    Do(Command),
    Expect(Wanted),
    /// Types a command at the board's shell.
    Exec(String),
}

/// What is waited for, and how it was written.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) text: String,
    pub(super) expected: Expected,
}

/// The turns of a command line, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(pub(super) VecDeque<Turn>);

impl Turns {
    /// Whether one goes on at the console behind them, when nothing else is said.
    pub(super) fn go_on(&self) -> bool {
        self.0.iter().all(|turn| matches!(turn, Turn::Send(_)))
    }
}

fn options() -> [Arg; 6] {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        let option = Arg::new(name).long(name).value_name(value).help(help);
        option.action(ArgAction::Append).help_heading(HEADING)
    };
    [
        option("send", "FILE", "Type a file at the board, at the console's pace")
            .value_parser(value_parser!(PathBuf)),
        option("send-line", "TEXT", "Type a text as it is, and Enter").allow_hyphen_values(true),
        option(
            "send-keys",
            "KEYS",
            "Type keys: as lava send has them, ^C for Control-C, \\z for a break, \\d(500) for a pause",
        )
        .allow_hyphen_values(true)
        .value_parser(value_parser!(Keys)),
        option("do", "COMMAND", "Carry out a command as behind ~$: hardreset, 'break 500'")
            .value_parser(ValueParser::new(command)),
        option(
            "expect",
            "RE",
            "Wait until the board prints this regular expression, in what came since the last one",
        )
        .allow_hyphen_values(true)
        .value_parser(ValueParser::new(wanted)),
        option(
            "exec",
            "CMD",
            "Type a command at the board's shell, and print its output. One that fails ends it all, \
             with its exit status",
        )
        .allow_hyphen_values(true),
    ]
}

fn command(text: &str) -> Result<Command, String> {
    command::parse(text)?.ok_or_else(|| "there is no command".to_owned())
}

fn wanted(text: &str) -> Result<Wanted, String> {
    Ok(Wanted { text: text.to_owned(), expected: Expected::stream(text)? })
}

impl clap::Args for Turns {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.args(options())
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Turns {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found: Vec<(usize, Turn)> = Vec::new();
        fn of<T: Clone + Send + Sync + 'static>(
            matches: &ArgMatches,
            name: &str,
            found: &mut Vec<(usize, Turn)>,
            turn: fn(T) -> Turn,
        ) {
            let places = matches.indices_of(name).into_iter().flatten();
            let values = matches.get_many::<T>(name).into_iter().flatten().cloned();
            found.extend(places.zip(values.map(turn)));
        }
        of(matches, "send", &mut found, Turn::Send);
        of(matches, "send-line", &mut found, |text: String| {
            Turn::Type(format!("{text}\r").into_bytes())
        });
        of(matches, "send-keys", &mut found, Turn::Keys);
        of(matches, "do", &mut found, Turn::Do);
        of(matches, "expect", &mut found, Turn::Expect);
        of(matches, "exec", &mut found, Turn::Exec);
        found.sort_by_key(|(place, _)| *place);
        Ok(Self(found.into_iter().map(|(_, turn)| turn).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        turns: Turns,
    }

    fn read(words: &[&str]) -> Result<Turns, String> {
        let line = std::iter::once("x").chain(words.iter().copied());
        Line::try_parse_from(line).map(|line| line.turns).map_err(|error| error.to_string())
    }

    #[test]
    fn turns_are_taken_in_the_order_of_the_command_line() {
        let turns = read(&[
            "--expect",
            "login: ",
            "--send-line",
            "-x root",
            "--expect=# ",
            "--exec",
            "uname",
            "--do",
            "off it smokes",
            "--send",
            "boot.scr",
            "--send-keys",
            "^C",
            "--send-line",
            "",
        ]);
        let turns: Vec<String> = turns
            .unwrap()
            .0
            .iter()
            .map(|turn| match turn {
                Turn::Send(file) => format!("send {}", file.display()),
                Turn::Type(bytes) => format!("type {}", bytes.escape_ascii()),
                Turn::Keys(_) => "keys".into(),
                Turn::Pause(_) => "pause".into(),
                Turn::Do(command) => format!("{command:?}"),
                Turn::Expect(wanted) => format!("expect {}", wanted.text),
                Turn::Exec(command) => format!("exec {command}"),
            })
            .collect();
        let off = "Power(Off, Some(\"it smokes\"))";
        let told = [
            "expect login: ",
            "type -x root\\r",
            "expect # ",
            "exec uname",
            off,
            "send boot.scr",
            "keys",
            "type \\r",
        ];
        assert_eq!(turns, told);
    }

    #[test]
    fn what_is_wrong_with_one_is_told() {
        assert!(
            read(&["--expect", "("]).unwrap_err().contains("no regular expression: unclosed group")
        );
        assert!(read(&["--do", "hardrset"]).unwrap_err().contains("did you mean ~$hardreset?"));
        assert!(read(&["--send", "a", "--send", "b"]).unwrap().go_on());
        assert!(!read(&["--send", "a", "--exec", "b"]).unwrap().go_on());
    }
}
