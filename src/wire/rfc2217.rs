//! COM-PORT-OPTION, RFC 2217, server side: what a client asks of a serial port over telnet, and
//! the answers.
//!
//! [`Request::decode`] reads what stands between `IAC SB 44` and `IAC SE`. A setting that is asked
//! for, is not understood, or has its value cut off is a `None`: the answer to each is how the port
//! is set now.

use bytes::{BufMut as _, BytesMut};

use super::telnet::{IAC, SB, SE};
use crate::model::line::{Flow, Inputs, Parity, StopBits};

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

/// What a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Who we are.
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

/// Which data is to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// On its way from the board to the client.
    Received,
    /// On its way to the board.
    Typed,
    Both,
}

/// What the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    Signature(&'a str),
    Baud(u32),
    DataBits(u8),
    Parity(Parity),
    StopBits(StopBits),
    Flow(Flow),
    InboundFlow(Flow),
    Break(bool),
    Dtr(bool),
    Rts(bool),
    /// Bits of [`line_state`].
    LineState(u8),
    /// From [`modem_state`].
    ModemState(u8),
    LineStateMask(u8),
    ModemStateMask(u8),
    Purge(Purge),
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
            SET_BAUDRATE => {
                let baud = value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
                Self::Baud(baud.filter(|baud| *baud != 0))
            }
            SET_DATASIZE => Self::DataBits(first.filter(|bits| (5..=8).contains(bits))),
            SET_PARITY => Self::Parity(first.and_then(parity)),
            SET_STOPSIZE => Self::StopBits(first.and_then(stop_bits)),
            SET_CONTROL => Self::Control(Control::decode(first?)),
            NOTIFY_LINESTATE => Self::LineState,
            NOTIFY_MODEMSTATE => Self::ModemState,
            FLOWCONTROL_SUSPEND => Self::Suspend,
            FLOWCONTROL_RESUME => Self::Resume,
            SET_LINESTATE_MASK => Self::LineStateMask(first),
            SET_MODEMSTATE_MASK => Self::ModemStateMask(first),
            PURGE_DATA => Self::Purge(match first? {
                1 => Purge::Received,
                2 => Purge::Typed,
                3 => Purge::Both,
                _ => return None,
            }),
            _ => return None,
        })
    }
}

impl Control {
    /// What is reserved is a question about flow control, so that whoever sent it need not wait.
    fn decode(value: u8) -> Self {
        match value {
            1 => Self::Flow(Some(Flow::None)),
            2 => Self::Flow(Some(Flow::Software)),
            3 => Self::Flow(Some(Flow::Hardware)),
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
            // 17 and 19 are flow control by DCD and DSR, which no Linux line has.
            _ => Self::Flow(None),
        }
    }
}

impl Answer<'_> {
    /// Appends the whole subnegotiation, from `IAC SB` to `IAC SE`.
    pub fn encode(&self, out: &mut BytesMut) {
        let (command, value): (u8, &[u8]) = match self {
            Self::Signature(text) => (SIGNATURE, text.as_bytes()),
            Self::Baud(baud) => (SET_BAUDRATE, &baud.to_be_bytes()),
            Self::DataBits(bits) => (SET_DATASIZE, &[*bits]),
            Self::Parity(parity) => (SET_PARITY, &[parity_number(*parity)]),
            Self::StopBits(StopBits::One) => (SET_STOPSIZE, &[1]),
            Self::StopBits(StopBits::Two) => (SET_STOPSIZE, &[2]),
            Self::StopBits(StopBits::OneAndHalf) => (SET_STOPSIZE, &[3]),
            Self::Flow(flow) => (SET_CONTROL, &[1 + flow_number(*flow)]),
            Self::InboundFlow(flow) => (SET_CONTROL, &[14 + flow_number(*flow)]),
            Self::Break(on) => (SET_CONTROL, &[if *on { 5 } else { 6 }]),
            Self::Dtr(on) => (SET_CONTROL, &[if *on { 8 } else { 9 }]),
            Self::Rts(on) => (SET_CONTROL, &[if *on { 11 } else { 12 }]),
            Self::LineState(bits) => (NOTIFY_LINESTATE, &[*bits]),
            Self::ModemState(bits) => (NOTIFY_MODEMSTATE, &[*bits]),
            Self::LineStateMask(mask) => (SET_LINESTATE_MASK, &[*mask]),
            Self::ModemStateMask(mask) => (SET_MODEMSTATE_MASK, &[*mask]),
            Self::Purge(Purge::Received) => (PURGE_DATA, &[1]),
            Self::Purge(Purge::Typed) => (PURGE_DATA, &[2]),
            Self::Purge(Purge::Both) => (PURGE_DATA, &[3]),
        };
        out.put_slice(&[IAC, SB, COM_PORT, command + SERVER]);
        for byte in value {
            out.put_u8(*byte);
            if *byte == IAC {
                out.put_u8(IAC);
            }
        }
        out.put_slice(&[IAC, SE]);
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

fn flow_number(flow: Flow) -> u8 {
    match flow {
        Flow::None => 0,
        Flow::Software => 1,
        Flow::Hardware => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(answer: Answer<'_>) -> Vec<u8> {
        let mut out = BytesMut::new();
        answer.encode(&mut out);
        out.to_vec()
    }

    #[test]
    fn settings_are_read_and_answered() {
        assert_eq!(Request::decode(&[1, 0, 1, 0xc2, 0]), Some(Request::Baud(Some(115_200))));
        assert_eq!(Request::decode(&[2, 7]), Some(Request::DataBits(Some(7))));
        assert_eq!(Request::decode(&[3, 5]), Some(Request::Parity(Some(Parity::Space))));
        assert_eq!(Request::decode(&[4, 3]), Some(Request::StopBits(Some(StopBits::OneAndHalf))));
        assert_eq!(Request::decode(&[5, 9]), Some(Request::Control(Control::Dtr(Some(false)))));
        assert_eq!(Request::decode(&[12, 3]), Some(Request::Purge(Purge::Both)));
        let whole = [IAC, SB, 44, 101, 0, 1, 0xc2, 0, IAC, SE];
        assert_eq!(encoded(Answer::Baud(115_200)), whole);
        assert_eq!(encoded(Answer::Signature("a")), [IAC, SB, 44, 100, b'a', IAC, SE]);
    }

    #[test]
    fn a_question_is_what_asks_and_what_cannot_be_understood() {
        for baud in [&[1, 0, 0, 0, 0][..], &[1, 0, 1], &[1]] {
            assert_eq!(Request::decode(baud), Some(Request::Baud(None)), "{baud:?}");
        }
        for bits in [&[2, 0][..], &[2, 4], &[2, 9], &[2]] {
            assert_eq!(Request::decode(bits), Some(Request::DataBits(None)), "{bits:?}");
        }
        assert_eq!(Request::decode(&[3, 6]), Some(Request::Parity(None)));
        assert_eq!(Request::decode(&[4]), Some(Request::StopBits(None)));
        for control in [0, 17, 19, 20, 255] {
            assert_eq!(Request::decode(&[5, control]), Some(Request::Control(Control::Flow(None))));
        }
        assert_eq!(Request::decode(&[0]), Some(Request::Signature));
        assert_eq!(Request::decode(b"\0pyserial"), Some(Request::ClientSignature));
    }

    #[test]
    fn what_has_no_answer_is_ignored() {
        for nothing in [&[][..], &[5], &[12], &[12, 0], &[12, 4], &[13], &[101, 0], &[255]] {
            assert_eq!(Request::decode(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn modem_state_tells_the_wires_and_what_has_changed() {
        let off = Inputs { cts: false, dsr: false, ri: false, cd: false };
        assert_eq!(modem_state(off, Inputs { cts: true, ..off }), 0x11);
        assert_eq!(modem_state(off, Inputs { ri: true, ..off }), 0x40);
        assert_eq!(modem_state(Inputs { ri: true, ..off }, off), 0x04);
        assert_eq!(modem_state(Inputs { cd: true, dsr: true, ..off }, off), 0x0a);
    }

    proptest! {
        #[test]
        fn no_sub_option_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = Request::decode(&bytes);
        }

        /// pyserial takes an answer only if it begins with the value that it asked for.
        #[test]
        fn the_answer_to_a_setting_is_the_value_that_was_asked_for(
            command in 1..=4_u8,
            value in prop_oneof![
                any::<[u8; 4]>(),
                (1..=9_u8).prop_map(|number| [number, 0, 0, 0]),
            ],
        ) {
            let asked = if command == SET_BAUDRATE { &value[..] } else { &value[..1] };
            let answer = match Request::decode(&[&[command], &value[..]].concat()).unwrap() {
                Request::Baud(Some(baud)) => Answer::Baud(baud),
                Request::DataBits(Some(bits)) => Answer::DataBits(bits),
                Request::Parity(Some(parity)) => Answer::Parity(parity),
                Request::StopBits(Some(bits)) => Answer::StopBits(bits),
                _ => return Ok(()),
            };
            prop_assert_eq!(received(&encoded(answer)), [&[44, command + SERVER], asked].concat());
        }

        #[test]
        fn every_answer_is_one_subnegotiation(baud: u32, mask: u8, text in "[a-z\u{80}-\u{ff}]{0,9}") {
            for (answer, value) in [
                (Answer::Baud(baud), baud.to_be_bytes().to_vec()),
                (Answer::ModemState(mask), vec![mask]),
                (Answer::LineStateMask(mask), vec![mask]),
                (Answer::Signature(&text), text.as_bytes().to_vec()),
            ] {
                prop_assert_eq!(&received(&encoded(answer))[2..], &value);
            }
        }
    }

    /// What a telnet peer takes from it: the option, the command and the value.
    fn received(wire: &[u8]) -> Vec<u8> {
        use crate::wire::telnet::{Received, Telnet};
        match &Telnet::server().decode(wire).unwrap()[..] {
            [Received::Subnegotiation(bytes)] => bytes.to_vec(),
            other => panic!("{other:?}"),
        }
    }
}
