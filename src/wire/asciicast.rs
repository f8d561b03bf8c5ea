//! Recordings of terminals, asciicast v3: <https://docs.asciinema.org/manual/asciicast/v3/>.
//!
//! The first line is a header, each further one an event: seconds since the event before, its kind,
//! its text.

use serde_json::json;

use super::json_text::escaped;

/// The size of the terminal that a console is played on.
const SIZE: (u16, u16) = (80, 24);
/// A player shortens pauses to this, in seconds: boards are silent for days.
const IDLE_LIMIT: f64 = 2.0;

/// Writes a recording. Its text comes in pieces, as bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asciicast {
    /// The time of the last event, in microseconds since the Unix epoch.
    last_us: Option<u64>,
    /// The beginning of a character.
    cut: Vec<u8>,
}

impl Asciicast {
    /// The header of a recording of a console that begins at a time.
    pub fn header(&mut self, title: &str, time_us: u64) -> String {
        self.last_us = Some(time_us);
        let (cols, rows) = SIZE;
        let header = json!({
            "version": 3,
            "term": { "cols": cols, "rows": rows, "type": "xterm-256color" },
            "timestamp": time_us / 1_000_000,
            "idle_time_limit": IDLE_LIMIT,
            "title": title,
        });
        escaped(&format!("{header}\n"))
    }

    /// What the console printed. A character that is cut waits for its rest.
    pub fn output(&mut self, time_us: u64, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.cut);
        all.extend_from_slice(bytes);
        let whole = all.len() - cut_character(&all);
        self.cut = all.split_off(whole);
        if all.is_empty() {
            String::new()
        } else {
            self.event(time_us, "o", &String::from_utf8_lossy(&all))
        }
    }

    /// What somebody typed.
    pub fn input(&mut self, time_us: u64, text: &str) -> String {
        self.event(time_us, "i", text)
    }

    /// A mark, with what happened there.
    pub fn marker(&mut self, time_us: u64, label: &str) -> String {
        self.event(time_us, "m", label)
    }

    fn event(&mut self, time_us: u64, kind: &str, text: &str) -> String {
        // Clocks are set back, and times can be lost: an interval is never negative.
        let last_us = self.last_us.unwrap_or(time_us);
        let now_us = time_us.max(last_us);
        self.last_us = Some(now_us);
        let interval = (now_us - last_us) as f64 / 1e6;
        escaped(&format!("[{interval:.6}, {}, {}]\n", json!(kind), json!(text)))
    }
}

/// How many bytes at the end are the beginning of a character.
fn cut_character(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let length = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if length > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn a_recording_is_a_header_and_events_with_the_time_between_them() {
        let mut cast = Asciicast::default();
        let header: Value =
            serde_json::from_str(&cast.header("panda01", 1_504_467_315_250_000)).unwrap();
        assert_eq!(header["version"], 3);
        assert_eq!(header["term"]["cols"], 80);
        assert_eq!(header["timestamp"], 1_504_467_315);
        assert_eq!(header["title"], "panda01");
        assert_eq!(
            cast.output(1_504_467_315_500_000, b"a\r\n\x1b[0m"),
            "[0.250000, \"o\", \"a\\r\\n\\u001b[0m\"]\n"
        );
        assert_eq!(cast.input(1_504_467_316_500_000, "b"), "[1.000000, \"i\", \"b\"]\n");
        assert_eq!(cast.marker(0, "power on"), "[0.000000, \"m\", \"power on\"]\n");
        assert_eq!(cast.output(1_504_467_316_500_000, b"\xc3"), "");
        assert_eq!(
            cast.output(1_504_467_317_000_000, b"\xa9\xff"),
            "[0.500000, \"o\", \"\u{e9}\u{fffd}\"]\n"
        );
    }

    proptest! {
        #[test]
        fn text_is_whole_however_it_is_cut(text in "\\PC{0,40}", cut in 0_usize..160) {
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            let mut cast = Asciicast::default();
            let lines = [cast.output(1, one), cast.output(2, two)].concat();
            let events = lines.lines().map(|line| serde_json::from_str::<(f64, String, String)>(line).unwrap());
            prop_assert_eq!(events.map(|(_, _, text)| text).collect::<String>(), text);
        }
    }
}
