//! powerman's protocol, as its clients speak it: a command a line, answers with numbers.
//!
//! The daemon greets with its version and prompts; 1xx ends what was done, 2xx what was not, 3xx is
//! what was asked for. Established by talking to powermand 2.3.27, of which a client tells by the
//! last number whether its command was done.

use std::fmt;

use super::hostlist::{self, HostlistError};
use crate::model::one_line;

/// What stands before every command.
pub const PROMPT: &str = "powerman> ";
/// The longest command, in bytes.
pub const MAX_LINE: usize = 16 * 1024;
/// The version whose protocol this is. Clients do not look at it.
const VERSION: &str = "2.3.27";

/// What a client asks for. Lists are of names as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Help,
    Quit,
    Nodes,
    /// Of all nodes without a list, as [`Self::Status`].
    Device(Option<Vec<String>>),
    Status(Option<Vec<String>>),
    On(Vec<String>),
    Off(Vec<String>),
    Cycle(Vec<String>),
    Telemetry,
    Exprange,
    /// A beacon, a thermometer or a reset line, which no outlet has.
    Unsupported,
}

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Unknown,
    TooLong,
    /// It is of another protocol, and so is what follows: the client is to be let go.
    Foreign,
    List(HostlistError),
}

/// One line to the client, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Banner,
    Goodbye,
    Done,
    Answered,
    Telemetry(bool),
    Exprange(bool),
    Refused(Refusal),
    InProgress,
    NoSuchNodes(String),
    DoneWithErrors,
    AnsweredWithErrors,
    Unsupported,
    Help(&'static str),
    /// The nodes of a state, as a list.
    State(&'static str, String),
    /// One node and its state.
    NodeState(String, &'static str),
    Device(String),
    /// What happens meanwhile, for those who want to know.
    Happened(String),
    Nodes(String),
    Node(String),
    Error(String),
}

/// What `help` tells.
pub const HELP: &[&str] = &[
    "nodes              - query node list",
    "device [<nodes>]   - query power control device status",
    "status [<nodes>]   - query power status",
    "on <nodes>         - power on",
    "off <nodes>        - power off",
    "cycle <nodes>      - power cycle",
    "telemetry          - toggle telemetry display",
    "exprange           - toggle host range expansion",
    "help               - display help",
    "quit               - logout",
];

impl Command {
    /// Reads a line.
    ///
    /// # Errors
    /// The answer to it.
    pub fn parse(line: &str) -> Result<Self, Refusal> {
        let line = line.trim();
        if is_foreign(line) {
            return Err(Refusal::Foreign);
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let names = || hostlist::expand(rest).map_err(Refusal::List);
        let some = || match names() {
            Ok(names) if names.is_empty() => Err(Refusal::Unknown),
            names => names,
        };
        let maybe = || names().map(|names| Some(names).filter(|names| !names.is_empty()));
        match word {
            "help" if rest.is_empty() => Ok(Self::Help),
            "quit" if rest.is_empty() => Ok(Self::Quit),
            "nodes" if rest.is_empty() => Ok(Self::Nodes),
            "telemetry" if rest.is_empty() => Ok(Self::Telemetry),
            "exprange" if rest.is_empty() => Ok(Self::Exprange),
            "device" => maybe().map(Self::Device),
            "status" => maybe().map(Self::Status),
            "on" => some().map(Self::On),
            "off" => some().map(Self::Off),
            "cycle" => some().map(Self::Cycle),
            "temp" | "beacon" => maybe().map(|_| Self::Unsupported),
            "reset" | "flash" | "unflash" => some().map(|_| Self::Unsupported),
            _ => Err(Refusal::Unknown),
        }
    }
}

/// Whether a line is of HTTP or of TLS. A web page can have a browser send either to us, with lines
/// behind it that are as the page likes.
fn is_foreign(line: &str) -> bool {
    let http = line.split_whitespace().any(|word| word.starts_with("HTTP/"));
    http || line
        .contains(|c: char| c == char::REPLACEMENT_CHARACTER || (c.is_control() && c != '\t'))
}

/// Cuts what a client sends into lines.
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
    /// The pending line has become too long, and is passed over to its end.
    too_long: bool,
}

impl Lines {
    /// Takes bytes, and gives the lines that have ended in them.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Result<String, Refusal>> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            self.too_long |= self.pending.len() + text.len() > MAX_LINE;
            if self.too_long {
                self.pending.clear();
            } else {
                self.pending.extend_from_slice(text);
            }
            if ended {
                let line = std::mem::take(&mut self.pending);
                lines.push(match std::mem::take(&mut self.too_long) {
                    true => Err(Refusal::TooLong),
                    false => Ok(String::from_utf8_lossy(&line).into_owned()),
                });
            }
        }
        lines
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |on: &bool| if *on { "ON" } else { "OFF" };
        let (code, text) = match self {
            Self::Banner => ("001", VERSION.to_owned()),
            Self::Goodbye => ("101", "Goodbye".to_owned()),
            Self::Done => ("102", "Command completed successfully".to_owned()),
            Self::Answered => ("103", "Query complete".to_owned()),
            Self::Telemetry(is_on) => ("104", format!("Telemetry {}", on(is_on))),
            Self::Exprange(is_on) => ("105", format!("Hostrange expansion {}", on(is_on))),
            Self::Refused(Refusal::Unknown | Refusal::Foreign) => {
                ("201", "Unknown command".to_owned())
            }
            Self::Refused(Refusal::TooLong) => ("203", "Command too long".to_owned()),
            Self::Refused(Refusal::List(error)) => ("205", format!("Hostlist error: {error}")),
            Self::InProgress => ("208", "Command in progress".to_owned()),
            Self::NoSuchNodes(list) => ("209", format!("No such nodes: {list}")),
            Self::DoneWithErrors => ("210", "Command completed with errors".to_owned()),
            Self::AnsweredWithErrors => ("211", "Query completed with errors".to_owned()),
            Self::Unsupported => {
                ("213", "Command cannot be handled by power control device(s)".to_owned())
            }
            Self::Help(line) => ("301", (*line).to_owned()),
            Self::State(state, list) => ("302", format!("{:9}{list}", format!("{state}:"))),
            Self::NodeState(node, state) => ("303", format!("{node}: {state}")),
            Self::Device(device) => ("304", device.clone()),
            Self::Happened(text) => ("305", text.clone()),
            Self::Nodes(list) => ("306", list.clone()),
            Self::Node(node) => ("307", node.clone()),
            Self::Error(text) => ("308", text.clone()),
        };
        write!(f, "{code} {}", one_line(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_read_as_powermand_reads_them() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (line, command) in [
            (" on  t1 \r", Ok(Command::On(names(&["t1"])))),
            ("off t[1-2],x\r", Ok(Command::Off(names(&["t1", "t2", "x"])))),
            ("cycle t1 t2", Ok(Command::Cycle(names(&["t1", "t2"])))),
            ("status", Ok(Command::Status(None))),
            ("status t1", Ok(Command::Status(Some(names(&["t1"]))))),
            ("device", Ok(Command::Device(None))),
            ("beacon", Ok(Command::Unsupported)),
            ("reset t1", Ok(Command::Unsupported)),
            ("on", Err(Refusal::Unknown)),
            ("ON t1", Err(Refusal::Unknown)),
            ("soft t1", Err(Refusal::Unknown)),
            ("", Err(Refusal::Unknown)),
            ("POST / HTTP/1.1\r", Err(Refusal::Foreign)),
            ("on t1 HTTP/1.0", Err(Refusal::Foreign)),
            ("\u{16}\u{3}\u{1}", Err(Refusal::Foreign)),
            ("on t\u{fffd}", Err(Refusal::Foreign)),
            ("on t[9-1]", Err(Refusal::List(HostlistError::Range("9-1".into())))),
        ] {
            assert_eq!(Command::parse(line), command, "{line:?}");
        }
    }

    #[test]
    fn replies_are_written_as_powermand_writes_them() {
        for (reply, line) in [
            (Reply::State("on", "t[1-2]".into()), "302 on:      t[1-2]"),
            (Reply::State("unknown", String::new()), "302 unknown: "),
            (Reply::NodeState("t0".into(), "off"), "303 t0: off"),
            (Reply::Error("a\r\n102 done".into()), "308 a??102 done"),
        ] {
            assert_eq!(reply.to_string(), line);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_read() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(b"help"), []);
        assert_eq!(lines.feed(b"\nquit\n"), [Ok("help".into()), Ok("quit".into())]);
        assert_eq!(lines.feed(&[b'x'; MAX_LINE]), []);
        assert_eq!(lines.feed(b"y"), []);
        assert_eq!(lines.feed(b"z\nhelp\n"), [Err(Refusal::TooLong), Ok("help".into())]);
    }

    proptest! {
        #[test]
        fn bytes_in_any_pieces_are_the_same_lines(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            at in 0usize..200,
        ) {
            let (first, second) = bytes.split_at(at.min(bytes.len()));
            let mut lines = Lines::default();
            let mut split = lines.feed(first);
            split.extend(lines.feed(second));
            prop_assert_eq!(&split, &Lines::default().feed(&bytes));
            for line in split.into_iter().flatten() {
                let reply = match Command::parse(&line) {
                    Ok(_) => Reply::Error(line),
                    Err(refusal) => Reply::Refused(refusal),
                };
                prop_assert!(!reply.to_string().contains(char::is_control));
            }
        }
    }
}
