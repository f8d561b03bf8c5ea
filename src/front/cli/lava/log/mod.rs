//! `lava log NAME…`: what boards printed, what happened to them, and which lines match.

mod events;
mod grep;
mod show;
mod timeline;

use clap::Args;
use futures_util::future::try_join_all;

use self::show::{Form, Show};
use super::super::console::told_to_end;
use super::super::point::point;
use super::context::Stop;
use super::{Context, LabArgs};
use crate::client::lab::{Board, Lab};
use crate::client::{ConsoleRef, history};
use crate::model::{Failure, Kind, Name, Point, Right};

/// Prints what boards' consoles have recorded: every byte as it came, lines, or events.
///
/// A POINT is an age such as 10m or 7d, a time such as 10:30, "2026-11-21 10:30" or
/// 2026-11-21T10:30:00Z, a mark (reset: before the board's last reset; boot), or an offset.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// The boards: names, or patterns such as 'rack*'. Of several, lines are printed, with their boards'
    /// names.
    #[arg(value_name = "BOARD", required_unless_present = "all")]
    names: Vec<String>,
    /// All boards of the lab that have a console.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    #[command(flatten)]
    lab: LabArgs,
    /// From this point on.
    #[arg(long, value_name = "POINT", value_parser = point)]
    since: Option<Point>,
    /// Up to this point.
    #[arg(long, value_name = "POINT", value_parser = point, conflicts_with = "follow")]
    until: Option<Point>,
    /// Only the last N lines, or events.
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Go on with what comes.
    #[arg(long, short)]
    follow: bool,
    /// Only lines that match a regular expression; found by an index where one is.
    #[arg(long, value_name = "RE", conflicts_with_all = ["events", "asciicast"])]
    grep: Option<String>,
    /// With --grep: ignore case.
    #[arg(long, short, requires = "grep")]
    ignore_case: bool,
    /// With --grep: also N lines before and behind.
    #[arg(long, short = 'C', value_name = "N", requires = "grep", default_value_t = 0)]
    context: usize,
    /// Before each line who typed at it; only USER's lines with =USER. With --events: only what was
    /// typed, or what USER did. With --asciicast: what was typed is recorded, too.
    #[arg(long, value_name = "USER", num_args = 0..=1, require_equals = true,
          default_missing_value = "")]
    who: Option<String>,
    /// The events instead of the bytes: who came and went, power, breaks, jobs, typed input.
    #[arg(long, conflicts_with = "asciicast")]
    events: bool,
    /// Before each line when it came.
    #[arg(long)]
    timestamps: bool,
    /// A recording to be played by asciinema, asciicast v3.
    #[arg(long, conflicts_with_all = ["timestamps", "json", "all"])]
    asciicast: bool,
    /// A line of JSON for each line or event.
    #[arg(long)]
    json: bool,
}

/// A board's console.
#[derive(Debug, Clone)]
struct Source {
    board: Name,
    console: ConsoleRef,
}

pub(super) async fn run(args: LogArgs, ctx: &Context) -> Result<(), Failure> {
    let lab = args.lab.locate(ctx)?;
    let sources = sources(&args, &lab).await?;
    if args.asciicast && sources.len() > 1 {
        return Err(Failure::new(Kind::User, "a recording is of one board"));
    }
    let ran = if args.events {
        events::run(ctx, &args, &lab, &sources).await
    } else if let Some(text) = &args.grep {
        grep::run(ctx, &args, &sources, text).await
    } else {
        everything(ctx, &args, &sources).await
    };
    ran.or_else(Stop::outcome)
}

/// The consoles that are asked for.
async fn sources(args: &LogArgs, lab: &Lab) -> Result<Vec<Source>, Failure> {
    // What was typed may be a password.
    let need = if args.who.is_some() { Right::Write } else { Right::Spy };
    if args.all {
        let mut boards = lab.boards().await?;
        boards.retain(|board| lab.permit(&board.name, need).is_ok());
        let source = |board: Board| Some(Source { board: board.name, console: board.console? });
        return Ok(boards.into_iter().filter_map(source).collect());
    }
    let consoles = lab.consoles(&args.names, need).await?;
    Ok(consoles.into_iter().map(|(board, console)| Source { board, console }).collect())
}

/// The bytes or lines, as they came.
async fn everything(ctx: &Context, args: &LogArgs, sources: &[Source]) -> Result<(), Stop> {
    let several = sources.len() > 1;
    let form = match () {
        () if args.asciicast => Form::Cast,
        () if several || args.timestamps || args.json || args.who.is_some() => Form::Lines,
        () => Form::Bytes,
    };
    let mut shows = Vec::new();
    for source in sources {
        let mut show = Show::new(ctx, args, source, form, several);
        let (mut from, to) = match range(args, source).await {
            // Of many boards, some were never reset.
            Err(failure) if args.all && failure.kind == Kind::User => {
                ctx.note(&format!("{}: {}", source.board, failure.message)).await;
                continue;
            }
            range => range?,
        };
        if let Some(last) = args.last {
            let frames = history::last_lines(&source.console, last, from, to).await?;
            from = match (frames.first(), to) {
                (Some(first), _) => first.offset,
                (None, Some(to)) => to,
                (None, None) => history::held(&source.console).await?.head,
            };
        }
        if args.follow {
            let attachment = show.attach(from).await?;
            shows.push((show, attachment));
        } else {
            show.past(from, to).await?;
        }
    }
    let following = shows
        .into_iter()
        .map(|(mut show, attachment)| async move { show.follow(attachment).await });
    let following = try_join_all(following);
    if form != Form::Bytes || !ctx.screen().is_terminal || !ctx.is_local() {
        return following.await.map(drop);
    }
    // Its one end, at which what the board has set at the terminal is undone.
    tokio::select! {
        biased;
        failure = told_to_end() => Err(failure.into()),
        followed = following => followed.map(drop),
    }
}

/// The offsets between which a console's past is asked for.
async fn range(args: &LogArgs, source: &Source) -> Result<(u64, Option<u64>), Failure> {
    let offset = async |point: Option<Point>| match point {
        Some(Point::Offset(offset)) => Ok(Some(offset)),
        Some(point) => history::offset_of(&source.console, point).await.map(Some),
        None => Ok(None),
    };
    Ok((offset(args.since).await?.unwrap_or(0), offset(args.until).await?))
}
