//! What an agent's values mean.

use super::agent::Agent;
use super::session::{Failed, Read, dotted};
use crate::config::power::{Gauge, Get, Meter, Port};
use crate::model::{Reading, State};
use crate::outlet::OutletError;
use crate::outlet::way::Way;

/// The most decimal digits that a value of a PDU has.
const DIGITS: i64 = 9;

/// The word that a status object has for an outlet: its value, or the outlet's item of a list. `None`
/// where the list ends before it.
pub(super) fn word(
    get: &Get,
    value: &Read,
    place: Option<usize>,
    oid: &[u64],
) -> Result<Option<String>, Failed> {
    match (get.list, value) {
        (None, Read::Number(number)) => Ok(Some(number.to_string())),
        (Some(list), value) => {
            let text = text(value, oid)?;
            let items = list.items(&text);
            Ok(place.and_then(|place| items.get(place)).map(|item| (*item).to_owned()))
        }
        (None, value) => text(value, oid).map(Some),
    }
}

/// What a word means; `None` while the outlet switches.
pub(super) fn state(get: &Get, word: &str) -> Option<State> {
    let is = |words: &[String]| words.iter().any(|known| known.eq_ignore_ascii_case(word.trim()));
    match () {
        () if is(&get.on) => Some(State::On),
        () if is(&get.off) => Some(State::Off),
        () if is(&get.pending) => None,
        () => {
            tracing::debug!(word, "an outlet reads as neither on nor off");
            Some(State::Unknown)
        }
    }
}

/// The text that an object has to hold.
pub(super) fn text(value: &Read, oid: &[u64]) -> Result<String, Failed> {
    let what = dotted(oid);
    match value {
        Read::Text(text) => Ok(text.trim_matches(['\0', ' ']).to_owned()),
        Read::Absent => Err(Failed::Absent(Way::reads().refused(format!(
            "the SNMP agent has no object {what}; are the outlet's port and the profile right?"
        )))),
        Read::Number(_) | Read::Oid(_) | Read::Other => Err(Way::reads()
            .refused(format!(
                "what the SNMP agent has in {what} is no outlet's state; is it the right profile?"
            ))
            .into()),
    }
}

/// The list of the outlets' states ends before this one.
pub(super) fn no_item(port: &str, oid: &[u64]) -> Failed {
    let what = dotted(oid);
    Failed::Absent(Way::reads().refused(format!(
        "the SNMP agent has no outlet {port} in its list {what}; are the outlet's port and the \
         profile right?"
    )))
}

/// Asks what flows through an outlet. What it does not measure, or says is below nothing, is left out.
pub(super) async fn measure(
    agent: &Agent,
    meter: &Meter,
    port: &Port,
) -> Result<Reading, OutletError> {
    let gauges = [&meter.volts, &meter.amperes, &meter.watts];
    let oids =
        gauges.iter().copied().flatten().flat_map(|gauge| {
            std::iter::once(&gauge.oid).chain(&gauge.digits).map(|oid| oid.of(port))
        });
    let values = agent.get(&oids.collect::<Vec<_>>()).await?;
    let mut values = values.into_iter();
    let mut next = |gauge: &Option<Gauge>| {
        let gauge = gauge.as_ref()?;
        let value = values.next()?;
        let digits = gauge.digits.as_ref().map(|_| values.next());
        scaled(&value, gauge.scale, digits.flatten().as_ref())
    };
    Ok(Reading {
        volts: next(&meter.volts),
        amperes: next(&meter.amperes),
        watts: next(&meter.watts),
    })
}

fn scaled(value: &Read, scale: f64, digits: Option<&Read>) -> Option<f64> {
    let number = match value {
        Read::Number(number) => *number as f64,
        Read::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite())?,
        Read::Oid(_) | Read::Absent | Read::Other => return None,
    };
    let digits = match digits {
        Some(Read::Number(digits @ 0..=DIGITS)) => *digits as i32,
        None => 0,
        Some(_) => return None,
    };
    // Divided, for a tenth of 9 is 0.9 and not 0.9000000000000001.
    let value = number / one_over(scale) / 10f64.powi(digits);
    (value >= 0.0).then_some(value)
}

/// One over a scale; of 0.01 it is 100, and not a little less.
fn one_over(scale: f64) -> f64 {
    let (exact, whole) = (1.0 / scale, (1.0 / scale).round());
    if whole > 0.0 && (exact - whole).abs() < 1e-9 * whole { whole } else { exact }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::power::List;

    fn get(list: Option<List>) -> Get {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let profile = crate::config::power::Profile::built_in().first().unwrap();
        let oid = profile.on.oid.clone();
        Get {
            oid,
            on: words(&["1", "On"]),
            off: words(&["2", "Off"]),
            pending: words(&["3"]),
            list,
        }
    }

    #[test]
    fn numbers_words_and_lists_mean_on_and_off() {
        let plain = get(None);
        let of = |value: Read| word(&plain, &value, Some(0), &[1, 3]).map_err(OutletError::from);
        assert_eq!(of(Read::Number(1)), Ok(Some("1".into())));
        assert_eq!(of(Read::Text(" on \0".into())), Ok(Some("on".into())));
        assert!(of(Read::Absent).unwrap_err().to_string().contains("has no object 1.3"));
        assert!(of(Read::Oid(vec![1])).unwrap_err().to_string().contains("no outlet's state"));
        assert_eq!(state(&plain, "ON"), Some(State::On));
        assert_eq!(state(&plain, "2"), Some(State::Off));
        assert_eq!(state(&plain, "3"), None);
        assert_eq!(state(&plain, "4"), Some(State::Unknown));

        let list = get(Some(List::Space));
        let value = Read::Text("On  Off On  ".into());
        let item = |place| word(&list, &value, place, &[1, 3]).map_err(OutletError::from).unwrap();
        assert_eq!(item(Some(1)).as_deref(), Some("Off"));
        assert_eq!(item(Some(3)), None);
        assert_eq!(item(None), None);
    }

    #[test]
    fn a_reading_has_its_unit() {
        assert_eq!(scaled(&Read::Number(9), 0.1, None), Some(0.9));
        assert_eq!(scaled(&Read::Number(2301), 0.1, None), Some(230.1));
        assert_eq!(scaled(&Read::Number(532), 1.0, Some(&Read::Number(3))), Some(0.532));
        assert_eq!(scaled(&Read::Text("1.5".into()), 1.0, None), Some(1.5));
        assert_eq!(scaled(&Read::Number(-1), 1.0, None), None, "it is not measured");
        assert_eq!(scaled(&Read::Number(5), 1.0, Some(&Read::Absent)), None);
        assert_eq!(scaled(&Read::Absent, 1.0, None), None);
    }

    proptest! {
        #[test]
        fn nothing_that_an_agent_says_makes_it_panic(
            text in ".{0,40}", number: i64, place in prop::option::of(0usize..9), digits: i64,
        ) {
            for list in [None, Some(List::Space), Some(List::Character(','))] {
                for value in [Read::Text(text.clone()), Read::Number(number)] {
                    if let Ok(Some(word)) = word(&get(list), &value, place, &[1]) {
                        let _ = state(&get(list), &word);
                    }
                    let read = scaled(&value, 0.1, Some(&Read::Number(digits)));
                    prop_assert!(read.is_none_or(|value| value.is_finite() && value >= 0.0));
                }
            }
        }
    }
}
