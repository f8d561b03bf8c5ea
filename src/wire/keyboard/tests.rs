use proptest::prelude::*;

use super::*;

fn inputs(bytes: &[u8]) -> Vec<Input> {
    let mut decoder = Decoder::default();
    let mut typed = decoder.feed(bytes);
    typed.extend(decoder.release());
    typed.into_iter().map(|typed| typed.input).collect()
}

/// The keys as they are written.
fn keys(bytes: &[u8]) -> String {
    let name = |input: &Input| match input {
        Input::Key(key) => key.to_string(),
        other => format!("{other:?}"),
    };
    inputs(bytes).iter().map(name).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_terminals_send_is_what_was_pressed() {
    assert_eq!(keys(b"aZ \r\t\x7f"), "a Z space enter tab backspace");
    assert_eq!(keys(b"\x01\x1d\x00\x1f"), "ctrl-a ctrl-] ctrl-space ctrl-_");
    assert_eq!(keys(b"\x1b[A\x1bOB\x1b[H\x1b[4~\x1b[5~\x1b[3~"), "up down home end page-up delete");
    assert_eq!(keys(b"\x1bOP\x1b[15~\x1b[24~\x1b[[B"), "f1 f5 f12 f2");
    assert_eq!(
        keys(b"\x1b[1;5C\x1b[1;2A\x1b[5;3~\x1b[Z"),
        "ctrl-right shift-up alt-page-up shift-tab"
    );
    assert_eq!(keys("é\u{1f30b}\x1bé\x1bx".as_bytes()), "é \u{1f30b} alt-é alt-x");
    assert_eq!(keys(b"\x1b"), "esc");
    assert_eq!(keys(b"\x1b\x1b[A"), "esc up");
    assert_eq!(keys(b"\x1b["), "alt-[");
    assert_eq!(keys(b"\xffx\x1b[99~y\x1b[3\x03"), "Unknown x Unknown y Unknown ctrl-c");
}

#[test]
fn a_mouse_says_where() {
    let at = |what, column, row| Input::Mouse(Mouse { what, column, row });
    assert_eq!(
        inputs(b"\x1b[<0;10;5M\x1b[<0;10;5m\x1b[<65;1;1M\x1b[<20;300;70M"),
        [
            at(MouseWhat::Press, 9, 4),
            at(MouseWhat::Release, 9, 4),
            at(MouseWhat::WheelDown, 0, 0),
            at(MouseWhat::Press, 299, 69),
        ]
    );
    assert_eq!(inputs(b"\x1b[<0;10M"), [Input::Unknown]);
}

#[test]
fn what_is_pasted_is_no_keys_and_comes_as_it_goes() {
    let paste = |text: &str| Input::Paste(text.into());
    assert_eq!(
        inputs(b"\x1b[200~q\x1b[A\r\n\x1b[201~q"),
        [Input::Unknown, paste("q\x1b[A\r\n"), Input::Unknown, Input::Key(Key::char('q'))]
    );
    let mut decoder = Decoder::default();
    assert_eq!(decoder.feed(b"\x1b[200~abc\x1b[20").len(), 2);
    assert!(!decoder.holds(), "nobody waits for the rest of it");
    let rest: Vec<Input> = decoder.feed(b"x").into_iter().map(|typed| typed.input).collect();
    assert_eq!(rest, [paste("\x1b[20x")]);
}

#[test]
fn keys_are_written_as_they_are_shown() {
    for text in
        ["q", "Q", "ctrl-x", "alt-M", "shift-tab", "f12", "page-up", "space", "-", "ctrl-alt-a"]
    {
        assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
    }
    for (text, is) in [
        ("ctrl-[", "esc"),
        ("ctrl-i", "tab"),
        ("ctrl-m", "enter"),
        ("ctrl-j", "enter"),
        ("ctrl-h", "backspace"),
        ("ctrl-@", "ctrl-space"),
        ("alt-ctrl-i", "alt-tab"),
    ] {
        assert_eq!(text.parse::<Key>().unwrap().to_string(), is, "{text}");
    }
    for text in ["", "ctrl-", "ctrl-ctrl-a", "f13", "shift-a", "ctrl-A", "pgup", "ab"] {
        assert_eq!(text.parse::<Key>(), Err(ChordError(text.into())));
    }
}

/// What a terminal sends with Control and a character, it sends for the key that is written so.
#[test]
fn whatever_is_written_with_ctrl_can_be_typed() {
    for byte in (b' '..0x7f).filter(|byte| !byte.is_ascii_uppercase()) {
        let Ok(key) = format!("ctrl-{}", char::from(byte)).parse::<Key>() else { continue };
        let sent = if byte == b' ' { 0 } else { byte & 0x1f };
        assert_eq!(keys(&[sent]), key.to_string(), "ctrl-{}", char::from(byte));
    }
}

proptest! {
    #[test]
    fn no_byte_is_lost_and_any_cut_gives_the_same(
        bytes in proptest::collection::vec(
            prop_oneof![3 => any::<u8>(), 2 => Just(ESC), 2 => Just(b'['), 1 => Just(b'<'),
                        1 => prop::sample::select(b"0123456789;~MAZ\xc3".to_vec())], 0..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let all = |pieces: &[&[u8]]| {
            let mut decoder = Decoder::default();
            let mut typed: Vec<Typed> = Vec::new();
            for piece in pieces {
                typed.extend(decoder.feed(piece));
                prop_assert!(decoder.held.len() <= MAX_SEQUENCE.max(PASTE_END.len()));
            }
            typed.extend(decoder.release());
            Ok(typed)
        };
        let whole = all(&[&bytes])?;
        let (one, two) = bytes.split_at(cut.index(bytes.len() + 1));
        let joined = |typed: &[Typed]| typed.iter().flat_map(|typed| typed.bytes.clone()).collect::<Vec<_>>();
        let cut = all(&[one, two])?;
        let pastes = bytes.windows(6).any(|window| window == b"\x1b[200~");
        if !pastes {
            prop_assert_eq!(joined(&whole), bytes);
            prop_assert_eq!(whole, cut);
        }
    }

    #[test]
    fn what_is_pasted_arrives_whole(
        text in proptest::collection::vec(prop_oneof![any::<u8>(), Just(ESC), Just(b'[')], 0..300),
        size in 1_usize..20,
    ) {
        prop_assume!(!text.windows(PASTE_END.len()).any(|window| window == PASTE_END));
        let all = [b"\x1b[200~", &text[..], PASTE_END].concat();
        // What is pasted may end in what looks like the begin of its end.
        prop_assume!(all.windows(6).position(|w| w == PASTE_END) == Some(6 + text.len()));
        let mut decoder = Decoder::default();
        let mut got = Vec::new();
        for piece in all.chunks(size) {
            for typed in decoder.feed(piece) {
                if let Input::Paste(bytes) = typed.input {
                    got.extend(bytes);
                }
            }
        }
        prop_assert_eq!(got, text);
        prop_assert!(!decoder.pasting);
    }
}
