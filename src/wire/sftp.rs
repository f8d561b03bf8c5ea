//! SFTP, version 3, as far as files are only read: draft-ietf-secsh-filexfer-02.
//!
//! Each packet has its length in front (u32), a kind (u8), and, but for the first, the number of its
//! request (u32). All numbers are big-endian; texts and handles have their length in front.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The longest packet that is read. Of requests to read, none is longer than a path.
pub const MAX_PACKET: usize = 256 * 1024;
/// The most bytes that one answer carries.
pub const MAX_DATA: usize = 256 * 1024 - 1024;
/// The version that is spoken.
const VERSION: u32 = 3;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Says how it speaks; the first of all.
    Init,
    /// `writes` when it is to be changed or made.
    Open {
        path: String,
        writes: bool,
    },
    Close {
        handle: u32,
    },
    Read {
        handle: u32,
        offset: u64,
        length: u32,
    },
    Attributes {
        path: String,
    },
    HandleAttributes {
        handle: u32,
    },
    OpenFolder {
        path: String,
    },
    ReadFolder {
        handle: u32,
    },
    RealPath {
        path: String,
    },
    /// Something that changes files.
    Change,
    /// Something else.
    Other,
}

/// What is told of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// In bytes; `None` where it is known only when it has been read.
    pub size: Option<u64>,
    pub folder: bool,
    /// Unix time in seconds.
    pub time: u32,
}

/// How a request ended, when there is nothing else to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    PermissionDenied = 3,
    Failure = 4,
    BadMessage = 5,
    Unsupported = 8,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Version,
    Status(Status, String),
    Handle(u32),
    Data(Bytes),
    /// Names, with the line that `ls -l` shows for each.
    Names(Vec<(String, String, Attributes)>),
    Attributes(Attributes),
}

/// Bytes that are no SFTP; nothing can be read behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a packet has 1 to {MAX_PACKET} bytes; this one has {0}")]
pub struct WrongLength(pub usize);

/// Requests out of a stream of bytes.
#[derive(Debug, Default)]
pub struct Requests(BytesMut);

impl Requests {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next request and its number, if all of it has come; without a request when it is not
    /// understood.
    ///
    /// # Errors
    /// When the stream is none of packets.
    pub fn pop(&mut self) -> Result<Option<(u32, Option<Request>)>, WrongLength> {
        let Some(length) = self.0.first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if !(1..=MAX_PACKET).contains(&length) {
            return Err(WrongLength(length));
        }
        if self.0.len() < 4 + length {
            return Ok(None);
        }
        self.0.advance(4);
        let mut packet = self.0.split_to(length).freeze();
        let kind = packet.get_u8();
        if kind == 1 {
            return Ok(Some((0, Some(Request::Init))));
        }
        let id = packet.try_get_u32().unwrap_or_default();
        Ok(Some((id, request(kind, packet))))
    }
}

/// The request of a kind, or nothing when its packet ends too early.
fn request(kind: u8, mut packet: Bytes) -> Option<Request> {
    Some(match kind {
        3 => {
            let path = text(&mut packet)?;
            // SSH_FXF_READ alone is 1.
            Request::Open { path, writes: packet.try_get_u32().ok()? != 1 }
        }
        4 => Request::Close { handle: handle(&mut packet)? },
        5 => Request::Read {
            handle: handle(&mut packet)?,
            offset: packet.try_get_u64().ok()?,
            length: packet.try_get_u32().ok()?,
        },
        7 | 17 => Request::Attributes { path: text(&mut packet)? },
        8 => Request::HandleAttributes { handle: handle(&mut packet)? },
        11 => Request::OpenFolder { path: text(&mut packet)? },
        12 => Request::ReadFolder { handle: handle(&mut packet)? },
        16 => Request::RealPath { path: text(&mut packet)? },
        6 | 9 | 10 | 13 | 14 | 15 | 18 | 20 => Request::Change,
        _ => Request::Other,
    })
}

fn piece(packet: &mut Bytes) -> Option<Bytes> {
    let length = packet.try_get_u32().ok()? as usize;
    (length <= packet.len()).then(|| packet.split_to(length))
}

/// A text. One that is none names nothing that there is.
fn text(packet: &mut Bytes) -> Option<String> {
    piece(packet).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A handle of ours; one that is none of ours becomes one that is never given.
fn handle(packet: &mut Bytes) -> Option<u32> {
    let bytes = piece(packet)?;
    Some(<[u8; 4]>::try_from(&bytes[..]).map_or(u32::MAX, u32::from_be_bytes))
}

impl Attributes {
    fn encode_into(&self, out: &mut BytesMut) {
        // SSH_FILEXFER_ATTR_SIZE, _PERMISSIONS and _ACMODTIME.
        let flags = u32::from(self.size.is_some()) | 4 | 8;
        out.put_u32(flags);
        if let Some(size) = self.size {
            out.put_u64(size);
        }
        out.put_u32(self.mode());
        out.put_u32(self.time);
        out.put_u32(self.time);
    }

    fn mode(&self) -> u32 {
        if self.folder { 0o040_555 } else { 0o100_444 }
    }
}

impl Answer {
    /// The packet that answers a request.
    pub fn encode(&self, id: u32) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u32(0);
        match self {
            Self::Version => {
                out.put_u8(2);
                out.put_u32(VERSION);
            }
            Self::Status(status, message) => {
                begin(&mut out, 101, id);
                out.put_u32(*status as u32);
                put_text(&mut out, message);
                put_text(&mut out, "");
            }
            Self::Handle(handle) => {
                begin(&mut out, 102, id);
                out.put_u32(4);
                out.put_u32(*handle);
            }
            Self::Data(data) => {
                begin(&mut out, 103, id);
                out.put_u32(data.len() as u32);
                out.put_slice(data);
            }
            Self::Names(names) => {
                begin(&mut out, 104, id);
                out.put_u32(names.len() as u32);
                for (name, long, attributes) in names {
                    put_text(&mut out, name);
                    put_text(&mut out, long);
                    attributes.encode_into(&mut out);
                }
            }
            Self::Attributes(attributes) => {
                begin(&mut out, 105, id);
                attributes.encode_into(&mut out);
            }
        }
        let length = (out.len() - 4) as u32;
        out[..4].copy_from_slice(&length.to_be_bytes());
        out.freeze()
    }
}

fn begin(out: &mut BytesMut, kind: u8, id: u32) {
    out.put_u8(kind);
    out.put_u32(id);
}

fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u32(text.len() as u32);
    out.put_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(kind: u8, rest: &[u8]) -> Vec<u8> {
        let length = 1 + rest.len() as u32;
        [&length.to_be_bytes(), &[kind][..], rest].concat()
    }

    fn popped(bytes: &[u8]) -> Vec<(u32, Option<Request>)> {
        let mut requests = Requests::default();
        let mut all = Vec::new();
        for byte in bytes.chunks(3) {
            requests.push(byte);
            while let Ok(Some(request)) = requests.pop() {
                all.push(request);
            }
        }
        all
    }

    #[test]
    fn requests_are_read_as_they_come() {
        let mut bytes = packet(1, &3_u32.to_be_bytes());
        bytes.extend(packet(3, b"\0\0\0\x07\0\0\0\x02/a\0\0\0\x01\0\0\0\0"));
        bytes.extend(packet(5, b"\0\0\0\x08\0\0\0\x04\0\0\0\x02\0\0\0\0\0\0\x10\0\0\0\x80\0"));
        bytes.extend(packet(3, b"\0\0\0\x09\0\0\0\x02/a\0\0\0\x1a\0\0\0\0"));
        bytes.extend(packet(13, b"\0\0\0\x0a\0\0\0\x02/a"));
        bytes.extend(packet(16, b"\0\0\0\x0b\0\0\0\x09/a"));
        let open = |writes| Some(Request::Open { path: "/a".into(), writes });
        let read = Request::Read { handle: 2, offset: 4096, length: 32768 };
        let expected = [
            (0, Some(Request::Init)),
            (7, open(false)),
            (8, Some(read)),
            (9, open(true)),
            (10, Some(Request::Change)),
            (11, None),
        ];
        assert_eq!(popped(&bytes), expected);
        let mut requests = Requests::default();
        requests.push(&[0xff; 8]);
        assert_eq!(requests.pop(), Err(WrongLength(u32::MAX as usize)));
    }

    #[test]
    fn answers_are_what_the_draft_says() {
        let file = Attributes { size: Some(258), folder: false, time: 5 };
        let encoded = Answer::Attributes(file).encode(9);
        assert_eq!(
            &encoded[..],
            b"\0\0\0\x1d\x69\0\0\0\x09\0\0\0\x0d\0\0\0\0\0\0\x01\x02\0\0\x81\x24\0\0\0\x05\0\0\0\x05"
        );
        let status = Answer::Status(Status::Eof, "end".into()).encode(1);
        assert_eq!(&status[..], b"\0\0\0\x14\x65\0\0\0\x01\0\0\0\x01\0\0\0\x03end\0\0\0\0");
        assert_eq!(&Answer::Version.encode(0)[..], b"\0\0\0\x05\x02\0\0\0\x03");
        assert_eq!(
            &Answer::Handle(1).encode(2)[..],
            b"\0\0\0\x0d\x66\0\0\0\x02\0\0\0\x04\0\0\0\x01"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..21_u8) {
            popped(&bytes);
            popped(&packet(kind, &bytes));
        }
    }
}
