//! The verbs of `lava` for somebody far away.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::pump::Input;
use super::session::Visitor;
use crate::front::cli::lava::{Context, Said, Screen, is_remote_verb, run_remote};
use crate::model::Kind;

/// So many pieces of what a verb prints wait until the client takes them.
const SAID: usize = 16;
/// Ctrl-C, as a terminal in raw mode sends it.
const CTRL_C: u8 = 0x03;

/// What stands above the list of the verbs.
const HELP: &str = "\
ssh panda01@LAB                          the console of a board; ~$help and Enter lists its commands
ssh -t LAB panda01 [--spy|--exclusive]   the same; without -t there is no terminal, only lines
ssh -t LAB [top [BOARD …]]               all boards on a screen
scp LAB:consoles/panda01/log.raw .       what it has printed, as files; also sftp
ssh -J LAB root@panda01                  into its network, where that is allowed; also -L

ssh LAB VERB …                           these verbs; ssh LAB VERB --help tells about one:
  reset, on, off, cycle, status          short for power cycle, on and so on: ssh LAB reset panda01

";

/// Verbs that are short for others.
fn long(word: &str) -> Option<[&str; 2]> {
    let verb = match word {
        "reset" | "hardreset" | "cycle" => "cycle",
        "on" | "off" | "status" => word,
        _ => return None,
    };
    (!is_remote_verb(word)).then_some(["power", verb])
}

/// Whether a word is a verb, whatever boards are called.
pub(super) fn is_verb(word: &str) -> bool {
    is_remote_verb(word) || long(word).is_some()
}

/// Carries out a command, and gives its exit code.
pub(super) async fn run(
    visitor: &Visitor,
    words: &[String],
    input: Input,
    out: impl AsyncWrite + Send,
    aside: impl AsyncWrite + Send,
) -> u8 {
    let (mut out, mut aside) = (Box::pin(out), Box::pin(aside));
    let words: Vec<String> = match words.split_first() {
        Some((word, rest)) => match long(word) {
            Some(long) => long.map(str::to_owned).into_iter().chain(rest.iter().cloned()).collect(),
            None => words.to_vec(),
        },
        None => vec!["help".into()],
    };
    if words == ["help"] && write(visitor, &mut out, HELP.as_bytes()).await.is_err() {
        return 0;
    }
    let terminal = visitor.terminal.as_ref();
    let screen = Screen {
        is_terminal: terminal.is_some(),
        columns: terminal.and_then(|terminal| Some(terminal.size?.1.get())),
        colours: terminal.is_some_and(|it| it.term != "dumb") && !visitor.no_colour,
    };
    // Who does not type may send as much as they like, and nobody keeps it.
    let input = terminal.is_some().then_some(input);
    let (to, said) = mpsc::channel(SAID);
    let user = visitor.person.user.name.to_string();
    let ctx = Context::of_client(user, visitor.lab.clone(), to, screen);
    // When it is done, nobody says anything any more.
    let run = async move { run_remote(&words, &ctx).await };
    let show = async {
        // Dropped with this: then nobody reads, and the verb is told when it says more.
        let mut said = said;
        while let Some(piece) = said.recv().await {
            let written = match &piece {
                Said::Out(bytes) => write(visitor, &mut out, bytes).await,
                Said::Err(bytes) => write(visitor, &mut aside, bytes).await,
            };
            if written.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        (code, ()) = async { tokio::join!(run, show) } => code,
        () = interrupted(input) => Kind::Interrupted.exit_code(),
    }
}

async fn write(
    visitor: &Visitor,
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
) -> std::io::Result<()> {
    if visitor.terminal.is_none() || !bytes.contains(&b'\n') {
        return if bytes.is_empty() { Ok(()) } else { to.write_all(bytes).await };
    }
    let mut lines = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' && at.checked_sub(1).is_none_or(|before| bytes[before] != b'\r') {
            lines.push(b'\r');
        }
        lines.push(*byte);
    }
    to.write_all(&lines).await
}

/// Waits until somebody types Ctrl-C.
async fn interrupted(input: Option<impl AsyncRead + Unpin>) {
    let Some(mut input) = input else { return std::future::pending().await };
    let mut keys = [0; 64];
    loop {
        match input.read(&mut keys).await {
            Ok(0) | Err(_) => return std::future::pending().await,
            Ok(length) if keys[..length].contains(&CTRL_C) => return,
            Ok(_) => {}
        }
    }
}
