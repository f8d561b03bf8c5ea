//! What is said about the far end of a simulated UART, in lines.
//!
//! Orders, each answered with `ok` or `error TEXT`:
//!
//! ```text
//! far 9600e7       a device is there that is set like this; plug: the loop-back plug again
//! send 6c6f67      the device sends bytes, in hexadecimal
//! wires cts dsr    of the wires cts, dsr, ri and cd the device has these on
//! break            the device sends a break
//! overrun          a byte is lost because nobody took it in time
//! noise 1000       one bit of so many is turned around, in both directions; 0: none
//! ```
//!
//! Reports: `line 115200n8 dtr=on rts=on break=off` at the beginning and after each change, and
//! `heard 726f6f74` when a device has received bytes.

use crate::model::line::{Framing, FramingError, Inputs, Line};

/// The longest line, in bytes. `send` has as many as one line can carry.
pub const MAX_LINE: usize = 4 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    Plug,
    Far(Framing),
    Send(Vec<u8>),
    Wires(Inputs),
    Break,
    Overrun,
    Noise(u32),
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    #[error("the orders are far, send, wires, break, overrun and noise, not {0:?}")]
    Unknown(String),
    #[error("{0:?} are no bytes in hexadecimal")]
    Bytes(String),
    #[error("the wires are cts, dsr, ri and cd, not {0:?}")]
    Wire(String),
    #[error("{0:?} is no number")]
    Number(String),
    #[error(transparent)]
    Framing(#[from] FramingError),
    #[error("there is a plug: say first how the far end is set, as `far 115200n8`")]
    Plug,
    #[error("the device has too much to send already")]
    Full,
    #[error("a line has at most {MAX_LINE} bytes and is text")]
    Line,
}

impl Order {
    pub(super) fn parse(line: &str) -> Result<Self, OrderError> {
        let (verb, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let value = value.trim();
        Ok(match verb {
            "far" if value == "plug" => Self::Plug,
            "far" => Self::Far(value.parse()?),
            "send" => Self::Send(bytes(value).ok_or_else(|| OrderError::Bytes(value.into()))?),
            "wires" => Self::Wires(wires(value)?),
            "break" if value.is_empty() => Self::Break,
            "overrun" if value.is_empty() => Self::Overrun,
            "noise" => {
                Self::Noise(value.parse().map_err(|_| OrderError::Number(value.to_owned()))?)
            }
            _ => return Err(OrderError::Unknown(line.trim().to_owned())),
        })
    }
}

fn wires(text: &str) -> Result<Inputs, OrderError> {
    let mut on = Inputs { cts: false, dsr: false, ri: false, cd: false };
    for wire in text.split_whitespace() {
        match wire {
            "cts" => on.cts = true,
            "dsr" => on.dsr = true,
            "ri" => on.ri = true,
            "cd" => on.cd = true,
            other => return Err(OrderError::Wire(other.to_owned())),
        }
    }
    Ok(on)
}

fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits = hexadecimal.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

/// The report of what a device has received.
pub(super) fn heard(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("heard {digits}\n")
}

/// The report of how the near end is set.
pub(super) fn line(line: &Line) -> String {
    let switch = |on| if on { "on" } else { "off" };
    let (dtr, rts) = (switch(line.outputs.dtr), switch(line.outputs.rts));
    format!("line {} dtr={dtr} rts={rts} break={}\n", line.settings, switch(line.breaking))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn orders_are_read() {
        assert_eq!(Order::parse("far plug"), Ok(Order::Plug));
        assert_eq!(Order::parse("far 9600e7"), Ok(Order::Far("9600e7".parse().unwrap())));
        assert_eq!(Order::parse("send 6c6F67\r"), Ok(Order::Send(b"log".into())));
        let on = Inputs { cts: true, dsr: false, ri: true, cd: false };
        assert_eq!(Order::parse("wires ri cts"), Ok(Order::Wires(on)));
        assert_eq!(Order::parse("noise 50"), Ok(Order::Noise(50)));
        assert_eq!(Order::parse("break"), Ok(Order::Break));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(Order::parse("brake"), Err(OrderError::Unknown("brake".into())));
        assert_eq!(Order::parse("far away"), Err(FramingError("away".into()).into()));
        assert_eq!(Order::parse("send 6c6"), Err(OrderError::Bytes("6c6".into())));
        assert_eq!(Order::parse("wires rts"), Err(OrderError::Wire("rts".into())));
        assert_eq!(Order::parse("noise -1"), Err(OrderError::Number("-1".into())));
    }

    #[test]
    fn reports_are_lines() {
        assert_eq!(heard(b"\0\xff"), "heard 00ff\n");
        assert_eq!(line(&Line::default()), "line 115200n8 dtr=on rts=on break=off\n");
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(verb in "(far|send|wires|noise)?", rest in ".{0,20}") {
            let _ = Order::parse(&format!("{verb} {rest}"));
        }
    }
}
