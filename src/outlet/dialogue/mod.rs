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

use futures_util::FutureExt as _;
use tokio::sync::Mutex;

use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::{Dialogue, OutletConfig, Script, Step};
use crate::model::State;
use session::Session;

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
    /// A session that is logged in, if there is one.
    session: Mutex<Option<Session>>,
}

/// The outlets of a PDU, in their order, which share a session.
pub(super) fn open(config: &Dialogue, outlets: &[OutletConfig]) -> Vec<Box<dyn Outlet>> {
    let unit = Arc::new(Unit::new(config));
    let outlet = |outlet| Box::new(DialogueOutlet::of(&unit, outlet)) as Box<dyn Outlet>;
    outlets.iter().map(outlet).collect()
}

impl Unit {
    fn new(config: &Dialogue) -> Self {
        Self { config: config.clone(), session: Mutex::default() }
    }

    /// Has a conversation in the session, or in a new one. Dropped half-way, the connection is closed.
    async fn converse(&self, steps: &[Step]) -> Result<Option<State>, OutletError> {
        let mut kept = self.session.lock().await;
        let mut session = match kept.take().and_then(Session::if_there) {
            Some(session) => session,
            None => Session::open(&self.config).await?,
        };
        let result = session.converse(steps).await;
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
    /// An outlet with a session of its own.
    pub(super) fn new(config: &Dialogue, outlet: &OutletConfig) -> Self {
        Self::of(&Arc::new(Unit::new(config)), outlet)
    }

    fn of(unit: &Arc<Unit>, outlet: &OutletConfig) -> Self {
        Self { unit: unit.clone(), script: unit.config.script(&outlet.port) }
    }

    fn script(&self) -> Result<&Script, OutletError> {
        self.script.as_ref().map_err(|why| OutletError::Refused(why.clone()))
    }
}

impl Outlet for DialogueOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        async move {
            let script = self.script()?;
            let steps = if to == Switch::On { &script.on } else { &script.off };
            self.unit.converse(steps).await.map(drop)
        }
        .boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        let steps = self.script.as_ref().ok()?.status.as_ref()?;
        let read = async { Ok(self.unit.converse(steps).await?.unwrap_or(State::Unknown)) };
        Some(read.boxed())
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        let steps = self.script.as_ref().ok()?.cycle.as_ref()?;
        Some(self.unit.converse(steps).map(|done| done.map(drop)).boxed())
    }

    fn rest(&self) -> Option<Answer<'_, ()>> {
        Some(self.unit.rest().map(Ok).boxed())
    }
}

#[cfg(test)]
mod tests;
