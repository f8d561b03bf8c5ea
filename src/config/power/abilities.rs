//! What drivers and their profiles can do, for people who choose one.

use serde::Serialize;

use super::pdu::DRIVERS;
use super::profile::BuiltIn;
use crate::config::{At, Node, Problems, toml};

/// What can be done with an outlet, beside on and off, which every driver can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Abilities {
    /// The PDU has a cycle of its own. Without it a cycle is off and on, with a look between.
    pub native_cycle: bool,
    /// The state can be read, so that operations are verified.
    pub status: bool,
    /// Volts, amperes or watts can be read.
    pub meter: bool,
}

/// A driver, or one of its profiles, and what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Driver {
    /// As in `driver = "…"`.
    pub driver: &'static str,
    /// As in `profile = "…"`, of a driver that has them.
    pub profile: Option<&'static str>,
    pub about: String,
    /// `None` where it depends on what is configured.
    pub can: Option<Abilities>,
}

const NONE: Abilities = Abilities { native_cycle: false, status: false, meter: false };

/// The drivers without profiles, as they are where nothing depends on the configuration.
const PLAIN: &[(&str, Abilities)] = &[("sim", Abilities { status: true, ..NONE })];

/// All drivers in the order of their names, each before its profiles.
pub fn drivers() -> Vec<Driver> {
    let mut all = Vec::new();
    for entry in DRIVERS {
        let can = PLAIN.iter().find(|(name, _)| *name == entry.name).map(|(_, can)| *can);
        all.push(Driver { driver: entry.name, profile: None, about: entry.about.to_owned(), can });
        all.extend(entry.profiles.iter().filter_map(|profile| of_profile(entry.name, profile)));
    }
    all
}

/// Profiles have a table for each thing that their PDUs can do, whatever the driver.
fn of_profile(driver: &'static str, (name, text): &BuiltIn) -> Option<Driver> {
    let problems = Problems::default();
    let node = toml::parse(text, &At::top(name, &problems))?;
    let about = node.get("about").and_then(Node::as_text).unwrap_or_default().to_owned();
    let has = |key: &str| node.get(key).is_some();
    let can = Abilities { native_cycle: has("cycle"), status: has("status"), meter: has("meter") };
    Some(Driver { driver, profile: Some(name), about, can: Some(can) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_and_profile_is_listed_with_what_it_can_do() {
        let all = drivers();
        let find = |driver: &str, profile: Option<&str>| {
            let found = all.iter().find(|d| d.driver == driver && d.profile == profile);
            found.unwrap_or_else(|| panic!("{driver} {profile:?} is not listed")).clone()
        };
        let rpdu2 = find("snmp", Some("apc-rpdu2")).can.unwrap();
        assert_eq!(rpdu2, Abilities { native_cycle: true, status: true, meter: true });
        assert_eq!(find("snmp", Some("ip9258")).can.unwrap(), NONE);
        assert_eq!(find("exec", None).can, None, "it depends on its programs");
        assert!(all.iter().all(|driver| !driver.about.is_empty()));
        let profiles: usize = DRIVERS.iter().map(|entry| entry.profiles.len()).sum();
        assert_eq!(all.len(), DRIVERS.len() + profiles);
    }
}
