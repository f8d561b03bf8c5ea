//! Leases of the boards that are here.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{LeaseError, Note, Power, PowerError};
use crate::model::{Failure, Kind, Lease, LeaseRequest, Name, What, is_holder, units};

/// The longest lease.
const LONGEST_LEASE: Duration = Duration::from_secs(14 * 24 * 3600);

impl Power {
    /// Who has leased a board.
    ///
    /// # Errors
    /// When there is no such outlet, or it cannot be told.
    pub async fn lease(&self, outlet: &str) -> Result<Option<Lease>, Failure> {
        let entry = self.0.find(outlet)?;
        self.0.surroundings.leases.lease(&entry.board.name).await
    }

    /// Those of all boards that can be read.
    pub async fn leases(&self) -> BTreeMap<Name, Lease> {
        self.0.surroundings.leases.all().await.unwrap_or_else(|failure| {
            tracing::warn!(%failure, "nobody can tell which boards are leased");
            BTreeMap::new()
        })
    }

    /// Gives somebody a board for a time from now on, or more time to who has it.
    ///
    /// # Errors
    /// When there is no such outlet, the time is too long, or somebody else has the board.
    pub async fn take_lease(
        &self,
        outlet: &str,
        who: String,
        asked: LeaseRequest,
        length: Duration,
    ) -> Result<Lease, Failure> {
        let board = self.named(outlet)?;
        if length.is_zero() || length > LONGEST_LEASE {
            let days = LONGEST_LEASE.as_secs() / (24 * 3600);
            let what = format!("a lease is for more than nothing and at most {days} days");
            return Err(Failure::new(Kind::User, what));
        }
        let since_us = units::now_us();
        let until_us = since_us.saturating_add(length.as_micros() as u64);
        let LeaseRequest { shared_with, reason, .. } = asked;
        let lease = Lease { holder: who, shared_with, since_us, until_us, reason };
        let lease = self.0.surroundings.leases.take(board, lease).await?;
        let (outlet, who, until) =
            (board.as_str(), &lease.holder, units::time_text(lease.until_us));
        tracing::info!(target: "audit", who, outlet, until, "leased");
        Ok(lease)
    }

    /// Ends somebody's own lease; with a reason, somebody else's, who is told at the console.
    ///
    /// # Errors
    /// When there is no such outlet, or somebody else has the board and no reason is given.
    pub async fn end_lease(
        &self,
        outlet: &str,
        who: &str,
        reason: Option<&str>,
    ) -> Result<Option<Lease>, Failure> {
        let entry = self.0.find(outlet)?;
        let board = &entry.board.name;
        let only = if reason.is_none() { Some(who) } else { None };
        let released = self.0.surroundings.leases.release(board, only).await;
        let released = released.map_err(|error: LeaseError| Failure::from(error))?;
        if let Some(lease) = &released {
            let (outlet, holder) = (board.as_str(), &lease.holder);
            tracing::info!(target: "audit", who, outlet, holder, reason, "released");
            if let (Some(reason), Some(console)) = (reason, &entry.board.console)
                && !is_holder(holder, who)
            {
                let text = format!("the lease of {board} by {holder} is ended by {who}: {reason}");
                let note = Note { who: who.to_owned(), what: What::Message { text } };
                self.0.surroundings.consoles.record(console, &note).await;
            }
        }
        Ok(released)
    }

    fn named(&self, outlet: &str) -> Result<&Name, PowerError> {
        Ok(&self.0.find(outlet)?.board.name)
    }
}
