//! Who is at an address, where SNMP is spoken there.

use super::agent::Agent;
use super::family;
use super::reading;
use super::session::Read;
use crate::config::power::{Access, Port, Profile};
use crate::model::{Reading, State, shown};
use crate::outlet::OutletError;
use crate::outlet::probe::{Finding, Found, FoundOutlet};

/// The most outlets that are listed: no family has as many, and no agent keeps us for ever.
const MAX_OUTLETS: usize = 512;

/// Asks an agent who it is and what outlets it has. Nothing is switched.
///
/// # Errors
/// When it does not answer, or does not let us ask.
pub(in crate::outlet) async fn probe(
    address: &str,
    access: &Access,
) -> Result<Finding, OutletError> {
    let agent = Agent::new(address, access);
    let identity = family::identify(&agent).await?;
    let Some(profile) = &identity.profile else { return Ok(Finding::Stranger(identity.text())) };
    let by = if identity.by_object_id { "its sysObjectID" } else { "its objects" };
    let mut outlets = Vec::new();
    for (port, state) in outlets_of(&agent, profile).await? {
        outlets.push(FoundOutlet {
            port: profile.numbering.text(&port),
            name: name(&agent, profile, &port).await?,
            state,
            reading: match &profile.meter {
                Some(meter) => reading::measure(&agent, meter, &port).await?,
                None => Reading::default(),
            },
        });
    }
    Ok(Finding::Pdu(Found {
        driver: "snmp",
        profile: profile.name.clone(),
        about: profile.about.clone(),
        by: format!("{by}, {}", identity.object_id),
        description: identity.description,
        outlets,
    }))
}

/// The outlets that have a state, with what it is now.
async fn outlets_of(agent: &Agent, profile: &Profile) -> Result<Vec<(Port, State)>, OutletError> {
    let mut outlets = Vec::new();
    let Some(status) = &profile.status else { return Ok(outlets) };
    let state = |word: &str| reading::state(status, word).unwrap_or(State::Unknown);
    if let Some(list) = status.list {
        let oid = status.oid.of(&profile.numbering.nth(0));
        let text = reading::text(&agent.get_one(oid.clone()).await?, &oid)?;
        let items = list.items(&text).into_iter().filter(|item| !item.is_empty());
        let outlets = (0..).zip(items.take(MAX_OUTLETS));
        return Ok(outlets.map(|(at, item)| (profile.numbering.nth(at), state(item))).collect());
    }
    let column = status.oid.column();
    let mut at = column.clone();
    while let Some((oid, value)) = agent.next(&at).await? {
        if !oid.starts_with(&column) || outlets.len() == MAX_OUTLETS {
            break;
        }
        if let Some(port) = status.oid.find(&oid, &profile.numbering)
            && let Ok(Some(word)) = reading::word(status, &value, None, &oid)
        {
            outlets.push((port, state(&word)));
        }
        at = oid;
    }
    Ok(outlets)
}

async fn name(
    agent: &Agent,
    profile: &Profile,
    port: &Port,
) -> Result<Option<String>, OutletError> {
    let Some(names) = &profile.names else { return Ok(None) };
    Ok(match agent.get_one(names.of(port)).await? {
        Read::Text(text) => Some(shown(text.trim())).filter(|name| !name.is_empty()),
        _ => None,
    })
}
