//! Telnet, server side: RFC 854 with ECHO (RFC 857), SUPPRESS-GO-AHEAD (RFC 858),
//! TRANSMIT-BINARY (RFC 856) and COM-PORT-OPTION ([`super::rfc2217`]), negotiated by the Q method of
//! RFC 1143, so that no peer can make it loop.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::rfc2217::COM_PORT;

pub(super) const SE: u8 = 240;
const BRK: u8 = 243;
const AYT: u8 = 246;
pub(super) const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
pub(super) const IAC: u8 = 255;

const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SGA: u8 = 3;

/// The longest subnegotiation, in bytes.
const MAX_SUBNEGOTIATION: usize = 512;

/// What the peer sent, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// Typed bytes.
    Data(Bytes),
    /// IAC BRK: send a break.
    Break,
    /// The peer agreed to COM-PORT-OPTION: it is a program that wants a serial port. Given once.
    ComPort,
    /// A subnegotiation: the number of the option and what stands up to IAC SE.
    Subnegotiation(Bytes),
}

/// A subnegotiation of more than [`MAX_SUBNEGOTIATION`] bytes: the peer is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a telnet subnegotiation has more than {MAX_SUBNEGOTIATION} bytes")]
pub struct Oversized;

/// One connection's state. It can be stored, and gone on with elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Telnet {
    options: [Option_; 4],
    input: Input,
    /// What has come of a subnegotiation.
    subnegotiation: Vec<u8>,
    /// The peer has agreed to COM-PORT-OPTION.
    com_port: bool,
    /// The last byte that was sent was a CR whose follower is not known yet.
    sent_cr: bool,
    /// Answers that are to be sent to the peer.
    #[serde(skip)]
    answers: BytesMut,
}

/// Where in a sequence the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Input {
    Data,
    /// After a CR of typed data, whose LF or NUL is not typed.
    Cr,
    Iac,
    /// After IAC and WILL, WONT, DO or DONT.
    Command(u8),
    Subnegotiation,
    /// In a subnegotiation, after IAC.
    SubnegotiationIac,
}

/// Both sides of an option. `us`: whether we do it; `him`: whether the peer does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Option_ {
    code: u8,
    us: Side,
    him: Side,
}

/// One side of an option: its state by RFC 1143, and whether we agree to it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Side {
    state: Q,
    allowed: bool,
}

/// The states of RFC 1143 section 7. We never ask to end an option, so WANTNO is not needed, nor
/// the queue bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Q {
    No,
    Yes,
    WantYes,
}

impl Telnet {
    /// A connection that has just been accepted; the offers to make are in [`Telnet::answers`].
    pub fn new() -> Self {
        let side = |allowed| Side { state: Q::No, allowed };
        let mut telnet = Self {
            options: [
                Option_ { code: BINARY, us: side(true), him: side(true) },
                Option_ { code: ECHO, us: side(true), him: side(false) },
                Option_ { code: SGA, us: side(true), him: side(true) },
                Option_ { code: COM_PORT, us: side(true), him: side(true) },
            ],
            input: Input::Data,
            subnegotiation: Vec::new(),
            com_port: false,
            sent_cr: false,
            answers: BytesMut::new(),
        };
        // The board echoes, and there are no half-duplex turns: character mode at the client.
        telnet.offer(ECHO, WILL);
        telnet.offer(SGA, WILL);
        telnet.offer(SGA, DO);
        telnet.offer(COM_PORT, DO);
        telnet
    }

    /// What is to be sent to the peer before anything else.
    pub fn answers(&mut self) -> Bytes {
        self.answers.split().freeze()
    }

    /// Whether the peer is a program that wants a serial port: what is not the board's would confuse
    /// it.
    pub fn is_com_port(&self) -> bool {
        self.com_port
    }

    /// Encodes bytes of the board: IAC is doubled, and unless the peer agreed to binary, a CR that
    /// no LF follows is followed by NUL (RFC 854).
    pub fn encode(&mut self, bytes: &[u8], out: &mut BytesMut) {
        let binary = self.options.iter().any(|o| o.code == BINARY && o.us.state == Q::Yes);
        out.reserve(bytes.len() + 16);
        let special = |byte: &u8| *byte == IAC || (!binary && *byte == b'\r');
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.sent_cr) && *first != b'\n' {
                out.put_u8(0);
            }
            let plain = rest.iter().position(special).unwrap_or(rest.len());
            out.put_slice(&rest[..plain]);
            let Some(byte) = rest.get(plain) else { break };
            out.put_u8(*byte);
            match *byte {
                IAC => out.put_u8(IAC),
                _ => self.sent_cr = true,
            }
            rest = &rest[plain + 1..];
        }
    }

    /// Decodes what the peer sent. Then look at [`Telnet::answers`].
    ///
    /// # Errors
    /// When a subnegotiation does not end.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Vec<Received>, Oversized> {
        let mut received = Vec::new();
        let mut data = BytesMut::new();
        for &byte in bytes {
            self.input = match self.input {
                Input::Cr if matches!(byte, b'\n' | 0) => Input::Data,
                Input::Data | Input::Cr => match byte {
                    IAC => Input::Iac,
                    _ => self.data(byte, &mut data),
                },
                Input::Iac => match byte {
                    IAC => self.data(IAC, &mut data),
                    WILL | WONT | DO | DONT => Input::Command(byte),
                    SB => Input::Subnegotiation,
                    BRK => {
                        flush(&mut data, &mut received);
                        received.push(Received::Break);
                        Input::Data
                    }
                    AYT => {
                        self.answers.put_slice(b"\r\n[lavamux: yes]\r\n");
                        Input::Data
                    }
                    // NOP and what has no meaning on a serial line.
                    _ => Input::Data,
                },
                Input::Command(verb) => {
                    self.negotiate(verb, byte);
                    if byte == COM_PORT && self.agreed_to_com_port() {
                        flush(&mut data, &mut received);
                        received.push(Received::ComPort);
                    }
                    Input::Data
                }
                Input::Subnegotiation if byte == IAC => Input::SubnegotiationIac,
                Input::SubnegotiationIac if byte == SE => {
                    flush(&mut data, &mut received);
                    let bytes = std::mem::take(&mut self.subnegotiation);
                    received.push(Received::Subnegotiation(bytes.into()));
                    Input::Data
                }
                Input::Subnegotiation | Input::SubnegotiationIac => {
                    if self.subnegotiation.len() == MAX_SUBNEGOTIATION {
                        return Err(Oversized);
                    }
                    self.subnegotiation.push(byte);
                    Input::Subnegotiation
                }
            };
        }
        flush(&mut data, &mut received);
        Ok(received)
    }

    fn data(&self, byte: u8, data: &mut BytesMut) -> Input {
        data.put_u8(byte);
        let binary = self.options.iter().any(|o| o.code == BINARY && o.him.state == Q::Yes);
        if byte == b'\r' && !binary { Input::Cr } else { Input::Data }
    }

    /// Asks the peer to do an option, or says that we will.
    fn offer(&mut self, code: u8, verb: u8) {
        if let Some(option) = self.options.iter_mut().find(|option| option.code == code) {
            let side = if verb == DO { &mut option.him } else { &mut option.us };
            if side.state == Q::No {
                side.state = Q::WantYes;
                self.answers.put_slice(&[IAC, verb, code]);
            }
        }
    }

    /// Whether the peer has agreed to COM-PORT-OPTION just now, in whichever direction it prefers.
    /// A serial port carries all bytes, so that binary is offered to it as well.
    fn agreed_to_com_port(&mut self) -> bool {
        let is_com_port = |option: &&Option_| option.code == COM_PORT;
        let agreed = self
            .options
            .iter()
            .find(is_com_port)
            .is_some_and(|option| option.us.state == Q::Yes || option.him.state == Q::Yes);
        if !agreed || std::mem::replace(&mut self.com_port, true) {
            return false;
        }
        self.offer(BINARY, WILL);
        self.offer(BINARY, DO);
        true
    }

    /// RFC 1143 section 7: what to answer to WILL, WONT, DO and DONT.
    fn negotiate(&mut self, verb: u8, code: u8) {
        let (agree, refuse) = if matches!(verb, WILL | WONT) { (DO, DONT) } else { (WILL, WONT) };
        let Some(option) = self.options.iter_mut().find(|option| option.code == code) else {
            if matches!(verb, WILL | DO) {
                self.answers.put_slice(&[IAC, refuse, code]);
            }
            return;
        };
        let side = if matches!(verb, WILL | WONT) { &mut option.him } else { &mut option.us };
        let (state, answer) = match (verb, side.state) {
            (WILL | DO, Q::No) if side.allowed => (Q::Yes, Some(agree)),
            (WILL | DO, Q::No) => (Q::No, Some(refuse)),
            (WILL | DO, Q::Yes | Q::WantYes) => (Q::Yes, None),
            (_, Q::Yes) => (Q::No, Some(refuse)),
            (_, Q::No | Q::WantYes) => (Q::No, None),
        };
        side.state = state;
        if let Some(answer) = answer {
            self.answers.put_slice(&[IAC, answer, code]);
        }
    }
}

impl Default for Telnet {
    fn default() -> Self {
        Self::new()
    }
}

fn flush(data: &mut BytesMut, received: &mut Vec<Received>) {
    if !data.is_empty() {
        received.push(Received::Data(data.split().freeze()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settled() -> Telnet {
        let mut telnet = Telnet::new();
        let offers = [IAC, WILL, ECHO, IAC, WILL, SGA, IAC, DO, SGA, IAC, DO, COM_PORT];
        assert_eq!(&telnet.answers()[..], offers);
        telnet
    }

    fn data(bytes: &[u8]) -> Vec<Received> {
        vec![Received::Data(Bytes::copy_from_slice(bytes))]
    }

    #[test]
    fn agreement_to_our_offers_needs_no_answer() {
        let mut telnet = settled();
        assert_eq!(telnet.decode(&[IAC, DO, ECHO, IAC, DO, SGA, IAC, WILL, SGA]), Ok(vec![]));
        assert!(telnet.answers().is_empty());
    }

    #[test]
    fn what_is_not_known_is_refused_once_and_a_change_is_acknowledged_once() {
        let mut telnet = settled();
        telnet.decode(&[IAC, WILL, 24, IAC, DO, 32, IAC, WILL, ECHO, IAC, WONT, 24]).unwrap();
        assert_eq!(&telnet.answers()[..], [IAC, DONT, 24, IAC, WONT, 32, IAC, DONT, ECHO]);
        let twice = [IAC, DO, BINARY, IAC, DO, BINARY, IAC, DONT, BINARY, IAC, DONT, BINARY];
        telnet.decode(&twice).unwrap();
        assert_eq!(&telnet.answers()[..], [IAC, WILL, BINARY, IAC, WONT, BINARY]);
    }

    #[test]
    fn typed_returns_arrive_as_one_cr() {
        let mut telnet = settled();
        assert_eq!(telnet.decode(b"a\r\0b\r\nc\rd"), Ok(data(b"a\rb\rc\rd")));
        telnet.decode(&[IAC, WILL, BINARY]).unwrap();
        assert_eq!(telnet.decode(b"a\r\n"), Ok(data(b"a\r\n")));
    }

    #[test]
    fn breaks_and_subnegotiations_are_taken_out_of_the_data() {
        let mut telnet = settled();
        let sent = [b"x", &[IAC, BRK][..], b"y", &[IAC, SB, 24, 0, IAC, IAC, 1, IAC, SE], b"z"];
        assert_eq!(
            telnet.decode(&sent.concat()),
            Ok([
                data(b"x"),
                vec![Received::Break],
                data(b"y"),
                vec![Received::Subnegotiation(Bytes::from_static(&[24, 0, IAC, 1]))],
                data(b"z"),
            ]
            .concat())
        );
    }

    #[test]
    fn a_peer_that_wants_a_serial_port_is_offered_binary_once() {
        let mut telnet = settled();
        telnet.decode(&[IAC, WONT, COM_PORT]).unwrap();
        assert_eq!(&telnet.answers()[..], [0; 0]);
        let asks = [IAC, WILL, COM_PORT, IAC, DO, COM_PORT, IAC, WILL, BINARY, IAC, DO, BINARY];
        assert_eq!(telnet.decode(&asks), Ok(vec![Received::ComPort]));
        assert_eq!(
            &telnet.answers()[..],
            [[IAC, DO, COM_PORT], [IAC, WILL, BINARY], [IAC, DO, BINARY], [IAC, WILL, COM_PORT],]
                .concat()
        );
        assert_eq!(telnet.decode(&[IAC, WILL, COM_PORT, b'\r', 0]), Ok(data(b"\r\0")));
        assert_eq!(&telnet.answers()[..], [0; 0]);
    }

    #[test]
    fn a_subnegotiation_without_end_is_an_error() {
        let mut telnet = settled();
        assert_eq!(telnet.decode(&[IAC, SB, 24]), Ok(vec![]));
        assert_eq!(telnet.decode(&[b'x'; MAX_SUBNEGOTIATION - 1]), Ok(vec![]));
        assert_eq!(telnet.decode(b"x"), Err(Oversized));
    }

    #[test]
    fn the_boards_bytes_are_escaped() {
        let mut telnet = settled();
        let mut out = BytesMut::new();
        telnet.encode(&[b'a', IAC, b'\r'], &mut out);
        telnet.encode(b"\nb\r", &mut out);
        telnet.encode(b"c", &mut out);
        assert_eq!(&out[..], [b'a', IAC, IAC, b'\r', b'\n', b'b', b'\r', 0, b'c']);
    }

    proptest! {
        #[test]
        fn how_the_input_is_cut_makes_no_difference(
            input in proptest::collection::vec(
                prop_oneof![Just(IAC), Just(SB), Just(SE), Just(b'\r'), Just(COM_PORT), 240..=255_u8, any::<u8>()], 0..200,
            ),
            cut: prop::sample::Index,
        ) {
            let (mut whole, mut parts) = (settled(), settled());
            let at = cut.index(input.len() + 1).min(input.len());
            let joined = |all: Vec<Received>| -> Vec<u8> {
                let byte = |received| match received {
                    Received::Data(bytes) => bytes.to_vec(),
                    Received::Break => b"<break>".to_vec(),
                    Received::ComPort => b"<com-port>".to_vec(),
                    Received::Subnegotiation(bytes) => [b"<", &bytes[..], b">"].concat(),
                };
                all.into_iter().flat_map(byte).collect()
            };
            let one = joined(whole.decode(&input).unwrap());
            let two = [&input[..at], &input[at..]].map(|part| parts.decode(part).unwrap()).concat();
            prop_assert_eq!(one, joined(two));
            prop_assert_eq!(whole.answers(), parts.answers());
        }

        #[test]
        fn a_peer_decodes_what_was_encoded(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            // Two servers that agreed to binary can read each other.
            let (mut a, mut b) = (settled(), settled());
            a.decode(&[IAC, DO, BINARY]).unwrap();
            b.decode(&[IAC, WILL, BINARY]).unwrap();
            let mut wire = BytesMut::new();
            a.encode(&bytes, &mut wire);
            let expected = if bytes.is_empty() { vec![] } else { data(&bytes) };
            prop_assert_eq!(b.decode(&wire), Ok(expected));
        }
    }
}
