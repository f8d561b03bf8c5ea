//! How a serial line is set, what its wires say, and what it has counted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How characters go over a serial line. As text: `115200n8`, `9600e72`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Framing {
    /// Bits per second, never 0; any value that the adapter can do.
    pub baud: u32,
    pub parity: Parity,
    /// 5 to 8.
    pub data_bits: u8,
    pub stop_bits: StopBits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parity {
    None,
    Odd,
    Even,
    /// The parity bit is always 1.
    Mark,
    /// The parity bit is always 0.
    Space,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum StopBits {
    #[serde(rename = "1")]
    One,
    /// Where there are 5 data bits; Linux has no other line with it.
    #[serde(rename = "1.5")]
    OneAndHalf,
    #[serde(rename = "2")]
    Two,
}

/// How the two ends hold each other up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub enum Flow {
    #[default]
    #[serde(rename = "none")]
    None,
    /// XON and XOFF.
    #[serde(rename = "xonxoff")]
    Software,
    /// RTS and CTS.
    #[serde(rename = "rtscts")]
    Hardware,
}

/// Everything that is set on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LineSettings {
    pub framing: Framing,
    pub flow: Flow,
}

/// The wires that we drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    pub dtr: bool,
    pub rts: bool,
}

/// The wires that the other end drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Inputs {
    pub cts: bool,
    pub dsr: bool,
    pub ri: bool,
    pub cd: bool,
}

/// What went wrong on a line, and the breaks that came, counted since the port was opened or longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LineErrors {
    pub overruns: u32,
    pub parity: u32,
    pub framing: u32,
    pub breaks: u32,
}

/// A console's line at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Line {
    pub settings: LineSettings,
    pub outputs: Outputs,
    /// A break condition is on.
    pub breaking: bool,
    pub inputs: Inputs,
    pub errors: LineErrors,
    /// What of this the port itself has told; the rest is what clients are to believe.
    #[serde(default)]
    pub known: Known,
}

/// What a port can tell of its line, and do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Known {
    pub inputs: bool,
    pub errors: bool,
    /// The settings or the outputs are only remembered: the port is not open, or no such line.
    pub remembered: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Self { baud: 115_200, parity: Parity::None, data_bits: 8, stop_bits: StopBits::One }
    }
}

impl Default for Outputs {
    /// As Linux leaves them when a line is opened.
    fn default() -> Self {
        Self { dtr: true, rts: true }
    }
}

impl Default for Inputs {
    /// Of a port that cannot tell: somebody is there and ready, so that nobody waits for it.
    fn default() -> Self {
        Self { cts: true, dsr: true, ri: false, cd: true }
    }
}

/// A text that is no [`Framing`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line setting {0:?} is not understood; write it like 115200n8 or 9600e7")]
pub struct FramingError(pub String);

impl FromStr for Framing {
    type Err = FramingError;

    /// Reads the baud rate, then parity (n, e, o, m or s), data bits (5 to 8) and stop bits (1, 1.5
    /// or 2), each with the usual default.
    fn from_str(text: &str) -> Result<Self, FramingError> {
        let wrong = || FramingError(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let baud = text[..digits].parse().map_err(|_| wrong())?;
        let mut rest = text[digits..].chars();
        let parity = match rest.next().map(|c| c.to_ascii_lowercase()) {
            None | Some('n') => Parity::None,
            Some('e') => Parity::Even,
            Some('o') => Parity::Odd,
            Some('m') => Parity::Mark,
            Some('s') => Parity::Space,
            Some(_) => return Err(wrong()),
        };
        let data_bits = match rest.next() {
            None => 8,
            Some(c @ '5'..='8') => c as u8 - b'0',
            Some(_) => return Err(wrong()),
        };
        let stop_bits = match rest.as_str() {
            "" | "1" => StopBits::One,
            "1.5" => StopBits::OneAndHalf,
            "2" => StopBits::Two,
            _ => return Err(wrong()),
        };
        if baud == 0 {
            return Err(wrong());
        }
        Ok(Self { baud, parity, data_bits, stop_bits })
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'n',
            Parity::Odd => 'o',
            Parity::Even => 'e',
            Parity::Mark => 'm',
            Parity::Space => 's',
        };
        write!(f, "{}{parity}{}", self.baud, self.data_bits)?;
        match self.stop_bits {
            StopBits::One => Ok(()),
            StopBits::OneAndHalf => f.write_str("1.5"),
            StopBits::Two => f.write_str("2"),
        }
    }
}

impl fmt::Display for LineSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flow {
            Flow::None => write!(f, "{}", self.framing),
            Flow::Software => write!(f, "{} xonxoff", self.framing),
            Flow::Hardware => write!(f, "{} rtscts", self.framing),
        }
    }
}
