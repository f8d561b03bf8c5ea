//! The verbs of `lava` for somebody far away.

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::pump::Input;
use super::session::Visitor;

const HELP: &str = "\
ssh panda01@LAB              the console of a board; ~$help and Enter lists its commands
ssh -t LAB panda01           the same
ssh LAB boards               the boards
";

/// Whether a word is a verb, and no board's name.
pub(super) fn is_verb(word: &str) -> bool {
    matches!(word, "help" | "boards")
}

/// Carries out a command, and gives its exit code.
pub(super) async fn run(
    visitor: &Visitor,
    words: &[String],
    _input: Input,
    out: impl AsyncWrite + Send,
    aside: impl AsyncWrite + Send,
) -> u8 {
    let (mut out, mut aside) = (Box::pin(out), Box::pin(aside));
    let said = match words.first().map(String::as_str) {
        Some("boards") => match visitor.lab.boards().await {
            Ok(boards) => boards.iter().map(|board| format!("{}\n", board.name)).collect(),
            Err(failure) => return visitor.outcome(Err(failure), &mut aside).await,
        },
        _ => HELP.to_owned(),
    };
    let _ = out.write_all(visitor.lines(&said).as_bytes()).await;
    0
}
