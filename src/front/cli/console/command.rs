//! The commands after `~$`.

use std::path::PathBuf;

use crate::model;
use crate::model::event::Mode;
use crate::model::{Interval, Name};
use crate::wire::line::{LineWishes, SetLine};
use crate::wire::request::SendBreak;

/// How many lines `log` shows when it is not told.
const LOG_LINES: usize = 20;
/// The most lines that `log` shows.
const MAX_LOG_LINES: usize = 10_000;

/// What `~$help` prints, in conmux's form.
pub(in crate::front) const HELP: &[(&str, &str)] = &[
    ("break [ms|name]", "send a break (250 ms), or the sequence of that name"),
    ("breaks", "the break sequences of this console"),
    ("close", "close the port, for another program to use it"),
    ("dtr on|off [ms]", "switch DTR, for a time if one is given"),
    ("exclusive", "type alone, as soon as nobody else does"),
    ("force", "take the write lock from who has it"),
    ("hardreset [why]", "power the board off and on again"),
    ("help", "this list"),
    ("info", "the port, the line, and who is here"),
    ("kick who", "let somebody else's session go: a user, or its number"),
    ("line [settings]", "how the line is, or set it: 9600e7 rtscts"),
    ("log [lines]", "the last lines of the console (20), between marks"),
    ("msg text", "tell everyone on this console something"),
    ("note text", "write something into the record only"),
    ("off [why]", "power the board off"),
    ("on [why]", "power the board on"),
    ("open", "open the port again"),
    ("quit", "leave the console"),
    ("release", "give the write lock back"),
    ("reopen", "close the port and open it again"),
    ("rts on|off [ms]", "switch RTS, for a time if one is given"),
    ("rw", "type along with others"),
    ("send file [pace [line]]", "type a file at the board, as: send boot.scr 5ms 100ms"),
    ("spy", "only look"),
    ("status", "ask the outlet whether the board has power"),
    ("suspend", "stop this program, as Ctrl-Z does elsewhere"),
    ("version", "of this program"),
    ("who", "who is on this console"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::front) enum Command {
    Help,
    Quit,
    Version,
    Suspend,
    Motd,
    Info,
    Break(SendBreak),
    Breaks,
    Message(String),
    Note(String),
    Who,
    Kick(String),
    /// A verb on the board's outlet, and the reason that was given.
    Power(model::Verb, Option<String>),
    Log {
        lines: usize,
    },
    Force,
    Release,
    Close,
    Open,
    /// Closes it if it is open, and opens it.
    Reopen,
    Mode(Mode),
    Line(SetLine),
    Send {
        file: PathBuf,
        pace: Option<Interval>,
        line_pace: Option<Interval>,
    },
}

/// Reads a command; `None` for an empty line.
///
/// # Errors
/// What is wrong with it, as the person who typed it gets to see it.
pub(in crate::front) fn parse(line: &str) -> Result<Option<Command>, String> {
    let line = line.trim();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    let reason = || Some(rest.to_owned()).filter(|reason| !reason.is_empty());
    let needed = |what: &str| reason().ok_or_else(|| format!("{word}: {what} is missing"));
    Ok(Some(match word {
        "" => return Ok(None),
        "help" => Command::Help,
        "quit" => Command::Quit,
        "version" => Command::Version,
        "suspend" => Command::Suspend,
        // Only conserver's users know it.
        "motd" => Command::Motd,
        "info" => Command::Info,
        "break" => Command::Break(parse_break(rest)?),
        "breaks" => Command::Breaks,
        "msg" => Command::Message(needed("the text")?),
        "note" => Command::Note(needed("the text")?),
        "who" => Command::Who,
        "kick" => Command::Kick(needed("who")?),
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
        "close" => Command::Close,
        "open" => Command::Open,
        "reopen" => Command::Reopen,
        "rw" | "attach" => Command::Mode(Mode::Rw),
        "spy" => Command::Mode(Mode::Spy),
        "exclusive" => Command::Mode(Mode::Exclusive),
        "line" => {
            rest.parse::<LineWishes>().map_err(|error| format!("line: {error}"))?;
            Command::Line(SetLine { settings: reason(), ..SetLine::default() })
        }
        "dtr" | "rts" => parse_output(word, rest)?,
        "send" => parse_send(rest)?,
        _ => return Err(unknown(word)),
    }))
}

/// `500`, `sysrq-b`; `=1` is the sequence named `1`.
fn parse_break(text: &str) -> Result<SendBreak, String> {
    if let Some(name) = text.strip_prefix('=') {
        return sequence(name);
    }
    match text.parse() {
        Ok(ms) => Ok(SendBreak { ms: Some(ms), sequence: None }),
        Err(_) if text.is_empty() => Ok(SendBreak::default()),
        Err(_) => sequence(text),
    }
}

fn sequence(name: &str) -> Result<SendBreak, String> {
    let name: Name = name.parse().map_err(|_| {
        format!("break: {name:?} is neither a number of milliseconds nor the name of a sequence")
    })?;
    Ok(SendBreak { ms: None, sequence: Some(name) })
}

/// `on`, `off`, `off 500`.
fn parse_output(wire: &str, text: &str) -> Result<Command, String> {
    let (state, time) = text.split_once(' ').unwrap_or((text, ""));
    let on = match state {
        "on" => true,
        "off" => false,
        _ => return Err(format!("{wire}: say on or off, and for how many ms if not for good")),
    };
    let (dtr, rts) = if wire == "dtr" { (Some(on), None) } else { (None, Some(on)) };
    let pulse_ms = number(wire, "milliseconds", time.trim())?;
    let set = SetLine { dtr, rts, pulse_ms, ..SetLine::default() };
    set.wishes().map_err(|error| format!("{wire}: {error}"))?;
    Ok(Command::Line(set))
}

/// A file, its name quoted as in a shell where it needs to be, and one pace or two.
fn parse_send(text: &str) -> Result<Command, String> {
    let words = shlex::split(text).ok_or("send: a quote is open")?;
    let paces = words.iter().skip(1).map(|pace| pace.parse().map_err(|e| format!("send: {e}")));
    let paces: Vec<Interval> = paces.collect::<Result<_, _>>()?;
    match (words.first(), paces.len()) {
        (None, _) => Err("send: the file is missing".into()),
        (Some(file), 0..=2) => Ok(Command::Send {
            file: file.into(),
            pace: paces.first().copied(),
            line_pace: paces.get(1).copied(),
        }),
        _ => Err("send: there is one file, and a pace for characters and one for lines".into()),
    }
}

/// conmux's words, and what may have been meant.
fn unknown(word: &str) -> String {
    let known = HELP.iter().filter_map(|(usage, _)| usage.split(' ').next());
    let near = Name::nearest(word, known);
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
    use proptest::prelude::*;

    #[test]
    fn commands_read_as_they_are_typed() {
        let power = |verb, reason: Option<&str>| Command::Power(verb, reason.map(Into::into));
        assert_eq!(parse(" msg  hi all "), Ok(Some(Command::Message("hi all".into()))));
        assert_eq!(parse("hardreset"), Ok(Some(power(model::Verb::Cycle, None))));
        assert_eq!(parse("off it smokes"), Ok(Some(power(model::Verb::Off, Some("it smokes")))));
        assert_eq!(parse("log 3 lines"), Ok(Some(Command::Log { lines: 3 })));
        assert_eq!(parse("log 0"), Err("log: 0 lines are none; ask for one or more".into()));
        assert_eq!(parse("log"), Ok(Some(Command::Log { lines: 20 })));
        assert_eq!(parse("kick bob"), Ok(Some(Command::Kick("bob".into()))));
        assert_eq!(parse("note"), Err("note: the text is missing".into()));
        assert_eq!(parse("attach"), Ok(Some(Command::Mode(Mode::Rw))));
        assert_eq!(parse(""), Ok(None));
        let unknown = |more: &str| Err(format!("Command not recognised\n{more}"));
        assert_eq!(parse("nosuch"), unknown("~$help lists the commands"));
        assert_eq!(parse("hel"), unknown("did you mean ~$help? ~$help lists the commands"));
        let near = "did you mean ~$hardreset? ~$help lists the commands";
        assert_eq!(parse("hardrest now"), unknown(near));
    }

    #[test]
    fn a_break_has_a_length_or_a_name() {
        let sent = |ms, sequence: Option<&str>| {
            let sequence = sequence.map(|name| name.parse().unwrap());
            Ok(Some(Command::Break(SendBreak { ms, sequence })))
        };
        assert_eq!(parse("break"), sent(None, None));
        assert_eq!(parse("break 500"), sent(Some(500), None));
        assert_eq!(parse("break sysrq-b"), sent(None, Some("sysrq-b")));
        assert_eq!(parse("break =1"), sent(None, Some("1")));
        let neither =
            "break: \"so long\" is neither a number of milliseconds nor the name of a sequence";
        assert_eq!(parse("break so long"), Err(neither.into()));
    }

    #[test]
    fn the_line_is_set_in_its_own_words() {
        let line = |set| Ok(Some(Command::Line(set)));
        let settings = Some("9600e7 rtscts".to_owned());
        assert_eq!(parse("line"), line(SetLine::default()));
        assert_eq!(parse("line 9600e7 rtscts"), line(SetLine { settings, ..SetLine::default() }));
        let off = SetLine { dtr: Some(false), pulse_ms: Some(500), ..SetLine::default() };
        assert_eq!(parse("dtr off 500"), line(off));
        assert_eq!(parse("rts on"), line(SetLine { rts: Some(true), ..SetLine::default() }));
        assert!(parse("line fast").unwrap_err().starts_with("line: line setting \"fast\" is not"));
        assert!(parse("dtr").unwrap_err().starts_with("dtr: say on or off"));
        assert!(parse("dtr off 0").unwrap_err().starts_with("dtr: a pulse lasts 1 to"));
    }

    #[test]
    fn a_file_is_sent_at_its_paces() {
        let (pace, line_pace) = (Some("5ms".parse().unwrap()), Some("100B/s".parse().unwrap()));
        let file = PathBuf::from("my boot.scr");
        let send = Command::Send { file, pace, line_pace };
        assert_eq!(parse("send 'my boot.scr' 5ms 100B/s"), Ok(Some(send)));
        assert!(parse("send x fast").unwrap_err().contains("\"fast\" is no pace"));
        assert_eq!(parse("send"), Err("send: the file is missing".into()));
        assert_eq!(parse("send 'x"), Err("send: a quote is open".into()));
    }

    #[test]
    fn help_names_every_command() {
        for (usage, _) in HELP {
            let word = usage.split(' ').next().unwrap();
            let line = match word {
                "msg" | "note" | "kick" | "send" => format!("{word} x"),
                "dtr" | "rts" => format!("{word} on"),
                _ => word.to_owned(),
            };
            assert!(matches!(parse(&line), Ok(Some(_))), "{word}");
        }
        assert!(HELP.is_sorted());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(word in "(break|line|dtr|rts|send|log|msg)", rest in "[ -~]{0,30}") {
            let _ = parse(&format!("{word} {rest}"));
        }
    }
}
