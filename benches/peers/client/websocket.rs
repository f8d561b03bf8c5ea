//! lava-serial's attach protocol (`lavamux::wire`), as far as a reader needs it. Nothing is copied
//! but the payload, to the front of the buffer it was read into.

use anyhow::Result;
use lavamux::wire::frame;

use super::{Client, greeted};

/// Opcodes of RFC 6455, section 5.2, in the low bits of a frame's first byte.
const OPCODE: u8 = 0x0f;
const CONTINUATION: u8 = 0;
const BINARY: u8 = 2;
/// Opcodes with this bit are control frames.
const CONTROL: u8 = 8;

pub(crate) fn attach(port: u16, console: &str, buffer: Option<usize>) -> Result<Client> {
    let mut client = greeted(port, buffer)?;
    let request = format!(
        "GET /consoles/{console}/attach?mode=rw&user=bench HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    client.ask(&request, " 101 ")?;
    while !client.line()?.is_empty() {}
    client.websocket = Some(Decoder::default());
    Ok(client)
}

/// A frame with this key in it. The mask, which there must be, is zero.
pub(crate) fn typed(key: u8) -> [u8; 7] {
    [0x80 | BINARY, 0x80 | 1, 0, 0, 0, 0, key]
}

/// Takes the frames apart.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The header of the present frame, as far as it has come: at most 10 bytes.
    header: Vec<u8>,
    /// What is to come of the present frame's payload, in bytes.
    left: usize,
    /// How much of that is offset and time.
    stamp: usize,
    /// Whether the present message is console output.
    is_output: bool,
}

impl Decoder {
    /// Leaves the console's output alone at the front of the buffer, and tells how much it is.
    pub(crate) fn keep_output(&mut self, buffer: &mut [u8]) -> usize {
        let (mut at, mut kept) = (0, 0);
        while at < buffer.len() {
            if self.left == 0 {
                self.header.push(buffer[at]);
                at += 1;
                self.begin_frame();
                continue;
            }
            let end = buffer.len().min(at + self.left);
            let stamp = self.stamp.min(end - at);
            if self.is_output {
                buffer.copy_within(at + stamp..end, kept);
                kept += end - at - stamp;
            }
            self.stamp -= stamp;
            self.left -= end - at;
            at = end;
        }
        kept
    }

    /// Begins a frame if its header is whole.
    fn begin_frame(&mut self) {
        let &[first, length, ref more @ ..] = self.header.as_slice() else { return };
        let wanted = match length {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if more.len() < wanted {
            return;
        }
        self.left = match wanted {
            0 => usize::from(length),
            _ => more.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)),
        };
        self.header.clear();
        let opcode = first & OPCODE;
        self.stamp = if opcode == BINARY { frame::HEADER } else { 0 };
        if opcode & CONTROL != 0 {
            self.is_output = false;
        } else if opcode != CONTINUATION {
            self.is_output = opcode == BINARY;
        }
    }
}
