//! What is said to a strip and heard from it. Bytes only; no socket.
//!
//! Sources: egctl (Vitaly Sinilin) and openHAB's energenie binding, in whose words it is: the strip sets a
//! *task* of four bytes, which whoever knows the *key* (the password, filled up with spaces) can answer, and
//! which all that follows is written with. States and controls are of the last outlet first.

use crate::model::State;
use crate::outlet::Switch;

pub(super) const OUTLETS: usize = 4;
/// What begins a session, and ends it: by itself the strip waits for seconds for a timetable.
pub(super) const START: u8 = 0x11;

pub(super) type Four = [u8; OUTLETS];

/// The password as the strip counts with it.
#[derive(Clone, Copy)]
pub(super) struct Key([u8; 8]);

impl Key {
    pub(super) fn new(password: &str) -> Self {
        let mut key = [b' '; 8];
        for (place, byte) in key.iter_mut().zip(password.bytes()) {
            *place = byte;
        }
        Self(key)
    }

    /// The answer to a task: two words, the low byte first.
    pub(super) fn answer(&self, task: Four) -> Four {
        let Self(key) = self;
        let word = |n: usize| {
            let product = u16::from(task[n] ^ key[n + 2]).wrapping_mul(u16::from(key[n]));
            let mask = u16::from_le_bytes([key[n + 6], key[n + 4]]);
            (product ^ mask ^ u16::from(task[n + 2])).to_le_bytes()
        };
        let ([a, b], [c, d]) = (word(0), word(1));
        [a, b, c, d]
    }

    /// What switches one outlet, counted from 0, and leaves the others alone.
    pub(super) fn control(&self, task: Four, outlet: usize, to: Switch) -> Four {
        let mut said = [LEAVE; OUTLETS];
        if let Some(place) = said.get_mut(outlet) {
            *place = if to == Switch::On { ON } else { OFF };
        }
        said.reverse();
        said.map(|byte| self.hidden(task, byte))
    }

    /// What the strip says of an outlet.
    pub(super) fn state(&self, task: Four, said: Four, outlet: usize) -> State {
        let place = OUTLETS.checked_sub(outlet + 1).and_then(|at| said.get(at));
        match place.map(|byte| self.shown(task, *byte)) {
            // Of versions 2.0, 2.1 and with WLAN; of the first, with and without voltage.
            Some(0x11 | 0x12 | 0x41 | 0x51) => State::On,
            Some(0x22 | 0x21 | 0x82 | 0x92) => State::Off,
            _ => State::Unknown,
        }
    }

    fn hidden(&self, task: Four, byte: u8) -> u8 {
        let Self(key) = self;
        ((byte ^ task[2]).wrapping_add(task[3]) ^ key[0]).wrapping_add(key[1])
    }

    fn shown(&self, task: Four, byte: u8) -> u8 {
        let Self(key) = self;
        (byte.wrapping_sub(key[1]) ^ key[0]).wrapping_sub(task[3]) ^ task[2]
    }
}

const ON: u8 = 1;
const OFF: u8 = 2;
const LEAVE: u8 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_task_is_answered_as_the_strip_wants_it() {
        // Worked out by hand: (0x12 ^ 0x20) * 0x31 ^ 0x2020 ^ 0x56, and so on.
        let key = Key::new("1");
        assert_eq!(key.answer([0x12, 0x34, 0x56, 0x78]), [0xe4, 0x29, 0xd8, 0x22]);
        assert_eq!(Key::new("").answer([0; 4]), [0x20, 0x24, 0x20, 0x24]);
    }

    proptest! {
        #[test]
        fn what_is_hidden_can_be_read(task: Four, password in ".{0,12}", byte: u8) {
            let key = Key::new(&password);
            prop_assert_eq!(key.shown(task, key.hidden(task, byte)), byte);
        }

        #[test]
        fn one_outlet_is_switched_and_no_other(task: Four, outlet in 0..OUTLETS) {
            let key = Key::new("s3cret");
            let mut said = key.control(task, outlet, Switch::On).map(|byte| key.shown(task, byte));
            said.reverse();
            let mut expected = [4; OUTLETS];
            expected[outlet] = 1;
            prop_assert_eq!(said, expected);
        }

        #[test]
        fn nothing_that_a_strip_says_does_harm(task: Four, said: Four, outlet in 0_usize..9) {
            Key::new("s3cret").state(task, said, outlet);
        }
    }
}
