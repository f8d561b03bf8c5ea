//! Points in the past, as they are written on a command line.

use jiff::Zoned;

use crate::model::Point;

/// Reads a point in the past; a time without a zone is one of this host's zone (`$TZ`).
pub(super) fn point(text: &str) -> Result<Point, String> {
    Point::local(text, &Zoned::now()).map_err(|error| error.to_string())
}
