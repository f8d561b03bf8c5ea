//! COM-PORT-OPTION, RFC 2217: what a client asks of a serial port over telnet, and what the server
//! says. Both are for both ends: [`Request`] and [`Answer`] encode and decode.
//!
//! What is decoded stands between `IAC SB 44` and `IAC SE`.

mod answer;
mod request;
#[cfg(test)]
mod tests;

use bytes::{BufMut as _, BytesMut};

use super::telnet::{IAC, SB, SE};
use crate::model::line::{Flow, Parity, StopBits};

pub use answer::{Answer, inputs, modem_state};
pub use request::{Control, Request};

/// The number of the telnet option.
pub const COM_PORT: u8 = 44;

/// What is added to the number of a client's command in the server's.
const SERVER: u8 = 100;

const SIGNATURE: u8 = 0;
const SET_BAUDRATE: u8 = 1;
const SET_DATASIZE: u8 = 2;
const SET_PARITY: u8 = 3;
const SET_STOPSIZE: u8 = 4;
const SET_CONTROL: u8 = 5;
const NOTIFY_LINESTATE: u8 = 6;
const NOTIFY_MODEMSTATE: u8 = 7;
const FLOWCONTROL_SUSPEND: u8 = 8;
const FLOWCONTROL_RESUME: u8 = 9;
const SET_LINESTATE_MASK: u8 = 10;
const SET_MODEMSTATE_MASK: u8 = 11;
const PURGE_DATA: u8 = 12;

/// The bits of NOTIFY-LINESTATE that a port can tell.
pub mod line_state {
    pub const OVERRUN: u8 = 0x02;
    pub const PARITY: u8 = 0x04;
    pub const FRAMING: u8 = 0x08;
    pub const BREAK: u8 = 0x10;
    /// All that was written has been sent.
    pub const EMPTY: u8 = 0x60;
}

/// Which data is to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// On its way from the board to the client.
    Received,
    /// On its way to the board.
    Typed,
    Both,
}

impl Purge {
    fn decode(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Received,
            2 => Self::Typed,
            3 => Self::Both,
            _ => return None,
        })
    }

    fn number(self) -> u8 {
        match self {
            Self::Received => 1,
            Self::Typed => 2,
            Self::Both => 3,
        }
    }
}

/// Appends a whole subnegotiation, from `IAC SB` to `IAC SE`.
fn put(command: u8, value: &[u8], out: &mut BytesMut) {
    out.put_slice(&[IAC, SB, COM_PORT, command]);
    for byte in value {
        out.put_u8(*byte);
        if *byte == IAC {
            out.put_u8(IAC);
        }
    }
    out.put_slice(&[IAC, SE]);
}

/// A baud rate, unless it is cut off, or 0, which asks.
fn baud(value: &[u8]) -> Option<u32> {
    let baud = value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    baud.filter(|baud| *baud != 0)
}

fn data_bits(number: u8) -> Option<u8> {
    (5..=8).contains(&number).then_some(number)
}

fn parity(number: u8) -> Option<Parity> {
    Some(match number {
        1 => Parity::None,
        2 => Parity::Odd,
        3 => Parity::Even,
        4 => Parity::Mark,
        5 => Parity::Space,
        _ => return None,
    })
}

fn parity_number(parity: Parity) -> u8 {
    match parity {
        Parity::None => 1,
        Parity::Odd => 2,
        Parity::Even => 3,
        Parity::Mark => 4,
        Parity::Space => 5,
    }
}

fn stop_bits(number: u8) -> Option<StopBits> {
    Some(match number {
        1 => StopBits::One,
        2 => StopBits::Two,
        3 => StopBits::OneAndHalf,
        _ => return None,
    })
}

fn stop_bits_number(stop_bits: StopBits) -> u8 {
    match stop_bits {
        StopBits::One => 1,
        StopBits::Two => 2,
        StopBits::OneAndHalf => 3,
    }
}

/// 17 and 19 are flow control by DCD and DSR, which no Linux line has.
fn flow(number: u8) -> Option<Flow> {
    Some(match number {
        1 => Flow::None,
        2 => Flow::Software,
        3 => Flow::Hardware,
        _ => return None,
    })
}

fn flow_number(flow: Flow) -> u8 {
    match flow {
        Flow::None => 1,
        Flow::Software => 2,
        Flow::Hardware => 3,
    }
}
