//! What `~$info` and `~$log` show.

use std::sync::Arc;

use crate::client::control;
use crate::console::{Console, Status};
use crate::front::cli::info_lines;

/// How far back the last lines are looked for, in bytes.
const REACH: u64 = 256 * 1024;

/// Everything there is to know of the console.
pub(super) async fn info(console: &Arc<Console>) -> String {
    let line = Some(console.line_now().await);
    let status = Status { line, ..console.status() };
    // As a client would read it.
    let status = serde_json::to_value(status).and_then(serde_json::from_value::<control::Status>);
    match status {
        Ok(status) => {
            info_lines(None, &status).iter().fold(String::new(), |text, line| text + line + "\n")
        }
        Err(error) => format!("{error}\n"),
    }
}

/// The last so many lines that the board printed, between marks.
pub(super) async fn log(console: &Console, lines: usize) -> Vec<u8> {
    let mut past = console.held(console.head().saturating_sub(REACH), None);
    let mut text = format!("--- the last {lines} lines of the log ---\n").into_bytes();
    let mut bytes = Vec::new();
    loop {
        match past.next().await {
            Ok(Some(pieces)) => pieces.iter().for_each(|it| bytes.extend_from_slice(&it.bytes)),
            Ok(None) => break,
            Err(error) => return format!("the capture cannot be read: {error}\n").into_bytes(),
        }
    }
    text.extend_from_slice(last(&bytes, lines));
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(b"---\n");
    text
}

/// The last so many lines; what stands behind the last end of a line is one.
fn last(bytes: &[u8], lines: usize) -> &[u8] {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let begin = ends.map(|(at, _)| at + 1).nth(lines.saturating_sub(1)).unwrap_or(0);
    &bytes[begin..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_the_end() {
        assert_eq!(last(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last(b"a\nb\nc", 1), b"c");
        assert_eq!(last(b"a\nb\n", 9), b"a\nb\n");
        assert_eq!(last(b"", 1), b"");
    }
}
