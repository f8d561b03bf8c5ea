//! An SNMP agent: one question, put again until it is answered; one order, given once.
//!
//! Every request has a session of its own: a late answer to an earlier one cannot be taken for its
//! answer, an agent that was restarted in between is no special case, and an idle PDU costs nothing.

use std::time::Duration;

use tokio::time::timeout;

use super::session::{self, Failed, Read, Session, Write};
use crate::config::power::Access;
use crate::outlet::OutletError;
use crate::outlet::way::Way;

/// A question that was not answered is put again after this time, for UDP loses packets; and then
/// after twice this time and so on, for some agents are slow.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often an agent is silent that tells who it is, until that means that it cannot decrypt us: twice
/// may be lost packets.
const CANNOT_DECRYPT: u32 = 3;

/// Where an agent is, and who we are to it.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    address: String,
    access: Access,
}

impl Agent {
    pub(super) fn new(address: &str, access: &Access) -> Self {
        Self { address: address.to_owned(), access: access.clone() }
    }

    /// Writes once. What becomes of a request whose answer is lost is for the caller to find out.
    pub(super) async fn set(&self, oid: &[u64], value: &Write) -> Result<(), Failed> {
        let mut patience = ASK_AGAIN;
        let mut session = self.open(&mut patience, Way::switches).await?;
        session.set(oid, value).await
    }

    /// Reads objects, each of which may be absent; as many as there are OIDs.
    pub(super) async fn get(&self, oids: &[Vec<u64>]) -> Result<Vec<Read>, OutletError> {
        let mut patience = ASK_AGAIN;
        'again: loop {
            let mut session = self.open(&mut patience, Way::reads).await?;
            let mut values = Vec::with_capacity(oids.len());
            for oid in oids {
                match timeout(patience, session.get(oid)).await {
                    Ok(value) => values.push(value?),
                    Err(_) => {
                        patience *= 2;
                        continue 'again;
                    }
                }
            }
            return Ok(values);
        }
    }

    /// Reads one object.
    pub(super) async fn get_one(&self, oid: Vec<u64>) -> Result<Read, OutletError> {
        let values = self.get(&[oid]).await?;
        Ok(values.into_iter().next().unwrap_or(Read::Absent))
    }

    /// The object that comes after an OID, and its value; `None` at the end.
    pub(super) async fn next(&self, oid: &[u64]) -> Result<Option<(Vec<u64>, Read)>, OutletError> {
        let mut patience = ASK_AGAIN;
        loop {
            let mut session = self.open(&mut patience, Way::reads).await?;
            match timeout(patience, session.next(oid)).await {
                Ok(answer) => return answer,
                Err(_) => patience *= 2,
            }
        }
    }

    /// A session, asked for again until the agent answers within `patience`, which grows meanwhile.
    /// Nothing is switched by it.
    async fn open(
        &self,
        patience: &mut Duration,
        way: fn() -> Way,
    ) -> Result<Session, OutletError> {
        let mut silent = 0;
        loop {
            let session = Session::open(&self.address, &self.access, way());
            if let Ok(session) = timeout(*patience, session).await {
                let mut session = session?;
                match timeout(*patience, session.agree()).await {
                    Ok(agreed) => return agreed.map(|()| session),
                    Err(_) => silent += 1,
                }
                if silent == CANNOT_DECRYPT && self.encrypts() {
                    return Err(way().denied(session::silent_to_us()));
                }
                // It is there: a packet may have been lost.
                if silent == 1 {
                    continue;
                }
            }
            *patience *= 2;
        }
    }

    fn encrypts(&self) -> bool {
        let auth = match &self.access {
            Access::V3(user) => user.auth.as_ref(),
            Access::V1(_) | Access::V2c(_) => None,
        };
        auth.is_some_and(|auth| auth.privacy.is_some())
    }
}
