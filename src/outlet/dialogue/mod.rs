//! `driver = "dialogue"`: outlets of PDUs that one talks to.
//!
//! The outlets of a PDU share one session, since many PDUs have only one. It is kept between requests
//! until [`Outlet::rest`], and never after a conversation that went wrong or was given up half-way:
//! nobody knows then where in its menus the PDU stands. Connections are made again as needed.

mod coding;
mod hearing;
mod session;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Mutex;

use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::{Dialogue, OutletConfig, Script, Step};
use crate::model::State;
use session::{LOGOUT, Session};

/// One outlet of a PDU that one talks to.
#[derive(Debug)]
pub(super) struct DialogueOutlet {
    unit: Arc<Unit>,
    /// Or why the PDU has no such port.
    script: Result<Script, String>,
}

/// A PDU.
#[derive(Debug)]
struct Unit {
    config: Dialogue,
    /// How long it may take to answer.
    timeout: Duration,
    /// A session that is logged in, if there is one.
    session: Mutex<Option<Session>>,
}

/// The outlets of a PDU, in their order, which share a session.
pub(super) fn open(
    config: &Dialogue,
    outlets: &[OutletConfig],
    timeout: Duration,
) -> Vec<Box<dyn Outlet>> {
    let unit = Arc::new(Unit { config: config.clone(), timeout, session: Mutex::default() });
    let outlet = |outlet| Box::new(DialogueOutlet::of(&unit, outlet)) as Box<dyn Outlet>;
    outlets.iter().map(outlet).collect()
}

impl Unit {
    /// Has a conversation in the session, or in a new one. One that does not come to an end in time is
    /// broken off, and the PDU is left in good order.
    async fn converse(&self, steps: &[Step], mut way: Way) -> Result<Option<State>, OutletError> {
        let mut kept = self.session.lock().await;
        // So that there is still time to log out.
        let late = tokio::time::sleep(self.timeout - LOGOUT.min(self.timeout / 4));
        tokio::pin!(late);
        let there = kept.take().and_then(Session::if_there);
        let mut session = match there {
            Some(session) => session,
            None => tokio::select! {
                session = Session::open(&self.config) => session?,
                () = &mut late => return Err(way.silent(self.timeout)),
            },
        };
        let result = tokio::select! {
            result = session.converse(steps, &mut way) => Some(result),
            () = late => None,
        };
        let result = result.unwrap_or_else(|| Err(way.silent(self.timeout)));
        match &result {
            Ok(_) => *kept = Some(session),
            Err(_) => session.leave().await,
        }
        result
    }

    async fn rest(&self) {
        if let Some(session) = self.session.lock().await.take() {
            session.leave().await;
        }
    }
}

impl DialogueOutlet {
    fn of(unit: &Arc<Unit>, outlet: &OutletConfig) -> Self {
        Self { unit: unit.clone(), script: unit.config.script(&outlet.port) }
    }

    fn script(&self) -> Result<&Script, OutletError> {
        self.script.as_ref().map_err(|why| Way::reads().refused(why.clone()))
    }
}

impl Outlet for DialogueOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        async move {
            let script = self.script()?;
            let steps = if to == Switch::On { &script.on } else { &script.off };
            self.unit.converse(steps, Way::switches()).await.map(drop)
        }
        .boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        let steps = self.script.as_ref().ok()?.status.as_ref()?;
        let read = async {
            let state = self.unit.converse(steps, Way::reads()).await?;
            Ok(state.unwrap_or(State::Unknown))
        };
        Some(read.boxed())
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        let steps = self.script.as_ref().ok()?.cycle.as_ref()?;
        Some(async { self.unit.converse(steps, Way::switches()).await.map(drop) }.boxed())
    }

    fn rest(&self) -> Option<Answer<'_, ()>> {
        Some(self.unit.rest().map(Ok).boxed())
    }
}

#[cfg(test)]
mod tests;
