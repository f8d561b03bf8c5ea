//! Telnet for serial lines, as server and as client: RFC 854 with ECHO (RFC 857),
//! SUPPRESS-GO-AHEAD (RFC 858), TRANSMIT-BINARY (RFC 856) and COM-PORT-OPTION ([`super::rfc2217`]),
//! negotiated by the Q method of RFC 1143, so that no peer can make it loop.

mod options;
#[cfg(test)]
mod tests;

use bytes::{BufMut as _, Bytes, BytesMut};
use memchr::memchr2;
use serde::{Deserialize, Serialize};

use super::rfc2217::COM_PORT;
use options::{Options, Q};

pub(super) const SE: u8 = 240;
const NOP: u8 = 241;
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
    /// From a client typed bytes, from a server those of the board.
    Data(Bytes),
    /// IAC BRK: send a break.
    Break,
    /// The peer agreed to COM-PORT-OPTION: a client is a program that wants a serial port, a server
    /// has one. Given once.
    ComPort,
    /// A subnegotiation: the number of the option and what stands up to IAC SE.
    Subnegotiation(Bytes),
}

/// A subnegotiation of more than [`MAX_SUBNEGOTIATION`] bytes: the peer is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a telnet subnegotiation has more than {MAX_SUBNEGOTIATION} bytes")]
pub struct Oversized;

/// One connection's state. It can be stored, and gone on with elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telnet {
    role: Role,
    options: Options,
    input: Input,
    /// What has come of a subnegotiation.
    subnegotiation: Vec<u8>,
    /// The peer has agreed to COM-PORT-OPTION.
    com_port: bool,
    /// Server: the last byte that was sent was a CR whose follower is not known yet.
    sent_cr: bool,
    /// Answers that are to be sent to the peer.
    #[serde(skip)]
    answers: BytesMut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Role {
    Server,
    Client,
}

/// Where in a sequence the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Input {
    Data,
    /// After a CR of data that is not binary: the NUL after it means nothing, nor does the LF where
    /// a person typed it.
    Cr,
    Iac,
    /// After IAC and WILL, WONT, DO or DONT.
    Command(u8),
    Subnegotiation,
    /// In a subnegotiation, after IAC.
    SubnegotiationIac,
}

impl Telnet {
    /// A connection that has just been accepted; the offers to make are in [`Telnet::answers`].
    pub fn server() -> Self {
        let mut telnet = Self::new(Role::Server, Options::server());
        // The board echoes, and there are no half-duplex turns: character mode at the client.
        telnet.offer(WILL, ECHO);
        telnet.offer(WILL, SGA);
        telnet.offer(DO, SGA);
        telnet.offer(DO, COM_PORT);
        telnet
    }

    /// A connection that we made, to a server that may know binary and, where that is wanted,
    /// COM-PORT-OPTION; the offers to make are in [`Telnet::answers`].
    pub fn client(com_port: bool) -> Self {
        let mut telnet = Self::answering_client(com_port);
        if com_port {
            telnet.offer(WILL, COM_PORT);
        }
        telnet.offer(WILL, BINARY);
        telnet.offer(DO, BINARY);
        telnet.offer(DO, SGA);
        telnet
    }

    /// A connection that we made, and on which we leave it to the server to make offers.
    pub fn answering_client(com_port: bool) -> Self {
        Self::new(Role::Client, Options::client(com_port))
    }

    fn new(role: Role, options: Options) -> Self {
        Self {
            role,
            options,
            input: Input::Data,
            subnegotiation: Vec::new(),
            com_port: false,
            sent_cr: false,
            answers: BytesMut::new(),
        }
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

    /// Whether the peer has answered our offers of binary and COM-PORT-OPTION. Until then it is not
    /// known how it reads a CR, so that typed bytes are better not sent.
    pub fn is_settled(&self) -> bool {
        let waits =
            |code| self.options.us(code) == Q::WantYes || self.options.him(code) == Q::WantYes;
        !waits(BINARY) && !waits(COM_PORT)
    }

    /// Encodes bytes: IAC is doubled; and unless the peer agreed to binary, so that a CR would end
    /// a line there, it is followed by NUL (RFC 854). The board's CR LF needs none, and a program
    /// that wants a serial port gets none: microcom refuses binary, and takes NUL for the board's.
    pub fn encode(&mut self, bytes: &[u8], out: &mut BytesMut) {
        let program = self.role == Role::Server && self.com_port;
        let binary = program || self.options.us(BINARY) == Q::Yes;
        out.reserve(bytes.len() + 16);
        let special = |byte: &u8| *byte == IAC || (!binary && *byte == b'\r');
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.sent_cr) && !binary && *first != b'\n' {
                out.put_u8(0);
            }
            let plain = rest.iter().position(special).unwrap_or(rest.len());
            out.put_slice(&rest[..plain]);
            let Some(byte) = rest.get(plain) else { break };
            out.put_u8(*byte);
            match (*byte, self.role) {
                (IAC, _) => out.put_u8(IAC),
                (_, Role::Client) => out.put_u8(0),
                (_, Role::Server) => self.sent_cr = true,
            }
            rest = &rest[plain + 1..];
        }
    }

    /// Encodes IAC BRK: the server is to send a break of a length of its own.
    pub fn encode_break(out: &mut BytesMut) {
        out.put_slice(&[IAC, BRK]);
    }

    /// Decodes what the peer sent. Then look at [`Telnet::answers`].
    ///
    /// # Errors
    /// When a subnegotiation does not end.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Vec<Received>, Oversized> {
        let mut received = Vec::new();
        let mut data = BytesMut::new();
        let mut rest = bytes;
        while let [byte, after @ ..] = rest {
            if self.input == Input::Data {
                // Almost all that a board prints: as it is.
                let plain = memchr2(IAC, b'\r', rest).unwrap_or(rest.len());
                data.put_slice(&rest[..plain]);
                if plain > 0 {
                    rest = &rest[plain..];
                    continue;
                }
            }
            let byte = *byte;
            rest = after;
            self.input = match self.input {
                Input::Cr if byte == 0 => Input::Data,
                Input::Cr if byte == b'\n' && self.is_typed_by_people() => Input::Data,
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
                        self.say_that_we_are_here();
                        Input::Data
                    }
                    // NOP and what has no meaning on a serial line.
                    _ => Input::Data,
                },
                Input::Command(verb) => {
                    self.options.negotiate(verb, byte, &mut self.answers);
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
        let binary = self.options.him(BINARY) == Q::Yes;
        if byte == b'\r' && !binary { Input::Cr } else { Input::Data }
    }

    fn offer(&mut self, verb: u8, code: u8) {
        self.options.offer(verb, code, &mut self.answers);
    }

    /// Whether the peer has agreed to COM-PORT-OPTION just now, in whichever direction it prefers.
    /// A serial port carries all bytes, so that binary is offered to it as well.
    fn agreed_to_com_port(&mut self) -> bool {
        let agreed = self.options.us(COM_PORT) == Q::Yes || self.options.him(COM_PORT) == Q::Yes;
        if !agreed || std::mem::replace(&mut self.com_port, true) {
            return false;
        }
        self.offer(WILL, BINARY);
        self.offer(DO, BINARY);
        true
    }

    fn is_typed_by_people(&self) -> bool {
        self.role == Role::Server && !self.com_port
    }

    /// The answer to AYT. A person is to see it; a program, or a board, would take it for data, and
    /// gets NOP.
    fn say_that_we_are_here(&mut self) {
        if self.is_typed_by_people() {
            self.answers.put_slice(b"\r\n[lavamux: yes]\r\n");
        } else {
            self.answers.put_slice(&[IAC, NOP]);
        }
    }
}

fn flush(data: &mut BytesMut, received: &mut Vec<Received>) {
    if !data.is_empty() {
        received.push(Received::Data(data.split().freeze()));
    }
}
