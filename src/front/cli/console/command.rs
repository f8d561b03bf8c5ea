//! The commands after `~$`.

use crate::model;

/// How many lines `log` shows when it is not told.
const LOG_LINES: usize = 20;
/// The most lines that `log` shows.
const MAX_LOG_LINES: usize = 10_000;

/// What `~$help` prints, in conmux's form.
pub(super) const HELP: &[(&str, &str)] = &[
    ("break [ms]", "send a break (250 ms)"),
    ("force", "take the write lock from who has it"),
    ("hardreset [why]", "power the board off and on again"),
    ("help", "this list"),
    ("log [lines]", "the last lines of the console (20), between marks"),
    ("msg text", "tell everyone on this console something"),
    ("off [why]", "power the board off"),
    ("on [why]", "power the board on"),
    ("quit", "leave the console"),
    ("release", "give the write lock back"),
    ("status", "ask the outlet whether the board has power"),
    ("who", "who is on this console"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Quit,
    Break {
        ms: Option<u64>,
    },
    Message(String),
    Who,
    /// A verb on the board's outlet, and the reason that was given.
    Power(model::Verb, Option<String>),
    Log {
        lines: usize,
    },
    Force,
    Release,
}

/// Reads a command; `None` for an empty line.
///
/// # Errors
/// What is wrong with it, as the person who typed it gets to see it.
pub(super) fn parse(line: &str) -> Result<Option<Command>, String> {
    let line = line.trim();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    let reason = || Some(rest.to_owned()).filter(|reason| !reason.is_empty());
    Ok(Some(match word {
        "" => return Ok(None),
        "help" => Command::Help,
        "quit" => Command::Quit,
        "break" => Command::Break { ms: number("break", "milliseconds", rest)? },
        "msg" if rest.is_empty() => return Err("msg: the text is missing".into()),
        "msg" => Command::Message(rest.to_owned()),
        "who" => Command::Who,
        "hardreset" => Command::Power(model::Verb::Cycle, reason()),
        "on" => Command::Power(model::Verb::On, reason()),
        "off" => Command::Power(model::Verb::Off, reason()),
        "status" => Command::Power(model::Verb::Status, None),
        "log" => {
            let lines = number("log", "lines", rest)?.map_or(LOG_LINES, |n: u32| n as usize);
            if lines == 0 {
                return Err("log: 0 lines are none; ask for one or more".into());
            }
            Command::Log { lines: lines.min(MAX_LOG_LINES) }
        }
        "force" => Command::Force,
        "release" => Command::Release,
        _ => return Err(unknown(word)),
    }))
}

/// conmux's words, and what may have been meant.
fn unknown(word: &str) -> String {
    let known = HELP.iter().filter_map(|(usage, _)| usage.split(' ').next());
    let near = model::Name::nearest(word, known);
    let near = near.map(|near| format!("did you mean ~${near}? ")).unwrap_or_default();
    format!("Command not recognised\n{near}~$help lists the commands")
}

fn number<T: std::str::FromStr>(
    command: &str,
    unit: &str,
    text: &str,
) -> Result<Option<T>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.split_whitespace().next().unwrap_or_default();
    let parsed = number.parse().map(Some);
    parsed.map_err(|_| format!("{command}: {text:?} is no number of {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_read_as_they_are_typed() {
        let power = |verb, reason: Option<&str>| Command::Power(verb, reason.map(Into::into));
        assert_eq!(parse(" msg  hi all "), Ok(Some(Command::Message("hi all".into()))));
        assert_eq!(parse("hardreset"), Ok(Some(power(model::Verb::Cycle, None))));
        assert_eq!(parse("off it smokes"), Ok(Some(power(model::Verb::Off, Some("it smokes")))));
        assert_eq!(parse("break 500"), Ok(Some(Command::Break { ms: Some(500) })));
        assert_eq!(parse("log 3 lines"), Ok(Some(Command::Log { lines: 3 })));
        assert_eq!(parse("log 0"), Err("log: 0 lines are none; ask for one or more".into()));
        assert_eq!(parse("log"), Ok(Some(Command::Log { lines: 20 })));
        assert_eq!(parse(""), Ok(None));
        let unknown = |more: &str| Err(format!("Command not recognised\n{more}"));
        assert_eq!(parse("nosuch"), unknown("~$help lists the commands"));
        assert_eq!(parse("hel"), unknown("did you mean ~$help? ~$help lists the commands"));
        let near = "did you mean ~$hardreset? ~$help lists the commands";
        assert_eq!(parse("hardrest now"), unknown(near));
        assert_eq!(parse("break it"), Err("break: \"it\" is no number of milliseconds".into()));
    }

    #[test]
    fn help_names_every_command() {
        for (usage, _) in HELP {
            let word = usage.split(' ').next().unwrap();
            let line = if word == "msg" { "msg x" } else { word };
            assert!(matches!(parse(line), Ok(Some(_))), "{word}");
        }
    }
}
