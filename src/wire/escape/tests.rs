use super::*;
use proptest::prelude::*;

fn typed(text: &str) -> Vec<Typed> {
    Escapes::new("panda01").feed(text.as_bytes())
}

fn board(text: &str) -> Typed {
    Typed::Board(text.into())
}

fn echoed(text: &str) -> Typed {
    Typed::Echo(text.into())
}

fn ran(text: &str) -> Typed {
    Typed::Command(text.into())
}

/// The result of several feeds as one feed would have given it.
fn joined(pieces: impl IntoIterator<Item = Typed>) -> Vec<Typed> {
    let mut all = Vec::new();
    for piece in pieces {
        match piece {
            Typed::Board(bytes) => bytes.iter().for_each(|byte| to_board(*byte, &mut all)),
            Typed::Echo(bytes) => echo(&bytes, &mut all),
            command => all.push(command),
        }
    }
    all
}

#[test]
fn a_command_has_prompt_and_echo_and_what_follows_goes_to_the_board() {
    assert_eq!(
        typed("ls~$hardreset -x\nls\r"),
        [
            board("ls"),
            echoed("\r\nCommand(panda01)> hardreset -x\n"),
            ran("hardreset -x"),
            board("ls\r"),
        ]
    );
}

#[test]
fn commands_pasted_in_one_piece_are_each_carried_out() {
    let prompt = "\r\nCommand(panda01)> ";
    assert_eq!(
        typed("~$hardreset\n~$quit\n"),
        [
            echoed(&format!("{prompt}hardreset\n")),
            ran("hardreset"),
            echoed(&format!("{prompt}quit\n")),
            ran("quit"),
        ]
    );
}

#[test]
fn editing_looks_as_it_does_with_conmux() {
    let rubbed = "\x08 \x08";
    assert_eq!(
        typed("~$hel  lx\x7fp\r"),
        [echoed(&format!("\r\nCommand(panda01)> hel  lx{rubbed}p\n")), ran("hel  lp")]
    );
    assert_eq!(
        typed("~$zoë\x08\x08\x08\x08\n"),
        [echoed(&format!("\r\nCommand(panda01)> zoë{rubbed}{rubbed}{rubbed}\n")), ran("")]
    );
}

#[test]
fn an_abandoned_command_is_not_carried_out() {
    for key in ["\x03", "\x15"] {
        assert_eq!(
            typed(&format!("~$hardreset{key}x")),
            [echoed("\r\nCommand(panda01)> hardreset\n"), board("x")]
        );
    }
}

#[test]
fn a_tilde_waits_for_the_next_byte_and_is_never_lost() {
    let mut escapes = Escapes::new("panda01");
    assert_eq!(escapes.feed(b"~"), []);
    assert!(escapes.holds());
    assert_eq!(escapes.feed(b"~"), [board("~")]);
    assert_eq!(escapes.feed(b"x"), [board("~x")]);
    assert_eq!(escapes.feed(b"~"), []);
    assert_eq!(escapes.release(), Some(board("~")));
    assert_eq!(escapes.release(), None);
    escapes.feed(b"~");
    assert_eq!(escapes.finish(), Some(board("~")));
    escapes.feed(b"~$hardreset");
    assert_eq!(escapes.finish(), Some(ran("hardreset")));
}

#[test]
fn a_command_without_end_is_cut_with_a_bell() {
    let long = "x".repeat(MAX_COMMAND);
    let all = typed(&format!("~${long}yz\n"));
    assert_eq!(all, [echoed(&format!("\r\nCommand(panda01)> {long}\x07\x07\n")), ran(&long)]);
}

fn with(keymap: Keymap, introducer: &str, keys: &str) -> Vec<Typed> {
    Escapes::with(keymap, Some(introducer.parse().unwrap()), "b").feed(keys.as_bytes())
}

#[test]
fn other_keys_may_begin_an_escape() {
    let prompt = "\r\nCommand(b)> ";
    let who = [board("l~$s"), echoed(&format!("{prompt}who\n")), ran("who")];
    assert_eq!(with(Keymap::Lava, "^A", "l~$s\x01who\r"), who);
    // Typed twice, a single key is itself.
    assert_eq!(
        with(Keymap::Lava, "^A", "\x01\x01x"),
        [echoed(&format!("{prompt}\n")), board("\x01x")]
    );
    assert_eq!(with(Keymap::Lava, "++!", "+++++x"), [board("+++++x")]);
    assert_eq!(
        with(Keymap::Lava, "++!", "a+++!\r"),
        [board("a+"), echoed(&format!("{prompt}\n")), ran("")]
    );
    let mut none = Escapes::with(Keymap::Lava, None, "b");
    assert_eq!(none.feed(b"~$quit\r~"), [board("~$quit\r~")]);
    assert!(!none.holds());
}

#[test]
fn conservers_letters_are_commands() {
    let conserver = |keys: &str| with(Keymap::Conserver, "^Ec", keys);
    assert_eq!(conserver("ls\x05c.x"), [board("ls"), ran("quit"), board("x")]);
    assert_eq!(conserver("\x05x\x05\x05cw"), [board("\x05x\x05"), ran("who")]);
    assert_eq!(conserver("\x05cl0\x05cl?\x05clz"), [ran("break"), ran("breaks"), ran("break =z")]);
    assert_eq!(
        conserver("\x05cbto all\r"),
        [echoed("[Enter message: to all]\n"), ran("msg to all")]
    );
    assert_eq!(
        conserver("\x05c:hardreset\r"),
        [echoed("[Enter command: hardreset]\n"), ran("hardreset")]
    );
    assert_eq!(
        conserver("\x05c\\101\x05c\\9a"),
        [board("A"), echoed("[unknown -- use `?']\r\n"), board("a")]
    );
    assert_eq!(conserver("\x05c\r\x05cQ-"), [echoed("[unknown -- use `?']\r\n"), board("-")]);
    assert_eq!(
        conserver("\x05ce\x01x\x05cw\x01xw"),
        [echoed("[redef: ^Ax ok]\r\n"), board("\x05cw"), ran("who")]
    );
}

#[test]
fn conmans_letters_are_commands() {
    let conman = |keys: &str| with(Keymap::Conman, "&", keys);
    assert_eq!(conman("a&&b&.&f"), [board("a&b"), ran("quit"), ran("force")]);
}

fn keymaps() -> impl Strategy<Value = (Keymap, Option<Introducer>)> {
    let keymap = proptest::sample::select(vec![Keymap::Lava, Keymap::Conserver, Keymap::Conman]);
    let introducer = proptest::sample::select(vec!["", "~$", "^A", "^Ec", "&", "~~$", "aba"]);
    (keymap, introducer.prop_map(|text| text.parse().ok()))
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    let likely = proptest::sample::select(
        b"~$&\r\n\x01\x03\x05\x15\x08\x7facblwe\\07?x. \xc3\xab\x00".to_vec(),
    );
    proptest::collection::vec(prop_oneof![8 => likely, 1 => any::<u8>()], 0..60)
}

proptest! {
    #[test]
    fn the_pieces_do_not_matter(
        (keymap, introducer) in keymaps(),
        keys in keys(),
        cuts in proptest::collection::vec(1..7_usize, 60),
    ) {
        let new = || Escapes::with(keymap, introducer.clone(), "b");
        let mut whole = new();
        let mut expected = whole.feed(&keys);
        expected.extend(whole.finish());
        let mut escapes = new();
        let (mut rest, mut pieces) = (&keys[..], Vec::new());
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.extend(escapes.feed(piece));
            rest = after;
        }
        pieces.extend(escapes.feed(rest));
        pieces.extend(escapes.finish());
        prop_assert_eq!(joined(pieces), joined(expected));
    }

    #[test]
    fn what_is_no_escape_reaches_the_board_unchanged(
        (keymap, introducer) in keymaps(),
        keys in keys(),
    ) {
        let begin = introducer.iter().map(Introducer::keys).next().unwrap_or_default();
        prop_assume!(begin.is_empty() || !keys.windows(begin.len()).any(|part| part == begin));
        let mut escapes = Escapes::with(keymap, introducer.clone(), "b");
        let mut all = escapes.feed(&keys);
        all.extend(escapes.finish());
        let expected = if keys.is_empty() { vec![] } else { vec![Typed::Board(keys)] };
        prop_assert_eq!(joined(all), expected);
    }
}
