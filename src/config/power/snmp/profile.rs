//! SNMP PDUs as data: which objects switch an outlet, tell its state, and what flows through it.

use std::sync::{Arc, LazyLock};

use super::oid::{Numbering, OidTemplate};
use crate::config::power::common::Word;
use crate::config::power::profile::{self, BuiltIn, built_in};
use crate::config::{At, FromNode, Node, Problems, Table, Value, toml};

/// How a family of PDUs is switched over SNMP.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// As in `profile = "…"`.
    pub name: String,
    /// In one line, for people.
    pub about: String,
    /// What the sysObjectID of such a PDU begins with. Empty: it is told by its objects only.
    pub detect: Vec<Vec<u64>>,
    pub numbering: Numbering,
    pub on: Set,
    pub off: Set,
    /// The PDU's own cycle.
    pub cycle: Option<Set>,
    /// Without it nothing can be verified.
    pub status: Option<Get>,
    /// What people have called the outlets.
    pub names: Option<OidTemplate>,
    pub meter: Option<Meter>,
}

/// To write this value to this object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    pub oid: OidTemplate,
    pub value: i64,
    /// The object is a text with an item for every outlet: it is read, and written with the outlet's
    /// item changed.
    pub list: Option<List>,
}

/// To read this object. No value means two things; what is in none of the lists is neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    pub oid: OidTemplate,
    /// Numbers, or words in whatever case.
    pub on: Vec<String>,
    pub off: Vec<String>,
    /// While it switches.
    pub pending: Vec<String>,
    /// The object is a text with an item for every outlet.
    pub list: Option<List>,
}

/// What stands between the items of a text: white space, or a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Space,
    Character(char),
}

/// What is measured at an outlet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Meter {
    pub volts: Option<Gauge>,
    pub amperes: Option<Gauge>,
    pub watts: Option<Gauge>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    pub oid: OidTemplate,
    /// What one is: 0.1 where the object counts tenths.
    pub scale: f64,
    /// An object that tells how many decimal digits the value has.
    pub digits: Option<OidTemplate>,
}

/// The profiles that come with the program: `conf/profiles/snmp`. Of two that fit a PDU equally well,
/// the first is taken.
pub(in crate::config::power) const BUILT_IN: &[BuiltIn] = built_in!("snmp":
    "apc-rpdu2" "apc-rpdu" "apc-masterswitch-plus" "apc-masterswitch-6" "apc-masterswitch"
    "apc-masterstate" "cyberpower" "raritan-px2" "raritan-px" "eaton-epdu" "eaton-managed"
    "eaton-pulizzi" "sentry3" "sentry4" "geist" "emerson-mph" "tripplite" "tripplite-lx" "baytech"
    "ibm-ipdu" "lindy" "netio" "ip9258" "poe"
);

/// The profiles that come with the program, read.
static READ: LazyLock<Vec<Arc<Profile>>> = LazyLock::new(|| {
    let problems = Problems::default();
    let read = |(name, text): &BuiltIn| Profile::parse(text, &At::top(name, &problems));
    BUILT_IN.iter().filter_map(read).map(Arc::new).collect()
});

impl Profile {
    /// Those that come with the program.
    pub fn built_in() -> &'static [Arc<Self>] {
        &READ
    }

    /// The profile that a PDU's `profile` key names.
    pub(super) fn named_in(table: &Table<'_>) -> Option<Self> {
        profile::named_in(table, BUILT_IN, Self::parse)
    }

    fn parse(text: &str, at: &At<'_>) -> Option<Self> {
        let node = toml::parse(text, at)?;
        let table = Table::new(&node, at.clone())?;
        let about = table.required::<String>("about");
        // For people; asked for so that nobody adds a profile out of thin air.
        table.required::<String>("source");
        let detect = table.optional::<Vec<Prefix>>("detect").unwrap_or_default();
        let unit = table.parsed("unit", unit);
        let first = table.optional("first").unwrap_or(1);
        let set = |key: &str| table.table(key).map(Set::read);
        let (on, off, cycle) = (set("on"), set("off"), set("cycle"));
        let status = table.table("status").map(Get::read);
        let names = table.optional("names");
        let meter = table.table("meter").map(Meter::read);
        for (key, missing) in [("on", on.is_none()), ("off", off.is_none())] {
            if missing && table.node(key).is_none() {
                at.problem(table.place(), format!("the table [{key}] is missing"));
            }
        }
        let of_one_unit = |oid: &OidTemplate, list: Option<List>| list.is_some() && !oid.has_unit();
        let sets = [&on, &off, &cycle].into_iter().flatten().flatten();
        let one_unit = sets.map(|set| of_one_unit(&set.oid, set.list));
        let status_of_one = status.iter().flatten().map(|get| of_one_unit(&get.oid, get.list));
        if one_unit.chain(status_of_one).any(|of_one| of_one)
            && unit.as_ref().is_some_and(|unit| !unit.is_empty())
        {
            let what = "a list here is of one unit only, without {unit} in its oid: that of the other \
                        units would be taken for it; write unit = \"\"";
            table.problem("unit", what);
        }
        table.finish();
        Some(Self {
            name: at.file.to_owned(),
            about: about?,
            detect: detect.into_iter().map(|prefix| prefix.0).collect(),
            numbering: Numbering::new(unit, first),
            on: on??,
            off: off??,
            cycle: cycle.flatten(),
            status: status.flatten(),
            names,
            meter,
        })
    }
}

impl Set {
    fn read(table: Table<'_>) -> Option<Self> {
        let list = table.parsed("list", List::parse);
        let (oid, value) = (oid(&table, list), table.required("value"));
        table.finish();
        Some(Self { oid: oid?, value: value?, list })
    }
}

impl Get {
    fn read(table: Table<'_>) -> Option<Self> {
        let list = table.parsed("list", List::parse);
        let oid = oid(&table, list);
        let words = |words: Vec<Word>| words.into_iter().map(|word| word.0).collect::<Vec<_>>();
        let on = table.required("on").map(words);
        let off = table.required("off").map(words);
        let pending = table.optional("pending").map(words).unwrap_or_default();
        if let (Some(on), Some(off)) = (&on, &off) {
            for (key, words, others) in
                [("off", off, [on, &pending]), ("pending", &pending, [on, off])]
            {
                let twice = words.iter().find(|word| others.iter().any(|o| o.contains(word)));
                if let Some(both) = twice {
                    let other = if on.contains(both) { "on" } else { "off" };
                    let other = if key == "off" && other == "off" { "pending" } else { other };
                    table.problem(key, format!("{both} means {other} already"));
                    break;
                }
            }
        }
        table.finish();
        Some(Self { oid: oid?, on: on?, off: off?, pending, list })
    }
}

impl List {
    fn parse(text: &str) -> Result<Self, String> {
        let mut characters = text.chars();
        match (text, characters.next(), characters.next()) {
            ("space", ..) => Ok(Self::Space),
            (_, Some(one), None) if !one.is_alphanumeric() => Ok(Self::Character(one)),
            _ => Err(format!("{text:?} separates nothing; write \"space\" or a sign like \",\"")),
        }
    }

    /// The items of a text, trimmed.
    pub fn items(self, text: &str) -> Vec<&str> {
        match self {
            Self::Space => text.split_whitespace().collect(),
            Self::Character(sign) => text.trim().split(sign).map(str::trim).collect(),
        }
    }

    pub fn join(self, items: &[String]) -> String {
        match self {
            Self::Space => items.join(" "),
            Self::Character(sign) => items.join(&sign.to_string()),
        }
    }
}

impl Meter {
    fn read(table: Table<'_>) -> Self {
        let gauge = |key: &str| table.table(key).and_then(Gauge::read);
        let meter =
            Self { volts: gauge("volts"), amperes: gauge("amperes"), watts: gauge("watts") };
        if meter == Self::default() && table.at().problems.is_empty() {
            table.at().problem(table.place(), "it measures none of volts, amperes and watts");
        }
        table.finish();
        meter
    }
}

impl Gauge {
    fn read(table: Table<'_>) -> Option<Self> {
        let (oid, scale) = (table.required("oid"), table.optional::<Scale>("scale"));
        let digits = table.optional("digits");
        table.finish();
        Some(Self { oid: oid?, scale: scale.map_or(1.0, |scale| scale.0), digits })
    }
}

/// The OID of a table: of one outlet, unless it is that of a list.
fn oid(table: &Table<'_>, list: Option<List>) -> Option<OidTemplate> {
    let oid = table.required::<OidTemplate>("oid")?;
    match (oid.has_outlet(), list) {
        (true, Some(_)) => {
            table.problem("oid", "a list is of all outlets: it cannot have {port} or {outlet}");
            None
        }
        (false, None) => {
            table.problem("oid", "it is the same for all outlets: there is no {port} in it");
            None
        }
        _ => Some(oid),
    }
}

/// `1.1`: what comes before an outlet's number; nothing is nothing.
fn unit(text: &str) -> Result<Vec<u32>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Option<_> = text.split('.').map(|part| part.parse().ok()).collect();
    numbers.ok_or_else(|| format!("{text:?} is no part of an OID; write it like 1 or \"1.1\""))
}

/// An OID without places.
struct Prefix(Vec<u64>);

impl FromNode for Prefix {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let text = String::from_node(node, at)?;
        let text = text.strip_prefix('.').unwrap_or(&text);
        let numbers: Option<Vec<u64>> =
            text.split('.').map(|part| part.parse::<u32>().ok().map(u64::from)).collect();
        if numbers.is_none() {
            at.problem(node.place, format!("{text:?} is no OID; write it like 1.3.6.1.4.1.318"));
        }
        numbers.map(Self)
    }
}

/// A number above 0.
struct Scale(f64);

impl FromNode for Scale {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let number = match node.value {
            Value::Int(number) => number as f64,
            Value::Float(number) => number,
            _ => f64::NAN,
        };
        if number.is_finite() && number > 0.0 {
            return Some(Self(number));
        }
        at.expected(node, "a number above 0");
        None
    }
}

#[cfg(test)]
mod tests;
