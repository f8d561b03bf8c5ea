//! The interlock: a board that somebody holds is not switched by anybody else, except by force.
//!
//! Holding a board is holding its console. A console that cannot be asked does not stop power, for
//! then nobody could switch a board whose console daemon is broken; the audit tells of it.

use super::consoles::{Consoles, Holder};
use super::{Asked, OperationError};
use crate::model::{Name, calls_oneself, units};

/// What the interlock has found out about an operation that may go on.
#[derive(Debug, Default)]
pub(super) struct Leave {
    /// Whose hold is overridden.
    pub(super) overrides: Option<String>,
    /// Why the console could not be asked.
    pub(super) unasked: Option<String>,
}

impl Leave {
    /// Asks the console, if there is one.
    ///
    /// # Errors
    /// [`OperationError::Held`] when somebody else has the board, and it is not to be by force.
    pub(super) async fn get(
        consoles: &dyn Consoles,
        console: Option<&str>,
        board: &Name,
        asked: &Asked,
    ) -> Result<Self, OperationError> {
        let Some(console) = console else { return Ok(Self::default()) };
        match consoles.holder(console).await {
            Err(failure) => Ok(Self { unasked: Some(failure.message), ..Self::default() }),
            Ok(Some(Holder { user, since_us })) if !is_same(&user, &asked.who) => {
                if asked.force {
                    return Ok(Self { overrides: Some(user), ..Self::default() });
                }
                let since = units::time_text(since_us);
                Err(OperationError::Held { board: board.clone(), user, since })
            }
            Ok(_) => Ok(Self::default()),
        }
    }

    /// What people at the console are told at the beginning.
    pub(super) fn detail(&self, asked: &Asked) -> Option<String> {
        if !asked.force {
            return asked.reason.clone();
        }
        let held = self.overrides.as_ref().map(|user| format!(", held by {user}"));
        let (held, reason) = (held.unwrap_or_default(), asked.reason.as_deref().unwrap_or("-"));
        Some(format!("by force{held}: {reason}"))
    }
}

/// Whether who holds a board is who asks: a person may be written `alice` or, as conmux does,
/// `user:alice`. Who is `alice (job:7)` there, having shown a token, may be `job:7` here, where nobody
/// shows one; not the reverse, for then anybody with a token could say so.
fn is_same(holder: &str, asking: &str) -> bool {
    let plain = |user| str::strip_prefix(user, "user:").unwrap_or(user).to_owned();
    plain(holder) == plain(asking) || calls_oneself(holder, asking)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_two_spellings_and_a_job_one() {
        assert!(is_same("alice", "user:alice") && is_same("user:alice", "alice"));
        assert!(is_same("job:7", "job:7"));
        assert!(!is_same("job:7", "job:70") && !is_same("job:7", "7"));
        assert!(is_same("ci (job:7)", "ci (job:7)") && is_same("ci (job:7)", "job:7"));
        assert!(!is_same("job:7", "bob (job:7)") && !is_same("ci (job:7)", "bob (job:7)"));
        assert!(!is_same("alice", "Alice") && !is_same("alice", "bob"));
    }

    #[test]
    fn who_forces_says_so_and_why() {
        let asked = |force| Asked { reason: Some("stuck".into()), force, ..Asked::by("bob") };
        let free = Leave::default();
        assert_eq!(free.detail(&asked(false)).as_deref(), Some("stuck"));
        assert_eq!(free.detail(&asked(true)).as_deref(), Some("by force: stuck"));
        let held = Leave { overrides: Some("job:7".into()), unasked: None };
        assert_eq!(held.detail(&asked(true)).as_deref(), Some("by force, held by job:7: stuck"));
    }
}
