//! The options of a telnet connection, negotiated by the Q method of RFC 1143.

use bytes::{BufMut as _, BytesMut};
use serde::{Deserialize, Serialize};

use super::{BINARY, DO, DONT, ECHO, IAC, SGA, WILL, WONT};
use crate::wire::rfc2217::COM_PORT;

/// The options that we know; every other is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Options([Negotiated; 4]);

/// Both sides of an option. `us`: whether we do it; `him`: whether the peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Negotiated {
    code: u8,
    us: Side,
    him: Side,
}

/// One side of an option: its state by RFC 1143, and how often we still agree to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Side {
    state: Q,
    agrees: u8,
}

/// How often we agree to one side of an option. The Q method keeps two peers from answering each
/// other for ever only as long as they agree on what was said; this does so in any case.
const AGREES: u8 = 8;

/// The states of RFC 1143 section 7. We never ask to end an option, so WANTNO is not needed, nor
/// the queue bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Q {
    No,
    Yes,
    WantYes,
}

impl Options {
    /// What the server of a serial line agrees to: it is the board that echoes.
    pub(super) fn server() -> Self {
        Self([
            Negotiated::new(BINARY, true, true),
            Negotiated::new(ECHO, true, false),
            Negotiated::new(SGA, true, true),
            Negotiated::new(COM_PORT, true, true),
        ])
    }

    /// What its client agrees to.
    pub(super) fn client(com_port: bool) -> Self {
        Self([
            Negotiated::new(BINARY, true, true),
            Negotiated::new(ECHO, false, true),
            Negotiated::new(SGA, true, true),
            Negotiated::new(COM_PORT, com_port, com_port),
        ])
    }

    /// Whether we do an option.
    pub(super) fn us(&self, code: u8) -> Q {
        self.find(code).map_or(Q::No, |option| option.us.state)
    }

    /// Whether the peer does it.
    pub(super) fn him(&self, code: u8) -> Q {
        self.find(code).map_or(Q::No, |option| option.him.state)
    }

    /// Asks the peer to do an option (`DO`), or says that we will (`WILL`).
    pub(super) fn offer(&mut self, verb: u8, code: u8, answers: &mut BytesMut) {
        if let Some(option) = self.0.iter_mut().find(|option| option.code == code) {
            let side = if verb == DO { &mut option.him } else { &mut option.us };
            if side.state == Q::No {
                side.state = Q::WantYes;
                answers.put_slice(&[IAC, verb, code]);
            }
        }
    }

    /// RFC 1143 section 7: what to answer to WILL, WONT, DO and DONT.
    pub(super) fn negotiate(&mut self, verb: u8, code: u8, answers: &mut BytesMut) {
        let (agree, refuse) = if matches!(verb, WILL | WONT) { (DO, DONT) } else { (WILL, WONT) };
        let Some(option) = self.0.iter_mut().find(|option| option.code == code) else {
            if matches!(verb, WILL | DO) {
                answers.put_slice(&[IAC, refuse, code]);
            }
            return;
        };
        let side = if matches!(verb, WILL | WONT) { &mut option.him } else { &mut option.us };
        let (state, answer) = match (verb, side.state) {
            (WILL | DO, Q::No) if side.agrees > 0 => {
                side.agrees -= 1;
                (Q::Yes, Some(agree))
            }
            (WILL | DO, Q::No) => (Q::No, Some(refuse)),
            (WILL | DO, Q::Yes | Q::WantYes) => (Q::Yes, None),
            (_, Q::Yes) => (Q::No, Some(refuse)),
            (_, Q::No | Q::WantYes) => (Q::No, None),
        };
        side.state = state;
        if let Some(answer) = answer {
            answers.put_slice(&[IAC, answer, code]);
        }
    }

    fn find(&self, code: u8) -> Option<&Negotiated> {
        self.0.iter().find(|option| option.code == code)
    }
}

impl Negotiated {
    fn new(code: u8, us: bool, him: bool) -> Self {
        let side = |allowed| Side { state: Q::No, agrees: if allowed { AGREES } else { 0 } };
        Self { code, us: side(us), him: side(him) }
    }
}
