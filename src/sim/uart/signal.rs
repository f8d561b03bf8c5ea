//! Characters as levels on a wire, and how a receiver reads them that may be set differently.
//!
//! A receiver waits for a start bit and then looks once into the middle of each bit, as it is set.
//! So wrong baud rates, frames and parities give what they give on real lines.

use crate::model::line::{Framing, Parity, StopBits};

/// Levels of half a bit each, so that there are one and a half stop bits; `true` is idle.
#[derive(Debug, Default)]
pub(super) struct Signal(Vec<bool>);

/// A character as it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) byte: u8,
    pub(super) flaw: Option<Flaw>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Parity,
    /// There is no stop bit.
    Framing,
    /// There is no stop bit, nor any other.
    Break,
}

/// What disturbs a wire.
#[derive(Debug)]
pub(super) struct Noise {
    /// One bit of so many is turned around; none when 0.
    pub(super) one_in: u32,
    /// The state of a xorshift generator: each run is the same.
    state: u64,
}

impl Default for Noise {
    fn default() -> Self {
        Self { one_in: 0, state: 0x9e37_79b9_7f4a_7c15 }
    }
}

impl Noise {
    fn strikes(&mut self) -> bool {
        if self.one_in == 0 {
            return false;
        }
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.is_multiple_of(u64::from(self.one_in))
    }
}

/// What arrives of `bytes`, sent one after the other from an idle line that is idle again after
/// them.
pub(super) fn transmit(
    bytes: &[u8],
    sender: Framing,
    receiver: Framing,
    noise: &mut Noise,
) -> Vec<Received> {
    if sender == receiver && noise.one_in == 0 {
        let mask = u8::MAX >> (8 - sender.data_bits);
        return bytes.iter().map(|byte| Received { byte: byte & mask, flaw: None }).collect();
    }
    let mut signal = Signal::default();
    for &byte in bytes {
        signal.send(byte, sender, noise);
    }
    signal.receive(f64::from(sender.baud) / f64::from(receiver.baud), receiver)
}

impl Signal {
    fn send(&mut self, byte: u8, framing: Framing, noise: &mut Noise) {
        self.put(false, 2, noise);
        for place in 0..framing.data_bits {
            self.put(byte >> place & 1 == 1, 2, noise);
        }
        if let Some(bit) = parity_bit(byte, framing) {
            self.put(bit, 2, noise);
        }
        let stop = match framing.stop_bits {
            StopBits::One => 2,
            StopBits::OneAndHalf => 3,
            StopBits::Two => 4,
        };
        self.put(true, stop, noise);
    }

    fn put(&mut self, level: bool, halves: usize, noise: &mut Noise) {
        let level = level != noise.strikes();
        self.0.extend(std::iter::repeat_n(level, halves));
    }

    /// Reads it with bits that are `ratio` times as long as those that were sent.
    fn receive(&self, ratio: f64, framing: Framing) -> Vec<Received> {
        let bits = usize::from(framing.data_bits);
        let parity = usize::from(framing.parity != Parity::None);
        let mut received = Vec::new();
        let mut from = 0;
        while let Some(start) = self.next(false, from) {
            // The middle of a bit, counted from the start bit, in halves of the sender's bits.
            let middle = |bit: usize| start + ((bit as f64 + 0.5) * 2.0 * ratio) as usize;
            let level = |bit| self.0.get(middle(bit)).copied().unwrap_or(true);
            if level(0) {
                // A glitch, too short for a start bit.
                from = start + 1;
                continue;
            }
            let byte = (0..bits).fold(0, |byte, bit| byte | u8::from(level(bit + 1)) << bit);
            let parity_is = (parity == 1).then(|| level(bits + 1));
            let stop = bits + parity + 1;
            let flaw = if !level(stop) {
                let silent = byte == 0 && parity_is != Some(true);
                Some(if silent { Flaw::Break } else { Flaw::Framing })
            } else {
                (parity_is != parity_bit(byte, framing)).then_some(Flaw::Parity)
            };
            received.push(Received { byte, flaw });
            let end = middle(stop);
            // Without a stop bit the receiver waits until the line is idle.
            from = if level(stop) { end } else { self.next(true, end).unwrap_or(self.0.len()) };
        }
        received
    }

    /// The first place from `from` on that has this level.
    fn next(&self, level: bool, from: usize) -> Option<usize> {
        let rest = self.0.get(from..)?;
        rest.iter().position(|half| *half == level).map(|at| from + at)
    }
}

/// The parity bit of a character, if it has one. Only its data bits count.
fn parity_bit(byte: u8, framing: Framing) -> Option<bool> {
    let ones = (byte & u8::MAX >> (8 - framing.data_bits)).count_ones();
    match framing.parity {
        Parity::None => None,
        Parity::Even => Some(ones % 2 == 1),
        Parity::Odd => Some(ones.is_multiple_of(2)),
        Parity::Mark => Some(true),
        Parity::Space => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heard(bytes: &[u8], sender: &str, receiver: &str) -> Vec<Received> {
        let mut quiet = Noise::default();
        transmit(bytes, sender.parse().unwrap(), receiver.parse().unwrap(), &mut quiet)
    }

    fn flaws(received: &[Received], flaw: Flaw) -> usize {
        received.iter().filter(|received| received.flaw == Some(flaw)).count()
    }

    #[test]
    fn a_wrong_baud_rate_garbles() {
        let slow = heard(b"login: ", "9600n8", "115200n8");
        assert!(slow.iter().all(|received| received.flaw.is_some() || received.byte != b'l'));
        assert!(flaws(&slow, Flaw::Break) + flaws(&slow, Flaw::Framing) > 3, "{slow:?}");
        let fast = heard(b"login: login: login: ", "115200n8", "9600n8");
        assert!((1..5).contains(&fast.len()), "{fast:?}");
        // A little off is in order, as on real lines.
        let fine = heard(b"login: ", "115200n8", "117000n8");
        assert_eq!(fine, heard(b"login: ", "115200n8", "115200n8"));
    }

    #[test]
    fn a_wrong_parity_is_seen() {
        let received = heard(b"ab", "9600e7", "9600o7");
        assert_eq!(flaws(&received, Flaw::Parity), 2);
        assert_eq!(received[0].byte, b'a');
        // Seven bits and parity, read as eight bits: `a` has three ones, `c` has four.
        let bytes: Vec<u8> = heard(b"ac", "9600e7", "9600n8").iter().map(|r| r.byte).collect();
        assert_eq!(bytes, [b'a' | 0x80, b'c']);
        assert_eq!(flaws(&heard(b"a\x80", "9600n8", "9600m7"), Flaw::Parity), 1);
    }

    #[test]
    fn noise_is_the_same_in_each_run_and_parity_sees_some_of_it() {
        let framing = "9600e8".parse().unwrap();
        let run = || {
            let mut noise = Noise { one_in: 50, ..Noise::default() };
            transmit(&[b'x'; 1000], framing, framing, &mut noise)
        };
        assert_eq!(run(), run());
        assert!(flaws(&run(), Flaw::Parity) > 50);
        assert!(flaws(&run(), Flaw::Framing) > 5);
    }

    proptest! {
        /// The way over the wire and the short cut come to the same.
        #[test]
        fn what_is_set_alike_is_understood(
            bytes in proptest::collection::vec(any::<u8>(), 0..50),
            parity in "[neoms]",
            bits in 5..=8_u8,
            stop in prop_oneof![Just("1"), Just("1.5"), Just("2")],
        ) {
            let framing: Framing = format!("9600{parity}{bits}{stop}").parse().unwrap();
            let mut signal = Signal::default();
            for &byte in &bytes {
                signal.send(byte, framing, &mut Noise::default());
            }
            let expected = transmit(&bytes, framing, framing, &mut Noise::default());
            prop_assert_eq!(signal.receive(1.0, framing), expected);
        }

        #[test]
        fn whatever_is_set_it_comes_to_an_end(
            bytes in proptest::collection::vec(any::<u8>(), 0..50),
            bauds in (1..4_000_000_u32, 1..4_000_000_u32),
            one_in in 0..20_u32,
        ) {
            let framing = |baud| Framing { baud, ..Framing::default() };
            let mut noise = Noise { one_in, ..Noise::default() };
            transmit(&bytes, framing(bauds.0), framing(bauds.1), &mut noise);
        }
    }
}
