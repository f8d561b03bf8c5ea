//! Listening for what a step expects. Knows no socket.

use crate::config::power::{Heard, Reading, Step, Words};
use crate::model::State;

/// The most that a PDU may say in one step, in bytes.
const MAX_HEARD: usize = 16 * 1024;
/// How often a PDU may be answered in one step: a menu has not so many levels and pages.
const MAX_REPLIES: usize = 32;

/// What was heard in one step.
#[derive(Debug)]
pub(super) struct Hearing<'a> {
    step: &'a Step,
    heard: Vec<u8>,
    /// Everything before this was heard before our last answer.
    new: usize,
    replies: usize,
}

/// What is to be done about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// The step is done. What came after the text that was expected is the next one's.
    Done {
        rest: Vec<u8>,
    },
    Reply(&'a Words),
    /// The PDU will not.
    Fail,
    Busy,
    /// It speaks of another outlet.
    Stray,
    /// It says too much, or asks again and again.
    Endless,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    Fail,
    Busy,
    Done,
    Reply(usize),
}

impl<'a> Hearing<'a> {
    /// `pending` is what came before and nobody has read.
    pub(super) fn new(step: &'a Step, pending: Vec<u8>) -> Self {
        Self { step, heard: pending, new: 0, replies: 0 }
    }

    /// Whether there is anything to listen for.
    pub(super) fn listens(step: &Step) -> bool {
        step.expect.is_some() || step.reading.is_some()
    }

    pub(super) fn hear(&mut self, bytes: &[u8]) {
        let room = MAX_HEARD.saturating_sub(self.heard.len());
        self.heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// What was said since we last said something.
    pub(super) fn news(&self) -> &[u8] {
        &self.heard[self.new..]
    }

    /// What is to be done now; `None` is to go on listening. The text that comes first counts, and what
    /// its pattern has found is put into `found`.
    pub(super) fn judge(&mut self, found: &mut Heard) -> Option<Verdict<'a>> {
        let Step { expect, fail, busy, replies, reading, .. } = self.step;
        let states = match (expect, reading) {
            // Whatever tells the state is what is waited for.
            (None, Some(Reading::Words { on, off })) => [Some(on), Some(off)],
            _ => [None, None],
        };
        let done =
            states.into_iter().flatten().chain(expect).map(|expected| (Meaning::Done, expected));
        let said = fail.iter().map(|expected| (Meaning::Fail, expected));
        let said = said.chain(busy.iter().map(|expected| (Meaning::Busy, expected))).chain(done);
        let asks = replies.iter().enumerate().map(|(n, (see, _))| (Meaning::Reply(n), see));
        let first = said
            .chain(asks)
            .filter_map(|(meaning, expected)| {
                Some((expected.find(self.news())?, meaning, expected))
            })
            .min_by_key(|(range, meaning, _)| (range.start, *meaning));
        let Some((range, meaning, expected)) = first else {
            return (self.heard.len() >= MAX_HEARD).then_some(Verdict::Endless);
        };
        if self.strays() {
            return Some(Verdict::Stray);
        }
        let parts = expected.parts(self.news()).unwrap_or_default();
        found.extend(parts.into_iter().map(|(name, part)| (name.to_owned(), part.to_vec())));
        Some(match meaning {
            Meaning::Fail => Verdict::Fail,
            Meaning::Busy => Verdict::Busy,
            Meaning::Done => {
                let rest = self.heard.split_off(self.new + range.end);
                Verdict::Done { rest }
            }
            Meaning::Reply(_) if self.replies == MAX_REPLIES => Verdict::Endless,
            Meaning::Reply(number) => {
                self.replies += 1;
                self.new = self.heard.len();
                Verdict::Reply(&replies[number].1)
            }
        })
    }

    /// The state that all of it tells; `None` where it tells none, or both.
    pub(super) fn state(&self, found: &Heard) -> Option<State> {
        let is_on = match self.step.reading.as_ref()? {
            Reading::Words { on, off } => match (on.is_in(&self.heard), off.is_in(&self.heard)) {
                (true, false) => true,
                (false, true) => false,
                _ => return None,
            },
            Reading::Bit(bit) => found.get(Reading::BITS)?.get(bit / 8)? >> (bit % 8) & 1 == 1,
        };
        Some(if is_on != self.step.inverted { State::On } else { State::Off })
    }

    /// Whether the PDU speaks of another outlet than ours.
    fn strays(&self) -> bool {
        let Some((names, ours)) = &self.step.names else { return false };
        names.each(self.news(), Step::OUTLET).iter().any(|named| named != ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::power::{Driver, PowerConfig, Script};

    /// The script of a profile with these lines in its status.
    fn script(status: &str) -> Script {
        let dir = tempfile::tempdir().unwrap();
        let profile = format!(
            "about = 'x'\nsource = 'x'\nport = '[0-9]+'\n[[on]]\nsend = '1'\n[[off]]\nsend = '0'\n\
             [[status]]\n{status}\n"
        );
        std::fs::write(dir.path().join("p.toml"), profile).unwrap();
        let text = "[[pdu]]\nname = 'r'\ndriver = 'dialogue'\nconnect = 'tcp:h:1'\nprofile = 'p.toml'\n\
                    [[outlet]]\nname = 'a'\npdu = 'r'\nport = 3\n";
        let file = dir.path().join("power.toml").display().to_string();
        let config = PowerConfig::parse(&file, text).unwrap();
        let Driver::Dialogue(dialogue) = &config.pdus[0].driver else { panic!() };
        dialogue.script("3").unwrap()
    }

    #[test]
    fn the_text_that_comes_first_counts() {
        let script = script("expect = 'OK'\nfail = 'ERR'\non = 'ON'\noff = 'OFF'\n");
        let step = &script.status.unwrap()[0];
        let mut found = Heard::new();
        let mut hearing = Hearing::new(step, b"status 3\r\nO".to_vec());
        assert_eq!(hearing.judge(&mut found), None);
        hearing.hear(b"N\r\nOK\r\n> ERR");
        assert_eq!(hearing.judge(&mut found), Some(Verdict::Done { rest: b"\r\n> ERR".to_vec() }));
        assert_eq!(hearing.state(&found), Some(State::On));

        let mut hearing = Hearing::new(step, b"ERR OK".to_vec());
        assert_eq!(hearing.judge(&mut found), Some(Verdict::Fail));
        let mut both = Hearing::new(step, b"ON OFF OK".to_vec());
        assert!(both.judge(&mut found).is_some());
        assert_eq!(both.state(&found), None);
    }

    #[test]
    fn pages_are_turned_and_all_of_them_are_read() {
        let script = script(
            "expect = '> $'\non = '{port} ON'\noff = '{port} OFF'\n\
             replies = [{ see = '(?<key>[A-Z]+)-More', send = '{heard:key}\\r' }]\n",
        );
        let step = &script.status.unwrap()[0];
        let mut found = Heard::new();
        let mut hearing = Hearing::new(step, Vec::new());
        hearing.hear(b"3 OFF\r\nENTER-More");
        let Some(Verdict::Reply(words)) = hearing.judge(&mut found) else { panic!() };
        assert_eq!(words.bytes(&found), Some(b"ENTER\r".to_vec()));
        assert_eq!(hearing.judge(&mut found), None);
        hearing.hear(b"4 ON\r\n> ");
        assert_eq!(hearing.judge(&mut found), Some(Verdict::Done { rest: Vec::new() }));
        assert_eq!(hearing.state(&found), Some(State::Off));
    }

    #[test]
    fn a_pdu_that_never_ends_is_not_heard_out() {
        let script = script(
            "expect = '> $'\nbit = 'port'\nreplies = [{ see = 'More', send = 'y' }]\n"
                .replace("> $", "(?<bits>X)> $")
                .as_str(),
        );
        let step = &script.status.unwrap()[0];
        let mut found = Heard::new();
        let mut hearing = Hearing::new(step, Vec::new());
        for _ in 0..MAX_REPLIES {
            hearing.hear(b"More");
            assert!(matches!(hearing.judge(&mut found), Some(Verdict::Reply(_))));
        }
        hearing.hear(b"More");
        assert_eq!(hearing.judge(&mut found), Some(Verdict::Endless));
        let mut hearing = Hearing::new(step, Vec::new());
        hearing.hear(&[b'x'; 2 * MAX_HEARD]);
        assert_eq!(hearing.judge(&mut found), Some(Verdict::Endless));
        assert_eq!(hearing.heard.len(), MAX_HEARD);
    }

    /// After powerman's wti.dev: a plug's line has its state, and then that after a power cut.
    #[test]
    fn of_two_states_in_a_line_the_first_one_counts() {
        let page = "\r\n+-----+----------+------+----------+---------+\r\n\
                    | Plug | Name | Status | Boot/Seq. Delay | Default |\r\n\
                    +-----+----------+------+----------+---------+\r\n\
                    \x20 1  | one  | OFF | 0.5 Secs | ON  |\r\n  2  | two  | ON  | 0.5 Secs | OFF |\r\n\
                    \x20 3  | ON   | ON  | 0.5 Secs | ON  |\r\n  4  | four | OFF | 0.5 Secs | OFF |\r\n\
                    +-----+----------+------+----------+---------+\r\nNPS> ";
        let text = "[[pdu]]\nname = 'r'\ndriver = 'dialogue'\nconnect = 'tcp:h:1'\npassword = 'x'\n\
                    profile = 'wti-nps'\n[[outlet]]\nname = 'a'\npdu = 'r'\nport = 1\n";
        let config = PowerConfig::parse("power.toml", text).unwrap();
        let Driver::Dialogue(dialogue) = &config.pdus[0].driver else { panic!() };
        for (port, state) in
            [("1", State::Off), ("2", State::On), ("3", State::On), ("4", State::Off)]
        {
            let status = dialogue.script(port).unwrap().status.unwrap();
            let mut found = Heard::new();
            let mut hearing = Hearing::new(&status[0], Vec::new());
            hearing.hear(page.as_bytes());
            assert!(matches!(hearing.judge(&mut found), Some(Verdict::Done { .. })), "{port}");
            assert_eq!(hearing.state(&found), Some(state), "{port}");
        }
    }

    #[test]
    fn a_bit_tells_the_state() {
        let script =
            script("expect = '(?s)^(?<bits>..)'\nbit = 'port*'\n".replace('*', "+7").as_str());
        let step = &script.status.unwrap()[0];
        for (bytes, state) in [(b"\x00\x04", State::On), (b"\xff\xfb", State::Off)] {
            let mut found = Heard::new();
            let mut hearing = Hearing::new(step, bytes.to_vec());
            assert_eq!(hearing.judge(&mut found), Some(Verdict::Done { rest: Vec::new() }));
            assert_eq!(hearing.state(&found), Some(state));
        }
    }
}
