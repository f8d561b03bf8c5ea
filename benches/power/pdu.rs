//! PDUs that are SNMP agents: rPDU's outlets, set and read by versions 1 and 2c.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// rPDUOutletControlOutletCommand.
pub(crate) const OID: &str = "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4";

/// The agents, a thread each. They end with the process.
pub(crate) struct Pdus {
    agents: Vec<Arc<Agent>>,
}

struct Agent {
    host: Ipv4Addr,
    state: AtomicU64,
    dead: AtomicBool,
    delay_us: AtomicU64,
    asked: AtomicU64,
}

impl Pdus {
    /// Starts so many, each on an address of its own. Those of one run of the bench are the same.
    pub(crate) fn start(count: usize) -> Result<Self> {
        static BLOCK: AtomicU64 = AtomicU64::new(1);
        let block = BLOCK.fetch_add(1, Relaxed) as u8;
        let agents: Result<_> = (0..count).map(|at| Agent::start(block, at)).collect();
        Ok(Self { agents: agents? })
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.agents.iter().map(|agent| agent.host)
    }

    pub(crate) fn answer_after(&self, delay: Duration) {
        self.agents
            .iter()
            .for_each(|agent| agent.delay_us.store(delay.as_micros() as u64, Relaxed));
    }

    pub(crate) fn kill(&self, at: usize) {
        self.agents[at].dead.store(true, Relaxed);
    }

    /// How often the first of them was asked since [`Self::forget`].
    pub(crate) fn asked(&self) -> u64 {
        self.agents[0].asked.load(Relaxed)
    }

    pub(crate) fn forget(&self) {
        self.agents[0].asked.store(0, Relaxed);
    }
}

impl Agent {
    fn start(block: u8, at: usize) -> Result<Arc<Self>> {
        let host = Ipv4Addr::new(127, 60 + block, (at / 250) as u8, (at % 250) as u8 + 1);
        let socket = UdpSocket::bind((host, 161))
            .with_context(|| format!("{host}:161 (root may listen there)"))?;
        let agent = Arc::new(Self {
            host,
            state: AtomicU64::new(2),
            dead: AtomicBool::new(false),
            delay_us: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        });
        let serving = agent.clone();
        thread::spawn(move || serving.serve(&socket));
        Ok(agent)
    }

    fn serve(&self, socket: &UdpSocket) {
        let mut buffer = [0; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            self.asked.fetch_add(1, Relaxed);
            if self.dead.load(Relaxed) {
                continue;
            }
            let Some(answer) = self.answer(&buffer[..length]) else { continue };
            let delay = self.delay_us.load(Relaxed);
            if delay > 0 {
                thread::sleep(Duration::from_micros(delay));
            }
            // Who asked may have gone.
            let _ = socket.send_to(&answer, peer);
        }
    }

    /// The message with the state in it, whatever outlet it is about. `None` to what is no request.
    fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        let (_, message, _) = tlv(message)?;
        let (_, version, rest) = tlv(message)?;
        let (_, community, rest) = tlv(rest)?;
        let (kind, pdu, _) = tlv(rest)?;
        let (_, id, rest) = tlv(pdu)?;
        let (_, _, rest) = tlv(rest)?;
        let (_, _, rest) = tlv(rest)?;
        let (_, bindings, _) = tlv(rest)?;
        let (_, binding, _) = tlv(bindings)?;
        let (_, oid, value) = tlv(binding)?;
        // A SET has the value with it.
        if kind == 0xa3 {
            self.state.store(tlv(value)?.1.last().copied()?.into(), Relaxed);
        }
        let state = [self.state.load(Relaxed) as u8];
        let binding = [wrap(0x06, oid), wrap(0x02, &state)].concat();
        let bindings = wrap(0x30, &wrap(0x30, &binding));
        let pdu = [wrap(0x02, id), wrap(0x02, &[0]), wrap(0x02, &[0]), bindings].concat();
        let message = [wrap(0x02, version), wrap(0x04, community), wrap(0xa2, &pdu)].concat();
        Some(wrap(0x30, &message))
    }
}

/// Tag, contents and what is behind them, as BER has it.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f).min(4))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len() as u16;
    let head: &[u8] = &match length {
        0..0x80 => vec![tag, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, contents].concat()
}
