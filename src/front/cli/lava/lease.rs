//! `lava lease BOARD...` and `lava release BOARD...`: to have boards for oneself, and to be done with them.

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;

use super::queue::{ended, lease_of};
use super::reserve::{sentence, settled};
use super::several::{Boards, outcome};
use super::{Context, LabArgs};
use crate::client::lab::{Board, Lab};
use crate::client::server::LabServer;
use crate::client::{Login, control, lease};
use crate::model::{
    BoardRequest, Failure, Kind, Lease, LeaseChange, LeaseRequest, Name, RequestState, Right,
    goes_by, units,
};
use crate::wire::attach::Session;
use crate::wire::request::{OfSession, Text};

/// An outlet is told of a lease of the server's within this time, or when it is there again.
const READY: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

/// Leases boards: nobody else switches their power without force, and everybody sees whose they are.
///
/// Of a lab with a lava-server they are the server's leases, as those of lava reserve, which waits for its turn;
/// this takes what is free now.
///
/// Asked again, the lease goes on from now for the new time. It ends by itself, or with lava release.
/// It is of the whole board; what somebody types at its console is not held up (lava-console --exclusive
/// does that).
///
/// Exit code 4: somebody else has it.
#[derive(Debug, Args)]
pub(super) struct LeaseArgs {
    #[command(flatten)]
    boards: Boards,
    /// For how long from now on, as 30m, 2h or 48h; two weeks at most.
    #[arg(long = "for", value_name = "TIME", default_value = "2h", value_parser = units::duration)]
    length: Duration,
    /// What for; others see it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// A line of JSON for each board.
    #[arg(long)]
    json: bool,
}

/// Gives boards back: ends your lease of them, and lets go of their consoles where you have them.
///
/// What somebody else has stays theirs (exit code 4) without --force, which takes it from them; they are
/// told. A board that nobody has is given back already.
#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    /// The boards: names, or patterns such as 'rack*'.
    #[arg(required = true, value_name = "BOARD")]
    boards: Vec<String>,
    #[command(flatten)]
    lab: LabArgs,
    /// Also what somebody else has.
    #[arg(long, requires = "reason")]
    force: bool,
    /// Why, for those who lose it.
    #[arg(long, value_name = "TEXT", requires = "force")]
    reason: Option<String>,
    /// A line of JSON for each board.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Leased {
    board: Name,
    #[serde(flatten)]
    lease: Lease,
}

/// What was given back.
#[derive(Debug, Serialize)]
struct Released {
    board: Name,
    /// The lease that has ended, if there was one.
    lease: Option<Lease>,
    /// Who had the console and has it no more, if somebody had.
    console: Option<String>,
}

pub(super) async fn lease(args: LeaseArgs, ctx: &Context) -> Result<(), Failure> {
    let boards = args.boards.select(ctx, Right::Write).await?;
    let names: Vec<String> = boards.iter().map(|board| board.name.to_string()).collect();
    let server = &server_with(&args.boards.locate(ctx)?, &names).await;
    let request = &LeaseRequest {
        user: Some(ctx.user().to_owned()),
        length: format!("{}ms", args.length.as_millis()),
        shared_with: Vec::new(),
        reason: args.reason,
    };
    let take = |board: Board| async move {
        if let Some(server) = server {
            let taken = take_of(server, &board.name, request, ctx).await;
            return (board.name, taken);
        }
        let none = || {
            let what = "it has no outlet, and leases are kept by lava-power";
            Failure::new(Kind::User, what).hint("lava-console --exclusive keeps its console")
        };
        let taken = match &board.outlet {
            Some(outlet) => lease::take(outlet, request).await,
            None => Err(none()),
        };
        (board.name, taken)
    };
    let (leases, failed) = outcome(join_all(boards.into_iter().map(take)).await);
    for (board, lease) in leases {
        if args.json {
            ctx.print_json(&Leased { board, lease }).await?;
            continue;
        }
        let until = units::time_text(lease.until_us);
        ctx.print(format!("{board} is yours until {until}\n").as_bytes()).await?;
    }
    failed
}

/// The server whose boards these are: the one that is named, or this host's.
async fn server_with(lab: &Lab, boards: &[String]) -> Option<LabServer> {
    match lab {
        Lab::Server(endpoint) => Some(LabServer::new(endpoint.clone(), Login::default())),
        Lab::Host(dir) => {
            let server = LabServer::at(dir)?;
            for board in boards {
                server.board(board).await.ok()?;
            }
            Some(server)
        }
        Lab::File(_) | Lab::For(..) => None,
    }
}

/// Leases a board of a server's, now or not at all.
async fn take_of(
    server: &LabServer,
    board: &Name,
    asked: &LeaseRequest,
    ctx: &Context,
) -> Result<Lease, Failure> {
    let has = server.board(board.as_str()).await?.lease;
    let mut request = match has.filter(|has| goes_by(&has.lease.holder, ctx.user())) {
        Some(has) => {
            let (length, user) = (Some(asked.length.clone()), asked.user.clone());
            server.change(has.id, "extend", &LeaseChange { length, user, to: None }).await?
        }
        None => {
            let new = BoardRequest {
                spec: format!("name={board}"),
                length: asked.length.clone(),
                reason: asked.reason.clone(),
                user: asked.user.clone(),
                patience: Some("1m".into()),
                ..BoardRequest::default()
            };
            settled(server, server.submit(&new).await?).await?
        }
    };
    if request.state != RequestState::Leased {
        server.release(request.id, ctx.user(), None).await?;
        let hint = format!("lava reserve name={board} waits for its turn");
        return Err(Failure::new(Kind::Refused, sentence(&request)).hint(hint));
    }
    let until = tokio::time::Instant::now() + READY;
    while !request.ready && tokio::time::Instant::now() < until {
        tokio::time::sleep(LOOK).await;
        request = server.request(request.id).await?;
    }
    Ok(Lease {
        holder: request.user,
        shared_with: request.shared_with,
        since_us: request.since_us.unwrap_or(0),
        until_us: request.until_us.unwrap_or(0),
        reason: request.reason,
    })
}

pub(super) async fn release(args: ReleaseArgs, ctx: &Context) -> Result<(), Failure> {
    let need = if args.force { Right::Control } else { Right::Write };
    let lab = args.lab.locate(ctx)?;
    if let Some(server) = server_of(&lab, &args.boards).await {
        return release_at(&server, &args, ctx).await;
    }
    let boards = lab.select(&args.boards, need).await?;
    let reason = args.reason.as_deref().filter(|_| args.force);
    let give_back = |board: Board| async move {
        let released = give_back(&board, ctx, reason).await;
        (board.name, released)
    };
    let (released, failed) = outcome(join_all(boards.into_iter().map(give_back)).await);
    for (board, released) in released {
        if args.json {
            ctx.print_json(&released).await?;
            continue;
        }
        let text = match (&released.lease, &released.console) {
            (None, None) => "nobody had it".to_owned(),
            (Some(lease), None) => format!("the lease of {} is over", lease.holder),
            (None, Some(who)) => format!("{who} has let go of the console"),
            (Some(lease), Some(who)) => {
                format!(
                    "the lease of {} is over, and {who} has let go of the console",
                    lease.holder
                )
            }
        };
        ctx.print(format!("{board}: {text}\n").as_bytes()).await?;
    }
    failed
}

/// The server that knows of what is to be given back: the one that is named, or this host's.
async fn server_of(lab: &Lab, what: &[String]) -> Option<LabServer> {
    match lab {
        Lab::Server(endpoint) => Some(LabServer::new(endpoint.clone(), Login::default())),
        Lab::Host(dir) => {
            let server = LabServer::at(dir)?;
            for what in what {
                lease_of(&server, what).await.ok()?;
            }
            Some(server)
        }
        Lab::File(_) | Lab::For(..) => None,
    }
}

/// The same at a server, which knows whose the boards are; by the numbers of requests, too.
async fn release_at(server: &LabServer, args: &ReleaseArgs, ctx: &Context) -> Result<(), Failure> {
    // Boards of one lease are given back together.
    let mut leases = Vec::new();
    for what in &args.boards {
        let id = lease_of(server, what).await?;
        if !leases.contains(&id) {
            leases.push(id);
        }
    }
    let reason = args.reason.as_deref().filter(|_| args.force);
    for id in leases {
        let request = server.release(id, ctx.user(), reason).await?;
        if args.json {
            ctx.print_json(&request).await?;
            continue;
        }
        ctx.print(format!("request {id} {}\n", ended(&request)).as_bytes()).await?;
    }
    Ok(())
}

/// Both are given back, whatever becomes of the other.
async fn give_back(
    board: &Board,
    ctx: &Context,
    reason: Option<&str>,
) -> Result<Released, Failure> {
    let lease = async {
        match &board.outlet {
            Some(outlet) => lease::release(outlet, ctx.user(), reason).await,
            None => Ok(None),
        }
    };
    let console = async {
        let Some(console) = &board.console else { return Ok(None) };
        let Some(holder) = control::status(console).await?.holder else { return Ok(None) };
        if reason.is_none() && !is_mine(&holder, ctx.user()) {
            let what = format!("{} has the console", holder.user);
            return Err(Failure::new(Kind::Refused, what)
                .hint("ask them, or take it away: lava release BOARD --force --reason TEXT"));
        }
        if let Some(reason) = reason {
            let text = format!("takes the console from {}: {reason}", holder.user);
            control::ask(console, "message", ctx.user(), &Text { text }).await?;
        }
        control::ask(console, "release", ctx.user(), &OfSession::default()).await?;
        Ok(Some(holder.user))
    };
    let (lease, console) = tokio::join!(lease, console);
    Ok(Released { board: board.name.clone(), lease: lease?, console: console? })
}

/// Whether a session is of the one who asks: `alice`, `user:alice` or `alice (ci-42)`.
fn is_mine(holder: &Session, user: &str) -> bool {
    goes_by(&holder.user, user) || holder.user == user
}
