//! What the outlets of a PDU are called, where that is a name or a number.

/// What the outlets of a PDU are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    Names,
    Numbers { first: u32, last: u32 },
}

impl Ports {
    /// Outlets that are numbered from 1.
    pub(super) fn up_to(last: impl Into<u32>) -> Self {
        Self::Numbers { first: 1, last: last.into() }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "names" {
            return Ok(Self::Names);
        }
        let range = text.split_once('-').and_then(|(first, last)| {
            let range = (first.parse().ok()?, last.parse().ok()?);
            (range.0 <= range.1).then_some(Self::Numbers { first: range.0, last: range.1 })
        });
        range.ok_or_else(|| format!("{text:?} is neither \"names\" nor a range like \"1-8\""))
    }

    /// Whether an outlet of the PDU can be called so.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(self, port: &str) -> Result<(), String> {
        match self {
            // Two dots are a way out of a path, however they are written.
            Self::Names if port.is_empty() || matches!(port, "." | "..") => {
                Err(format!("{port:?} is no outlet's name"))
            }
            Self::Names => Ok(()),
            Self::Numbers { first, last } => {
                let number = port
                    .parse::<u32>()
                    .ok()
                    .filter(|_| port == "0" || !port.starts_with(['0', '+']));
                if number.is_some_and(|number| (first..=last).contains(&number)) {
                    return Ok(());
                }
                let most = if last == u32::MAX { String::new() } else { format!(" to {last}") };
                Err(format!("{port:?} is no outlet of it; they are numbered from {first}{most}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_what_the_pdu_has() {
        let eight = Ports::parse("1-8").unwrap();
        assert_eq!(eight.check("8"), Ok(()));
        for wrong in ["0", "9", "08", "+8", "1.1", "", "{port}"] {
            assert!(eight.check(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Ports::Names.check("switch.panda01"), Ok(()));
        assert!(Ports::Names.check("..").is_err());
    }
}
