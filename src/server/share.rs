//! Who else uses what somebody has leased, and whose it is from now on.

use super::claim::{Changed, Claim};
use super::lease::check;
use super::state::Record;
use super::{Asker, JobError, Recipient, Server, ServerError, TheirRights};
use crate::model::{JOB_NAMES, Name, RequestInfo, Right, units};

/// A lease is shared with so many people at most.
const MAX_SHARED: usize = 16;

impl Server {
    /// Lets somebody else use the boards, too.
    ///
    /// # Errors
    /// When the lease is not the asker's, or they may not have the boards.
    pub async fn share(
        &self,
        id: u64,
        with: &Recipient,
        asker: &Asker,
    ) -> Result<RequestInfo, ServerError> {
        check("to", &with.user)?;
        let mut state = self.0.state.lock().await;
        let mut record = state.leased_by(id, asker)?;
        record.check_recipient(with)?;
        let shared = &mut record.info.shared_with;
        if !shared.contains(&with.user) {
            shared.push(with.user.clone());
        }
        if shared.len() > MAX_SHARED {
            let what = format!("a lease is shared with {MAX_SHARED} people at most");
            return Err(ServerError::Wrong(what));
        }
        self.0.store.put_requests(&[record.row()], &[]).await?;
        self.put(&mut state, record)
    }

    /// Ends that somebody shares a lease.
    ///
    /// # Errors
    /// When the lease is not the asker's, or not shared with them.
    pub async fn unshare(
        &self,
        id: u64,
        with: &str,
        asker: &Asker,
    ) -> Result<RequestInfo, ServerError> {
        let mut state = self.0.state.lock().await;
        let mut record = state.leased_by(id, asker)?;
        if record.info.job.is_some() && with.starts_with(JOB_NAMES) {
            return Err(
                JobError::HasBoards { request: id, job: record.info.job.unwrap_or(0) }.into()
            );
        }
        let shared = &mut record.info.shared_with;
        let before = shared.len();
        shared.retain(|user| user != with);
        if shared.len() == before {
            return Err(ServerError::Wrong(format!("request {id} is not shared with {with}")));
        }
        self.0.store.put_requests(&[record.row()], &[]).await?;
        self.put(&mut state, record)
    }

    /// Hands a lease over: it is somebody else's from now on.
    ///
    /// # Errors
    /// When the lease is not the asker's, or a job's, or they may not have the boards.
    pub async fn give(
        &self,
        id: u64,
        to: &Recipient,
        asker: &Asker,
    ) -> Result<RequestInfo, ServerError> {
        check("to", &to.user)?;
        let account = self.account(&to.user).await?;
        let mut state = self.0.state.lock().await;
        let mut record = state.leased_by(id, asker)?;
        if let Some(job) = record.info.job {
            return Err(JobError::HasBoards { request: id, job }.into());
        }
        record.check_recipient(to)?;
        record.info.user.clone_from(&to.user);
        // The heart that was promised is the former holder's.
        record.info.heartbeat_s = None;
        record.account.clone_from(&account);
        // They were let in a moment ago.
        record.claim = Some(match to.rights {
            TheirRights::Open => Claim::Open,
            _ => Claim::Name { within: None },
        });
        record.info.shared_with.retain(|user| *user != to.user);
        self.0.store.put_requests(&[record.row()], &[]).await?;
        // Were it to wait again, it would be for their boards.
        state.changed = Some(Changed::Rights);
        state.lab.hand_over(id, &to.user, account, units::now_us() / 1_000_000);
        self.0.holders.say(id, ());
        self.put(&mut state, record)
    }
}

impl Record {
    /// Refuses to let somebody use boards that they may not have.
    fn check_recipient(&self, to: &Recipient) -> Result<(), ServerError> {
        let on = match &to.rights {
            TheirRights::Open => return Ok(()),
            TheirRights::Unknown => return Err(ServerError::Nobody(to.user.clone())),
            TheirRights::Known(on) => on,
        };
        let may = |board: &&Name| on(board.as_str()) >= Some(Right::Write);
        match self.info.boards.iter().find(|board| !may(board)) {
            None => Ok(()),
            Some(board) => {
                let (user, board) = (to.user.clone(), board.clone());
                Err(ServerError::NotForThem { user, board })
            }
        }
    }
}
