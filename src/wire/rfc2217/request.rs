//! What a client says.

use bytes::BytesMut;

use super::{
    FLOWCONTROL_RESUME, FLOWCONTROL_SUSPEND, NOTIFY_LINESTATE, NOTIFY_MODEMSTATE, PURGE_DATA,
    Purge, SET_BAUDRATE, SET_CONTROL, SET_DATASIZE, SET_LINESTATE_MASK, SET_MODEMSTATE_MASK,
    SET_PARITY, SET_STOPSIZE, SIGNATURE, baud, data_bits, flow, flow_number, parity, parity_number,
    put, stop_bits, stop_bits_number,
};
use crate::model::line::{Flow, Parity, StopBits};

/// What a client asks. A setting that is asked for, is not understood, or has its value cut off is
/// a `None`: the answer to each is how the port is set now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Who the server is.
    Signature,
    /// The client tells who it is; this has no answer.
    ClientSignature,
    Baud(Option<u32>),
    DataBits(Option<u8>),
    Parity(Option<Parity>),
    StopBits(Option<StopBits>),
    Control(Control),
    /// The state is to be notified now.
    LineState,
    ModemState,
    /// No data is to be sent to the client until it resumes.
    Suspend,
    Resume,
    LineStateMask(Option<u8>),
    ModemStateMask(Option<u8>),
    Purge(Purge),
}

/// What SET-CONTROL is about. `None` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Both directions, or the outbound one where it is asked for.
    Flow(Option<Flow>),
    /// The inbound direction, which cannot be set by itself: always a question.
    InboundFlow,
    Break(Option<bool>),
    Dtr(Option<bool>),
    Rts(Option<bool>),
}

impl Request {
    /// Reads a sub-option: the number of the command and its value. `None` is to be ignored: an
    /// unknown command, or one that means nothing without the value that it lacks.
    pub fn decode(sub_option: &[u8]) -> Option<Self> {
        let (&command, value) = sub_option.split_first()?;
        let first = value.first().copied();
        Some(match command {
            SIGNATURE if value.is_empty() => Self::Signature,
            SIGNATURE => Self::ClientSignature,
            SET_BAUDRATE => Self::Baud(baud(value)),
            SET_DATASIZE => Self::DataBits(first.and_then(data_bits)),
            SET_PARITY => Self::Parity(first.and_then(parity)),
            SET_STOPSIZE => Self::StopBits(first.and_then(stop_bits)),
            SET_CONTROL => Self::Control(Control::decode(first?)),
            NOTIFY_LINESTATE => Self::LineState,
            NOTIFY_MODEMSTATE => Self::ModemState,
            FLOWCONTROL_SUSPEND => Self::Suspend,
            FLOWCONTROL_RESUME => Self::Resume,
            SET_LINESTATE_MASK => Self::LineStateMask(first),
            SET_MODEMSTATE_MASK => Self::ModemStateMask(first),
            PURGE_DATA => Self::Purge(Purge::decode(first?)?),
            _ => return None,
        })
    }

    /// Appends the whole subnegotiation, from `IAC SB` to `IAC SE`.
    pub fn encode(self, out: &mut BytesMut) {
        match self {
            Self::Signature => put(SIGNATURE, &[], out),
            Self::ClientSignature => put(SIGNATURE, b"lavamux", out),
            Self::Baud(baud) => put(SET_BAUDRATE, &baud.unwrap_or(0).to_be_bytes(), out),
            Self::DataBits(bits) => put(SET_DATASIZE, &[bits.unwrap_or(0)], out),
            Self::Parity(parity) => put(SET_PARITY, &[parity.map_or(0, parity_number)], out),
            Self::StopBits(bits) => put(SET_STOPSIZE, &[bits.map_or(0, stop_bits_number)], out),
            Self::Control(control) => put(SET_CONTROL, &[control.number()], out),
            Self::LineState => put(NOTIFY_LINESTATE, &[], out),
            Self::ModemState => put(NOTIFY_MODEMSTATE, &[], out),
            Self::Suspend => put(FLOWCONTROL_SUSPEND, &[], out),
            Self::Resume => put(FLOWCONTROL_RESUME, &[], out),
            Self::LineStateMask(mask) => put(SET_LINESTATE_MASK, mask.as_slice(), out),
            Self::ModemStateMask(mask) => put(SET_MODEMSTATE_MASK, mask.as_slice(), out),
            Self::Purge(purge) => put(PURGE_DATA, &[purge.number()], out),
        }
    }
}

impl Control {
    /// What is reserved is a question about flow control, so that whoever sent it need not wait.
    fn decode(value: u8) -> Self {
        match value {
            4 => Self::Break(None),
            5 => Self::Break(Some(true)),
            6 => Self::Break(Some(false)),
            7 => Self::Dtr(None),
            8 => Self::Dtr(Some(true)),
            9 => Self::Dtr(Some(false)),
            10 => Self::Rts(None),
            11 => Self::Rts(Some(true)),
            12 => Self::Rts(Some(false)),
            13..=16 | 18 => Self::InboundFlow,
            _ => Self::Flow(flow(value)),
        }
    }

    fn number(self) -> u8 {
        let switch = |question: u8, on: Option<bool>| match on {
            None => question,
            Some(true) => question + 1,
            Some(false) => question + 2,
        };
        match self {
            Self::Flow(flow) => flow.map_or(0, flow_number),
            Self::InboundFlow => 13,
            Self::Break(on) => switch(4, on),
            Self::Dtr(on) => switch(7, on),
            Self::Rts(on) => switch(10, on),
        }
    }
}
