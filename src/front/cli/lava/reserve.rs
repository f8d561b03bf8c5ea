//! `lava reserve`: to have a board like this, as soon as there is one.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser as _};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::board::ServerArg;
use super::queue::ended;
use super::{Context, console, exit, wait as run_to_end};
use crate::client::server::LabServer;
use crate::model::{
    BoardRequest, Ending, Failure, Kind, Name, RequestInfo, RequestState, Waiting, units,
};

/// While it is waited for, the request goes on for so long without us.
const PATIENCE: &str = "1m";
/// After this the boards are told although an outlet does not know yet whose its board is.
const READY: Duration = Duration::from_secs(5);
/// How long is waited before a server that is gone is asked again, and how often.
const AGAIN: Duration = Duration::from_secs(2);
const TRIES: u32 = 30;
/// Longer than anybody waits for the next event.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// Reserves boards: waits until it is your turn, and then tells how to get at them.
///
/// SPEC is a device type, and what the board is to have: panda arch=armv7 'ram>=1GB' 'cpus>=2' tag=hdmi, or
/// name=panda01. What stands behind a + is another board, and all of them are had at once: panda + beagle. What you have waited for is lost with
/// Ctrl-C; what you have is yours until the time is over, or lava release.
///
/// Exit codes: 1 it will never be your turn as the lab is now (with --no-wait it is 0: the request waits);
/// 4 you may have no board.
#[derive(Debug, Args)]
pub(super) struct ReserveArgs {
    #[arg(required = true, value_name = "SPEC")]
    words: Vec<String>,
    /// For how long, as 30m, 2h or 3d; 31 days at most.
    #[arg(long = "for", value_name = "TIME", default_value = "2h")]
    length: String,
    /// So many boards of the one SPEC, all at once.
    #[arg(long, value_name = "N")]
    boards: Option<usize>,
    /// From then on, as 2026-11-24T09:00Z, 2026-11-24T09:00:00+01:00, or in so much time (8h). Boards are
    /// booked in advance, and are yours then without anybody waiting.
    #[arg(long = "at", value_name = "WHEN", value_parser = moment)]
    start: Option<u64>,
    /// 0 (low) to 100 (high).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=100))]
    priority: Option<u8>,
    /// What for; others see it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Give them back when nobody has typed there, nor switched their power, for so long: 30m.
    #[arg(long, value_name = "TIME")]
    idle: Option<String>,
    /// Do not wait: lava queue and lava why tell what becomes of it.
    #[arg(long)]
    no_wait: bool,
    /// Then go to the console, as lava-console does; to those of several boards side by side.
    #[arg(long, conflicts_with_all = ["no_wait", "start", "json"])]
    console: bool,
    /// Give the boards back when one leaves the console.
    #[arg(long, requires = "console")]
    release: bool,
    #[command(flatten)]
    server: ServerArg,
}

/// Runs the verb; everything is already said when it returns.
pub(super) fn run(args: ReserveArgs, ctx: &Context) -> ExitCode {
    let (console, release) = (args.console, args.release);
    let reserved = run_to_end(async {
        let server = args.server.locate()?;
        let request = reserve(args, &server, ctx).await?;
        Ok((server, request))
    });
    let (server, request) = match reserved {
        Ok(reserved) if console => reserved,
        other => return exit(other.map(|_| ())),
    };
    // Whoever leaves it by a signal leaves it, too.
    let left = console::run(console_of(&server, &request));
    if release {
        let given_back = run_to_end(async {
            let over = server.release(request.id, ctx.user(), None).await?;
            ctx.note(&format!("request {} {}", over.id, ended(&over))).await;
            Ok(())
        });
        if given_back.is_err() {
            return exit(given_back);
        }
    }
    left
}

/// The consoles of what one has.
fn console_of(server: &LabServer, request: &RequestInfo) -> console::ConsoleArgs {
    let (boards, url) = (request.boards.iter().map(ToString::to_string), server.url());
    let words = ["lava-console".into(), "--server".into(), url, "--".into()];
    console::ConsoleArgs::parse_from(words.into_iter().chain(boards))
}

async fn reserve(
    args: ReserveArgs,
    server: &LabServer,
    ctx: &Context,
) -> Result<RequestInfo, Failure> {
    let waits = !args.no_wait && args.start.is_none();
    let specs = specs(&args.words);
    let several = specs.len() > 1;
    if several && args.boards.is_some() {
        let what = "either several SPECs with + between them, or --boards of one";
        return Err(Failure::new(Kind::User, what));
    }
    let asked = BoardRequest {
        spec: if several { String::new() } else { specs.concat() },
        specs: if several { specs } else { Vec::new() },
        boards: args.boards,
        length: args.length,
        start_us: args.start,
        priority: args.priority,
        reason: args.reason,
        user: Some(ctx.user().to_owned()),
        heartbeat: None,
        patience: waits.then(|| PATIENCE.to_owned()),
        idle: args.idle,
    };
    let request = server.submit(&asked).await?;
    let id = request.id;
    let request = match waits {
        true => wait(server, request, ctx).await?,
        false => settled(server, request).await?,
    };
    if args.server.json {
        ctx.print_json(&request).await?;
        return Ok(request);
    }
    let text = match request.state {
        RequestState::Leased => connect(server, &request).await?,
        _ => format!("request {id}: {}\n", sentence(&request)),
    };
    ctx.print(text.as_bytes()).await?;
    Ok(request)
}

/// A description for each board: words belong to one, until there is a `+`.
fn specs(words: &[String]) -> Vec<String> {
    let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    words.split(|word| *word == "+").map(|words| words.join(" ")).collect()
}

/// Waits for the request's turn, and gives it up when told to end.
async fn wait(
    server: &LabServer,
    request: RequestInfo,
    ctx: &Context,
) -> Result<RequestInfo, Failure> {
    let id = request.id;
    let interrupted = async {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let mut signals = Vec::new();
        for kind in kinds {
            signals.extend(signal(kind).ok());
        }
        std::future::poll_fn(|cx| {
            match signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    };
    tokio::select! {
        leased = turn(server, request, ctx) => leased,
        () = interrupted => {
            server.release(id, ctx.user(), None).await?;
            Err(Failure::new(Kind::Interrupted, format!("request {id} is called back")))
        }
    }
}

/// Waits for the request's turn.
async fn turn(
    server: &LabServer,
    mut request: RequestInfo,
    ctx: &Context,
) -> Result<RequestInfo, Failure> {
    let mut told = String::new();
    let mut tries = 0;
    let mut leased = None;
    loop {
        let mut follow = match server.follow(request.id, ctx.user()).await {
            Ok(follow) => follow,
            Err(failure) if failure.kind == Kind::Lab && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        loop {
            match request.state {
                RequestState::Leased if request.ready => return Ok(request),
                RequestState::Leased | RequestState::Booked => {}
                RequestState::Ended => {
                    let how = request.ending.map_or("ended", Ending::as_str);
                    let what = format!("request {} was {how}", request.id);
                    return Err(Failure::new(Kind::Refused, what));
                }
                RequestState::Waiting => {
                    if let Some(waiting) = request.waiting.as_ref().filter(|it| it.never) {
                        server.release(request.id, ctx.user(), None).await?;
                        return Err(never(request.id, &waiting.why));
                    }
                    let now = sentence(&request);
                    if told != now {
                        ctx.note(&format!("request {}: {now}", request.id)).await;
                        told = now;
                    }
                }
            }
            let until = patience(request.state, &mut leased, Instant::now());
            let next = tokio::select! {
                biased;
                next = follow.next() => next,
                () = tokio::time::sleep_until(until) => {
                    let why = request.unready.as_ref().map(|why| format!(" ({why})"));
                    let why = why.unwrap_or_default();
                    ctx.note(&format!("an outlet does not know yet that its board is yours{why}"))
                        .await;
                    return Ok(request);
                }
            };
            match next {
                Ok(Some(now)) => (request, tries) = (now, 0),
                // The server has gone, or goes: it remembers the request.
                Ok(None) | Err(_) => break,
            }
        }
        if tries >= TRIES {
            return Err(Failure::new(Kind::Lab, "the server is gone; the request waits there"));
        }
        tries += 1;
        tokio::time::sleep(AGAIN).await;
        if let Ok(now) = server.request(request.id).await {
            request = now;
        }
    }
}

/// What becomes of a request at once.
pub(super) async fn settled(
    server: &LabServer,
    request: RequestInfo,
) -> Result<RequestInfo, Failure> {
    let mut request = request;
    for _ in 0..20 {
        let why = request.waiting.as_ref().map(|waiting| waiting.why.as_str());
        let soon = why.is_some_and(|why| why.contains("now")) || request.start_us.is_some();
        if request.state != RequestState::Waiting || !soon {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        request = server.request(request.id).await?;
    }
    Ok(request)
}

/// How to get at one's boards.
async fn connect(server: &LabServer, request: &RequestInfo) -> Result<String, Failure> {
    let until = units::time_text(request.until_us.unwrap_or(0));
    let names: Vec<_> = request.boards.iter().map(ToString::to_string).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    let mut text =
        format!("{} {are} yours until {until} (request {})\n", names.join(", "), request.id);
    let pages = Some(server.url()).filter(|url| url.starts_with("http"));
    for name in &names {
        let board = server.board(name).await?;
        let ways = [
            board.console_url.is_some().then(|| format!("lava-console {name}")),
            board.ssh().map(|place| place.to_string()),
            board.outlet_url.is_some().then(|| format!("lava reset {name}")),
            board.dictionary.is_some().then(|| format!("lava boot {name} --image …")),
            pages.as_ref().map(|url| format!("{url}/ui/boards/{name}")),
        ];
        ways.iter().flatten().for_each(|way| text.push_str(&format!("  {way}\n")));
    }
    text.push_str(&format!("  lava release {}\n", names.join(" ")));
    Ok(text)
}

/// Where a request stands, in a sentence.
pub(super) fn sentence(request: &RequestInfo) -> String {
    let time = |us: Option<u64>| units::time_text(us.unwrap_or(0));
    match (&request.state, &request.waiting) {
        (RequestState::Waiting, Some(Waiting { position, estimate_us, why, .. })) => {
            let turn = estimate_us.map(|at| {
                let left = at.saturating_sub(units::now_us()) / 1_000_000;
                format!(", in about {}", units::time_span(left))
            });
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            format!("number {position} in the queue{}{why}", turn.unwrap_or_default())
        }
        (RequestState::Waiting, None) => "it waits".into(),
        (RequestState::Booked, _) => {
            format!("{} from {}", named(request), time(request.since_us))
        }
        (RequestState::Leased, _) => {
            format!("{} until {}", named(request), time(request.until_us))
        }
        (RequestState::Ended, _) => {
            let how = request.ending.map_or("ended", Ending::as_str);
            format!("{how} at {}", time(request.ended_us))
        }
    }
}

fn named(request: &RequestInfo) -> String {
    request.boards.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// Until when the next event is waited for; `leased` is when the boards were there first.
fn patience(state: RequestState, leased: &mut Option<Instant>, now: Instant) -> Instant {
    match state {
        RequestState::Leased => *leased.get_or_insert(now) + READY,
        _ => now + FAR,
    }
}

fn never(id: u64, why: &str) -> Failure {
    let what = format!("request {id} is called back: {why}");
    Failure::new(Kind::Failed, what).hint("lava board list has the boards that there are")
}

/// A time by which somebody who has just written it down is not late, in microseconds.
const JUST_NOW_US: u64 = 60_000_000;

/// A time to come, in microseconds since the Unix epoch.
fn moment(text: &str) -> Result<u64, String> {
    if let Ok(after) = units::duration(text) {
        return Ok(units::now_us() + after.as_micros() as u64);
    }
    let time: Timestamp = text.parse().map_err(|_| {
        format!("{text:?} is no time to come; write it like 2026-11-24T09:00Z or 8h")
    })?;
    let at = u64::try_from(time.as_microsecond()).unwrap_or(0);
    match at.saturating_add(JUST_NOW_US) < units::now_us() {
        true => Err(format!(
            "{time} is over; boards are booked for a time to come, or leave it out for now"
        )),
        false => Ok(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlet_has_its_time_however_long_the_board_was_waited_for() {
        let (begin, mut leased) = (Instant::now(), None);
        let later = begin + Duration::from_secs(3600);
        assert!(patience(RequestState::Waiting, &mut leased, begin) > later);
        assert_eq!(patience(RequestState::Leased, &mut leased, later), later + READY);
        let again = later + Duration::from_secs(1);
        assert_eq!(patience(RequestState::Leased, &mut leased, again), later + READY);
    }

    #[test]
    fn words_are_one_board_until_there_is_a_plus() {
        let specs =
            |words: &[&str]| specs(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(specs(&["panda", "ram=1GB"]), ["panda ram=1GB"]);
        assert_eq!(specs(&["panda ram=1GB", "+", "beagle"]), ["panda ram=1GB", "beagle"]);
        assert_eq!(specs(&["panda + tag=a+b"]), ["panda", "tag=a+b"]);
    }
}
