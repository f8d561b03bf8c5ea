//! conmux's `.cf` files: one console each, with the commands that its users type behind `~$`.
//!
//! One statement a line; `#` begins a comment only as the first character; a `\` at the end joins
//! the next line; words are split at spaces, not at tabs, and quoted as in a shell.

use super::command;
use super::found::{Imported, Listen, Listens, Origin, Outlet};
use crate::config::Manners;
use crate::model::Name;

/// The payload that clients ask for.
const CONSOLE: &str = "console";

/// Reads one file.
pub(super) fn read(file: &str, text: &str, into: &mut Imported) {
    let mut cf = Cf { name: None, listen: None, payload: None, commands: Vec::new() };
    for (line, statement) in statements(text) {
        let origin = Origin::new(file, line);
        if let Some(comment) = statement.strip_prefix('#') {
            flags(&origin, comment, into);
            continue;
        }
        match words(&statement) {
            Some(words) => cf.statement(&origin, &statement, &words, into),
            None => into.lost(&origin, &statement, "a quote is open in it"),
        }
    }
    cf.finish(file, into);
}

/// What a file has told so far.
struct Cf {
    name: Option<String>,
    /// Its port for conmux's clients, where it is not in the registry.
    listen: Option<Listen>,
    /// Where the console is, and its port.
    payload: Option<(Origin, String)>,
    /// A word behind `~$`, and the program that it starts.
    commands: Vec<(Origin, String, Vec<String>)>,
}

impl Cf {
    fn statement(&mut self, origin: &Origin, text: &str, words: &[String], into: &mut Imported) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => {}
            ["listener", place] if place.bytes().all(|byte| byte.is_ascii_digit()) => {
                match place.parse() {
                    Ok(port) if port != 0 => self.listen = Some(Listen { host: None, port }),
                    _ => into.lost(origin, text, "it is no port number from 1 to 65535"),
                }
            }
            ["listener", place] => {
                let name = place.rsplit('/').next().unwrap_or(place);
                self.name = Some(name.to_owned());
                into.register(origin, name);
            }
            ["socket" | "application", payload, ..] if *payload != CONSOLE => {
                into.lost(origin, text, "clients attach to the payload \"console\" only");
            }
            ["socket", _, _, address] => {
                into.changed(
                    origin,
                    text,
                    "conmux takes every socket for a telnet server, and so does this; \
                             if it is a raw one, write tcp: for telnet:",
                );
                self.payload = Some((origin.clone(), format!("telnet:{address}")));
            }
            ["application", _, _, line] => self.application(origin, line, into),
            ["command", name, _announce, line] => match self::words(line) {
                Some(program) if program.first().is_some_and(|program| !program.is_empty()) => {
                    self.commands.push((origin.clone(), (*name).to_owned(), program));
                }
                _ => into.lost(origin, text, "it has no program"),
            },
            // What a command does is told by `help` of lava-console.
            ["help", _, _] => {}
            ["socket" | "application" | "command" | "help" | "listener", ..] => {
                into.lost(origin, text, "it has too few or too many words");
            }
            _ => into.lost(origin, text, "it is no statement of conmux"),
        }
    }

    fn application(&mut self, origin: &Origin, line: &str, into: &mut Imported) {
        match command::port(line) {
            Ok(found) => {
                if let Some(guess) = found.guess {
                    into.lost(origin, line, guess);
                }
                let program =
                    found.port.strip_prefix("exec:").and_then(|line| line.split(' ').next());
                if program.is_some_and(|program| !program.contains('/')) {
                    into.changed(
                        origin,
                        line,
                        "it is found in lava-serial's PATH, without conmux's folder of drivers",
                    );
                }
                self.payload = Some((origin.clone(), found.port));
            }
            Err(why) => into.lost(origin, line, why),
        }
    }

    fn finish(self, file: &str, into: &mut Imported) {
        let stem = file.rsplit('/').next().unwrap_or(file);
        let name = self.name.unwrap_or_else(|| stem.trim_end_matches(".cf").to_owned());
        let name = match self.payload {
            Some((origin, port)) => {
                let listens = Listens { conmux: self.listen, ..Listens::default() };
                into.add(&origin, &name, port, listens, Manners::default())
            }
            None => {
                into.lost(
                    &Origin::new(file, 1),
                    &name,
                    "there is no payload \"console\" in the file",
                );
                None
            }
        };
        power(name, &self.commands, into);
    }
}

/// Makes an outlet of the commands that switch power; the others are told.
fn power(name: Option<Name>, commands: &[(Origin, String, Vec<String>)], into: &mut Imported) {
    let program = |word: &str| {
        let whole = |program: &[String]| !program.iter().any(|word| word.contains('\0'));
        commands.iter().rfind(|(_, name, program)| name == word && whole(program))
    };
    let outlet = match (name, program("on"), program("off")) {
        (Some(board), Some((origin, _, on)), Some((_, _, off))) => {
            let (origin, on, off) = (origin.clone(), on.clone(), off.clone());
            Some(Outlet { origin, board, on, off })
        }
        _ => None,
    };
    for (origin, word, program) in commands {
        let what = format!("command {word}");
        let program = shlex::try_join(program.iter().map(String::as_str)).unwrap_or_default();
        match (word.as_str(), &outlet) {
            ("on" | "off", Some(_)) => {
                into.changed(origin, &what, "lava-power does it: see the end of the output");
            }
            ("hardreset", Some(_)) => into.changed(
                origin,
                &what,
                format!(
                    "lava-power does it by the commands off and on, and does not run: {program}"
                ),
            ),
            ("on" | "off" | "hardreset", None) => into.lost(
                origin,
                &what,
                format!(
                    "lava-power switches a board by one program for on and one for off, of which \
                     one is missing: make an outlet with driver = \"exec\" from: {program}"
                ),
            ),
            _ => into.lost(
                origin,
                &what,
                format!("consoles have no commands of their own; run it yourself: {program}"),
            ),
        }
    }
    outlet.into_iter().for_each(|outlet| into.add_outlet(outlet));
}

/// `# FLAGS: autoboot tickle` makes conmux's start script run these helpers.
fn flags(origin: &Origin, comment: &str, into: &mut Imported) {
    let Some(flags) = comment.trim_start().strip_prefix("FLAGS:") else { return };
    for flag in flags.split_whitespace() {
        let text = "it is not started with the console; start it, as conmux-attach NAME HELPER";
        into.lost(origin, &format!("{flag}-helper"), text);
    }
}

/// The statements with their lines, without leading blanks; joined ones as one.
fn statements(text: &str) -> impl Iterator<Item = (u32, String)> {
    let mut lines = (1..).zip(text.lines());
    std::iter::from_fn(move || {
        let (number, line) = lines.next()?;
        let mut statement = line.trim_start().to_owned();
        while statement.ends_with('\\') && !statement.starts_with('#') {
            statement.pop();
            let Some((_, next)) = lines.next() else { break };
            statement.push_str(next);
        }
        Some((number, statement))
    })
}

/// Splits a statement into words; `None` when a quote is open.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (' ', None) => words.extend(word.take()),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().push(chars.next()?),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}
