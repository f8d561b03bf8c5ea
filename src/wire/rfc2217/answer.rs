//! What the server says.

use bytes::BytesMut;

use super::{
    FLOWCONTROL_RESUME, FLOWCONTROL_SUSPEND, NOTIFY_LINESTATE, NOTIFY_MODEMSTATE, PURGE_DATA,
    Purge, SERVER, SET_BAUDRATE, SET_CONTROL, SET_DATASIZE, SET_LINESTATE_MASK,
    SET_MODEMSTATE_MASK, SET_PARITY, SET_STOPSIZE, SIGNATURE, baud, data_bits, flow, flow_number,
    parity, parity_number, put, stop_bits, stop_bits_number,
};
use crate::model::line::{Flow, Inputs, Parity, StopBits};

/// What the server says: how something is set now, or what has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    Signature(&'a [u8]),
    Baud(u32),
    DataBits(u8),
    Parity(Parity),
    StopBits(StopBits),
    Flow(Flow),
    InboundFlow(Flow),
    Break(bool),
    Dtr(bool),
    Rts(bool),
    /// Bits of [`super::line_state`].
    LineState(u8),
    /// From [`modem_state`].
    ModemState(u8),
    /// No data is to be sent to the server until it resumes.
    Suspend,
    Resume,
    LineStateMask(u8),
    ModemStateMask(u8),
    Purge(Purge),
}

impl<'a> Answer<'a> {
    /// Reads a sub-option: the number of the command and its value. `None` is to be ignored: an
    /// unknown command, or one whose value means nothing or is cut off.
    pub fn decode(sub_option: &'a [u8]) -> Option<Self> {
        let (&command, value) = sub_option.split_first()?;
        let first = value.first().copied();
        Some(match command.checked_sub(SERVER)? {
            SIGNATURE => Self::Signature(value),
            SET_BAUDRATE => Self::Baud(baud(value)?),
            SET_DATASIZE => Self::DataBits(data_bits(first?)?),
            SET_PARITY => Self::Parity(parity(first?)?),
            SET_STOPSIZE => Self::StopBits(stop_bits(first?)?),
            SET_CONTROL => match first? {
                5 => Self::Break(true),
                6 => Self::Break(false),
                8 => Self::Dtr(true),
                9 => Self::Dtr(false),
                11 => Self::Rts(true),
                12 => Self::Rts(false),
                number @ 14..=16 => Self::InboundFlow(flow(number - 13)?),
                number => Self::Flow(flow(number)?),
            },
            NOTIFY_LINESTATE => Self::LineState(first?),
            NOTIFY_MODEMSTATE => Self::ModemState(first?),
            FLOWCONTROL_SUSPEND => Self::Suspend,
            FLOWCONTROL_RESUME => Self::Resume,
            SET_LINESTATE_MASK => Self::LineStateMask(first?),
            SET_MODEMSTATE_MASK => Self::ModemStateMask(first?),
            PURGE_DATA => Self::Purge(Purge::decode(first?)?),
            _ => return None,
        })
    }

    /// Appends the whole subnegotiation, from `IAC SB` to `IAC SE`.
    pub fn encode(&self, out: &mut BytesMut) {
        let (command, value): (u8, &[u8]) = match self {
            Self::Signature(text) => (SIGNATURE, text),
            Self::Baud(baud) => (SET_BAUDRATE, &baud.to_be_bytes()),
            Self::DataBits(bits) => (SET_DATASIZE, &[*bits]),
            Self::Parity(parity) => (SET_PARITY, &[parity_number(*parity)]),
            Self::StopBits(bits) => (SET_STOPSIZE, &[stop_bits_number(*bits)]),
            Self::Flow(flow) => (SET_CONTROL, &[flow_number(*flow)]),
            Self::InboundFlow(flow) => (SET_CONTROL, &[13 + flow_number(*flow)]),
            Self::Break(on) => (SET_CONTROL, &[if *on { 5 } else { 6 }]),
            Self::Dtr(on) => (SET_CONTROL, &[if *on { 8 } else { 9 }]),
            Self::Rts(on) => (SET_CONTROL, &[if *on { 11 } else { 12 }]),
            Self::LineState(bits) => (NOTIFY_LINESTATE, &[*bits]),
            Self::ModemState(bits) => (NOTIFY_MODEMSTATE, &[*bits]),
            Self::Suspend => (FLOWCONTROL_SUSPEND, &[]),
            Self::Resume => (FLOWCONTROL_RESUME, &[]),
            Self::LineStateMask(mask) => (SET_LINESTATE_MASK, &[*mask]),
            Self::ModemStateMask(mask) => (SET_MODEMSTATE_MASK, &[*mask]),
            Self::Purge(purge) => (PURGE_DATA, &[purge.number()]),
        };
        put(command + SERVER, value, out);
    }
}

/// The bits of NOTIFY-MODEMSTATE: the wires in the upper half, what has changed since `before` in
/// the lower.
pub fn modem_state(before: Inputs, now: Inputs) -> u8 {
    let bit = |on: bool, place: u8| u8::from(on) << place;
    bit(now.cd, 7)
        | bit(now.ri, 6)
        | bit(now.dsr, 5)
        | bit(now.cts, 4)
        | bit(now.cd != before.cd, 3)
        // Only the end of ringing counts.
        | bit(before.ri && !now.ri, 2)
        | bit(now.dsr != before.dsr, 1)
        | bit(now.cts != before.cts, 0)
}

/// The wires in the bits of NOTIFY-MODEMSTATE.
pub fn inputs(modem_state: u8) -> Inputs {
    let bit = |place: u8| modem_state & (1 << place) != 0;
    Inputs { cd: bit(7), ri: bit(6), dsr: bit(5), cts: bit(4) }
}
