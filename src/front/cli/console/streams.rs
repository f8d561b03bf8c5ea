//! What connects a session to its person or script: this process's own streams, or somebody's far away.

use std::io::{self, IsTerminal as _};

use tokio::io::{AsyncRead, AsyncWrite};

use super::suspend::Terminal;

/// Where keys come from and where things are shown.
pub(in crate::front) struct Streams {
    pub(in crate::front) input: Box<dyn AsyncRead + Send + Unpin>,
    pub(in crate::front) output: Box<dyn AsyncWrite + Send + Unpin>,
    /// Standard error: where our own words go when the output is no terminal.
    pub(in crate::front) aside: Box<dyn AsyncWrite + Send + Unpin>,
    /// Whether the output is a terminal.
    pub(in crate::front) is_terminal: bool,
    /// Whether keys come from a person at a terminal in raw mode, not from a script.
    pub(in crate::front) interactive: bool,
    pub(super) terminal: At,
}

/// Whose terminal it is.
pub(super) enum At {
    /// This process's, if it is typed at.
    Here(Option<Terminal>),
    /// That of somebody who came over the network, to whom this host's files are nothing.
    Elsewhere,
}

impl At {
    /// This process's terminal is typed at from now on, if it has one; whether somebody types at one.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn attend(&mut self) -> io::Result<bool> {
        if let Self::Here(terminal @ None) = self {
            *terminal = io::stdin().is_terminal().then(Terminal::enter).transpose()?;
        }
        Ok(matches!(self, Self::Here(Some(_))))
    }
}

impl Streams {
    /// The process's own. A terminal is in raw mode from now on, if it is `typed` at.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn own(typed: bool) -> io::Result<Self> {
        let typed = typed && io::stdin().is_terminal();
        let terminal = typed.then(Terminal::enter).transpose()?;
        Ok(Self {
            input: Box::new(tokio::io::stdin()),
            output: Box::new(tokio::io::stdout()),
            aside: Box::new(tokio::io::stderr()),
            is_terminal: io::stdout().is_terminal(),
            interactive: terminal.is_some(),
            terminal: At::Here(terminal),
        })
    }

    /// Somebody's who came over the network; `terminal` says whether they sit at one.
    pub(in crate::front) fn remote(
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
        aside: impl AsyncWrite + Send + Unpin + 'static,
        terminal: bool,
    ) -> Self {
        Self {
            input: Box::new(input),
            output: Box::new(output),
            aside: Box::new(aside),
            is_terminal: terminal,
            interactive: terminal,
            terminal: At::Elsewhere,
        }
    }
}
