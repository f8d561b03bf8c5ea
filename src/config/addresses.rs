//! One TCP address, or a range of ports to take one from: `127.0.0.1:7300-7399`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::{At, FromNode, Node};

/// The addresses that a listener may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    ip: IpAddr,
    first: u16,
    /// Not below `first`.
    last: u16,
}

impl Addresses {
    /// All of them, lowest port first.
    pub fn all(self) -> impl Iterator<Item = SocketAddr> {
        (self.first..=self.last).map(move |port| SocketAddr::new(self.ip, port))
    }

    pub fn contains(self, address: SocketAddr) -> bool {
        address.ip() == self.ip && (self.first..=self.last).contains(&address.port())
    }

    /// The address, when it is just one.
    pub fn single(self) -> Option<SocketAddr> {
        (self.first == self.last).then(|| SocketAddr::new(self.ip, self.first))
    }
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no address; write it like 127.0.0.1:7001, or 127.0.0.1:7300-7399 for \
                 one of a range"
            )
        };
        let Some((from, last)) = text.rsplit_once('-') else {
            let address: SocketAddr = text.parse().map_err(|_| wrong())?;
            return Ok(Self { ip: address.ip(), first: address.port(), last: address.port() });
        };
        let from: SocketAddr = from.parse().map_err(|_| wrong())?;
        let last = last.parse().map_err(|_| wrong())?;
        if from.port() == 0 || last < from.port() {
            return Err(format!(
                "{text:?}: the first port of a range is not 0, nor above its last"
            ));
        }
        Ok(Self { ip: from.ip(), first: from.port(), last })
    }
}

impl FromNode for Addresses {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        let text = String::from_node(node, at)?;
        text.parse().map_err(|error: String| at.problem(node.place, error)).ok()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", SocketAddr::new(self.ip, self.first))?;
        if self.last > self.first { write!(f, "-{}", self.last) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_and_a_single_address_are_read() {
        let range: Addresses = "[::1]:7300-7302".parse().unwrap();
        let ports: Vec<u16> = range.all().map(|address| address.port()).collect();
        assert_eq!(ports, [7300, 7301, 7302]);
        assert_eq!(range.to_string(), "[::1]:7300-7302");
        assert_eq!(range.single(), None);
        let one: Addresses = "127.0.0.1:7001".parse().unwrap();
        assert_eq!(one.single(), Some("127.0.0.1:7001".parse().unwrap()));
        for wrong in ["7300-7399", "127.0.0.1:9-8", "127.0.0.1:0-8", "127.0.0.1:1-70000", "a-b"] {
            assert!(wrong.parse::<Addresses>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(text in "(127.0.0.1|\\[::1\\]):[0-9]{1,5}(-[0-9]{1,5})?") {
            if let Ok(addresses) = text.parse::<Addresses>() {
                prop_assert_eq!(addresses.to_string().parse(), Ok(addresses));
                prop_assert!(addresses.all().all(|address| addresses.contains(address)));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<Addresses>();
        }
    }
}
