//! SNMP PDUs as data: which objects switch an outlet and tell its state.

use crate::config::power::profile::{self, BuiltIn, built_in};
use crate::config::{At, FromNode, Node, Table, toml};

/// How a family of PDUs is switched over SNMP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub on: Set,
    pub off: Set,
    /// The PDU's own cycle.
    pub cycle: Option<Set>,
    /// Without it nothing can be verified.
    pub status: Option<Get>,
}

/// To write this value to this object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    pub oid: OidTemplate,
    pub value: i64,
}

/// To read this object; no value means both on and off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    pub oid: OidTemplate,
    pub on: Vec<i64>,
    pub off: Vec<i64>,
}

/// An OID in which `{port}` stands for the outlet. Becomes a sound OID with every port that consists
/// of numbers and dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidTemplate(String);

/// The profiles that come with the program: `conf/profiles/snmp`.
pub(in crate::config::power) const BUILT_IN: &[BuiltIn] =
    built_in!("snmp": "apc-masterswitch" "apc-rpdu" "apc-rpdu2");

impl Profile {
    /// The profile that a PDU's `profile` key names.
    pub(super) fn named_in(table: &Table<'_>) -> Option<Self> {
        profile::named_in(table, BUILT_IN, Self::parse)
    }

    fn parse(text: &str, at: &At<'_>) -> Option<Self> {
        let node = toml::parse(text, at)?;
        let table = Table::new(&node, at.clone())?;
        // For people; asked for so that nobody adds a profile out of thin air.
        table.required::<String>("about");
        table.required::<String>("source");
        let set = |key: &str| table.table(key).map(Set::read);
        let (on, off, cycle) = (set("on"), set("off"), set("cycle"));
        let status = table.table("status").map(Get::read);
        for (key, missing) in [("on", on.is_none()), ("off", off.is_none())] {
            if missing && table.node(key).is_none() {
                at.problem(table.place(), format!("the table [{key}] is missing"));
            }
        }
        table.finish();
        Some(Self { on: on??, off: off??, cycle: cycle.flatten(), status: status.flatten() })
    }
}

impl Set {
    fn read(table: Table<'_>) -> Option<Self> {
        let (oid, value) = (table.required("oid"), table.required("value"));
        table.finish();
        Some(Self { oid: oid?, value: value? })
    }
}

impl Get {
    fn read(table: Table<'_>) -> Option<Self> {
        let oid = table.required("oid");
        let on = table.required::<Vec<i64>>("on");
        let off = table.required::<Vec<i64>>("off");
        if let (Some(on), Some(off)) = (&on, &off)
            && let Some(both) = on.iter().find(|value| off.contains(value))
        {
            table.problem("off", format!("{both} means on already"));
        }
        table.finish();
        Some(Self { oid: oid?, on: on?, off: off? })
    }
}

impl OidTemplate {
    fn parse(text: &str) -> Result<Self, String> {
        let error =
            || format!("{text:?} is no OID with {{port}}; write it like 1.3.6.1.4.1.318.{{port}}");
        let text = text.strip_prefix('.').unwrap_or(text);
        if text.matches("{port}").count() != 1 {
            return Err(error());
        }
        let numbers = Self(text.to_owned()).with_port("1").ok_or_else(error)?;
        // X.660: the first number is 0 to 2, the second below 40 under 0 and 1.
        match numbers.as_slice() {
            [0 | 1, 0..40, ..] | [2, _, ..] if !text.starts_with('{') => Ok(Self(text.to_owned())),
            _ => Err(error()),
        }
    }

    /// The numbers of the OID for one outlet; `None` when the port does not consist of numbers and
    /// dots.
    pub fn with_port(&self, port: &str) -> Option<Vec<u64>> {
        let text = self.0.replace("{port}", port);
        text.split('.').map(|part| part.parse::<u32>().ok().map(u64::from)).collect()
    }
}

impl FromNode for OidTemplate {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let text = String::from_node(node, at)?;
        Self::parse(&text).map_err(|error| at.problem(node.place, error)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problems;

    #[test]
    fn the_profiles_that_come_with_the_program_are_sound() {
        for (name, text) in BUILT_IN {
            let problems = Problems::default();
            let profile = Profile::parse(text, &At::top(name, &problems));
            let profile = problems.check(profile).unwrap();
            assert_ne!(profile.on, profile.off, "{name}");
            assert!(profile.status.is_some(), "{name}");
        }
    }

    #[test]
    fn an_oid_has_one_place_for_the_port() {
        let oid = OidTemplate::parse(".1.3.6.1.4.1.318.{port}.0").unwrap();
        assert_eq!(oid.with_port("1.2").unwrap(), [1, 3, 6, 1, 4, 1, 318, 1, 2, 0]);
        assert_eq!(oid.with_port("one"), None);
        for wrong in ["1.3.6.1", "1.3.{port}.{port}", "{port}.3.6", "3.1.{port}", "1.3..{port}", ""]
        {
            assert!(OidTemplate::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_profile_says_what_is_wrong_with_it() {
        let problems = Problems::default();
        let text = "about = \"x\"\n[on]\noid = \"1.3.6\"\nvalue = 1\n\
                    [status]\noid = \"1.3.{port}\"\non = [1]\noff = [1]\n";
        assert_eq!(Profile::parse(text, &At::top("pdu.toml", &problems)), None);
        let told = problems.check(None::<Profile>).unwrap_err().to_string();
        assert!(told.contains("pdu.toml:1:1: \"source\" is missing"), "{told}");
        assert!(told.contains("pdu.toml:1:1: the table [off] is missing"), "{told}");
        assert!(told.contains("pdu.toml:3:7: on.oid: \"1.3.6\" is no OID with {port}"), "{told}");
        assert!(told.contains("pdu.toml:8:7: status.off: 1 means on already"), "{told}");
    }
}
