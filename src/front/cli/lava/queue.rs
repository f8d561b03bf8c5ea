//! `lava queue`, `lava why` and `lava extend`.

use std::time::Duration;

use clap::Args;

use super::Context;
use super::board::{ServerArg, tell};
use super::reserve::sentence;
use crate::client::server::LabServer;
use crate::model::{Failure, Kind, LeaseChange, Name, RequestInfo, RequestState, units};

/// Lists who waits for boards, who comes next first, and who has some.
#[derive(Debug, Args)]
pub(super) struct QueueArgs {
    /// Also what has ended within a week.
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    server: ServerArg,
}

/// Tells why a request waits, and when it may be its turn.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// Its number: lava queue has it.
    id: u64,
    #[command(flatten)]
    server: ServerArg,
}

/// Lets what you have reserved go on for so long from now.
///
/// Exit code 4: somebody else is to have it then.
#[derive(Debug, Args)]
pub(super) struct ExtendArgs {
    /// The board, or the number of the request.
    what: String,
    /// For how long from now, as 2h.
    #[arg(long = "for", value_name = "TIME", default_value = "2h", value_parser = units::duration)]
    length: Duration,
    #[command(flatten)]
    server: ServerArg,
}

/// Lets somebody else use what you have reserved, too, or have it in your place.
#[derive(Debug, Args)]
pub(super) struct ShareArgs {
    /// The board, or the number of the request.
    what: String,
    /// With whom.
    user: String,
    /// It is theirs from now on, and yours no more.
    #[arg(long)]
    hand_over: bool,
    #[command(flatten)]
    server: ServerArg,
}

/// Ends that somebody else uses what you have reserved, too.
#[derive(Debug, Args)]
pub(super) struct UnshareArgs {
    /// The board, or the number of the request.
    what: String,
    /// Who uses it no more.
    user: String,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn queue(args: QueueArgs, ctx: &Context) -> Result<(), Failure> {
    let requests = args.server.locate()?.requests(args.ended).await?;
    if args.server.json {
        return ctx.print_json(&requests).await;
    }
    let mut text =
        String::from("REQUEST  USER          PRIORITY  FOR      WANTS, AND WHERE IT STANDS\n");
    for request in &requests {
        let (id, user, priority) = (request.id, &request.user, request.priority);
        let length = units::time_span(request.length_s);
        let (wants, stands) = (wants(request), sentence(request));
        text.push_str(&format!(
            "{id:<7}  {user:12}  {priority:<8}  {length:7}  {wants}: {stands}\n"
        ));
    }
    ctx.print(text.as_bytes()).await
}

pub(super) async fn why(args: WhyArgs, ctx: &Context) -> Result<(), Failure> {
    let request = args.server.locate()?.request(args.id).await?;
    if args.server.json {
        return ctx.print_json(&request).await;
    }
    let mut text = format!("{} for {}: {}\n", wants(&request), request.user, sentence(&request));
    if let Some(waiting) = &request.waiting {
        let score = waiting.score;
        let sum = score.priority + score.waited - score.used;
        text.push_str(&format!(
            "its place: {sum} points, {} for its priority, {} for waiting, {} off for what {} has had of late\n",
            score.priority, score.waited, score.used, request.user
        ));
    }
    ctx.print(text.as_bytes()).await
}

pub(super) async fn extend(args: ExtendArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    let id = lease_of(&server, &args.what).await?;
    let change = LeaseChange {
        length: Some(format!("{}ms", args.length.as_millis())),
        user: Some(ctx.user().to_owned()),
        to: None,
    };
    let before = server.request(id).await?.until_us;
    let request = server.change(id, "extend", &change).await?;
    if let Some(less) = before.zip(request.until_us).and_then(|(was, is)| was.checked_sub(is))
        && less > 0
    {
        let less = units::time_span(less.div_ceil(1_000_000));
        let note = format!("that is {less} less than before: --for counts from now\n");
        ctx.note(&note).await;
    }
    let text = format!("request {id}: {}\n", sentence(&request));
    tell(ctx, args.server.json, &request, &text).await
}

pub(super) async fn share(args: ShareArgs, ctx: &Context) -> Result<(), Failure> {
    let ShareArgs { what, user, hand_over, server } = args;
    let how = if hand_over { "give" } else { "share" };
    shared(how, &what, user, &server, ctx).await
}

pub(super) async fn unshare(args: UnshareArgs, ctx: &Context) -> Result<(), Failure> {
    let UnshareArgs { what, user, server } = args;
    shared("unshare", &what, user, &server, ctx).await
}

async fn shared(
    how: &str,
    what: &str,
    user: String,
    at: &ServerArg,
    ctx: &Context,
) -> Result<(), Failure> {
    let server = at.locate()?;
    let id = lease_of(&server, what).await?;
    let change = LeaseChange { to: Some(user), user: Some(ctx.user().to_owned()), length: None };
    let request = server.change(id, how, &change).await?;
    let with = match request.shared_with.as_slice() {
        [] => String::new(),
        users => format!(", shared with {}", users.join(", ")),
    };
    let text = format!("request {id} is {}'s{with}: {}\n", request.user, sentence(&request));
    tell(ctx, at.json, &request, &text).await
}

/// The number of the lease that is meant: by that, or by a board that it has.
///
/// # Errors
/// [`Kind::User`] when nobody has that board.
pub(super) async fn lease_of(server: &LabServer, what: &str) -> Result<u64, Failure> {
    match server.board(what).await {
        Ok(board) => match board.lease {
            Some(lease) => Ok(lease.id),
            None => Err(Failure::new(Kind::User, format!("nobody has reserved {what}"))),
        },
        Err(failure) => what.parse().map_err(|_| failure),
    }
}

fn wants(request: &RequestInfo) -> String {
    let spec = |spec: &String| if spec.is_empty() { "any board".into() } else { spec.clone() };
    let specs: Vec<String> = request.specs.iter().map(spec).collect();
    match specs.as_slice() {
        [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|other| other == first) => {
            format!("{} × {first}", specs.len())
        }
        _ => specs.join(" + "),
    }
}

/// What has ended, for people.
pub(super) fn ended(request: &RequestInfo) -> String {
    match request.state {
        RequestState::Ended if request.boards.is_empty() => "is called back".into(),
        RequestState::Leased if let Some(job) = request.job => {
            format!("is over when job {job} has ended, which is told to")
        }
        _ => {
            let boards: Vec<_> = request.boards.iter().map(Name::as_str).collect();
            format!("is over; it had {}", boards.join(", "))
        }
    }
}
