//! What a board prints does no harm to who looks at it.

use super::{ECHO, Lab};
use crate::common::{LIMIT, wait_until};

/// Everything that terminals act on: titles, the clipboard, questions that are answered as if typed,
/// other screens, a mouse, characters that are none, a line of 10 MB, strings without an end, a reset.
const HOSTILE: &str = "sleep 0.2
    printf '\\033]0;evil title\\007\\033]52;c;ZXZpbA==\\007\\033[6n\\033[c\\005\\033P$q m\\033\\\\'
    printf '\\033[?1000h\\033[?1006h\\033[?2004h\\033[?1049h\\033[?47h\\033[21t\\033#8\\033c'
    printf '\\377\\376\\300\\200\\355\\240\\200 \\342\\200\\256 \\033]8;;http://evil/\\007link\\033]8;;\\007'
    head -c 10000000 /dev/zero | tr '\\0' x
    printf '\\033]0;'; head -c 200000 /dev/zero | tr '\\0' y; printf '\\007'
    printf '\\033[2J\\033[H\\r\\nafter all of it \\342\\200\\256\\033]8;;http://evil/\\007link\\033]8;;\\007\\r\\n=> '
    while IFS= read -r line; do printf 'echo:%s\\r\\n=> ' \"$line\"; done\n";

#[test]
fn hostile_bytes_of_a_board_reach_nobody() {
    let lab = Lab::start(&[("panda01", HOSTILE), ("panda02", ECHO)]);
    let top = lab.top((100, 24), "");
    top.wait("the boards", |screen| screen.contains("2 boards"));
    let title = top.value("#{pane_title}");
    // A terminal that would let anybody set the clipboard; and everything that it is sent.
    top.tell(&["set-option", "-s", "set-clipboard", "on"]);
    let sent = lab.lab.path("sent");
    top.tell(&["pipe-pane", "-O", &format!("cat >> {}", sent.display())]);
    top.keys(&["Enter"]);
    top.see("after all of it");
    // It answered nothing: the board would have got it as a line.
    top.type_text("i");
    top.see("typing");
    top.type_text("mine");
    top.keys(&["C-j"]);
    let screen = top.see("echo:");
    assert!(screen.contains("echo:mine\n"), "{screen}");
    top.keys(&["C-]", "Escape"]);
    top.see("2 boards");
    assert_eq!(top.value("#{pane_title}"), title);
    assert_eq!(top.tell(&["list-buffers"]), "", "the clipboard is as it was");
    top.keys(&["q"]);
    assert_eq!(top.ended(), "0");
    // The begin of the goodbye, which is the last of it.
    let sent = || std::fs::read(&sent).unwrap_or_default();
    let has = |sent: &[u8], what: &[u8]| sent.windows(what.len()).any(|window| window == what);
    wait_until(LIMIT, "all that was sent is there", || has(&sent(), b"\x1b[?1049l"));
    let sent = sent();
    assert!(has(&sent, b"after all of it"));
    let strings = [&b"\x1b]"[..], b"\x1bP", b"\x1b_", b"\x1b^", b"\x1bX", b"\x1bc", b"\x1b#8"];
    for evil in strings.into_iter().chain(["\u{202e}".as_bytes(), b"\x1b[6n", b"\x05", b"\x07"]) {
        assert!(!has(&sent, evil), "{}", evil.escape_ascii());
    }
    assert_eq!(top.value("#{mouse_any_flag}#{alternate_on}"), "00");
}
