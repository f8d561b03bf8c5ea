//! What came of a power operation, in words.

use crate::model::{Report, Verb, Verified};

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
    format!("{}{did} is {} ({verified}, {seconds:.1} s)", report.outlet, report.state)
}
