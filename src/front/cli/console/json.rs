//! `--json`: everything that happens at a console, as lines of JSON.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::model::{Event, latin1};
use crate::wire::frame::Frame;

/// Makes lines of what comes.
///
/// `{"type":"output","offset":…,"time_us":…,"text":"…"}` has what the board printed; bytes that are no
/// UTF-8 are `"bytes"` as well, each as the character of its number, as in events. `event` has an event of
/// the timeline, `message` a line for people, `expect` and `exec` what came of a turn, and `result` is the last
/// line, with the exit code.
#[derive(Debug, Default)]
pub(super) struct Json {
    /// The begin of a character, at most 3 bytes, and its place.
    held: Option<Frame>,
}

impl Json {
    /// What the board printed; a character that has just begun waits for its end.
    pub(super) fn output(&mut self, frame: &Frame) -> Option<Value> {
        let mut frame = frame.clone();
        if let Some(held) = self.held.take().filter(|held| held.end() == frame.offset) {
            frame.bytes = [&held.bytes[..], &frame.bytes[..]].concat().into();
            frame.offset = held.offset;
        }
        let begun = match std::str::from_utf8(&frame.bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => frame.bytes.len(),
        };
        let bytes: Bytes = frame.bytes.split_off(begun);
        let offset = frame.end();
        self.held = (!bytes.is_empty()).then_some(Frame { offset, time_us: frame.time_us, bytes });
        if frame.bytes.is_empty() {
            return None;
        }
        let mut value = json!({
            "type": "output",
            "offset": frame.offset,
            "time_us": frame.time_us,
            "text": String::from_utf8_lossy(&frame.bytes),
        });
        if std::str::from_utf8(&frame.bytes).is_err() {
            value["bytes"] = json!(latin1::text(&frame.bytes));
        }
        Some(value)
    }

    /// What was held, when nothing more comes.
    pub(super) fn finish(&mut self) -> Option<Value> {
        let Frame { offset, time_us, bytes } = self.held.take()?;
        let (text, bytes) = (String::from_utf8_lossy(&bytes), latin1::text(&bytes));
        Some(
            json!({"type": "output", "offset": offset, "time_us": time_us, "text": text, "bytes": bytes}),
        )
    }
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

    #[test]
    fn a_character_is_not_cut_and_other_bytes_are_kept() {
        let mut json = Json::default();
        let first = json.output(&frame(10, b"caf\xc3")).unwrap();
        assert_eq!((&first["text"], &first["offset"]), (&json!("caf"), &json!(10)));
        let second = json.output(&frame(14, b"\xa9\xff")).unwrap();
        assert_eq!((&second["text"], &second["offset"]), (&json!("é\u{fffd}"), &json!(13)));
        assert_eq!(second["bytes"], json!("\u{c3}\u{a9}\u{ff}"));
        assert_eq!(json.output(&frame(16, b"\xe2")), None);
        assert_eq!(json.finish().unwrap()["bytes"], json!("\u{e2}"));
    }
}
