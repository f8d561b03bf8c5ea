//! What was typed and is not carried out yet: the board may be slow, or a command under way.

use std::collections::VecDeque;

use super::command::Command;

/// While so many steps wait, no more of a script is read.
pub(super) const MAX_STEPS: usize = 64;
/// So many may wait. What is read at once of a script has fewer commands.
const MAX_COMMANDS: usize = 2048;
/// So many bytes may wait for the board.
pub(super) const MAX_TYPED: usize = 1024 * 1024;

pub(super) enum Step {
    Board(Vec<u8>),
    Command(Command),
}

impl Step {
    pub(super) fn needs_console(&self) -> bool {
        !matches!(
            self,
            Self::Command(
                Command::Quit
                    | Command::Help
                    | Command::Version
                    | Command::Suspend
                    | Command::Motd
                    | Command::Power(..)
            )
        )
    }
}

/// Steps in the order in which they were typed. Bytes that follow each other are one step.
#[derive(Default)]
pub(super) struct Steps {
    steps: VecDeque<Step>,
    /// How many bytes are among them.
    bytes: usize,
}

impl Steps {
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many bytes wait for the board.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no more should be read: of a script, which can wait.
    pub(super) fn is_full(&self) -> bool {
        self.steps.len() >= MAX_STEPS || self.bytes >= MAX_TYPED
    }

    pub(super) fn is_quitting(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Command(Command::Quit)))
    }

    /// Bytes for the board. The caller sees to it that they do not grow without end.
    pub(super) fn board(&mut self, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        match self.steps.back_mut() {
            Some(Step::Board(before)) => before.extend_from_slice(&bytes),
            _ => self.steps.push_back(Step::Board(bytes)),
        }
    }

    /// A command; false when too many wait. A quit is always taken.
    pub(super) fn command(&mut self, command: Command) -> bool {
        let taken = matches!(command, Command::Quit) || self.steps.len() < MAX_COMMANDS;
        if taken {
            self.steps.push_back(Step::Command(command));
        }
        taken
    }

    /// A command before everything else.
    pub(super) fn command_first(&mut self, command: Command) {
        self.steps.push_front(Step::Command(command));
    }

    pub(super) fn first(&self) -> Option<&Step> {
        self.steps.front()
    }

    pub(super) fn take_first(&mut self) -> Option<Step> {
        let first = self.steps.pop_front();
        if let Some(Step::Board(bytes)) = &first {
            self.bytes -= bytes.len();
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_joined_and_a_quit_is_always_taken() {
        let mut steps = Steps::default();
        for _ in 0..10_000 {
            steps.board(b"xy".to_vec());
        }
        assert_eq!((steps.len(), steps.bytes(), steps.is_full()), (1, 20_000, false));
        while steps.command(Command::Who) {}
        assert!(steps.is_full() && !steps.is_quitting());
        assert!(steps.command(Command::Quit) && steps.is_quitting());
        assert!(matches!(steps.take_first(), Some(Step::Board(bytes)) if bytes.len() == 20_000));
        assert_eq!(steps.bytes(), 0);
    }
}
