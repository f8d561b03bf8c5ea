//! `lava log --events`: what happened.

use std::time::Duration;

use futures_util::future::try_join_all;

use super::super::Context;
use super::super::context::Stop;
use super::{LogArgs, Source};
use crate::client::ConsoleRef;
use crate::client::lab::Lab;
use crate::front::cli::clock::local;
use crate::model::{Event, Failure, Kind, Name, Point, Right, What, goes_by};
use crate::wire::plain::plain;

/// How often new events are asked for.
const POLL: Duration = Duration::from_millis(500);

pub(super) async fn run(
    ctx: &Context,
    args: &LogArgs,
    lab: &Lab,
    sources: &[Source],
) -> Result<(), Stop> {
    let several = sources.len() > 1;
    let mut all: Vec<(Name, Event)> = Vec::new();
    let mut newest = Vec::new();
    for source in sources {
        let events = match events(&source.console, args.since, args.until).await {
            // Of many boards, some were never reset.
            Err(failure) if args.all && failure.kind == Kind::User => {
                ctx.note(&format!("{}: {}", source.board, failure.message)).await;
                Vec::new()
            }
            events => events?,
        };
        newest.push(Newest::of(&events));
        let wanted = events.into_iter().filter(|event| wanted(args, lab, source, event));
        all.extend(wanted.map(|event| (source.board.clone(), event)));
    }
    if several {
        all.sort_by_key(|(_, event)| event.time_us);
    }
    let skipped = all.len().saturating_sub(args.last.unwrap_or(usize::MAX));
    for (board, event) in &all[skipped..] {
        show(ctx, args, several, board, event).await?;
    }
    if args.follow {
        let following = sources.iter().zip(newest);
        try_join_all(
            following.map(|(source, newest)| follow(ctx, args, lab, source, newest, several)),
        )
        .await?;
    }
    Ok(())
}

async fn events(
    console: &ConsoleRef,
    since: Option<Point>,
    until: Option<Point>,
) -> Result<Vec<Event>, Failure> {
    use crate::client::percent_encoded;
    let mut path = format!("{}/events?", console.path);
    for (key, point) in [("from", since), ("to", until)] {
        if let Some(point) = point {
            path.push_str(&format!("{key}={}&", percent_encoded(&point.to_string())));
        }
    }
    console.http().get(&path).await
}

/// The newest events that were shown: those at the highest offset.
#[derive(Debug)]
struct Newest {
    offset: u64,
    events: Vec<Event>,
}

impl Newest {
    fn of(events: &[Event]) -> Self {
        let offset = events.iter().map(|event| event.offset).max().unwrap_or(0);
        let newest = events.iter().filter(|event| event.offset == offset);
        Self { offset, events: newest.cloned().collect() }
    }
}

/// Asks again and again, also when the daemon was away.
async fn follow(
    ctx: &Context,
    args: &LogArgs,
    lab: &Lab,
    source: &Source,
    mut newest: Newest,
    named: bool,
) -> Result<(), Stop> {
    let mut console = source.console.clone();
    let mut away = false;
    loop {
        tokio::time::sleep(POLL).await;
        let more = match events(&console, Some(Point::Offset(newest.offset)), None).await {
            Ok(more) => more,
            Err(failure) => {
                if !std::mem::replace(&mut away, true) {
                    let what = format!("{}: lost: {}; trying again", source.board, failure.message);
                    ctx.note(&what).await;
                }
                // It may be somewhere else by now.
                let board = lab.board(source.board.as_str()).await.ok();
                console = board.and_then(|board| board.console).unwrap_or(console);
                continue;
            }
        };
        if std::mem::take(&mut away) {
            ctx.note(&format!("{}: back", source.board)).await;
        }
        for event in more.iter().filter(|event| !newest.events.contains(event)) {
            if wanted(args, lab, source, event) {
                show(ctx, args, named, &source.board, event).await?;
            }
        }
        if !more.is_empty() {
            newest = Newest::of(&more);
        }
    }
}

fn wanted(args: &LogArgs, lab: &Lab, source: &Source, event: &Event) -> bool {
    let typed = matches!(event.what, What::Input { .. });
    if typed && lab.permit(&source.board, Right::Write).is_err() {
        return false;
    }
    match args.who.as_deref() {
        None => true,
        Some("") => typed,
        Some(who) => event.who.as_deref().is_some_and(|user| goes_by(user, who)),
    }
}

async fn show(
    ctx: &Context,
    args: &LogArgs,
    named: bool,
    board: &Name,
    event: &Event,
) -> Result<(), Stop> {
    if !args.json {
        let board = if named { format!("{board}  ") } else { String::new() };
        return ctx.out((board + &line(event)?).as_bytes()).await;
    }
    let value = serde_json::to_value(event);
    let mut value = value.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    if named {
        value["console"] = serde_json::json!(board);
    }
    ctx.out_json(&value).await
}

/// `2026-11-21T10:00:00.000+01:00  512  alice  break ms=250`
fn line(event: &Event) -> Result<String, Failure> {
    let what = serde_json::to_value(&event.what);
    let what = what.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
    let mut text = format!(
        "{}  {}  {}  {}",
        local(event.time_us),
        event.offset,
        event.who.as_deref().unwrap_or("-"),
        what["kind"].as_str().unwrap_or_default()
    );
    for (key, value) in what.as_object().into_iter().flatten().filter(|(key, _)| *key != "kind") {
        text.push_str(&format!(" {key}={value}"));
    }
    Ok(plain(text.as_bytes()) + "\n")
}
