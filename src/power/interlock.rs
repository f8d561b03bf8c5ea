//! The interlock: a board that somebody uses is not switched by anybody else, except by force.
//!
//! Whoever has leased a board uses it, and whoever holds its console. So does who has typed there a
//! while ago, unless who asks has the lease or the console: then it is theirs. Boards that share an
//! outlet are asked about together. A lease that cannot be read may be anybody's, so nobody else switches
//! its board, except by force. A console that cannot be asked does not stop power, for then nobody
//! could switch a board whose console daemon is broken; the audit tells of it.

use std::time::Duration;

use super::Asked;
use super::board::Board;
use super::consoles::{Consoles, Holder, Usage};
use super::leases::Leases;
use crate::config::power::InterlockConfig;
use crate::model::{Lease, Name, Refusal, is_same, units};

/// What the interlock has found out about an operation that may go on.
#[derive(Debug, Default)]
pub(super) struct Leave {
    /// Whose use is overridden.
    pub(super) overrides: Option<String>,
    /// Why it could not be found out.
    pub(super) unasked: Option<String>,
}

/// Somebody else uses a board.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Hold {
    /// A lease.
    #[error(
        "{board} is leased by {} since {}, until {}{}; nothing was switched",
        lease.holder, units::time_text(lease.since_us), units::time_text(lease.until_us),
        lease.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default()
    )]
    Leased { board: Name, lease: Lease },
    /// They have the console for themselves.
    #[error("{board} is held by {user} since {}; nothing was switched", units::time_text(*since_us))]
    Held { board: Name, user: String, since_us: u64 },
    /// They have typed.
    #[error(
        "{board} is used by {user}, who typed there {} ago, at {}; nothing was switched",
        units::time_span(ago.as_secs()), units::time_text(*typed_us)
    )]
    Typing { board: Name, user: String, typed_us: u64, ago: Duration },
    /// There is a lease, perhaps.
    #[error("it cannot be told who has leased {board}: {why}; nothing was switched")]
    Untold { board: Name, why: String },
}

impl Hold {
    pub fn user(&self) -> &str {
        match self {
            Self::Leased { lease, .. } => &lease.holder,
            Self::Held { user, .. } | Self::Typing { user, .. } => user,
            Self::Untold { .. } => "nobody knows whom",
        }
    }

    pub(super) fn refusal(&self) -> Refusal {
        match self {
            Self::Leased { .. } | Self::Untold { .. } => Refusal::Leased,
            Self::Held { .. } => Refusal::Held,
            Self::Typing { .. } => Refusal::Typing,
        }
    }

    /// How whoever asked may go on.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Leased { .. } => {
                "ask them to release it, or wait until then, or force this and give a reason"
            }
            Self::Untold { .. } => {
                "see to the file, or lease the board anew, or force this and give a reason"
            }
            Self::Held { .. } => {
                "attach to its console and take it with ~$force, or force this and give a reason"
            }
            Self::Typing { .. } => {
                "ask them; once they have left, or you have taken the console with ~$force, it is \
                 switched; or force this and give a reason"
            }
        }
    }
}

/// Whom to ask.
pub(super) struct Witnesses<'a> {
    pub(super) consoles: &'a dyn Consoles,
    pub(super) leases: &'a dyn Leases,
    pub(super) config: InterlockConfig,
}

impl Leave {
    /// Asks for leave to switch all of these boards.
    ///
    /// # Errors
    /// When somebody else uses one, and it is not to be by force.
    pub(super) async fn get(
        witnesses: &Witnesses<'_>,
        boards: &[&Board],
        asked: &Asked,
    ) -> Result<Self, Hold> {
        let (mut holds, mut unasked) = (Vec::new(), Vec::new());
        for board in boards {
            holds.extend(witnesses.hold(board, asked, &mut unasked).await);
        }
        if !asked.force
            && let Some(hold) = holds.first()
        {
            return Err(hold.clone());
        }
        let mut users: Vec<&str> = holds.iter().map(Hold::user).collect();
        users.dedup();
        let some = |texts: String| Some(texts).filter(|texts| !texts.is_empty());
        Ok(Self { overrides: some(users.join(", ")), unasked: some(unasked.join("; ")) })
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

impl Witnesses<'_> {
    /// Who else uses a board.
    async fn hold(&self, board: &Board, asked: &Asked, unasked: &mut Vec<String>) -> Option<Hold> {
        let name = &board.name;
        let lease = match self.leases.lease(name).await {
            Ok(lease) => lease,
            Err(failure) => {
                return Some(Hold::Untold { board: name.clone(), why: failure.message });
            }
        };
        let mut mine = false;
        if let Some(lease) = lease {
            if !lease.may_use(&asked.who) {
                return Some(Hold::Leased { board: name.clone(), lease });
            }
            mine = true;
        }
        let usage = match &board.console {
            None => return None,
            Some(console) => self.consoles.usage(console).await.unwrap_or_else(|failure| {
                unasked.push(failure.message);
                Usage::default()
            }),
        };
        match &usage.holder {
            Some(Holder { user, since_us }) if !is_same(user, &asked.who) => {
                let (board, user, since_us) = (name.clone(), user.clone(), *since_us);
                return Some(Hold::Held { board, user, since_us });
            }
            Some(_) => mine = true,
            None => {}
        }
        if mine { None } else { self.typing(name, &usage, &asked.who) }
    }

    /// Who else has typed last, if that is not long ago.
    fn typing(&self, board: &Name, usage: &Usage, who: &str) -> Option<Hold> {
        let now = units::now_us();
        let InterlockConfig { typing, nameless } = self.config;
        let nameless = |via: &str| !nameless && matches!(via, "telnet" | "raw");
        let others = usage
            .sessions
            .iter()
            .filter(|typist| !is_same(&typist.user, who) && !nameless(&typist.via));
        let last = others.filter_map(|typist| Some((typist.typed_us?, &typist.user))).max()?;
        let (typed_us, user) = (last.0, last.1.clone());
        let ago = Duration::from_micros(now.saturating_sub(typed_us));
        (ago < typing).then(|| Hold::Typing { board: board.clone(), user, typed_us, ago })
    }
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
