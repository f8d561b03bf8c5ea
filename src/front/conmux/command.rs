//! The commands after `~$` are those of `lava-console`: what of them needs more than a connection is
//! refused, and what needs the right to control only where the configuration gives it to everybody.

use crate::front::cli::command::{Command, HELP};
use crate::front::cli::notice;
use crate::model;
use crate::wire::attach::Session;
use crate::wire::line::SetLine;

/// What only a program at a terminal can do: it has the files, and a shell to go back to.
const OF_PROGRAMS: [&str; 2] = ["send", "suspend"];

pub(super) fn help() -> String {
    let word = |usage: &str| usage.split(' ').next().unwrap_or_default().to_owned();
    let known = HELP.iter().filter(|(usage, _)| !OF_PROGRAMS.contains(&word(usage).as_str()));
    let lines = known.map(|(usage, what)| format!("  {usage:<20} {what}\n"));
    std::iter::once("Conmux commands:\n".to_owned()).chain(lines).collect()
}

/// Whether it is more than typing and looking.
pub(super) fn needs_control(command: &Command) -> bool {
    match command {
        Command::Power(verb, _) => *verb != model::Verb::Status,
        Command::Line(line) => *line != SetLine::default(),
        Command::Force | Command::Kick(_) | Command::Break(_) => true,
        Command::Close | Command::Open | Command::Reopen => true,
        Command::Help | Command::Quit | Command::Version | Command::Suspend => false,
        Command::Motd | Command::Info | Command::Breaks | Command::Who => false,
        Command::Message(_) | Command::Note(_) | Command::Log { .. } => false,
        Command::Release | Command::Mode(_) | Command::Send { .. } => false,
    }
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
    fn help_has_conmuxs_form() {
        let help = help();
        assert!(
            help.starts_with("Conmux commands:\n  break [ms|name]      send a break"),
            "{help}"
        );
        assert!(help.contains("\n  hardreset [why]      power the board off and on again\n"));
        assert!(!help.contains("suspend") && !help.contains("send file"), "{help}");
    }
}
