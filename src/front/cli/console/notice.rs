//! What a person at a console is told of what others do, in the words that conmux's users know.

use super::words::Words;
use crate::client::attach::Hello;
use crate::model::event::{Mode, Phase};
use crate::model::{Event, Name, What, one_line, units};
use crate::wire::attach::{PortState, Session};

/// A user as conmux writes one: `user:alice`. Others, such as `job:42`, say what they are.
pub(in crate::front) fn user(who: &str) -> String {
    if who.contains(':') { who.to_owned() } else { format!("user:{who}") }
}

/// The lines that greet: the console and its port, who else is there, and why one may not type.
pub(super) fn greeting(name: &Name, wanted: Mode, hello: &Hello, words: &Words) -> Vec<String> {
    let channel = match &hello.port {
        PortState::Open => "connected",
        PortState::Starting => "transition",
        PortState::Closed { .. } => "disconnected",
    };
    let connected = words.connected(name.as_str(), channel);
    let mut lines: Vec<String> = connected.lines().map(str::to_owned).collect();
    if let PortState::Closed { reason } = &hello.port {
        lines.push(format!("[{name}: the port is not open: {reason}]"));
    }
    for other in &hello.others {
        lines.push(format!("({}) is already connected", user(&other.user)));
    }
    if hello.mode == Mode::Spy && wanted != Mode::Spy {
        lines.push(words.read_only(hello.holder.as_ref()));
    }
    lines
}

/// Why one may not type, and what to do about it.
pub(in crate::front) fn read_only(holder: Option<&Session>) -> String {
    match holder {
        Some(holder) => format!(
            "[read-only: {} has the console since {}; ~$force takes it]",
            user(&holder.user),
            units::time_text(holder.since_us)
        ),
        None => "[read-only: attached as a spy; ~$force takes the console]".into(),
    }
}

/// This session's own mode has changed.
pub(in crate::front) fn mode(mode: Mode, holder: Option<&Session>) -> String {
    match mode {
        Mode::Spy => read_only(holder),
        Mode::Rw => "[you may type]".into(),
        Mode::Exclusive => "[you have the console; ~$release gives it back]".into(),
    }
}

/// One of those on a console, as a list has them.
pub(in crate::front) fn session(other: &Session) -> String {
    format!(
        "({}) {} by {} from {} since {}, idle {}, session {}",
        user(&other.user),
        other.mode,
        other.via,
        other.peer,
        units::time_text(other.since_us),
        units::time_span(other.idle_s),
        other.session
    )
}

/// An event; `None` for what is of no interest to somebody who sees the bytes. Of what others wrote there is
/// nothing in it that a terminal could take for a command.
pub(in crate::front) fn event(name: &Name, event: &Event) -> Option<String> {
    told(name, event).map(|line| one_line(&line))
}

fn told(name: &Name, event: &Event) -> Option<String> {
    let who = event.who.as_deref().map_or_else(|| "somebody".to_owned(), user);
    Some(match &event.what {
        What::Attach { mode: Mode::Spy } => format!("({who}) connected [spy]"),
        What::Attach { .. } => format!("({who}) connected"),
        What::Detach => format!("({who}) disconnected"),
        What::Forced { from, to } => {
            let from = from.as_ref().map(|from| format!(" from {}", user(from)));
            let to = to.as_ref().map(|to| format!(" for {}", user(to)));
            format!(
                "({who}) took the console{}{}",
                from.unwrap_or_default(),
                to.unwrap_or_default()
            )
        }
        What::Released { to: Some(to) } => format!("({who}) gave the console to {}", user(to)),
        What::Released { to: None } => format!("({who}) released the console"),
        What::Mode { mode: Mode::Spy } => format!("({who}) only looks from now on"),
        What::Mode { mode: Mode::Rw } => format!("({who}) types from now on"),
        What::Mode { mode: Mode::Exclusive } => format!("({who}) wants the console alone"),
        What::Kicked { user: kicked, .. } => format!("({who}) let {} go", user(kicked)),
        What::Idle { seconds, leaves } => {
            let then = if *leaves { "is let go" } else { "is a spy from now on" };
            format!("({who}) typed nothing for {}, and {then}", units::time_span(*seconds))
        }
        What::BreakSequence { name } => format!("({who}) sends the break sequence {name}"),
        What::SendFile { file, bytes, phase, detail } => match phase {
            Phase::Begin => format!("({who}) sends {file}, {bytes} bytes"),
            Phase::Done => format!("[{file} is sent]"),
            Phase::Failed => {
                let why = detail.as_deref().unwrap_or_default();
                format!("[{file} was not sent to its end: {why}]")
            }
        },
        What::Break { ms } => format!("({who}) sent a break of {ms} ms"),
        What::LineSettings { settings } => {
            format!("({who}) set the line to {settings}")
        }
        What::ModemLines { dtr, rts } => {
            let state = |on: &bool| if *on { "on" } else { "off" };
            format!("({who}) set DTR {} and RTS {}", state(dtr), state(rts))
        }
        What::Message { text } => format!("({who}) {text}"),
        What::Power { outlet, verb, phase, detail } => {
            let of = if outlet == name { String::new() } else { format!(" of {outlet}") };
            let what = match verb.as_str() {
                "cycle" => "hard reset".into(),
                verb => format!("power {verb}"),
            };
            let detail = detail.iter().map(|detail| format!(": {detail}"));
            let detail: String = detail.collect();
            match phase {
                Phase::Begin => format!("({who}) initiated a {what}{of}{detail}"),
                Phase::Done => format!("[{what}{of} done{detail}]"),
                Phase::Failed => format!("[{what}{of} failed{detail}]"),
            }
        }
        What::Job { id, phase } => {
            let came = match phase {
                Phase::Begin => "began",
                Phase::Done => "is done",
                Phase::Failed => "failed",
            };
            format!("[job {id} {came}]")
        }
        What::InputDropped { bytes } => {
            format!("[{name}: {bytes} typed bytes could not be written to the port]")
        }
        What::PortOpen { settings } => format!("[{name}: the port is open: {settings}]"),
        What::PortLost { reason } => format!("[{name}: the port is gone: {reason}; retrying]"),
        What::PortDown => format!("({who}) closed the port"),
        What::PortUp => format!("({who}) has the port opened"),
        What::Gap { to, reason } => {
            format!("[{name}: {} bytes are missing: {reason}]", to.saturating_sub(event.offset))
        }
        What::Mismatch { what } => format!("[{name}: {what}]"),
        What::Input { .. }
        | What::Note { .. }
        | What::Action { .. }
        | What::Meter { .. }
        | What::Seen { .. } => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_as_with_conmux() {
        let name: Name = "panda01".parse().unwrap();
        let told = |who: &str, what| {
            let who = Some(who.to_owned());
            event(&name, &Event { offset: 10, time_us: 1, who, what }).unwrap()
        };
        let power = |phase, detail: Option<&str>| What::Power {
            outlet: name.clone(),
            verb: "cycle".into(),
            phase,
            detail: detail.map(Into::into),
        };
        assert_eq!(told("bob", What::Attach { mode: Mode::Rw }), "(user:bob) connected");
        assert_eq!(told("bob", What::Detach), "(user:bob) disconnected");
        let set = What::LineSettings { settings: "9600e7 rtscts".into() };
        assert_eq!(told("bob", set), "(user:bob) set the line to 9600e7 rtscts");
        let lines = What::ModemLines { dtr: false, rts: true };
        assert_eq!(told("bob", lines), "(user:bob) set DTR off and RTS on");
        assert_eq!(
            told("bob", What::Forced { from: None, to: None }),
            "(user:bob) took the console"
        );
        let forced = What::Forced { from: Some("job:42".into()), to: None };
        assert_eq!(told("bob", forced), "(user:bob) took the console from job:42");
        assert_eq!(told("alice", power(Phase::Begin, None)), "(user:alice) initiated a hard reset");
        assert_eq!(
            told("alice", power(Phase::Failed, Some("no answer"))),
            "[hard reset failed: no answer]"
        );
        assert_eq!(told("job:42", What::Message { text: "hi".into() }), "(job:42) hi");
        let nasty = What::Message { text: "\x1b[2Jhi\n".into() };
        assert_eq!(told("eve", nasty), "(user:eve) ?[2Jhi?");
    }
}
