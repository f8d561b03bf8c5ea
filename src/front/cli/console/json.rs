//! `--json`: everything that happens at a console, as lines of JSON.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::model::{Event, latin1};
use crate::wire::frame::Frame;

/// Makes lines of what comes.
///
/// conf/json.md has what they are.
#[derive(Debug, Default)]
pub(super) struct Json {
    /// The begin of a character, at most 3 bytes.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    frame: Frame,
    /// Where in the stream the next piece is if it goes on with this one.
    end: u64,
}

impl Json {
    /// What the board printed, and where in the stream it ends: some of what stood there may have been
    /// left out. A character that has just begun waits for its end; it is given out as it is when something
    /// else comes.
    pub(super) fn output(&mut self, frame: &Frame, end: u64) -> Vec<Value> {
        let mut frame = frame.clone();
        let mut lines = Vec::new();
        match self.held.take() {
            Some(held) if held.end == frame.offset => {
                frame.bytes = [&held.frame.bytes[..], &frame.bytes[..]].concat().into();
                frame.offset = held.frame.offset;
            }
            held => lines.extend(held.map(|held| output(&held.frame))),
        }
        let begun = match std::str::from_utf8(&frame.bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => frame.bytes.len(),
        };
        let bytes: Bytes = frame.bytes.split_off(begun);
        if !bytes.is_empty() {
            let offset = end.saturating_sub(bytes.len() as u64);
            self.held = Some(Held { frame: Frame { offset, time_us: frame.time_us, bytes }, end });
        }
        if !frame.bytes.is_empty() {
            lines.push(output(&frame));
        }
        lines
    }

    /// What was held, when nothing more comes.
    pub(super) fn finish(&mut self) -> Option<Value> {
        self.held.take().map(|held| output(&held.frame))
    }
}

fn output(frame: &Frame) -> Value {
    let mut value = json!({
        "type": "output",
        "offset": frame.offset,
        "time_us": frame.time_us,
        "text": String::from_utf8_lossy(&frame.bytes),
    });
    if std::str::from_utf8(&frame.bytes).is_err() {
        value["bytes"] = json!(latin1::text(&frame.bytes));
    }
    value
}

/// An event of the timeline.
pub(super) fn event(event: &Event) -> Value {
    let mut value = json!({"type": "event"});
    if let (Some(all), Ok(Value::Object(event))) =
        (value.as_object_mut(), serde_json::to_value(event))
    {
        all.extend(event);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(offset: u64, bytes: &'static [u8]) -> Frame {
        Frame { offset, time_us: 5, bytes: Bytes::from_static(bytes) }
    }

    fn lines(json: &mut Json, offset: u64, bytes: &'static [u8], end: u64) -> Vec<(Value, Value)> {
        let lines = json.output(&frame(offset, bytes), end).into_iter();
        lines.map(|line| (line["text"].clone(), line["offset"].clone())).collect()
    }

    #[test]
    fn a_character_is_not_cut_and_other_bytes_are_kept() {
        let mut json = Json::default();
        assert_eq!(lines(&mut json, 10, b"caf\xc3", 14), [(json!("caf"), json!(10))]);
        let second = json.output(&frame(14, b"\xa9\xff"), 16).remove(0);
        assert_eq!((&second["text"], &second["offset"]), (&json!("é\u{fffd}"), &json!(13)));
        assert_eq!(second["bytes"], json!("\u{c3}\u{a9}\u{ff}"));
        assert_eq!(lines(&mut json, 16, b"\xe2", 17), []);
        assert_eq!(json.finish().unwrap()["bytes"], json!("\u{e2}"));
    }

    #[test]
    fn a_begun_character_goes_on_behind_what_was_left_out_and_is_not_lost_in_a_gap() {
        let mut json = Json::default();
        // "a\r\n" and the begin of a character, of which the CR is not shown.
        assert_eq!(lines(&mut json, 10, b"a\n\xc3", 14), [(json!("a\n"), json!(10))]);
        assert_eq!(lines(&mut json, 14, b"\xa9", 15), [(json!("é"), json!(13))]);
        assert_eq!(lines(&mut json, 15, b"\xc3", 16), []);
        let gap = lines(&mut json, 20, b"b", 21);
        assert_eq!(gap, [(json!("\u{fffd}"), json!(15)), (json!("b"), json!(20))]);
    }
}
