//! Commands that take a while: on the outlet, and in the console's past.

use std::pin::Pin;

use bytes::Bytes;

use super::super::report;
use crate::client::lab::Lab;
use crate::client::{ConsoleRef, history, outlet};
use crate::model::{Failure, Kind, Name, PowerRequest, Verb};

/// The board that is attached to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) lab: Lab,
    pub(super) board: Name,
    pub(super) user: String,
}

/// What an action has to show.
#[derive(Debug)]
pub(super) enum Done {
    /// A line of our own.
    Line(String),
    /// Bytes that the board printed.
    Bytes(Bytes),
}

/// An action under way. Dropping it stops waiting for it; what was asked for is not undone.
pub(super) type Action = Pin<Box<dyn Future<Output = Result<Done, Failure>> + Send>>;

/// Switches or asks the board's outlet.
pub(super) fn power(target: Target, verb: Verb, reason: Option<String>) -> Action {
    Box::pin(async move {
        // Looked up each time: lava-power may have been started, or moved, in the meantime.
        let board = target.lab.board(target.board.as_str()).await?;
        let outlet = board.outlet.ok_or_else(|| {
            let what = format!("board {} has no outlet {}", board.name, target.lab);
            Failure::new(Kind::User, what)
        })?;
        let request = PowerRequest { user: Some(target.user), reason };
        let report = outlet::operate(&outlet, verb, &request).await?;
        Ok(Done::Line(format!("[{}]", report::text(&report))))
    })
}

/// Reads the last `lines` lines of the console.
pub(super) fn log(console: ConsoleRef, lines: usize) -> Action {
    Box::pin(async move { Ok(Done::Bytes(history::last_lines(&console, lines).await?)) })
}
