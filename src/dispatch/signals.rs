//! What the test shell on the board tells us: `<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=… RESULT=…>`.

use sha2::{Digest as _, Sha256};

/// A signal.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// A definition begins: `0_smoke` and its uuid.
    StartRun {
        run: String,
        uuid: String,
    },
    EndRun {
        run: String,
        uuid: String,
    },
    StartCase {
        case: String,
    },
    EndCase {
        case: String,
    },
    Case(Case),
    StartSet {
        name: String,
    },
    StopSet,
    /// A case whose result refers to a file or page somewhere.
    Reference {
        case: String,
        result: String,
        url: String,
    },
    /// The test itself ends the job.
    Raise {
        message: String,
    },
    /// What the console of another namespace has said meanwhile is wanted in the log.
    Feedback {
        namespace: String,
    },
    /// Something that watchers of the job want to know.
    Event {
        text: String,
    },
    /// One that we do not act on.
    Other {
        name: String,
    },
}

/// The result of a test case as the board reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub case: String,
    pub result: String,
    pub measurement: Option<f64>,
    pub units: Option<String>,
    /// What was said as the measurement and is none.
    pub odd: Option<String>,
}

/// The regular expressions that find signals in the stream: a signal with its name and its arguments;
/// two that end the test shell; the line that vouches for a signal, and the one that says how many
/// there were, each with its number and checksum; and what the board asks of its group, likewise.
pub const PATTERNS: [&str; 6] = [
    // One that has lost its end must not take the next one with it.
    r"<LAVA_SIGNAL_(\S+) ([^<>]+)>",
    r"<LAVA_TEST_RUNNER EXIT>",
    r"<LAVA_TEST_RUNNER INSTALL_FAIL>",
    r"<LAVA_CHECK (\d{1,9}) ([0-9a-f]{8})>",
    r"<LAVA_CHECK_TOTAL (\d{1,9}) ([0-9a-f]{8})>",
    r"<LAVA_MULTI_NODE (\d{1,9}) ([0-9a-f]{8}|-)> <LAVA_(DATA|SEND|SYNC|WAIT|WAIT_ALL) ([^<>]+)>",
];

/// The signal with which a definition ends.
pub const END_RUN: &str = "ENDRUN";
/// The signal that ends the job.
pub const RAISE: &str = "TESTRAISE";

/// The checksum of a signal and its number: eight digits of their SHA-256.
pub fn check(number: u64, text: &str) -> String {
    let sum = Sha256::digest(format!("{number} {text}"));
    sum.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Understands a signal.
///
/// # Errors
/// What is wrong with it, for the log: what a board says is hostile input.
pub fn parse(name: &str, arguments: &str) -> Result<Signal, String> {
    // On a slow line the kernel's messages and line ends come between; only the words count.
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let wrong = |why: &str| format!("signal {name} {arguments:?} {why}");
    let first = || words.first().map(|word| (*word).to_owned());
    let run = || match words.as_slice() {
        [run, uuid] => Ok(((*run).to_owned(), (*uuid).to_owned())),
        _ => Err(wrong("needs a definition and a uuid")),
    };
    Ok(match name {
        "STARTRUN" => run().map(|(run, uuid)| Signal::StartRun { run, uuid })?,
        END_RUN => run().map(|(run, uuid)| Signal::EndRun { run, uuid })?,
        "STARTTC" => Signal::StartCase { case: first().ok_or_else(|| wrong("needs a case"))? },
        "ENDTC" => Signal::EndCase { case: first().ok_or_else(|| wrong("needs a case"))? },
        "TESTCASE" => Signal::Case(case(&words).map_err(|why| wrong(&why))?),
        "TESTSET" => match words.as_slice() {
            ["START", set] if is_url_safe(set) => Signal::StartSet { name: (*set).to_owned() },
            ["STOP"] | ["STOP", _] => Signal::StopSet,
            _ => return Err(wrong("is neither START NAME nor STOP")),
        },
        "TESTREFERENCE" => match words.as_slice() {
            [case, result, url] => Signal::Reference {
                case: (*case).to_owned(),
                result: known(result).map_err(|why| wrong(&why))?,
                url: (*url).to_owned(),
            },
            _ => return Err(wrong("needs a case, a result and a URL")),
        },
        RAISE => Signal::Raise { message: arguments.trim().to_owned() },
        "TESTFEEDBACK" => match words.as_slice() {
            [namespace] => Signal::Feedback { namespace: (*namespace).to_owned() },
            _ => return Err(wrong("needs a namespace")),
        },
        "TESTEVENT" => Signal::Event { text: arguments.trim().to_owned() },
        name => Signal::Other { name: name.to_owned() },
    })
}

fn case(words: &[&str]) -> Result<Case, String> {
    let value = |key: &str| {
        let mut values = words.iter().filter_map(|word| word.split_once('='));
        values.find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let name = value("TEST_CASE_ID").filter(|name| !name.is_empty()).ok_or("has no case")?;
    let result = known(value("RESULT").ok_or("has no result")?)?;
    let (measurement, odd) = measurement(value("MEASUREMENT"));
    let units = value("UNITS").filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    Ok(Case { case: name.to_owned(), result, measurement, units, odd })
}

/// A measurement, or what is said in the place of one: a case counts without it.
pub fn measurement(text: Option<&str>) -> (Option<f64>, Option<String>) {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return (None, None);
    };
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => (Some(number), None),
        _ => (None, Some(text.to_owned())),
    }
}

fn known(result: &str) -> Result<String, String> {
    match result {
        "pass" | "fail" | "skip" | "unknown" => Ok(result.to_owned()),
        _ => Err(format!("has a result that is none of pass, fail, skip and unknown: {result:?}")),
    }
}

fn is_url_safe(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~+:@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_its_measurement_and_units() {
        let text = "TEST_CASE_ID=boot RESULT=pass UNITS=seconds MEASUREMENT=1.5";
        let Ok(Signal::Case(case)) = parse("TESTCASE", text) else { panic!() };
        assert_eq!((case.case.as_str(), case.result.as_str()), ("boot", "pass"));
        assert_eq!((case.measurement, case.units.as_deref()), (Some(1.5), Some("seconds")));
    }

    #[test]
    fn a_case_counts_without_a_measurement_that_is_none() {
        let text = "TEST_CASE_ID=bw RESULT=fail MEASUREMENT=nan";
        let Ok(Signal::Case(case)) = parse("TESTCASE", text) else { panic!() };
        assert_eq!((case.result.as_str(), case.measurement), ("fail", None));
        assert_eq!(case.odd.as_deref(), Some("nan"));
    }

    #[test]
    fn what_is_wrong_with_a_signal_is_told() {
        for (name, arguments, why) in [
            ("TESTCASE", "TEST_CASE_ID=a RESULT=good", "none of pass, fail"),
            ("TESTCASE", "RESULT=pass", "has no case"),
            ("TESTSET", "START a/b", "neither START"),
            ("STARTRUN", "0_smoke", "needs a definition"),
        ] {
            let told = parse(name, arguments).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn line_ends_inside_a_signal_do_not_matter() {
        assert_eq!(
            parse("STARTRUN", "0_smoke\r\n abc"),
            Ok(Signal::StartRun { run: "0_smoke".into(), uuid: "abc".into() })
        );
    }
}
