//! What is said to a PDU for one outlet: a profile with all of its values.

use std::time::Duration;

use super::expression::Values;
use super::profile::{BITS, OUTLET, Profile, ReadingText, StepText};
use super::template::{Heard, Words};
use crate::wire::expect::Expected;

/// The conversations about one outlet.
#[derive(Debug, Clone)]
pub struct Script {
    pub on: Vec<Step>,
    pub off: Vec<Step>,
    pub cycle: Option<Vec<Step>>,
    pub status: Option<Vec<Step>>,
}

/// To send something and wait for the answer.
#[derive(Debug, Clone)]
pub struct Step {
    pub send: Option<Words>,
    /// What ends the step; without it nothing is waited for.
    pub expect: Option<Expected>,
    /// The PDU will not.
    pub fail: Option<Expected>,
    /// The PDU is there, and has no time for us.
    pub busy: Option<Expected>,
    /// Where the PDU says which outlet it speaks of, and how ours is called: it must not be another.
    pub names: Option<(Expected, Vec<u8>)>,
    /// What is answered when the PDU says something else meanwhile, as often as it does.
    pub replies: Vec<(Expected, Words)>,
    /// How long the whole step may take, without its pause.
    pub timeout: Duration,
    /// What is waited for after the step.
    pub pause: Duration,
    /// Nothing is switched by it, whatever becomes of it.
    pub harmless: bool,
    pub reading: Option<Reading>,
    /// What reads as on is off.
    pub inverted: bool,
}

/// How the answer tells an outlet's state.
#[derive(Debug, Clone)]
pub enum Reading {
    /// By all that was said in this step.
    Words { on: Expected, off: Expected },
    /// By a bit of the bytes that the group `bits` of `expect` found, the lowest first.
    Bit(usize),
}

impl Step {
    /// The group of [`Self::names`] that is the outlet's name.
    pub const OUTLET: &str = OUTLET;
}

impl Reading {
    /// The bytes that a bit is of.
    pub const BITS: &str = BITS;
}

impl Script {
    /// # Errors
    /// Why there is no such port.
    pub(super) fn new(profile: &Profile, port: &str, values: &Values) -> Result<Self, String> {
        let values = of_port(profile, port, values)?;
        let some = |texts: &[StepText]| {
            if texts.is_empty() { Ok(None) } else { steps(texts, &values).map(Some) }
        };
        Ok(Self {
            on: steps(&profile.on, &values)?,
            off: steps(&profile.off, &values)?,
            cycle: some(&profile.cycle)?,
            status: some(&profile.status)?,
        })
    }

    /// All that is said to switch one outlet on, for comparing. May have a password in it.
    ///
    /// # Errors
    /// Why there is no such port.
    pub(super) fn said(profile: &Profile, port: &str, values: &Values) -> Result<String, String> {
        let values = of_port(profile, port, values)?;
        let sent = profile.on.iter().filter_map(|step| step.send.as_ref());
        let mut said = String::new();
        for send in sent {
            let words = send.words(&values)?;
            said += &match words.bytes(&Heard::new()) {
                Some(bytes) => format!("{}\n", bytes.escape_ascii()),
                // What the PDU will have said is the same for all spellings.
                None => format!("{words:?}\n"),
            };
        }
        Ok(said)
    }

    /// On and off change places.
    pub(super) fn invert(&mut self) {
        std::mem::swap(&mut self.on, &mut self.off);
        // A cycle of the PDU's own would cut what is on there, which is off here.
        self.cycle = None;
        for step in self.status.iter_mut().flatten() {
            step.inverted = true;
        }
    }
}

/// The values, with those that a port stands for.
fn of_port(profile: &Profile, port: &str, values: &Values) -> Result<Values, String> {
    let parts = profile
        .port
        .parts(port.as_bytes())
        .ok_or_else(|| format!("{port:?} is no port of this PDU; those are {}", profile.ports))?;
    let mut values = values.clone();
    values.insert("port".to_owned(), port.to_owned());
    for (name, part) in parts {
        values.insert(name.to_owned(), String::from_utf8_lossy(part).into_owned());
    }
    Ok(values)
}

/// Steps with their values; those that need a value that is not there are left out.
///
/// # Errors
/// When a value has no place, such as a port that is too large.
pub(super) fn steps(texts: &[StepText], values: &Values) -> Result<Vec<Step>, String> {
    let there = |step: &&StepText| step.needs.as_ref().is_none_or(|name| values.contains_key(name));
    texts.iter().filter(there).map(|text| step(text, values)).collect()
}

fn step(text: &StepText, values: &Values) -> Result<Step, String> {
    let StepText {
        send,
        expect,
        fail,
        busy,
        names,
        replies,
        timeout,
        pause,
        harmless,
        reading,
        ..
    } = text;
    let expected = |pattern: &Option<super::template::Pattern>| {
        pattern.as_ref().map(|pattern| pattern.expected(values)).transpose()
    };
    let replies =
        replies.iter().map(|(see, send)| Ok((see.expected(values)?, send.words(values)?)));
    let reading = match reading {
        None => None,
        Some(ReadingText::Words { on, off }) => {
            Some(Reading::Words { on: on.expected(values)?, off: off.expected(values)? })
        }
        Some(ReadingText::Bit(bit)) => {
            let number = bit.number(values)?;
            let bit = usize::try_from(number).map_err(|_| format!("there is no bit {number}"))?;
            Some(Reading::Bit(bit))
        }
    };
    Ok(Step {
        send: send.as_ref().map(|send| send.words(values)).transpose()?,
        expect: expected(expect)?,
        fail: expected(fail)?,
        busy: expected(busy)?,
        names: expected(names)?.zip(values.get("port").map(|port| port.clone().into_bytes())),
        replies: replies.collect::<Result<_, String>>()?,
        timeout: *timeout,
        pause: *pause,
        harmless: *harmless,
        reading,
        inverted: false,
    })
}
