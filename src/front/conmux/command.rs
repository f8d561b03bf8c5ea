//! The commands after `~$`, as conmux has them, and those of ours that its users cannot do without.

use crate::front::cli::notice;
use crate::model;
use crate::wire::attach::{Session, Verb};
use crate::wire::request::{OfSession, SendBreak, Text};

/// What `~$help` prints.
const HELP: &[(&str, &str)] = &[
    ("break", "send a break sequence"),
    ("close", "close the port, for another program to use it"),
    ("force", "take the console from who has it"),
    ("hardreset", "power the board off and on again"),
    ("msg", "send a message to all connected clients"),
    ("off", "power the board off"),
    ("on", "power the board on"),
    ("open", "open the port again"),
    ("quit", "disconnect from the console"),
    ("release", "give the console back"),
    ("status", "ask the outlet whether the board has power"),
    ("who", "who is on this console"),
];

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Quit,
    Ask(Verb),
    /// Close the port, or open it again.
    Down(bool),
    /// A verb on the board's outlet, and the reason that was given.
    Power(model::Verb, Option<String>),
}

/// Reads a command; `None` for an empty line.
///
/// # Errors
/// What its person is told.
pub(super) fn parse(line: &str) -> Result<Option<Command>, String> {
    let line = line.trim();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    let power = |verb| {
        let reason = Some(rest.to_owned()).filter(|reason| !reason.is_empty());
        Command::Power(verb, reason)
    };
    Ok(Some(match word {
        "" => return Ok(None),
        "help" => Command::Help,
        "quit" => Command::Quit,
        "break" if rest.is_empty() => Command::Ask(Verb::Break(SendBreak::default())),
        "break" => match rest.parse() {
            Ok(ms) => Command::Ask(Verb::Break(SendBreak { ms: Some(ms), sequence: None })),
            Err(_) => return Err(format!("break: {rest:?} is no number of milliseconds\n")),
        },
        "msg" => Command::Ask(Verb::Message(Text { text: rest.to_owned() })),
        "close" => Command::Down(true),
        "open" => Command::Down(false),
        "who" => Command::Ask(Verb::Who),
        "force" => Command::Ask(Verb::Force(OfSession::default())),
        "release" => Command::Ask(Verb::Release(OfSession::default())),
        "hardreset" => power(model::Verb::Cycle),
        "on" => power(model::Verb::On),
        "off" => power(model::Verb::Off),
        "status" => power(model::Verb::Status),
        _ => return Err("Command not recognised\n".into()),
    }))
}

pub(super) fn help() -> String {
    let lines = HELP.iter().map(|(word, what)| format!("  {word:<20} {what}\n"));
    std::iter::once("Conmux commands:\n".to_owned()).chain(lines).collect()
}

pub(super) fn who(sessions: &[Session]) -> String {
    let line = |session: &Session| {
        let Session { user, mode, via, peer, .. } = session;
        format!("({}) {mode}, {via} {peer}\n", notice::user(user))
    };
    sessions.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_read_as_conmux_reads_them() {
        assert_eq!(parse("  msg hi  all "), Ok(Some(Command::Ask(message("hi  all")))));
        assert_eq!(parse("hardreset"), Ok(Some(Command::Power(model::Verb::Cycle, None))));
        let off = Command::Power(model::Verb::Off, Some("it smokes".into()));
        assert_eq!(parse("off it smokes"), Ok(Some(off)));
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse("MSG x"), Err("Command not recognised\n".into()));
    }

    fn message(text: &str) -> Verb {
        Verb::Message(Text { text: text.into() })
    }

    #[test]
    fn help_names_every_command_as_conmux_does() {
        assert!(help().starts_with("Conmux commands:\n  break                send a break"));
        for (word, _) in HELP {
            assert!(matches!(parse(word), Ok(Some(_))), "{word}");
        }
    }
}
