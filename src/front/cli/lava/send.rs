//! `lava send BOARD... TEXT`, `lava send BOARD... --file FILE`: types at boards.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::io::AsyncReadExt as _;

use super::several::{at_each, outcome};
use super::{Context, LabArgs};
use crate::client::send::Outgoing;
use crate::client::{ConsoleRef, control};
use crate::model::{Failure, Interval, Keys, Kind, Name, Right, Step};
use crate::wire::request::SendBreak;

/// How often a daemon that is being replaced is tried again, and the pause before each time.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);
/// So much of standard input goes to several boards.
const MOST_INPUT: usize = 4 * 1024 * 1024;
/// So much of it is read at once for one board.
const PIECE: usize = 4 * 1024;

/// Types a text and Enter at boards, or sends them a file. Done when the boards' ports have taken it.
///
/// TEXT may have \r, \n, \033, \x1b, ^C, ^?, \z for a break and \d for a pause, with their milliseconds
/// as in \z(500); \\ and \^ are \ and ^ themselves. A file is sent as it is.
///
/// Whoever has the console exclusively is not typed over: that is exit code 4, as when somebody takes
/// it meanwhile; what was sent until then is told.
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// The boards, names or patterns such as 'rack*'; and behind them, without --file, the text.
    #[arg(required = true, value_name = "BOARD|TEXT")]
    words: Vec<String>,
    /// Send this file instead of a text; - is standard input, which goes to one board as it comes, and to
    /// several at its end (at most 4 MiB).
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Type no Enter after the text.
    #[arg(short = 'n', long, conflicts_with = "file")]
    no_enter: bool,
    /// The time from one character to the next, as 5ms, or a rate as 100B/s. The console's own when
    /// left out.
    #[arg(long, value_name = "TIME")]
    pace: Option<Interval>,
    /// The time after each line.
    #[arg(long, value_name = "TIME")]
    line_pace: Option<Interval>,
    #[command(flatten)]
    lab: LabArgs,
    /// A line of JSON for each board: how many bytes were sent.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(mut args: SendArgs, ctx: &Context) -> Result<(), Failure> {
    let keys = match args.file {
        Some(_) => None,
        None => Some(keys(&mut args)?),
    };
    let consoles = args.lab.locate(ctx)?.consoles(&args.words, Right::Write).await?;
    let input = match &args.file {
        Some(file) if file.as_os_str() != "-" => None,
        Some(_) if consoles.len() == 1 => Some(Input::AsItComes),
        Some(_) => Some(Input::Whole(everything().await?)),
        None => None,
    };
    let bars = MultiProgress::new();
    let (pace, line_pace) = (args.pace, args.line_pace);
    let (keys, file, input, bars) = (&keys, &args.file, &input, &bars);
    let sent = at_each(consoles, |board, console| async move {
        let sender = Sender { console: &console, user: ctx.user(), pace, line_pace };
        match (keys, file, input) {
            (Some(keys), ..) => sender.keys(keys).await,
            (_, _, Some(Input::AsItComes)) => sender.stream(&board, bars).await,
            (_, _, Some(Input::Whole(input))) => {
                sender.file(Outgoing::bytes(input.clone()), &board, bars).await
            }
            (_, Some(file), _) => {
                let outgoing = Outgoing::file(file).map_err(|error| {
                    Failure::new(Kind::User, format!("{}: {error}", file.display()))
                })?;
                sender.file(outgoing, &board, bars).await
            }
            (None, None, None) => Ok(0),
        }
    });
    let sent = sent.await;
    let (sent, failed) = outcome(sent);
    for (board, bytes) in sent {
        if args.json {
            ctx.print_json(&serde_json::json!({"board": board, "bytes": bytes})).await?;
        }
        if args.json || args.file.is_none() {
            continue;
        }
        ctx.print(format!("{board}: {bytes} bytes are sent\n").as_bytes()).await?;
    }
    failed
}

/// The text is the last of the words.
fn keys(args: &mut SendArgs) -> Result<Keys, Failure> {
    let wrong = |what: String| Failure::new(Kind::User, what);
    let mut text = args.words.pop().filter(|_| !args.words.is_empty()).ok_or_else(|| {
        wrong("the text is missing: lava send BOARD TEXT, or lava send BOARD --file FILE".into())
    })?;
    if !args.no_enter {
        text.push_str("\\r");
    }
    text.parse().map_err(|error| wrong(format!("{text:?}: {error}")))
}

/// Standard input.
enum Input {
    AsItComes,
    Whole(Vec<u8>),
}

/// Standard input to its end, which goes to several boards.
async fn everything() -> Result<Vec<u8>, Failure> {
    let mut input = Vec::new();
    let mut stdin = tokio::io::stdin().take(MOST_INPUT as u64 + 1);
    stdin.read_to_end(&mut input).await.map_err(|e| Failure::from_error(Kind::Infra, &e))?;
    if input.len() > MOST_INPUT {
        let what = format!("standard input has more than {} MiB", MOST_INPUT >> 20);
        return Err(Failure::new(Kind::User, what + ", which is the most for several boards")
            .hint("--file FILE sends a file of any length; to one board standard input goes as it comes"));
    }
    Ok(input)
}

/// Sends to one board.
struct Sender<'a> {
    console: &'a ConsoleRef,
    user: &'a str,
    pace: Option<Interval>,
    line_pace: Option<Interval>,
}

impl Sender<'_> {
    async fn keys(&self, keys: &Keys) -> Result<u64, Failure> {
        let mut sent = 0;
        for step in keys.steps() {
            match step {
                Step::Type(bytes) => {
                    sent += self.bytes(Outgoing::bytes(bytes.clone()), 0, |_| {}).await?;
                }
                Step::Break(ms) => {
                    let request = SendBreak { ms: Some(*ms), sequence: None };
                    control::ask(self.console, "break", self.user, &request).await?;
                    tokio::time::sleep(Duration::from_millis(*ms)).await;
                }
                Step::Pause(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
            }
        }
        Ok(sent)
    }

    async fn file(
        &self,
        outgoing: Outgoing,
        board: &Name,
        bars: &MultiProgress,
    ) -> Result<u64, Failure> {
        let bar = bars.add(bar(outgoing.length(), board));
        let sent = self.bytes(outgoing, 0, |sent| bar.set_position(sent)).await;
        bar.finish_and_clear();
        sent
    }

    /// Sends standard input as it comes.
    async fn stream(&self, board: &Name, bars: &MultiProgress) -> Result<u64, Failure> {
        let bar = bars.add(bar(None, board));
        let (mut input, mut piece, mut sent) = (tokio::io::stdin(), vec![0; PIECE], 0);
        let ended = loop {
            match input.read(&mut piece).await {
                Ok(0) => break Ok(sent),
                Ok(length) => {
                    let outgoing = Outgoing::bytes(piece[..length].to_vec());
                    match self.bytes(outgoing, sent, |sent| bar.set_position(sent)).await {
                        Ok(all) => sent = all,
                        Err(failure) => break Err(failure),
                    }
                }
                Err(error) => break Err(Failure::from_error(Kind::Infra, &error)),
            }
        };
        bar.finish_and_clear();
        ended
    }

    /// Sends piece by piece; `progress` is told how many bytes were sent, with those `before`.
    async fn bytes(
        &self,
        outgoing: Outgoing,
        before: u64,
        progress: impl Fn(u64),
    ) -> Result<u64, Failure> {
        let mut outgoing = outgoing.paced(self.pace, self.line_pace);
        let mut tries = 0;
        loop {
            let piece = outgoing.next_piece();
            let piece = piece.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
            let Some(piece) = piece else { return Ok(before + outgoing.sent()) };
            match control::send(self.console, self.user, &piece).await {
                Ok(_) => {
                    outgoing.settled(u64::MAX);
                    tries = 0;
                }
                Err(error) => {
                    // What was not answered may have been sent: it is never sent twice.
                    let Some(sent) = error.sent else {
                        return Err(failure(error.into(), before, &outgoing));
                    };
                    outgoing.settled(sent);
                    // Only the daemon's process is going to be another one.
                    if error.kind != Kind::Interrupted || tries == TRIES {
                        return Err(failure(error.into(), before, &outgoing));
                    }
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
            progress(before + outgoing.sent());
        }
    }
}

/// A failure, and what was sent before it.
fn failure(failure: Failure, before: u64, outgoing: &Outgoing) -> Failure {
    let message = match (before + outgoing.sent(), outgoing.uncertain()) {
        (0, 0) => failure.message,
        (sent, 0) => format!("{sent} bytes were sent, then: {}", failure.message),
        (sent, more) => {
            format!("{sent} bytes were sent, and perhaps {more} more, then: {}", failure.message)
        }
    };
    Failure { message, ..failure }
}

/// Shows how far it is, on a terminal.
fn bar(length: Option<u64>, board: &Name) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, style) = match length {
        Some(length) => {
            (ProgressBar::new(length), "{prefix} {wide_bar} {bytes} of {total_bytes}, {eta} left")
        }
        None => (ProgressBar::no_length(), "{prefix} {bytes}"),
    };
    bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
    bar.set_prefix(board.to_string());
    bar
}
