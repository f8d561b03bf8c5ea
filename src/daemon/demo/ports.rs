//! Which TCP ports a demo has.

use std::net::{Ipv4Addr, SocketAddr};

/// Where to look for free ports when nobody says: every hundred from here, and up to there.
const FIRST: u16 = 7100;
const LAST: u16 = 8900;
const STEP: usize = 100;
/// The highest base whose ports all exist.
pub const MAX_BASE: u16 = u16::MAX - TAKEN;

const POWER: u16 = 1;
const TELNET: u16 = 10;
const RAW: u16 = 20;
/// A demo's ports are within this many from its base.
const TAKEN: u16 = 30;

/// The ports from a base on, all on loopback: HTTP of lava-serial and of lava-power, then telnet and
/// raw by board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports(u16);

impl Ports {
    /// Those from `base` on, or else those to try one after the other.
    pub fn candidates(base: Option<u16>) -> Vec<Self> {
        match base {
            Some(base) => vec![Self(base.min(MAX_BASE))],
            None => (FIRST..=LAST).step_by(STEP).map(Self).collect(),
        }
    }

    pub fn serial(self) -> SocketAddr {
        self.address(0)
    }

    pub fn power(self) -> SocketAddr {
        self.address(POWER)
    }

    pub fn telnet(self, board: usize) -> SocketAddr {
        self.address(TELNET + board as u16)
    }

    pub fn raw(self, board: usize) -> SocketAddr {
        self.address(RAW + board as u16)
    }

    pub fn console_url(self, board: &str) -> String {
        format!("http://{}/consoles/{board}", self.serial())
    }

    pub fn outlet_url(self, board: &str) -> String {
        format!("http://{}/outlets/{board}", self.power())
    }

    fn address(self, offset: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0 + offset).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_from_their_base() {
        let [ports] = Ports::candidates(Some(9000))[..] else { panic!() };
        let all = [ports.serial(), ports.power(), ports.telnet(1), ports.raw(1)];
        assert_eq!(all.map(|address| address.port()), [9000, 9001, 9011, 9021]);
        let [highest] = Ports::candidates(Some(u16::MAX))[..] else { panic!() };
        assert!(highest.raw(9).port() > highest.serial().port());
        assert_eq!(Ports::candidates(None)[1].serial().port(), 7200);
    }
}
