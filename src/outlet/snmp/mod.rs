//! `driver = "snmp"`: outlets behind an SNMP agent, versions 1, 2c and 3.

mod agent;
mod family;
pub(super) mod probe;
mod reading;
mod session;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};

use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch};
use crate::config::power::{Family, Port, Profile, Set, Snmp};
use crate::model::{Reading, State};
use agent::Agent;
use session::{Failed, Write};

/// How long an outlet that says that it is switching is looked at before it counts as neither on nor
/// off, and how often.
const SWITCHING: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);
/// How often a request is made that finds another family of PDUs each time.
const FAMILIES: usize = 2;

/// One outlet of an SNMP agent.
#[derive(Debug)]
pub(super) struct SnmpOutlet {
    agent: Agent,
    family: Family,
    /// As it is configured.
    port: String,
    native_cycle: bool,
    /// What was found out, where the family is not configured.
    found: Mutex<Option<Known>>,
}

/// An outlet of a family that is known.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    profile: Arc<Profile>,
    port: Port,
}

impl SnmpOutlet {
    pub(super) fn new(config: &Snmp, port: &str) -> Self {
        let Snmp { address, access, family, native_cycle } = config;
        Self {
            agent: Agent::new(address, access),
            family: family.clone(),
            port: port.to_owned(),
            native_cycle: *native_cycle,
            found: Mutex::default(),
        }
    }

    async fn switch_to(&self, to: Switch) -> Result<(), OutletError> {
        match to {
            Switch::On => self.set(|profile| Some(&profile.on)).await,
            Switch::Off => self.set(|profile| Some(&profile.off)).await,
        }
    }

    async fn native_cycle(&self) -> Result<(), OutletError> {
        self.set(|profile| profile.cycle.as_ref()).await
    }

    /// Writes what `of` names, once; a second time only where it was refused, for another PDU is
    /// there now.
    async fn set(&self, of: fn(&Profile) -> Option<&Set>) -> Result<(), OutletError> {
        // Whatever is asked before that is no order.
        let _way = Way::switches();
        let mut known = self.known().await?;
        for _ in 1..FAMILIES {
            match self.set_of(&known, of).await {
                Err(Failed::Absent(error)) => known = self.instead_of(&known, error).await?,
                done => return Ok(done?),
            }
        }
        Ok(self.set_of(&known, of).await?)
    }

    async fn set_of(&self, known: &Known, of: fn(&Profile) -> Option<&Set>) -> Result<(), Failed> {
        let Known { profile, port } = known;
        let Some(set) = of(profile) else {
            let text = format!("{} has no cycle of its own; leave native_cycle out", profile.name);
            return Err(Way::switches().refused(text).into());
        };
        let oid = set.oid.of(port);
        let Some(list) = set.list else {
            return self.agent.set(&oid, &Write::Number(set.value)).await;
        };
        let value = self.agent.get_one(oid.clone()).await?;
        let text = reading::text(&value, &oid)?;
        let mut items: Vec<String> = list.items(&text).into_iter().map(str::to_owned).collect();
        let place = profile.numbering.place(port).and_then(|place| items.get_mut(place));
        *place.ok_or_else(|| reading::no_item(&self.port, &oid))? = set.value.to_string();
        self.agent.set(&oid, &Write::Text(list.join(&items))).await
    }

    async fn state(&self) -> Result<State, OutletError> {
        let mut known = self.known().await?;
        for _ in 1..FAMILIES {
            match self.state_of(&known).await {
                Err(Failed::Absent(error)) => known = self.instead_of(&known, error).await?,
                done => return Ok(done?),
            }
        }
        Ok(self.state_of(&known).await?)
    }

    async fn state_of(&self, Known { profile, port }: &Known) -> Result<State, Failed> {
        // Only families that can be read are found, and others are not asked.
        let Some(get) = &profile.status else { return Ok(State::Unknown) };
        let oid = get.oid.of(port);
        let deadline = Instant::now() + SWITCHING;
        loop {
            let value = self.agent.get_one(oid.clone()).await?;
            let word = reading::word(get, &value, profile.numbering.place(port), &oid)?;
            let Some(word) = word else { return Err(reading::no_item(&self.port, &oid)) };
            match reading::state(get, &word) {
                Some(state) => return Ok(state),
                None if Instant::now() < deadline => sleep(LOOK).await,
                None => return Ok(State::Unknown),
            }
        }
    }

    async fn measure(&self) -> Result<Reading, OutletError> {
        let Known { profile, port } = self.known().await?;
        match &profile.meter {
            Some(meter) => reading::measure(&self.agent, meter, &port).await,
            None => Ok(Reading::default()),
        }
    }

    /// The family that is configured, or was found, or is to be found now.
    async fn known(&self) -> Result<Known, OutletError> {
        if let Family::Known(profile) = &self.family {
            return self.known_as(profile.clone());
        }
        if let Some(known) = self.found() {
            return Ok(known);
        }
        let identity = family::identify(&self.agent).await?;
        let Some(profile) = &identity.profile else {
            let text = identity.text();
            return Err(Way::reads().refused(format!(
                "it is no PDU of a known family: {text}; give it a \"profile\""
            )));
        };
        let known = self.known_as(profile.clone())?;
        tracing::info!(port = self.port, profile = profile.name, by = identity.object_id, "found");
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    fn known_as(&self, profile: Arc<Profile>) -> Result<Known, OutletError> {
        let port = profile.numbering.port(&self.port).map_err(|problem| {
            Way::reads()
                .refused(format!("this is a PDU of family {}: port {problem}", profile.name))
        })?;
        Ok(Known { profile, port })
    }

    /// What is there now, where the objects of `gone` are not any more; `error` if it is the same.
    async fn instead_of(&self, gone: &Known, error: OutletError) -> Result<Known, OutletError> {
        if matches!(self.family, Family::Known(_)) {
            return Err(error);
        }
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match self.known().await? {
            known if known == *gone => Err(error),
            known => Ok(known),
        }
    }

    fn found(&self) -> Option<Known> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known of the family without asking.
    fn profile(&self) -> Option<Arc<Profile>> {
        match &self.family {
            Family::Known(profile) => Some(profile.clone()),
            Family::Auto => self.found().map(|known| known.profile),
        }
    }
}

impl Outlet for SnmpOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.switch_to(to).boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        let can = self.profile().is_none_or(|profile| profile.status.is_some());
        can.then(|| self.state().boxed())
    }

    fn meter(&self) -> Option<Answer<'_, Reading>> {
        let can = self.profile().is_none_or(|profile| profile.meter.is_some());
        can.then(|| self.measure().boxed())
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        self.native_cycle.then(|| self.native_cycle().boxed())
    }
}
