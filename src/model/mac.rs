//! Hardware addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A 48-bit hardware address (EUI-48, RFC 7042 section 2.1), written `00:1d:7e:aa:bb:cc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

/// Why a text is no hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no hardware address; write it like 00:1d:7e:aa:bb:cc")]
pub struct NotMac(String);

impl Mac {
    /// Whether it is one device's alone, given by its maker: no group's, and not one that was made up
    /// locally, as those of virtual machines and USB gadgets are.
    pub fn is_makers(self) -> bool {
        self.0[0] & 0b11 == 0 && self.0 != [0; 6]
    }
}

impl FromStr for Mac {
    type Err = NotMac;

    fn from_str(text: &str) -> Result<Self, NotMac> {
        let wrong = || NotMac(text.chars().take(40).collect());
        let mut mac = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut mac {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(wrong)?;
            let digits = part.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(part, 16).ok().filter(|_| digits).ok_or_else(wrong)?;
        }
        if parts.next().is_some() { Err(wrong()) } else { Ok(Self(mac)) }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl TryFrom<String> for Mac {
    type Error = NotMac;

    fn try_from(text: String) -> Result<Self, NotMac> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(bytes: [u8; 6]) {
            let mac = Mac(bytes);
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
            prop_assert_eq!(mac.to_string().replace(':', "-").to_uppercase().parse(), Ok(mac));
        }

        #[test]
        fn nothing_else_is_one(text in "[0-9a-f:+ -]{0,20}") {
            let read: Result<Mac, _> = text.parse();
            prop_assert!(read.is_err() || text.len() == 17 && !text.contains(['+', ' ']));
        }
    }

    #[test]
    fn only_those_of_makers_tell_boards_apart() {
        let makers = |text: &str| text.parse::<Mac>().unwrap().is_makers();
        assert!(makers("00:1d:7e:aa:bb:cc"));
        assert!(!makers("52:54:00:12:34:56"), "QEMU's");
        assert!(!makers("ff:ff:ff:ff:ff:ff") && !makers("00:00:00:00:00:00"));
    }
}
