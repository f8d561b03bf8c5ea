//! The `~$` escapes in what a person types: `~$hardreset` and Enter.
//!
//! `~$` is recognised anywhere, not only after a newline. A lone `~` is held until the next byte
//! tells whether it begins an escape. After `~$` one line is read, with echo and editing, and is
//! the command; then bytes go to the board again.

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
    /// A command to carry out, without the `~$` and the Enter. May be empty.
    Command(String),
}

/// Recognises escapes in one person's typing. The result does not depend on how the bytes are cut
/// into pieces.
#[derive(Debug)]
pub struct Escapes {
    /// Shown before the command.
    prompt: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Board,
    /// A `~` is held.
    Tilde,
    /// The command so far.
    Command(Vec<u8>),
}

impl Escapes {
    /// `title` is the board's name in the prompt, `Command(panda01)> `.
    pub fn new(title: &str) -> Self {
        Self { prompt: format!("\r\nCommand({title})> "), state: State::Board }
    }

    /// Takes bytes as they were typed.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut typed = Vec::new();
        for byte in bytes {
            self.byte(*byte, &mut typed);
        }
        typed
    }

    /// Whether a `~` is held. The caller may [`Self::release`] it when nothing follows for a while.
    pub fn holds(&self) -> bool {
        matches!(self.state, State::Tilde)
    }

    /// Whether a command is being typed: what the board prints now would break up its line.
    pub fn in_command(&self) -> bool {
        matches!(self.state, State::Command(_))
    }

    /// Gives up a held `~` to the board.
    pub fn release(&mut self) -> Option<Typed> {
        self.holds().then(|| {
            self.state = State::Board;
            Typed::Board(b"~".to_vec())
        })
    }

    /// Nothing more will be typed: a held `~` goes to the board, and an unfinished command counts
    /// as finished.
    pub fn finish(&mut self) -> Option<Typed> {
        match std::mem::replace(&mut self.state, State::Board) {
            State::Board => None,
            State::Tilde => Some(Typed::Board(b"~".to_vec())),
            State::Command(line) => Some(command(&line)),
        }
    }

    fn byte(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        match (&mut self.state, byte) {
            (State::Board, b'~') => self.state = State::Tilde,
            (State::Board, _) => to_board(byte, typed),
            (State::Tilde, b'$') => {
                self.state = State::Command(Vec::new());
                echo(self.prompt.as_bytes(), typed);
            }
            (State::Tilde, b'~') => to_board(b'~', typed),
            (State::Tilde, _) => {
                self.state = State::Board;
                to_board(b'~', typed);
                to_board(byte, typed);
            }
            (State::Command(line), b'\r' | b'\n') => {
                let line = std::mem::take(line);
                self.state = State::Board;
                echo(b"\n", typed);
                typed.push(command(&line));
            }
            (State::Command(_), CTRL_C | CTRL_U) => {
                self.state = State::Board;
                echo(b"\n", typed);
            }
            (State::Command(line), BACKSPACE | DELETE) => {
                if erase(line) {
                    echo(b"\x08 \x08", typed);
                }
            }
            (State::Command(line), b' '..) if line.len() < MAX_COMMAND => {
                line.push(byte);
                echo(&[byte], typed);
            }
            (State::Command(_), _) => echo(b"\x07", typed),
        }
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

fn command(line: &[u8]) -> Typed {
    Typed::Command(String::from_utf8_lossy(line).into_owned())
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

    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let likely = proptest::sample::select(b"~$\r\n\x03\x15\x08\x7fax \xc3\xab\x00".to_vec());
        proptest::collection::vec(prop_oneof![8 => likely, 1 => any::<u8>()], 0..60)
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(keys in keys(), cuts in proptest::collection::vec(1..7_usize, 60)) {
            let mut whole = Escapes::new("b");
            let mut expected = whole.feed(&keys);
            expected.extend(whole.finish());
            let mut escapes = Escapes::new("b");
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
        fn what_is_no_escape_reaches_the_board_unchanged(keys in keys()) {
            prop_assume!(!keys.windows(2).any(|pair| pair == b"~$"));
            let mut escapes = Escapes::new("b");
            let mut all = escapes.feed(&keys);
            all.extend(escapes.finish());
            let expected = if keys.is_empty() { vec![] } else { vec![Typed::Board(keys)] };
            prop_assert_eq!(joined(all), expected);
        }
    }
}
