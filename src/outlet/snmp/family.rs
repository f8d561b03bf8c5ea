//! Which family of PDUs an agent belongs to: told by its sysObjectID, and by its objects.

use std::sync::Arc;

use super::agent::Agent;
use super::session::{Read, SYS_OBJECT_ID, dotted};
use crate::config::power::Profile;
use crate::model::shown;
use crate::outlet::OutletError;

/// sysDescr.0: what an agent says of itself.
const SYS_DESCR: &[u64] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];

/// Who answers.
#[derive(Debug)]
pub(super) struct Identity {
    /// sysObjectID, dotted; empty of an agent without one.
    pub object_id: String,
    /// sysDescr, fit for a terminal.
    pub description: String,
    /// `None` of an agent that has none of the objects that we know.
    pub profile: Option<Arc<Profile>>,
    /// Whether the sysObjectID is one that the profile names.
    pub by_object_id: bool,
}

impl Identity {
    /// `sysObjectID 1.3.6.1.4.1.8072.3.2.10, "Linux …"`
    pub(super) fn text(&self) -> String {
        format!("sysObjectID {}, {:?}", self.object_id, self.description)
    }
}

/// Asks an agent who it is. Of the families whose sysObjectID it has, that with the longest one is
/// taken whose objects it really has; a unit of an unknown model is of the family whose objects it has.
pub(super) async fn identify(agent: &Agent) -> Result<Identity, OutletError> {
    let said = agent.get(&[SYS_OBJECT_ID.to_vec(), SYS_DESCR.to_vec()]).await?;
    let object_id = match said.first() {
        Some(Read::Oid(numbers)) => numbers.clone(),
        _ => Vec::new(),
    };
    let description = match said.get(1) {
        Some(Read::Text(text)) => shown(text),
        _ => String::new(),
    };
    let object_text = dotted(&object_id);
    for (profile, by_object_id) in candidates(&object_id, Profile::built_in()) {
        if has_objects(agent, profile).await? {
            let profile = Some(profile.clone());
            return Ok(Identity { object_id: object_text, description, profile, by_object_id });
        }
    }
    Ok(Identity { object_id: object_text, description, profile: None, by_object_id: false })
}

/// The families to try, in order, and whether the sysObjectID speaks for them.
fn candidates<'a>(
    object_id: &[u64],
    known: &'a [Arc<Profile>],
) -> impl Iterator<Item = (&'a Arc<Profile>, bool)> {
    let fit = |profile: &Profile| {
        let fitting = profile.detect.iter().filter(|prefix| object_id.starts_with(prefix));
        fitting.map(Vec::len).max().unwrap_or_default()
    };
    // What cannot be read cannot be found.
    let mut all: Vec<_> = known
        .iter()
        .filter(|profile| profile.status.is_some())
        .map(|profile| (profile, fit(profile)))
        .collect();
    // A stable sort: families that fit equally well stay in the order of their list.
    all.sort_by_key(|(_, fit)| std::cmp::Reverse(*fit));
    all.into_iter().map(|(profile, fit)| (profile, fit > 0))
}

/// Whether the agent has the objects that tell the state of a family's outlets.
async fn has_objects(agent: &Agent, profile: &Profile) -> Result<bool, OutletError> {
    let Some(status) = &profile.status else { return Ok(false) };
    if status.list.is_some() {
        let list = agent.get_one(status.oid.of(&profile.numbering.nth(0))).await?;
        return Ok(matches!(list, Read::Text(_)));
    }
    let column = status.oid.column();
    Ok(agent.next(&column).await?.is_some_and(|(oid, value)| {
        matches!(value, Read::Number(_) | Read::Text(_))
            && status.oid.find(&oid, &profile.numbering).is_some()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(object_id: &str, count: usize) -> Vec<(String, bool)> {
        let numbers: Vec<u64> = object_id.split('.').map(|part| part.parse().unwrap()).collect();
        let candidates = candidates(&numbers, Profile::built_in());
        let named = candidates.map(|(profile, fits)| (profile.name.clone(), fits));
        named.take(count).collect()
    }

    #[test]
    fn the_longest_object_id_is_tried_first_and_unknown_models_by_their_objects() {
        let yes = |name: &str| (name.to_owned(), true);
        let apc = [yes("apc-rpdu2"), yes("apc-masterswitch-6"), yes("apc-rpdu")];
        assert_eq!(first("1.3.6.1.4.1.318.1.3.4.6", 3), apc);
        assert_eq!(first("1.3.6.1.4.1.318.1.3.4.5", 1), [yes("apc-rpdu")]);
        assert_eq!(first("1.3.6.1.4.1.318.1.3.4.4", 1), [yes("apc-masterswitch-plus")]);
        let tripplite = [yes("tripplite-lx"), yes("tripplite"), ("apc-rpdu2".into(), false)];
        assert_eq!(first("1.3.6.1.4.1.850.1.1.1", 3), tripplite);
        assert_eq!(first("1.3.6.1.4.1.13742.6", 1), [yes("raritan-px2")]);
        assert_eq!(first("1.3.6.1.4.1.13742.1", 1), [yes("raritan-px")]);
        let others = first("1.3.6.1.4.1.8072.3.2.10", 99);
        assert!(others.iter().all(|(_, fits)| !fits));
        assert!(others.iter().any(|(name, _)| name == "poe"));
        assert!(others.iter().all(|(name, _)| name != "ip9258"), "nothing tells it");
    }
}
