//! When each line came, in front of it.

use super::super::clock::local;

/// Puts times in front of lines, as they come.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamps {
    at: At,
    /// The stamp of the present line.
    stamp: String,
    /// Whether a carriage return goes back over the stamp, so that it has to be written again.
    overwritten: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    #[default]
    Begin,
    Within,
    /// Behind a carriage return.
    Left,
}

impl Stamps {
    /// For a terminal, where a carriage return goes back to the left edge.
    pub(super) fn for_terminal(terminal: bool) -> Self {
        Self { overwritten: terminal, ..Self::default() }
    }

    /// Bytes that came at a time, in microseconds since the Unix epoch.
    pub(super) fn stamp(&mut self, bytes: &[u8], time_us: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 64);
        for byte in bytes {
            match (byte, self.at) {
                (b'\n', At::Begin) => {
                    self.begin(time_us);
                    out.extend_from_slice(self.stamp.as_bytes());
                }
                (b'\n', _) => self.at = At::Begin,
                // Some boards end lines by LF CR.
                (b'\r', At::Begin) => {}
                (b'\r', _) => self.at = At::Left,
                (_, At::Begin) => {
                    self.begin(time_us);
                    self.at = At::Within;
                    out.extend_from_slice(self.stamp.as_bytes());
                }
                (_, At::Left) => {
                    self.at = At::Within;
                    if self.overwritten {
                        out.extend_from_slice(self.stamp.as_bytes());
                    }
                }
                (_, At::Within) => {}
            }
            out.push(*byte);
        }
        out
    }

    fn begin(&mut self, time_us: u64) {
        self.stamp = format!("{}  ", local(time_us));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(terminal: bool, pieces: &[(&str, u64)]) -> String {
        let mut stamps = Stamps::for_terminal(terminal);
        let pieces = pieces.iter().map(|(text, ms)| stamps.stamp(text.as_bytes(), ms * 1000));
        let text = String::from_utf8(pieces.collect::<Vec<_>>().concat()).unwrap();
        // Whatever the zone of this host is.
        let mut short = text;
        for ms in 1..=9 {
            let stamp = format!("{}  ", local(ms * 1000));
            short = short.replace(&stamp, &format!("<{ms}>"));
        }
        short
    }

    #[test]
    fn a_line_has_the_time_of_its_first_byte() {
        let pieces = [("one", 1), (" line\r\n", 2), ("\r\ntwo\n\rthree", 3)];
        assert_eq!(stamped(true, &pieces), "<1>one line\r\n\r<3>\n<3>two\n\r<3>three");
        assert_eq!(stamped(false, &pieces), stamped(true, &pieces));
    }

    #[test]
    fn what_is_written_over_a_line_stands_behind_its_time() {
        let pieces = [("10%\r", 1), ("20%\r\n", 2)];
        assert_eq!(stamped(true, &pieces), "<1>10%\r<1>20%\r\n");
        assert_eq!(stamped(false, &pieces), "<1>10%\r20%\r\n");
    }
}
