//! OIDs with places for an outlet in them, and how a family numbers its outlets.

use crate::config::{At, FromNode, Node};

/// Which outlet of a PDU, as its objects number it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// What comes before the outlet's own number: the PDU in a chain, its tower, its bank.
    pub unit: Vec<u32>,
    pub outlet: u32,
}

/// How people number the outlets of a family, and how its objects do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// The unit of a port that is only an outlet's number. Without it a port can have any length.
    unit: Option<Vec<u32>>,
    /// The number in the objects of the outlet that is labelled 1.
    first: u32,
}

/// An OID in which `{port}` stands for the outlet with its unit; `{unit}` and `{outlet}` for either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidTemplate(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Number(u32),
    Port,
    Unit,
    Outlet,
}

impl Numbering {
    pub(in crate::config::power) fn new(unit: Option<Vec<u32>>, first: u32) -> Self {
        Self { unit, first }
    }

    /// The outlet that a `port` of the configuration means: `3`, or `1.1.3` with its unit.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn port(&self, text: &str) -> Result<Port, String> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        let error = || format!("{text:?} is no end of an OID; write it like 3 or \"1.1.3\"");
        let mut unit = numbers.ok_or_else(error)?;
        let labelled = unit.pop().ok_or_else(error)?;
        if let Some(usual) = &self.unit {
            if unit.is_empty() {
                unit.clone_from(usual);
            } else if unit.len() != usual.len() {
                let full: Vec<String> = usual.iter().map(u32::to_string).collect();
                return Err(format!(
                    "{text:?} is no outlet of this family; write it like 3 or \"{}.3\"",
                    full.join(".")
                ));
            }
        }
        // Only where the two differ is there anything to count from.
        let outlet = match self.first {
            1 => Some(labelled),
            first => labelled.checked_sub(1).and_then(|from_zero| from_zero.checked_add(first)),
        };
        let outlet = outlet.ok_or_else(|| format!("{text:?}: outlets are counted from 1"))?;
        Ok(Port { unit, outlet })
    }

    /// The port as people write it.
    pub fn text(&self, port: &Port) -> String {
        let labelled = i64::from(port.outlet) + 1 - i64::from(self.first);
        if port.unit.is_empty() || self.unit.as_ref() == Some(&port.unit) {
            return labelled.to_string();
        }
        let unit: Vec<String> = port.unit.iter().map(u32::to_string).collect();
        format!("{}.{labelled}", unit.join("."))
    }

    /// The outlet of the usual unit that is the `at`-th of a list, counted from 0.
    pub fn nth(&self, at: u32) -> Port {
        Port { unit: self.unit.clone().unwrap_or_default(), outlet: self.first.saturating_add(at) }
    }

    /// Which item of a list an outlet is, counted from 0.
    pub fn place(&self, port: &Port) -> Option<usize> {
        usize::try_from(port.outlet.checked_sub(self.first)?).ok()
    }
}

impl OidTemplate {
    fn parse(text: &str) -> Result<Self, String> {
        let error =
            || format!("{text:?} is no OID; write it like 1.3.6.1.4.1.318.{{port}} or 1.3.6.1.4");
        let parts = text.strip_prefix('.').unwrap_or(text).split('.').map(|part| match part {
            "{port}" => Some(Part::Port),
            "{unit}" => Some(Part::Unit),
            "{outlet}" => Some(Part::Outlet),
            number => number.parse().ok().map(Part::Number),
        });
        let parts: Vec<Part> = parts.collect::<Option<_>>().ok_or_else(error)?;
        let of = |part: Part| parts.iter().filter(|other| **other == part).count();
        let twice = of(Part::Port) + of(Part::Unit) > 1 || of(Part::Port) + of(Part::Outlet) > 1;
        // X.660: the first number is 0 to 2, the second below 40 under 0 and 1.
        match parts.as_slice() {
            [Part::Number(0 | 1), Part::Number(0..40), ..]
            | [Part::Number(2), Part::Number(_), ..]
                if !twice =>
            {
                Ok(Self(parts))
            }
            _ => Err(error()),
        }
    }

    /// Whether it is another object for each outlet.
    pub(super) fn has_outlet(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Port | Part::Outlet))
    }

    /// Whether it is another object for each unit.
    pub(super) fn has_unit(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Port | Part::Unit))
    }

    /// The numbers of the OID for one outlet.
    pub fn of(&self, port: &Port) -> Vec<u64> {
        let mut numbers = Vec::new();
        for part in &self.0 {
            match part {
                Part::Number(number) => numbers.push(u64::from(*number)),
                Part::Outlet => numbers.push(u64::from(port.outlet)),
                Part::Unit => numbers.extend(port.unit.iter().copied().map(u64::from)),
                Part::Port => {
                    numbers.extend(port.unit.iter().copied().map(u64::from));
                    numbers.push(u64::from(port.outlet));
                }
            }
        }
        numbers
    }

    /// What all of these OIDs begin with.
    pub fn column(&self) -> Vec<u64> {
        let fixed = self.0.iter().map_while(|part| match part {
            Part::Number(number) => Some(u64::from(*number)),
            _ => None,
        });
        fixed.collect()
    }

    /// The outlet whose OID this is.
    pub fn find(&self, oid: &[u64], numbering: &Numbering) -> Option<Port> {
        let numbers: Vec<u32> =
            oid.iter().map(|number| u32::try_from(*number).ok()).collect::<Option<_>>()?;
        let fixed = self.0.iter().filter(|part| matches!(part, Part::Number(_))).count();
        let units = match &numbering.unit {
            Some(unit) => unit.len(),
            None => numbers.len().checked_sub(fixed + 1)?,
        };
        let mut port = Port { unit: Vec::new(), outlet: 0 };
        let mut rest = numbers.as_slice();
        for part in &self.0 {
            let length = match part {
                Part::Number(_) | Part::Outlet => 1,
                Part::Unit => units,
                Part::Port => units + 1,
            };
            let (these, others) = rest.split_at_checked(length)?;
            rest = others;
            match part {
                Part::Number(number) if these != [*number] => return None,
                Part::Number(_) => {}
                Part::Outlet => port.outlet = these[0],
                Part::Unit => port.unit = these.to_vec(),
                Part::Port => {
                    port.unit = these[..units].to_vec();
                    port.outlet = these[units];
                }
            }
        }
        (rest.is_empty() && self.has_outlet()).then_some(port)
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
    use proptest::prelude::*;

    use super::*;

    fn numbering(unit: &[u32], first: u32) -> Numbering {
        Numbering::new(Some(unit.to_vec()), first)
    }

    #[test]
    fn a_port_becomes_a_place_in_an_oid_and_back() {
        let any = Numbering::new(None, 1);
        let plain = OidTemplate::parse(".1.3.6.1.4.1.318.{port}.0").unwrap();
        assert_eq!(plain.of(&any.port("1.2").unwrap()), [1, 3, 6, 1, 4, 1, 318, 1, 2, 0]);
        let from_zero = numbering(&[], 0);
        let port = from_zero.port("1").unwrap();
        assert_eq!(plain.of(&port), [1, 3, 6, 1, 4, 1, 318, 0, 0]);
        assert_eq!(from_zero.text(&port), "1");
        assert!(from_zero.port("0").unwrap_err().contains("counted from 1"));
        let plus = OidTemplate::parse("1.3.{unit}.1.{outlet}").unwrap();
        let switches = numbering(&[1], 1);
        assert_eq!(plus.of(&switches.port("7").unwrap()), [1, 3, 1, 1, 7]);
        assert_eq!(plus.of(&switches.port("2.7").unwrap()), [1, 3, 2, 1, 7]);
        assert!(switches.port("1.2.7").unwrap_err().contains("write it like 3 or \"1.3\""));
        for wrong in ["", "x", "1.", "-1", "1..2", "99999999999"] {
            assert!(any.port(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_oid_is_refused() {
        for wrong in [
            "1.3.{port}.{port}",
            "{port}.3.6",
            "3.1.{port}",
            "1.3..{port}",
            "1.3.{port}.{outlet}",
            "1.3.{plug}",
            "1.40",
            "",
        ] {
            assert!(OidTemplate::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_port_is_found_again(
            unit in prop::collection::vec(0u32..99, 0..3), outlet in 1u32..99, first in 0u32..3,
        ) {
            let numbering = numbering(&unit, first);
            let unit_text: String = unit.iter().map(|number| format!("{number}.")).collect();
            let port = numbering.port(&format!("{unit_text}{outlet}")).unwrap();
            prop_assert_eq!(numbering.port(&numbering.text(&port)).unwrap(), port.clone());
            for template in ["1.3.6.{port}", "1.3.{port}.0", "1.3.{unit}.1.{outlet}.9"] {
                let template = OidTemplate::parse(template).unwrap();
                prop_assert_eq!(template.find(&template.of(&port), &numbering), Some(port.clone()));
                prop_assert!(template.of(&port).starts_with(&template.column()));
            }
        }

        #[test]
        fn nothing_of_an_agent_or_a_file_makes_it_panic(
            text in "[0-9.{}a-z]{0,30}", oid in prop::collection::vec(any::<u64>(), 0..20),
            unit in prop::option::of(prop::collection::vec(any::<u32>(), 0..4)), first: u32,
        ) {
            let numbering = Numbering::new(unit, first);
            if let Ok(port) = numbering.port(&text) {
                let _ = (numbering.text(&port), numbering.place(&port));
            }
            if let Ok(template) = OidTemplate::parse(&text) {
                let _ = template.find(&oid, &numbering);
            }
        }
    }
}
