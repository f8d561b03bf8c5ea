//! What conmux's clients are told of what happens, in conmux's words where it has any.

use crate::front::cli::notice;
use crate::model::event::Mode;
use crate::model::{Event, Name, What};
use crate::wire::attach::Session;

/// Somebody types while the port is not open.
pub(super) const NOT_CONNECTED: &str = "<<<NOT CONNECTED>>>\n";

/// Somebody else who is at the console when one comes.
pub(super) fn present(user: &str) -> String {
    format!("({}) is already connected\n", notice::user(user))
}

/// Why one may not type, and what to do about it.
pub(super) fn read_only(holder: Option<&Session>) -> String {
    notice::read_only(holder) + "\n"
}

/// The client's own mode has changed.
pub(super) fn mode(mode: Mode, holder: Option<&Session>) -> String {
    notice::mode(mode, holder) + "\n"
}

pub(super) fn gap(lost: u64) -> String {
    format!("[{lost} bytes are not held any more]\n")
}

/// An event; `None` for what is of no interest to somebody who sees the bytes.
pub(super) fn event(name: &Name, event: &Event) -> Option<String> {
    let who = event.who.as_deref().map_or_else(|| "somebody".to_owned(), notice::user);
    let words = notice::event(name, event);
    Some(match &event.what {
        What::PortOpen { .. } => "<<<PAYLOAD RESTART>>>\n".into(),
        What::PortLost { .. } => {
            format!("<<<PAYLOAD LOST ... retrying in 1 secs>>>\n{}\n", words?)
        }
        What::PortDown => {
            format!("<<<PAYLOAD CLOSED>>>\n({who}) triggered a console close\n")
        }
        What::PortUp => format!("({who}) triggered a console open\n"),
        _ => format!("{}\n", words?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_and_go_in_conmuxs_words() {
        let name: Name = "panda01".parse().unwrap();
        let told =
            |what| event(&name, &Event { offset: 0, time_us: 0, who: Some("alice".into()), what });
        assert_eq!(
            told(What::PortDown).unwrap(),
            "<<<PAYLOAD CLOSED>>>\n(user:alice) triggered a console close\n"
        );
        assert_eq!(told(What::PortUp).unwrap(), "(user:alice) triggered a console open\n");
        assert_eq!(
            told(What::PortLost { reason: "unplugged".into() }).unwrap(),
            "<<<PAYLOAD LOST ... retrying in 1 secs>>>\n\
             [panda01: the port is gone: unplugged; retrying]\n"
        );
        assert_eq!(told(What::Input { text: "x".into() }), None);
    }
}
