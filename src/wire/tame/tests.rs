use super::*;
use proptest::prelude::*;

/// What is shown when nothing of it is begun any more: CAN ends everything, and shows nothing.
fn tamed(bytes: &[u8]) -> Vec<u8> {
    Tame::default().feed(&[bytes, b"\x18"].concat())
}

#[test]
fn what_shows_something_passes() {
    for shows in [
        &b"\r\n\t\x07\x08\x0e\x0f=> \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"[..],
        b"\x1b[H\x1b[2J\x1b[0;1;31;48:2::1:2:3mred\x1b[m\x1b[K",
        b"\x1b[3;10r\x1bM\x1bD\x1b7\x1b8\x1b(0\x1b)B\x1b#8\x1b[4h\x1b[2 q",
        b"\x1b[?1049h\x1b[?25l\x1b[?1;2004h\x1b[?1000h\x1b=\x1b>",
        b"\x1b[999;999H\x1b[20b\x1b[!p\x1b[?1006l",
        // Latin-1, which a terminal of UTF-8 shows in its own way.
        b"caf\xe9",
    ] {
        assert_eq!(tamed(shows), shows, "{}", String::from_utf8_lossy(shows));
    }
}

#[test]
fn what_is_answered_or_changes_the_terminal_does_not() {
    for harms in [
        // Answered: who are you, where is the cursor, states, colours, keys, sizes.
        &b"\x05"[..],
        b"\x1b[c",
        b"\x1b[>0c",
        b"\x1b[=c",
        b"\x1bZ",
        b"\x1b[5n",
        b"\x1b[6n",
        b"\x1b[?6n",
        b"\x1b[x",
        b"\x1b[?2004$p",
        b"\x1b[18t",
        b"\x1b[21t",
        b"\x1b[>q",
        b"\x1b[?u",
        b"\x1b[1;1;1;1;1;1*y",
        b"\x1b[?2048h",
        b"\x1b]10;?\x07",
        b"\x1b]4;1;?\x1b\\",
        b"\x1bP$qm\x1b\\",
        b"\x1bP+q544e\x1b\\",
        // The title, also as screen has it, and its stack.
        b"\x1b]0;rm -rf /\x07",
        b"\x1b]2;title\x1b\\",
        b"\x1bktitle\x1b\\",
        b"\x1b[22t",
        // The clipboard, links, notifications, files, the palette.
        b"\x1b]52;c;cm0gLXJmIC8K\x07",
        b"\x1b]8;;http://h/\x07",
        b"\x1b]9;hello\x07",
        b"\x1b]777;notify;a;b\x07",
        b"\x1b]1337;File=:AAAA\x07",
        b"\x1b]104\x07",
        // Keys: DECUDK, other modifiers, kitty's, the lock, what Enter is.
        b"\x1bP0;1|17/726d0d\x1b\\",
        b"\x1b[>4;2m",
        b"\x1b[>1u",
        b"\x1b[=1u",
        b"\x1b[2h",
        b"\x1b[20h",
        b"\x1b[?1036h",
        // The printer.
        b"\x1b[i",
        b"\x1b[5i",
        b"\x1b[?5i",
        b"\x1b[?18h",
        // Through tmux to the terminal around it.
        b"\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\",
        // Another kind of terminal, another character set, eight bits.
        b"\x1b[?2l",
        b"\x1b%@",
        b"\x1b G",
        b"\x1b[61\"p",
        // What was scrolled away, the window's size, tests of the terminal.
        b"\x1b[3J",
        b"\x1b[8;10;10t",
        b"\x1b[?3h",
        b"\x1b[2;4y",
        // ZMODEM begins with it; it waits for the mouse.
        b"\x18",
        b"\x1b[?1001h",
        b"\x1b[1;1;1;1;1T",
        b"\x1b[9999b",
        b"\x1b[1;2",
    ] {
        let shown = String::from_utf8_lossy(harms);
        let around = [b"a", harms, b"\x18b"].concat();
        assert_eq!(String::from_utf8(tamed(&around)).unwrap(), "ab", "{shown}");
    }
}

#[test]
fn of_several_modes_those_that_show_something_pass() {
    assert_eq!(tamed(b"\x1b[?25;2;1049h"), b"\x1b[?25;1049h");
    assert_eq!(tamed(b"\x1b[?2;3;4h"), b"");
}

#[test]
fn controls_of_one_byte_and_of_two_are_shown_as_what_they_are() {
    assert_eq!(tamed(b"\x9b6n|\xc2\x9b6n"), "\u{fffd}6n|\u{fffd}6n".as_bytes());
    assert_eq!(tamed(b"\x9d0;x\x07"), "\u{fffd}0;x\x07".as_bytes());
    // In ways of writing them that are none.
    assert_eq!(tamed(b"\xe0\x82\x9b6n"), [b"\xe0", REPLACEMENT, REPLACEMENT, b"6n"].concat());
    // A character that has such a byte in it is a character.
    assert_eq!(tamed("⛵".as_bytes()), "⛵".as_bytes());
}

#[test]
fn a_full_reset_clears_the_screen_and_nothing_else() {
    assert_eq!(tamed(b"a\x1bcb"), b"a\x1b[!p\x1b[?7h\x1b[m\x0f\x1b(B\x1b[H\x1b[2Jb");
}

#[test]
fn a_string_that_does_not_end_hides_little() {
    assert_eq!(tamed(b"\x1b]0;noise\r\nU-Boot"), b"\r\nU-Boot");
    let long = [&b"\x1bP"[..], &b"x".repeat(MAX_STRING), b"seen\x1b[6n"].concat();
    assert_eq!(tamed(&long), b"seen");
    let long = [&b"\x1b["[..], &b"1;".repeat(MAX_SEQUENCE), b"mseen"].concat();
    assert_eq!(tamed(&long), b"seen");
}

#[test]
fn a_control_character_in_a_sequence_works_and_the_sequence_goes_on() {
    assert_eq!(tamed(b"\x1b[3\n1\x05mred"), b"\n\x1b[31mred");
    assert_eq!(tamed(b"\x1b[31\x1b[6n\x1b[32mgreen"), b"\x1b[32mgreen");
}

#[test]
fn what_the_board_has_set_is_undone() {
    let mut tame = Tame::default();
    tame.feed(b"\x1b[?1049h\x1b[?1000hvim\x1b[3");
    let undo = tame.undo();
    assert!(undo.ends_with(b"\x1b[?1049l"), "{undo:?}");
    assert!(!Tame::default().undo().ends_with(b"\x1b[?1049l"), "it moves the cursor");
    assert_eq!(tame, Tame::default());
}

#[test]
fn each_mode_that_passes_is_undone() {
    // A soft reset takes back the origin, an end of application keys the keypad, the cursor's own shape its
    // blinking; 7 and 25 are usual; of 1048 nothing is left.
    let otherwise = |mode: u16| match mode {
        6 => Some("\x1b[!p"),
        7 => Some("\x1b[?7h"),
        12 => Some("\x1b[0 q"),
        25 => Some("\x1b[?25h"),
        66 => Some("\x1b>"),
        1048 => Some(""),
        _ => None,
    };
    for mode in judge::MODES {
        let mut tame = Tame::default();
        let set = format!("\x1b[?{mode}h");
        assert_eq!(tame.feed(set.as_bytes()), set.as_bytes());
        let undo = String::from_utf8(tame.undo()).unwrap();
        let own = format!("\x1b[?{mode}l");
        assert!(undo.contains(otherwise(*mode).unwrap_or(&own)), "{mode}: {undo:?}");
    }
    let mut tame = Tame::default();
    tame.feed(b"\x1b[5;10r");
    assert!(tame.undo().ends_with(b"\x1b7\x1b[r\x1b8"));
}

#[test]
fn of_the_past_only_what_stays_in_its_line_passes() {
    let shown = |bytes: &[u8]| {
        let mut tame = Tame::of_lines();
        let shown = tame.feed(bytes);
        tame.undo();
        assert_eq!(tame, Tame::of_lines());
        String::from_utf8(shown).unwrap()
    };
    let kept = "\x1b[1;31mred\x1b[m\x1b[K\r50%\x1b[3D\x07\r\n";
    assert_eq!(shown(kept.as_bytes()), kept);
    let vim = b"\x1b[?1049h\x1b[?1000h\x1b[5;10r\x1b[H\x1b[2J\x1b=\x1b(0\x0e\x1b[4h\x1b[2 q\x1b7\x1bMvim\x1bc\x1b[!p";
    assert_eq!(shown(vim), "vim");
}

/// Pieces of sequences, as they meet at random.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[ -~]{1,4}".prop_map(String::into_bytes),
        4 => prop::sample::select(vec![
            &b"\x1b["[..], b"\x1b]", b"\x1bP", b"\x1b", b"\x1b\\", b"\x07", b"?", b">", b"6n", b"c",
            b"52;c;", b"1049h", b"\xc2", b"\x9b", b"\xe2\x9b", b"\x18", b"\x1a", b"\n", b"$", b"1;2m",
        ]).prop_map(<[u8]>::to_vec),
        2 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Whether a terminal obeys something in it that is not on the list, found in another way: by looking at
/// each ESC.
fn obeys(shown: &[u8]) -> Option<String> {
    if shown.iter().any(|byte| matches!(byte, 0x05 | 0x18 | 0x1a)) {
        return Some("a control character".into());
    }
    if String::from_utf8_lossy(shown).chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c)) {
        return Some("a control of eight bits".into());
    }
    for (at, _) in shown.iter().enumerate().filter(|(_, byte)| **byte == 0x1b) {
        let rest = &shown[at + 1..];
        match rest.first()? {
            b'[' => {
                let end = rest[1..].iter().position(|byte| (0x40..0x7f).contains(byte));
                let Some(end) = end else { return Some("an open sequence".into()) };
                let sequence = &rest[1..end + 2];
                let last = sequence[sequence.len() - 1];
                let soft_reset = sequence == b"!p";
                if b"cntxyiuwopvz{|}~jkNOQRUVWY".contains(&last) && !soft_reset && sequence != b"u"
                {
                    return Some(format!("{:?}", String::from_utf8_lossy(sequence)));
                }
                if sequence.iter().any(|byte| b"<=>$*'&%".contains(byte)) {
                    return Some(format!("{:?}", String::from_utf8_lossy(sequence)));
                }
            }
            b']' | b'P' | b'X' | b'^' | b'_' | b'k' | b'Z' | b'c' | b'%' | b' ' => {
                return Some(format!("ESC {}", char::from(rest[0])));
            }
            _ => {}
        }
    }
    None
}

proptest! {
    #[test]
    fn nothing_passes_that_a_terminal_obeys(bytes in pieces()) {
        let shown = tamed(&bytes);
        prop_assert_eq!(obeys(&shown), None, "{:?}", String::from_utf8_lossy(&shown));
        // What was made tame is tame.
        prop_assert_eq!(tamed(&shown), shown);
    }

    #[test]
    fn however_it_is_cut_it_comes_to_the_same(bytes in pieces(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut tame, mut shown, mut at) = (Tame::default(), Vec::new(), 0);
        for cut in cuts.into_iter().chain([bytes.len()]) {
            shown.extend(tame.feed(&bytes[at..cut]));
            prop_assert!(tame.held.len() <= MAX_SEQUENCE + 1);
            at = cut;
        }
        shown.extend(tame.feed(b"\x18"));
        prop_assert_eq!(shown, tamed(&bytes));
    }

    #[test]
    fn text_passes_as_it_is(text in "[^\\p{Cc}]{0,200}") {
        prop_assert_eq!(tamed(text.as_bytes()), text.as_bytes());
    }
}
