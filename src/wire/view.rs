//! A console's screen on a WebSocket, for pages: `GET /consoles/NAME/screen` with the query of [`Query`].
//!
//! The server keeps the terminal and tells what is to be seen, so that a page only has to show text. It
//! says [`ToPage::You`] and the hello of [`super::attach`], and from then on, at most every 33 ms, what has
//! changed ([`Draw`]), and what happened. Binary frames to the server are bytes to type; its text messages
//! are the requests of [`super::attach`], and [`SetSize`], which is not answered.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use crate::model::Event;
use crate::model::event::Mode;

/// The largest screen that is kept for a page: rows and columns.
pub const MAX_SIZE: (u16, u16) = (150, 400);

/// The query of a request for a screen: `?mode=rw&rows=24&cols=80`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    #[serde(default)]
    pub mode: Mode,
    pub rows: NonZeroU16,
    pub cols: NonZeroU16,
    /// The name that others see. Without authentication it is what the client says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The offset up to which the page has drawn everything, on a screen of this size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
}

/// `{"request":"size","rows":24,"cols":80}`: the page has this size from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SetSize {
    Size { rows: NonZeroU16, cols: NonZeroU16 },
}

/// What only pages are told; the rest is [`super::attach::FromServer`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToPage {
    /// Who is attached, and what they may. The first message.
    You {
        user: String,
        right: &'static str,
    },
    Draw(Draw),
    /// Something happened; `text` tells it to people, if it is of interest.
    Told {
        event: Event,
        text: Option<String>,
    },
}

/// What has changed on the screen, and what has left it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Draw {
    /// The offset behind the last byte that is drawn.
    pub offset: u64,
    pub rows: u16,
    pub cols: u16,
    /// Nothing that was drawn before counts any more.
    pub fresh: bool,
    /// Between what had left the screen before and what leaves it now something is missing, which the
    /// record has ([`Lines`]).
    pub cut: bool,
    /// The rows that have left the screen, at its top.
    pub scrolled: Vec<Line>,
    /// By so many rows the others have moved up; below them are as many empty ones.
    pub moved: u16,
    /// The rows of the screen that have changed, from 0.
    pub changed: Vec<(u16, Vec<Span>)>,
    /// Where the line begins whose first part is the screen's top row, if that is known.
    pub top: Option<u64>,
    /// How many rows of that line have left the screen.
    pub begun: u64,
    /// Row and column, from 0; `None` while it is hidden.
    pub cursor: Option<(u16, u16)>,
    /// Arrow keys send `ESC O A` instead of `ESC [ A` (DECCKM).
    pub application_cursor: bool,
    /// What is pasted is to be marked (`ESC [ 200 ~`).
    pub bracketed_paste: bool,
}

/// A row of text that is not on the screen any more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct Line {
    /// The offset of its first byte, if a line of the board begins with it: a long one is several rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    #[schema(value_type = Vec<Object>)]
    pub spans: Vec<Span>,
}

/// The answer to `GET /consoles/NAME/lines`: what came before or behind an offset, line by line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Lines {
    /// The offset of the first one: what came before is had with `before` of it.
    pub from: u64,
    /// The offset behind the last one: what came then is had with `from` of it.
    pub to: u64,
    /// Whether anything before it is held.
    pub more: bool,
    pub lines: Vec<Line>,
}

/// Cells of a row that look alike: the text, how it is drawn (the sum of [`style`]), and the colours of the
/// text and behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span(pub String, pub u8, pub Option<Colour>, pub Option<Colour>);

/// The bits of a span's style.
pub mod style {
    pub const BOLD: u8 = 1;
    pub const DIM: u8 = 2;
    pub const ITALIC: u8 = 4;
    pub const UNDERLINE: u8 = 8;
    /// Text and background have changed places.
    pub const INVERSE: u8 = 16;
    /// One character that takes two columns.
    pub const WIDE: u8 = 32;
}

/// A number of the terminal's palette, or red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Colour {
    Indexed(u8),
    Rgb([u8; 3]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_small_and_plain() {
        let spans = vec![
            Span("=> ".into(), 0, None, None),
            Span("ok".into(), style::BOLD, Some(Colour::Indexed(2)), Some(Colour::Rgb([1, 2, 3]))),
        ];
        let draw = Draw { offset: 7, changed: vec![(3, spans)], ..Draw::default() };
        let json = serde_json::to_value(ToPage::Draw(draw)).unwrap();
        assert_eq!(json["type"], "draw");
        let row = r#"[[3,[["=> ",0,null,null],["ok",1,2,[1,2,3]]]]]"#;
        assert_eq!(json["changed"].to_string(), row);
    }

    #[test]
    fn a_size_is_no_other_request() {
        let size = |json: &str| serde_json::from_str::<SetSize>(json).is_ok();
        assert!(size(r#"{"request":"size","rows":24,"cols":80}"#));
        assert!(!size(r#"{"request":"size","rows":0,"cols":80}"#));
        assert!(!size(r#"{"id":1,"request":"who"}"#));
    }
}
