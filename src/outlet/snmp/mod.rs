//! `driver = "snmp"`: outlets behind an SNMP agent, versions 1, 2c and 3.
//!
//! Every request has a session of its own: a late answer to an earlier one cannot be taken for its
//! answer, an agent that was restarted in between is no special case, and an idle PDU costs nothing.

mod session;

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::timeout;

use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::{self as config, Set};
use crate::model::State;
use session::Session;

/// A question that was not answered is put again after this time, for UDP loses packets; and then
/// after twice this time and so on, for some agents are slow.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// One outlet of an SNMP agent.
#[derive(Debug)]
pub(super) struct SnmpOutlet {
    agent: config::Snmp,
    port: String,
}

impl SnmpOutlet {
    pub(super) fn new(agent: &config::Snmp, port: &str) -> Self {
        Self { agent: agent.clone(), port: port.to_owned() }
    }

    /// Writes once. What becomes of a request whose answer is lost is for the caller to find out.
    async fn set(&self, set: &Set) -> Result<(), OutletError> {
        let mut patience = ASK_AGAIN;
        let mut session = self.open(&mut patience).await?;
        session.set(&self.numbers(&set.oid)?, set.value).await
    }

    async fn get(&self, get: &config::Get) -> Result<State, OutletError> {
        let oid = self.numbers(&get.oid)?;
        let mut patience = ASK_AGAIN;
        let value = loop {
            let mut session = self.open(&mut patience).await?;
            match timeout(patience, session.get(&oid)).await {
                Ok(answer) => break answer?,
                Err(_) => patience *= 2,
            }
        };
        Ok(match value {
            value if get.on.contains(&value) => State::On,
            value if get.off.contains(&value) => State::Off,
            value => {
                tracing::debug!(port = self.port, value, "the outlet reads as neither on nor off");
                State::Unknown
            }
        })
    }

    /// A session, asked for again until the agent answers within `patience`, which grows meanwhile.
    /// Nothing is switched by it.
    async fn open(&self, patience: &mut Duration) -> Result<Session, OutletError> {
        loop {
            let session = Session::open(&self.agent.address, &self.agent.access);
            if let Ok(session) = timeout(*patience, session).await {
                let mut session = session?;
                match timeout(*patience, session.agree()).await {
                    Ok(agreed) => return agreed.map(|()| session),
                    // It told who it is, and is silent to a question that it has to decrypt.
                    Err(_) if *patience > ASK_AGAIN => return Err(session::silent_to_us()),
                    Err(_) => {}
                }
            }
            *patience *= 2;
        }
    }

    fn numbers(&self, oid: &config::OidTemplate) -> Result<Vec<u64>, OutletError> {
        oid.with_port(&self.port).ok_or_else(|| {
            OutletError::Refused(format!("port {:?} does not end an OID", self.port))
        })
    }
}

impl Outlet for SnmpOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        let profile = &self.agent.profile;
        self.set(if to == Switch::On { &profile.on } else { &profile.off }).boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.get(self.agent.profile.status.as_ref()?).boxed())
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        let cycle = self.agent.profile.cycle.as_ref().filter(|_| self.agent.native_cycle)?;
        Some(self.set(cycle).boxed())
    }
}
