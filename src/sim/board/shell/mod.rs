//! The virtual board's shell: small, simulated, and in no way a real one.
//!
//! Lists (`;`, `&&`, `||`), pipes, quotes, variables, `$(…)`, redirections, scripts, and a handful
//! of commands. No `if`, no loops, no functions, no jobs. It is run to its end at once and gives
//! the [`Step`]s that are then played on the serial line in their own time.

mod commands;
mod expand;
mod lava;
mod output;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use super::End;
use super::files::Files;
use super::kernel::Log;
use expand::assignment;
use words::{Piece, Token, tokens};

/// How deep scripts and substitutions may call each other.
const MAX_DEPTH: usize = 16;
/// The longest value of a variable or a substitution, in bytes. Longer ones are cut.
const MAX_VALUE: usize = 64 * 1024;
/// The most a line may print, in bytes. What is more is left out.
const MAX_OUTPUT: usize = 1 << 20;
/// The most commands a line may run.
const MAX_COMMANDS: usize = 10_000;

/// Something that happens on the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Print(String),
    Sleep(Duration),
    Logout,
    End(End),
}

/// A shell, from its board's boot on.
#[derive(Debug)]
pub(super) struct Shell {
    name: String,
    files: Files,
    env: BTreeMap<String, String>,
    /// Absolute.
    folder: String,
    /// The exit status of the last command.
    status: u8,
    /// `set -e` and `set -x`.
    stop_on_error: bool,
    trace: bool,
}

/// One line's run.
struct Run<'a> {
    shell: &'a mut Shell,
    log: &'a Log,
    steps: Vec<Step>,
    /// What `$(…)`, pipes and redirections are collecting, the innermost last.
    captures: Vec<String>,
    errors: Errors,
    /// What the command reads, when it is piped or redirected.
    input: Option<String>,
    depth: usize,
    commands: usize,
    printed: usize,
    /// The time that the steps so far will take.
    ahead: Duration,
}

/// Where complaints go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errors {
    Console,
    Output,
    Nowhere,
}

/// Why a script does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// `exit`, or an error after `set -e`.
    Script,
    /// The whole line ends here: logout, reboot, a limit.
    All,
}

type Flow = Result<(), Leave>;

impl Shell {
    pub(super) fn new(name: &str, files: Files) -> Self {
        let env = [("HOME", "/root"), ("PATH", "/sbin:/usr/sbin:/bin:/usr/bin"), ("USER", "root")];
        Self {
            name: name.to_owned(),
            files,
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            folder: "/root".to_owned(),
            status: 0,
            stop_on_error: false,
            trace: false,
        }
    }

    pub(super) fn prompt(&self) -> String {
        let folder = if self.folder == "/root" { "~" } else { &self.folder };
        format!("root@{}:{folder}# ", self.name)
    }

    pub(super) fn motd(&self) -> Option<String> {
        self.files.read("/etc/motd").map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// Runs a line; gives what happens on the console.
    pub(super) fn run(&mut self, line: &str, log: &Log) -> Vec<Step> {
        let mut run = Run {
            shell: self,
            log,
            steps: Vec::new(),
            captures: Vec::new(),
            errors: Errors::Console,
            input: None,
            depth: 0,
            commands: 0,
            printed: 0,
            ahead: Duration::ZERO,
        };
        if run.script(line) == Err(Leave::Script) {
            run.steps.push(Step::Logout);
        }
        run.steps
    }
}

impl Run<'_> {
    /// Runs a script's text in this very shell.
    fn script(&mut self, text: &str) -> Flow {
        if self.depth == MAX_DEPTH {
            self.complain("sh: too deep for this simulated board");
            return Err(Leave::All);
        }
        let tokens = match tokens(text) {
            Ok(tokens) => tokens,
            Err(error) => {
                self.complain(&format!("sh: syntax error: {error}"));
                self.shell.status = 2;
                return Ok(());
            }
        };
        self.depth += 1;
        let flow = tokens
            .split(|token| *token == Token::Operator(";"))
            .try_for_each(|list| self.list(list));
        self.depth -= 1;
        flow
    }

    /// Commands joined by `&&` and `||`.
    fn list(&mut self, mut list: &[Token]) -> Flow {
        let mut wanted = true;
        while !list.is_empty() {
            let joint = |token: &Token| matches!(token, Token::Operator("&&" | "||"));
            let end = list.iter().position(joint).unwrap_or(list.len());
            let (pipeline, rest) = list.split_at(end);
            if wanted {
                self.pipeline(pipeline)?;
            }
            wanted = match rest.first() {
                Some(Token::Operator("&&")) => self.shell.status == 0,
                Some(_) => self.shell.status != 0,
                // Only the last of a list counts for `set -e`.
                None if wanted && self.shell.stop_on_error && self.shell.status != 0 => {
                    return Err(Leave::Script);
                }
                None => break,
            };
            list = &rest[1..];
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &[Token]) -> Flow {
        let mut commands = pipeline.split(|token| *token == Token::Operator("|")).peekable();
        while let Some(command) = commands.next() {
            if commands.peek().is_some() {
                self.captures.push(String::new());
                let flow = self.redirected(command);
                let output = self.captures.pop();
                flow?;
                self.input = output;
            } else {
                self.redirected(command)?;
                self.input = None;
            }
        }
        Ok(())
    }

    /// A simple command with its redirections.
    fn redirected(&mut self, command: &[Token]) -> Flow {
        self.commands += 1;
        if self.commands > MAX_COMMANDS {
            self.complain("sh: too long for this simulated board");
            return Err(Leave::All);
        }
        let (mut words, mut target) = (Vec::new(), None);
        let outer = self.errors;
        let mut tokens = command.iter();
        while let Some(token) = tokens.next() {
            let operator = match token {
                Token::Word(pieces) => {
                    words.push(pieces.as_slice());
                    continue;
                }
                Token::Operator("2>&1") => {
                    self.errors = Errors::Output;
                    continue;
                }
                Token::Operator(operator) => *operator,
            };
            let file = match tokens.next() {
                Some(Token::Word(pieces)) => self.expand(pieces)?.concat(),
                _ => String::new(),
            };
            match operator {
                ">" | ">>" if !file.is_empty() => {
                    target = Some((self.path(&file), operator == ">>"));
                }
                // Complaints are kept in no file.
                "2>" | "2>>" if !file.is_empty() => self.errors = Errors::Nowhere,
                "<" => match self.text(&file) {
                    Some(text) => self.input = Some(text),
                    None => return self.fail(1, &format!("sh: {file}: No such file")),
                },
                other => return self.fail(2, &format!("sh: '{other}' is not simulated")),
            }
        }
        if target.is_some() {
            self.captures.push(String::new());
        }
        let flow = self.simple(&words);
        if let Some((path, append)) = target {
            let text = self.captures.pop().unwrap_or_default();
            self.store(&path, &text, append)?;
        }
        self.errors = outer;
        flow
    }

    /// A command without operators: assignments, then a name and its arguments.
    fn simple(&mut self, words: &[&[Piece]]) -> Flow {
        let mut words = words;
        let mut assigned = Vec::new();
        while let Some((first, rest)) = words.split_first()
            && let Some(name) = assignment(first)
        {
            let whole: String = self.values(first)?.concat();
            assigned.push((name.to_owned(), whole[name.len() + 1..].to_owned()));
            words = rest;
        }
        let mut arguments = Vec::new();
        for word in words {
            arguments.extend(self.expand(word)?);
        }
        if self.shell.trace && !arguments.is_empty() {
            self.complain(&format!("+ {}", arguments.join(" ")));
        }
        if arguments.is_empty() {
            self.shell.env.extend(assigned);
            return Ok(());
        }
        // Assignments before a command are for that command only.
        let before: Vec<_> = assigned
            .iter()
            .map(|(name, _)| (name.clone(), self.shell.env.get(name).cloned()))
            .collect();
        self.shell.env.extend(assigned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let flow = self.command(arguments[0], &arguments[1..]);
        for (name, value) in before {
            match value {
                Some(value) => self.shell.env.insert(name, value),
                None => self.shell.env.remove(&name),
            };
        }
        flow
    }
}

#[cfg(test)]
mod tests;
