//! What each request to `lava-serial` needs. What is not here is not let in.

use super::super::access::{Need, Row};
use crate::model::Right;
use crate::model::event::Mode;
use crate::wire::attach::Verb;
use crate::wire::line::SetLine;
use crate::wire::request::OfSession;

/// The routes.
pub(super) const TABLE: &[Row] = &[
    ("GET", "/healthz", Need::Nothing),
    ("GET", "/openapi.json", Need::Each(Right::See)),
    ("GET", "/metrics", Need::Each(Right::See)),
    // What a board printed last is for those who may spy.
    ("GET", "/feed", Need::Each(Right::See)),
    ("GET", "/consoles", Need::Each(Right::See)),
    ("GET", "/consoles/{name}", Need::Named(Right::See)),
    // Who may not write attaches as a spy.
    ("GET", "/consoles/{name}/attach", Need::Named(Right::Spy)),
    ("GET", "/consoles/{name}/screen", Need::Named(Right::Spy)),
    ("GET", "/consoles/{name}/lines", Need::Named(Right::Spy)),
    ("GET", "/consoles/{name}/outlet", Need::Named(Right::See)),
    ("GET", "/consoles/{name}/lease", Need::Named(Right::See)),
    ("POST", "/consoles/{name}/lease", Need::Named(Right::Write)),
    ("DELETE", "/consoles/{name}/lease", Need::Named(Right::Write)),
    // By force, it needs the right to control.
    ("POST", "/consoles/{name}/outlet/{verb}", Need::Named(Right::Write)),
    ("GET", "/consoles/{name}/history", Need::Named(Right::Spy)),
    ("GET", "/consoles/{name}/offset", Need::Named(Right::Spy)),
    ("GET", "/consoles/{name}/events", Need::Named(Right::Spy)),
    // Jobs and power operations: whoever causes them may write.
    ("POST", "/consoles/{name}/events", Need::Named(Right::Write)),
    ("POST", "/consoles/{name}/message", Need::Named(Right::Spy)),
    ("POST", "/consoles/{name}/note", Need::Named(Right::Write)),
    ("POST", "/consoles/{name}/send", Need::Named(Right::Write)),
    // Not one's own session's: these are about others.
    ("POST", "/consoles/{name}/release", Need::Named(Right::Control)),
    ("POST", "/consoles/{name}/force", Need::Named(Right::Control)),
    ("POST", "/consoles/{name}/break", Need::Named(Right::Control)),
    ("POST", "/consoles/{name}/line", Need::Named(Right::Control)),
    ("POST", "/consoles/{name}/kick", Need::Named(Right::Control)),
    ("POST", "/consoles/{name}/close", Need::Named(Right::Control)),
    ("POST", "/consoles/{name}/open", Need::Named(Right::Control)),
    ("GET", "/search", Need::Each(Right::Spy)),
    ("POST", "/reload", Need::All(Right::Control)),
];

/// What a request over an attached WebSocket needs.
pub(super) fn of_verb(verb: &Verb) -> Right {
    match verb {
        Verb::Who | Verb::Sequences | Verb::Message(_) => Right::Spy,
        Verb::Mode { mode: Mode::Spy } => Right::Spy,
        Verb::Mode { mode: Mode::Rw | Mode::Exclusive } => Right::Write,
        Verb::Send(_) | Verb::Cancel { .. } | Verb::Note(_) => Right::Write,
        // Its own lock, and that of others.
        Verb::Release(OfSession { session: None }) => Right::Write,
        Verb::Release(OfSession { session: Some(_) }) => Right::Control,
        // Only to be told how it is.
        Verb::Line(line) if *line == SetLine::default() => Right::Spy,
        Verb::Force(_) | Verb::Break(_) | Verb::Line(_) | Verb::Kick(_) => Right::Control,
        Verb::Close | Verb::Open => Right::Control,
    }
}

/// The mode in which somebody attaches who asks for this one.
pub(super) fn mode(asked: Mode, right: Option<Right>) -> Mode {
    if right >= Some(Right::Write) { asked } else { Mode::Spy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_right_and_is_told_with_it() {
        crate::front::http::access::table::check("serial", TABLE);
    }

    #[test]
    fn the_rights_of_requests_are_told() {
        let told = include_str!("../../../../conf/rights.md");
        for (request, right) in [
            (r#""who""#, "spy"),
            (r#""sequences""#, "spy"),
            (r#""message","text":"x""#, "spy"),
            (r#""mode","mode":"spy""#, "spy"),
            (r#""line""#, "spy"),
            (r#""mode","mode":"rw""#, "write"),
            (r#""mode","mode":"exclusive""#, "write"),
            (r#""send","text":"x""#, "write"),
            (r#""cancel","send":1"#, "write"),
            (r#""note","text":"x""#, "write"),
            (r#""release""#, "write"),
            (r#""release","session":1"#, "control"),
            (r#""force""#, "control"),
            (r#""break""#, "control"),
            (r#""line","baud":9600"#, "control"),
            (r#""kick","session":1"#, "control"),
            (r#""close""#, "control"),
            (r#""open""#, "control"),
        ] {
            let verb = serde_json::from_str(&format!(r#"{{"request":{request}}}"#)).unwrap();
            assert_eq!(of_verb(&verb).as_str(), right, "{request}");
            let word = request.split('"').nth(1).unwrap();
            let row = |line: &str| {
                line.starts_with("| attached: ")
                    && line.contains(&format!("`{word}`"))
                    && line.ends_with(&format!("| {right} |"))
            };
            assert!(told.lines().any(row), "conf/rights.md does not tell of {word}: {right}");
        }
    }
}
