//! What came of a power operation, in words.

use crate::model::{FeedReport, Report, State, Verb, Verified};

/// `panda01 is on (read back from the PDU, 2.1 s)`: what was done, and what was verified.
pub(in crate::front) fn text(report: &Report) -> String {
    let did = match report.verb {
        Verb::Cycle => " was off, and now",
        Verb::On | Verb::Off | Verb::Status => "",
    };
    let verified = match report.verified {
        Verified::Verified => "read back from the PDU",
        Verified::Accepted => "accepted by the PDU, which cannot be asked",
        Verified::Unknown => "not verified",
    };
    let seconds = report.took_ms as f64 / 1000.0;
    let feed = |feed: &FeedReport| format!("{} {} {}", feed.pdu, feed.port, feed.state);
    let which = match report.state {
        State::Partly | State::Unknown if !report.feeds.is_empty() => {
            let feeds: Vec<String> = report.feeds.iter().map(feed).collect();
            format!(": {}", feeds.join(", "))
        }
        _ => String::new(),
    };
    format!("{}{did} is {}{which} ({verified}, {seconds:.1} s)", report.outlet, report.state)
}
