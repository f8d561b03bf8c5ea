//! `lava board list`, `show`, `history` and `free`.

use clap::Args;

use super::{Context, ServerArg};
use crate::model::{BoardInfo, Failure, Name, units};

/// Lists the lab's boards: what they are, how they are, and who has them.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those of this type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Name>,
    #[command(flatten)]
    server: ServerArg,
}

/// Tells all that the server knows of a board.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    name: Name,
    #[command(flatten)]
    server: ServerArg,
}

/// Tells what has happened to a board: who had it, who said that it is bad, and why.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    name: Name,
    #[command(flatten)]
    server: ServerArg,
}

/// Lists announced consoles and outlets that belong to no board.
#[derive(Debug, Args)]
pub(super) struct FreeArgs {
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn list(args: ListArgs, ctx: &Context) -> Result<(), Failure> {
    let mut boards = args.server.locate()?.boards().await?;
    boards.retain(|board| args.kind.as_ref().is_none_or(|kind| board.kind == *kind));
    if args.server.json {
        return ctx.print_json(&boards).await;
    }
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0).max(5);
    let names = width(&mut boards.iter().map(|board| board.name.as_str().len()));
    let kinds = width(&mut boards.iter().map(|board| board.kind.as_str().len()));
    let mut text = format!("{:names$}  {:kinds$}  STATE     HEALTH       WHO\n", "BOARD", "TYPE");
    for board in &boards {
        let (state, health) = (board.state.as_str(), board.health);
        let who = words(board);
        let line =
            format!("{:names$}  {:kinds$}  {state:8}  {health:11}  {who}", board.name, board.kind);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    ctx.print(text.as_bytes()).await
}

pub(super) async fn show(args: ShowArgs, ctx: &Context) -> Result<(), Failure> {
    let board = args.server.locate()?.board(args.name.as_str()).await?;
    if args.server.json {
        return ctx.print_json(&board).await;
    }
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("{key:10}  {value}\n"));
        }
    };
    line("board", board.name.as_str());
    line("type", board.kind.as_str());
    line("state", board.state.as_str());
    line("health", board.health.as_str());
    line("reason", &board.reason);
    line("away", board.away.as_deref().unwrap_or_default());
    for (from, until) in &board.maintenance {
        let [from, until] = [from, until].map(|at| units::time_text(at.saturating_mul(1_000_000)));
        line("maintained", &format!("from {from} to {until}"));
    }
    line("tags", &board.tags.iter().cloned().collect::<Vec<_>>().join(" "));
    for (key, value) in &board.attributes {
        line(key, value);
    }
    for (key, part, url) in [
        ("console", &board.console, &board.console_url),
        ("outlet", &board.outlet, &board.outlet_url),
    ] {
        let part = part.as_deref().unwrap_or_default();
        match url {
            Some(url) if url != part => line(key, &format!("{part} ({url})")),
            _ => line(key, part),
        }
    }
    if let Some(lease) = &board.lease {
        let until = units::time_text(lease.lease.until_us);
        line(
            "lease",
            &format!("{} has it until {until} (request {})", lease.lease.holder, lease.id),
        );
    }
    ctx.print(text.as_bytes()).await
}

pub(super) async fn history(args: HistoryArgs, ctx: &Context) -> Result<(), Failure> {
    let records = args.server.locate()?.history(args.name.as_str()).await?;
    if args.server.json {
        return ctx.print_json(&records).await;
    }
    let line = |record: &crate::model::BoardRecord| {
        let time = units::time_text(record.time_us);
        format!("{time}  {:10}  {:12}  {}\n", record.what, record.who, record.told())
    };
    ctx.print(records.iter().map(line).collect::<String>().as_bytes()).await
}

pub(super) async fn free(args: FreeArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    let (consoles, outlets) = tokio::try_join!(server.consoles(), server.outlets())?;
    let mut things: Vec<_> = consoles.into_iter().map(|thing| ("console", thing)).collect();
    things.extend(outlets.into_iter().map(|thing| ("outlet", thing)));
    things.retain(|(_, thing)| thing.board.is_none());
    if args.server.json {
        let json = |(what, thing): &(&str, crate::model::Announcee)| serde_json::json!({"what": what, "thing": thing});
        return ctx.print_json(&things.iter().map(json).collect::<Vec<_>>()).await;
    }
    let line = |(what, thing): &(&str, crate::model::Announcee)| {
        let live = if thing.live { "" } else { "  (nothing is heard of it)" };
        format!("{what:7}  {}/{}{live}\n", thing.host, thing.name)
    };
    ctx.print(things.iter().map(line).collect::<String>().as_bytes()).await
}

/// Who has it, and what is wrong with it.
fn words(board: &BoardInfo) -> String {
    let lease = board.lease.as_ref().map(|lease| {
        format!("{} until {}", lease.lease.holder, units::time_text(lease.lease.until_us))
    });
    let reason = Some(board.reason.clone()).filter(|reason| !reason.is_empty());
    let words: Vec<_> = [lease, reason, board.away.clone()].into_iter().flatten().collect();
    words.join("; ")
}
