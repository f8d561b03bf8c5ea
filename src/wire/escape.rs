//! The escapes in what a person types: `~$hardreset` and Enter, or another [`Keymap`].
//!
//! What begins an escape is recognised anywhere, not only after a newline. A part of it, as a lone
//! `~`, is held until the next byte tells whether it goes on. After `~$` one line is read, with echo
//! and editing, and is the command; then bytes go to the board again.

pub use super::keymap::{Introducer, Keymap};

use super::keymap::Key;

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const CTRL_C: u8 = 0x03;
const CTRL_U: u8 = 0x15;

/// The longest command, in bytes. More is not taken, and a bell says so.
pub const MAX_COMMAND: usize = 1024;

/// What becomes of typed bytes, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Goes to the board.
    Board(Vec<u8>),
    /// Is shown to the person who types.
    Echo(Vec<u8>),
    /// A command to carry out, without what began it and the Enter. May be empty.
    Command(String),
}

/// Recognises escapes in one person's typing. The result does not depend on how the bytes are cut
/// into pieces.
#[derive(Debug)]
pub struct Escapes {
    keymap: Keymap,
    /// `None` where there are no escapes at all.
    introducer: Option<Introducer>,
    /// Shown before a command in words.
    prompt: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So much of the introducer is held.
    Board(Vec<u8>),
    /// The command so far, what is put before it, and what ends its echo.
    Line { command: &'static str, line: Vec<u8>, end: &'static str },
    /// The introducer was typed: a letter comes.
    Letter,
    /// The letter that wants more, and what it has.
    More(Key, Vec<u8>),
}

impl Escapes {
    /// `~$` and words. `title` is the board's name in the prompt, `Command(panda01)> `.
    pub fn new(title: &str) -> Self {
        Self::with(Keymap::Lava, Some(Keymap::Lava.introducer()), title)
    }

    /// Another keymap, or another introducer; none at all when `None`.
    pub fn with(keymap: Keymap, introducer: Option<Introducer>, title: &str) -> Self {
        let prompt = format!("\r\nCommand({title})> ");
        Self { keymap, introducer, prompt, state: State::Board(Vec::new()) }
    }

    pub fn keymap(&self) -> Keymap {
        self.keymap
    }

    /// What begins an escape at the moment.
    pub fn introducer(&self) -> Option<&Introducer> {
        self.introducer.as_ref()
    }

    /// Takes bytes as they were typed.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut typed = Vec::new();
        for byte in bytes {
            self.byte(*byte, &mut typed);
        }
        typed
    }

    /// Whether the begin of an escape is held. The caller may [`Self::release`] it when nothing
    /// follows for a while.
    pub fn holds(&self) -> bool {
        matches!(&self.state, State::Board(held) if !held.is_empty())
    }

    /// Whether a command is being typed.
    pub fn in_command(&self) -> bool {
        !matches!(self.state, State::Board(_))
    }

    /// Gives up what is held to the board.
    pub fn release(&mut self) -> Option<Typed> {
        match &mut self.state {
            State::Board(held) if !held.is_empty() => Some(Typed::Board(std::mem::take(held))),
            _ => None,
        }
    }

    /// Nothing more will be typed: what is held goes to the board, and an unfinished command counts
    /// as finished.
    pub fn finish(&mut self) -> Option<Typed> {
        let state = std::mem::replace(&mut self.state, State::Board(Vec::new()));
        match state {
            State::Board(held) => (!held.is_empty()).then_some(Typed::Board(held)),
            State::Line { command, line, .. } => Some(finished(command, &line)),
            State::Letter | State::More(..) => None,
        }
    }

    fn byte(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        match &mut self.state {
            State::Board(_) => self.board(byte, typed),
            State::Line { .. } => self.line(byte, typed),
            State::Letter => self.letter(byte, typed),
            State::More(..) => self.more(byte, typed),
        }
    }

    fn board(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        let State::Board(held) = &mut self.state else { return };
        let Some(introducer) = &self.introducer else { return to_board(byte, typed) };
        held.push(byte);
        // What cannot be the begin of an escape any more goes to the board.
        while !introducer.keys().starts_with(held) {
            to_board(held.remove(0), typed);
        }
        if held.len() == introducer.keys().len() {
            self.state = match self.keymap {
                Keymap::Lava => {
                    echo(self.prompt.as_bytes(), typed);
                    State::Line { command: "", line: Vec::new(), end: "\n" }
                }
                Keymap::Conserver | Keymap::Conman => State::Letter,
            };
        }
    }

    fn line(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        let State::Line { command, line, end } = &mut self.state else { return };
        let alone = self.introducer.as_ref().is_some_and(|keys| keys.keys() == [byte]);
        match byte {
            b'\r' | b'\n' => {
                echo(end.as_bytes(), typed);
                typed.push(finished(command, line));
                self.leave();
            }
            // Typed twice, a single key is itself.
            _ if alone && line.is_empty() && self.keymap == Keymap::Lava => {
                echo(b"\n", typed);
                to_board(byte, typed);
                self.leave();
            }
            CTRL_C | CTRL_U => {
                echo(end.as_bytes(), typed);
                self.leave();
            }
            BACKSPACE | DELETE => {
                if erase(line) {
                    echo(b"\x08 \x08", typed);
                }
            }
            b' '.. if line.len() < MAX_COMMAND => {
                line.push(byte);
                echo(&[byte], typed);
            }
            _ => echo(b"\x07", typed),
        }
    }

    fn letter(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        self.leave();
        match self.keymap.key(byte) {
            None => echo(b"[unknown -- use `?']\r\n", typed),
            Some(Key::Run(command)) => typed.push(Typed::Command(command.into())),
            Some(Key::Ask { prompt, command }) => {
                echo(prompt.as_bytes(), typed);
                self.state = State::Line { command, line: Vec::new(), end: "]\n" };
            }
            Some(Key::Literal) => {
                let first = self.introducer.as_ref().and_then(|keys| keys.keys().first());
                first.into_iter().for_each(|first| to_board(*first, typed));
            }
            Some(Key::Ignore) => {}
            Some(key @ (Key::Break | Key::Redefine | Key::Octal)) => {
                self.state = State::More(key, Vec::new());
            }
        }
    }

    fn more(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        let State::More(key, had) = &mut self.state else { return };
        had.push(byte);
        match (*key, &had[..]) {
            (Key::Break, [b'?']) => typed.push(Typed::Command("breaks".into())),
            (Key::Break, [b'0']) => typed.push(Typed::Command("break".into())),
            (Key::Break, [name]) if name.is_ascii_alphanumeric() => {
                // A number alone would be a time.
                typed.push(Typed::Command(format!("break ={}", char::from(*name))));
            }
            (Key::Redefine, [_]) => return,
            (Key::Redefine, keys) => {
                let introducer = Introducer::of(keys.to_vec());
                echo(format!("[redef: {introducer} ok]\r\n").as_bytes(), typed);
                self.introducer = Some(introducer);
            }
            (Key::Octal, [digits @ .., b'0'..=b'7']) => {
                if digits.len() < 2 {
                    return;
                }
                let digits =
                    had.iter().fold(0, |number: u32, digit| number * 8 + u32::from(digit - b'0'));
                to_board(digits as u8, typed);
            }
            _ => echo(b"[unknown -- use `?']\r\n", typed),
        }
        self.leave();
    }

    /// Bytes go to the board again.
    fn leave(&mut self) {
        self.state = State::Board(Vec::new());
    }
}

/// Takes the last character off a line; false when there is none.
fn erase(line: &mut Vec<u8>) -> bool {
    let Some(last) = line.pop() else { return false };
    let mut byte = last;
    // The further bytes of a UTF-8 character are 10xxxxxx.
    while byte & 0xc0 == 0x80 {
        match line.pop() {
            Some(before) => byte = before,
            None => break,
        }
    }
    true
}

/// The command that a line is, behind what is put before it.
fn finished(command: &str, line: &[u8]) -> Typed {
    let line = String::from_utf8_lossy(line);
    Typed::Command(format!("{command} {line}").trim_start().to_owned())
}

fn to_board(byte: u8, typed: &mut Vec<Typed>) {
    match typed.last_mut() {
        Some(Typed::Board(bytes)) => bytes.push(byte),
        _ => typed.push(Typed::Board(vec![byte])),
    }
}

fn echo(text: &[u8], typed: &mut Vec<Typed>) {
    match typed.last_mut() {
        Some(Typed::Echo(bytes)) => bytes.extend_from_slice(text),
        _ => typed.push(Typed::Echo(text.to_vec())),
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            conserver("\x05cl0\x05cl?\x05clz"),
            [ran("break"), ran("breaks"), ran("break =z")]
        );
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
        let keymap =
            proptest::sample::select(vec![Keymap::Lava, Keymap::Conserver, Keymap::Conman]);
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
}
