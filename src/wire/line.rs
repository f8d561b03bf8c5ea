//! A console's line in messages: how it is, and what is wanted of it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::line::{Flow, Inputs, Line, LineErrors, Parity, StopBits};

/// The longest pulse of an output, in milliseconds.
const MAX_PULSE_MS: u64 = 10_000;

/// A request to set the line. What is left out stays as it is; with nothing at all it only asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLine {
    /// Several settings in one text, as `9600e7 rtscts`; see [`LineWishes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baud: Option<u32>,
    /// 5 to 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_bits: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<Parity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_bits: Option<StopBits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtr: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rts: Option<bool>,
    /// DTR and RTS are set for so many milliseconds only, then they are as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulse_ms: Option<u64>,
}

/// What is wanted of a line.
///
/// As text in words of any order: `9600e7 rtscts`, `115200`, `7e1`, `none`, `dtr=off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineWishes {
    pub baud: Option<u32>,
    pub data_bits: Option<u8>,
    pub parity: Option<Parity>,
    pub stop_bits: Option<StopBits>,
    pub flow: Option<Flow>,
    pub dtr: Option<bool>,
    pub rts: Option<bool>,
    /// How long `dtr` and `rts` are to be so, in milliseconds.
    pub pulse_ms: Option<u64>,
}

/// A line at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineState {
    /// All settings in one text, as `9600e7 rtscts`.
    pub settings: String,
    pub baud: u32,
    pub data_bits: u8,
    pub parity: Parity,
    pub stop_bits: StopBits,
    pub flow: Flow,
    pub dtr: bool,
    pub rts: bool,
    /// A break condition is on.
    pub breaking: bool,
    /// The port cannot be set so, or is not open: it is remembered for one that can.
    pub remembered: bool,
    /// What the other end's wires say; null where there are none.
    pub inputs: Option<Inputs>,
    /// What has been counted; null where nothing is.
    pub errors: Option<LineErrors>,
}

impl SetLine {
    /// What is wanted, when it is possible at all.
    ///
    /// # Errors
    /// What is not.
    pub fn wishes(&self) -> Result<LineWishes, String> {
        let text: LineWishes = self.settings.as_deref().unwrap_or_default().parse()?;
        let wishes = LineWishes {
            baud: self.baud.or(text.baud),
            data_bits: self.data_bits.or(text.data_bits),
            parity: self.parity.or(text.parity),
            stop_bits: self.stop_bits.or(text.stop_bits),
            flow: self.flow.or(text.flow),
            dtr: self.dtr.or(text.dtr),
            rts: self.rts.or(text.rts),
            pulse_ms: self.pulse_ms,
        };
        wishes.check()
    }
}

impl LineWishes {
    /// Whether nothing is wanted.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Makes a line what is wanted of it.
    pub fn put(self, line: &mut Line) {
        let framing = &mut line.settings.framing;
        framing.baud = self.baud.unwrap_or(framing.baud);
        framing.data_bits = self.data_bits.unwrap_or(framing.data_bits);
        framing.parity = self.parity.unwrap_or(framing.parity);
        framing.stop_bits = self.stop_bits.unwrap_or(framing.stop_bits);
        line.settings.flow = self.flow.unwrap_or(line.settings.flow);
        line.outputs.dtr = self.dtr.unwrap_or(line.outputs.dtr);
        line.outputs.rts = self.rts.unwrap_or(line.outputs.rts);
    }

    fn check(self) -> Result<Self, String> {
        if self.baud == Some(0) {
            return Err("0 baud is no speed".into());
        }
        if let Some(bits) = self.data_bits.filter(|bits| !(5..=8).contains(bits)) {
            return Err(format!("a character has 5 to 8 data bits, not {bits}"));
        }
        match self.pulse_ms {
            Some(ms) if !(1..=MAX_PULSE_MS).contains(&ms) => {
                Err(format!("a pulse lasts 1 to {MAX_PULSE_MS} ms, not {ms}"))
            }
            Some(_) if self.dtr.is_none() && self.rts.is_none() => {
                Err("a pulse is one of dtr or rts".into())
            }
            _ => Ok(self),
        }
    }

    /// Reads one word.
    fn word(&mut self, word: &str) -> Result<(), String> {
        let wrong = || {
            format!(
                "line setting {word:?} is not understood; write it like 115200n8, 9600e7, 7e1, \
                 rtscts, xonxoff, none, dtr=off or rts=on"
            )
        };
        let lower = word.to_ascii_lowercase();
        match lower.split_once('=') {
            Some(("dtr", state)) => self.dtr = Some(on_or_off(state).ok_or_else(wrong)?),
            Some(("rts", state)) => self.rts = Some(on_or_off(state).ok_or_else(wrong)?),
            Some(_) => return Err(wrong()),
            None => match lower.as_str() {
                "none" => self.flow = Some(Flow::None),
                "xonxoff" => self.flow = Some(Flow::Software),
                "rtscts" => self.flow = Some(Flow::Hardware),
                framing => self.framing(framing).ok_or_else(wrong)?,
            },
        }
        Ok(())
    }

    /// Reads `115200`, `115200n8`, `9600e72`, or `7e1`.
    fn framing(&mut self, word: &str) -> Option<()> {
        let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let (number, rest) = word.split_at(digits);
        let mut rest = rest.chars();
        self.parity = match rest.next() {
            None => self.parity,
            Some(c) => Some(parity(c)?),
        };
        // The old way to write it has the data bits before the parity.
        let classic = matches!(number, "5" | "6" | "7" | "8") && digits < word.len();
        if classic {
            self.data_bits = number.parse().ok();
        } else {
            self.baud = Some(number.parse().ok().filter(|baud| *baud > 0)?);
            self.data_bits = match rest.next() {
                None => self.data_bits,
                Some(c @ '5'..='8') => Some(c as u8 - b'0'),
                Some(_) => return None,
            };
        }
        self.stop_bits = match rest.as_str() {
            "" => self.stop_bits,
            "1" => Some(StopBits::One),
            "1.5" => Some(StopBits::OneAndHalf),
            "2" => Some(StopBits::Two),
            _ => return None,
        };
        Some(())
    }
}

impl FromStr for LineWishes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut wishes = Self::default();
        text.split_whitespace().try_for_each(|word| wishes.word(word))?;
        wishes.check()
    }
}

impl From<Line> for LineState {
    fn from(line: Line) -> Self {
        let framing = line.settings.framing;
        Self {
            settings: line.settings.to_string(),
            baud: framing.baud,
            data_bits: framing.data_bits,
            parity: framing.parity,
            stop_bits: framing.stop_bits,
            flow: line.settings.flow,
            dtr: line.outputs.dtr,
            rts: line.outputs.rts,
            breaking: line.breaking,
            remembered: line.known.remembered,
            inputs: line.known.inputs.then_some(line.inputs),
            errors: line.known.errors.then_some(line.errors),
        }
    }
}

fn parity(letter: char) -> Option<Parity> {
    Some(match letter {
        'n' => Parity::None,
        'o' => Parity::Odd,
        'e' => Parity::Even,
        'm' => Parity::Mark,
        's' => Parity::Space,
        _ => return None,
    })
}

fn on_or_off(state: &str) -> Option<bool> {
    match state {
        "on" | "1" => Some(true),
        "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::line::LineSettings;
    use proptest::prelude::*;

    /// `text` applied to a line that is set as 115200n8.
    fn set(text: &str) -> String {
        let mut line = Line::default();
        text.parse::<LineWishes>().unwrap().put(&mut line);
        let mut told = line.settings.to_string();
        for (name, on) in [("dtr", line.outputs.dtr), ("rts", line.outputs.rts)] {
            told += if on { "" } else { " -" };
            told += if on { "" } else { name };
        }
        told
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        assert_eq!(set(""), "115200n8");
        assert_eq!(set("9600"), "9600n8");
        assert_eq!(set("9600e7 rtscts"), "9600e7 rtscts");
        assert_eq!(set("7E2"), "115200e72");
        assert_eq!(set("8n1 XONXOFF"), "115200n8 xonxoff");
        assert_eq!(set("dtr=off 300m5 rts=0"), "300m5 -dtr -rts");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for wrong in ["fast", "9600x", "9600n9", "0", "7e3", "e7", "dtr=", "cts=on", "4294967296"] {
            let told = wrong.parse::<LineWishes>().unwrap_err();
            assert!(told.contains(&format!("{wrong:?}")), "{told}");
        }
        let asked = |json: &str| serde_json::from_str::<SetLine>(json).unwrap().wishes();
        assert_eq!(asked(r#"{"baud":0}"#), Err("0 baud is no speed".into()));
        assert!(asked(r#"{"data_bits":9}"#).unwrap_err().contains("5 to 8"));
        assert!(asked(r#"{"dtr":false,"pulse_ms":0}"#).unwrap_err().contains("1 to 10000 ms"));
        assert!(asked(r#"{"pulse_ms":5}"#).unwrap_err().contains("one of dtr or rts"));
        assert!(serde_json::from_str::<SetLine>(r#"{"bauds":9600}"#).is_err());
    }

    #[test]
    fn json_and_text_say_the_same() {
        let json = r#"{"baud":9600,"data_bits":7,"parity":"even","stop_bits":"2","flow":"rtscts"}"#;
        let asked: SetLine = serde_json::from_str(json).unwrap();
        assert_eq!(asked.wishes(), "9600e72 rtscts".parse());
        assert_eq!(serde_json::to_string(&asked).unwrap(), json);
        // What is named by itself counts.
        let asked: SetLine = serde_json::from_str(r#"{"settings":"9600e7","baud":300}"#).unwrap();
        assert_eq!(asked.wishes(), "300e7".parse());
    }

    proptest! {
        #[test]
        fn settings_read_back_as_they_are_shown(
            baud in 1..=u32::MAX,
            bits in 5..=8_u8,
            parity in proptest::sample::select(vec!['n', 'o', 'e', 'm', 's']),
            stop in proptest::sample::select(vec!["1", "1.5", "2"]),
            flow in proptest::sample::select(vec!["none", "xonxoff", "rtscts"]),
        ) {
            let text = format!("{baud}{parity}{bits}{stop} {flow}");
            let mut line = Line::default();
            text.parse::<LineWishes>().unwrap().put(&mut line);
            let shown = line.settings.to_string();
            let mut again = Line { settings: LineSettings::default(), ..line };
            shown.parse::<LineWishes>().unwrap().put(&mut again);
            prop_assert_eq!(again, line);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-z=. é]{0,30}") {
            let _ = text.parse::<LineWishes>();
        }
    }
}
