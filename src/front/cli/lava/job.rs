//! `lava job` and `lava jobs`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::Context;
use super::board::{ServerArg, tell};
use crate::client::server::LabServer;
use crate::dispatch::record::Entry;
use crate::front::cli::dispatcher::log_line;
use crate::model::{Failure, JobHealth, JobInfo, JobState, Kind, Name, units};
use crate::wire::plain::plain;

/// How long is waited before a server that is gone is asked again, and how often.
const AGAIN: Duration = Duration::from_secs(1);
const TRIES: u32 = 60;
/// No log has so many lines.
const NO_LINE: u64 = 1 << 60;

/// Lists jobs, the newest first.
#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    /// So many at most.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 30)]
    limit: u32,
    #[command(flatten)]
    server: ServerArg,
}

/// A job of the lab's server: how it stands, its log, its results; ends it, or hands it in again.
#[derive(Debug, Args)]
pub(super) struct JobArgs {
    #[command(subcommand)]
    verb: JobVerb,
}

#[derive(Debug, Subcommand)]
enum JobVerb {
    /// Ends a job; its boards are switched off, and free.
    Cancel(OneArgs),
    /// Prints the job as it was handed in, without the values of its secrets.
    Definition(OneArgs),
    Log(LogArgs),
    /// Hands a job in once more, as yours.
    Resubmit(OneArgs),
    Results(ResultsArgs),
    /// Tells how a job stands.
    Show(OneArgs),
}

#[derive(Debug, Args)]
struct OneArgs {
    /// Its number: lava jobs has it.
    id: u64,
    #[command(flatten)]
    server: ServerArg,
}

/// Prints a job's log, with --json as it is kept: an object a line.
#[derive(Debug, Args)]
struct LogArgs {
    id: u64,
    /// Until the job has ended.
    #[arg(long, short)]
    follow: bool,
    /// Of a job for several boards, that one's.
    #[arg(long, value_name = "NAME")]
    board: Option<Name>,
    #[command(flatten)]
    server: ServerArg,
}

/// Prints a job's results.
#[derive(Debug, Args)]
struct ResultsArgs {
    id: u64,
    #[arg(long, value_enum, default_value_t = Format::Tap)]
    format: Format,
    /// Of a job for several boards, that one's.
    #[arg(long, value_name = "NAME")]
    board: Option<Name>,
    #[command(flatten)]
    server: ServerArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Junit,
    Tap,
}

pub(super) async fn jobs(args: JobsArgs, ctx: &Context) -> Result<(), Failure> {
    let jobs = args.server.locate()?.jobs(args.limit, ctx.user()).await?;
    if args.server.json {
        return ctx.print_json(&jobs).await;
    }
    let mut text =
        String::from("JOB      USER          BOARDS              NAME, AND WHERE IT STANDS\n");
    for job in &jobs {
        let (id, user, name) = (job.id, &job.user, plain(job.name.as_bytes()));
        let (boards, stands) = (boards(job), stands(job));
        text.push_str(&format!("{id:<7}  {user:12}  {boards:18}  {name}: {stands}\n"));
    }
    ctx.print(text.as_bytes()).await
}

pub(super) async fn run(args: JobArgs, ctx: &Context) -> Result<(), Failure> {
    match args.verb {
        JobVerb::Cancel(args) => change(args, "cancel", ctx).await,
        JobVerb::Resubmit(args) => change(args, "resubmit", ctx).await,
        JobVerb::Definition(args) => {
            let text = args.server.locate()?.job_definition(args.id, ctx.user()).await?;
            ctx.print(&text).await
        }
        JobVerb::Log(args) => log(args, ctx).await,
        JobVerb::Results(args) => {
            let format = args.format.to_possible_value();
            let format = format.as_ref().map_or("json", |value| value.get_name());
            let server = args.server.locate()?;
            let format = if args.server.json { "json" } else { format };
            let board = args.board.as_ref();
            let text = server.job_results(args.id, board, format, ctx.user()).await?;
            let end: &[u8] = if text.ends_with(b"\n") { b"" } else { b"\n" };
            ctx.print(&[&text, end].concat()).await
        }
        JobVerb::Show(args) => {
            let job = args.server.locate()?.job(args.id, ctx.user()).await?;
            tell(ctx, args.server.json, &job, &shown(&job)).await
        }
    }
}

async fn change(args: OneArgs, how: &str, ctx: &Context) -> Result<(), Failure> {
    let job = args.server.locate()?.change_job(args.id, how, ctx.user()).await?;
    tell(ctx, args.server.json, &job, &format!("job {}: {}\n", job.id, stands(&job))).await
}

async fn log(args: LogArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    let board = args.board.as_ref();
    if args.follow {
        let job = server.job(args.id, ctx.user()).await?;
        return follow(&server, &job, board, Some(args.server.json), ctx).await.map(drop);
    }
    let mut body = server.job_log(args.id, board, ctx.user()).await?;
    let (mut pending, mut begin) = (Vec::new(), None);
    while let Some(bytes) = body.next().await? {
        pending.extend_from_slice(&bytes);
        let Some(end) = pending.iter().rposition(|byte| *byte == b'\n') else { continue };
        let rest = pending.split_off(end + 1);
        let lines = std::mem::replace(&mut pending, rest);
        if args.server.json {
            ctx.print(&lines).await?;
            continue;
        }
        let mut text = String::new();
        for line in lines.split(|byte| *byte == b'\n') {
            if let Ok(entry) = serde_json::from_slice::<Entry>(line) {
                text.push_str(&of_log(&entry, &mut begin));
            }
        }
        ctx.print(text.as_bytes()).await?;
    }
    Ok(())
}

/// Follows a job to its end; prints its log meanwhile, where it is to be, as JSON or for people.
pub(super) async fn follow(
    server: &LabServer,
    job: &JobInfo,
    board: Option<&Name>,
    json: Option<bool>,
    ctx: &Context,
) -> Result<JobInfo, Failure> {
    let (id, mut line) = (job.id, if json.is_some() { 0 } else { NO_LINE });
    let (mut begin, mut told, mut tries) = (None, String::new(), 0);
    loop {
        let now = server.job(id, ctx.user()).await;
        let lines = match now {
            Ok(now) => {
                if let Some(why) = now.waiting.as_ref().filter(|why| told != **why) {
                    ctx.note(&format!("job {id}: {why}")).await;
                    told.clone_from(why);
                }
                if now.has_ended() && json.is_none() {
                    return Ok(now);
                }
                server.follow_log(id, board, line, ctx.user()).await
            }
            Err(failure) => Err(failure),
        };
        let mut lines = match lines {
            Ok(lines) => lines,
            Err(failure) if failure.kind == Kind::Lab && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        loop {
            match lines.next::<Entry>().await {
                Ok(Some(entry)) => {
                    (line, tries) = (line + 1, 0);
                    match json {
                        Some(true) => ctx.print_json(&entry).await?,
                        _ => ctx.print(of_log(&entry, &mut begin).as_bytes()).await?,
                    }
                }
                Ok(None) => break,
                Err(failure) if failure.kind == Kind::Lab && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(AGAIN).await;
                    break;
                }
                Err(failure) => return Err(failure),
            }
        }
        if let Ok(now) = server.job(id, ctx.user()).await
            && now.has_ended()
        {
            return Ok(now);
        }
    }
}

/// A line of a log for people; the first one is when the job began.
fn of_log(entry: &Entry, begin: &mut Option<u64>) -> String {
    let time = entry.time_us().unwrap_or(0);
    log_line(entry, *begin.get_or_insert(time))
}

/// What a job that has ended is for a script.
///
/// # Errors
/// What went wrong, and that test cases failed.
pub(super) fn ended(job: &JobInfo) -> Result<(), Failure> {
    let why = || job.error_msg.clone().unwrap_or_else(|| job.health.as_str().to_owned());
    match job.health {
        JobHealth::Complete => match job.tally.map_or(0, |tally| tally.fail) {
            0 => Ok(()),
            1 => Err(Failure::new(Kind::Failed, "1 test case failed")),
            failed => Err(Failure::new(Kind::Failed, format!("{failed} test cases failed"))),
        },
        _ if job.error_type.as_deref() == Some("Infrastructure") => {
            Err(Failure::new(Kind::Lab, why()))
        }
        _ => Err(Failure::new(Kind::Failed, why())),
    }
}

/// Where a job stands, in a few words.
pub(super) fn stands(job: &JobInfo) -> String {
    let why = || {
        let why = job.error_msg.as_ref()?;
        let first = why.lines().next()?;
        Some(format!(" ({})", plain(first.as_bytes())))
    };
    let state = match job.state {
        JobState::Finished => job.health.as_str(),
        state => state.as_str(),
    };
    let tally = job.tally.filter(|_| job.has_ended());
    let tally = tally.map(|tally| {
        let others = tally.skip + tally.unknown;
        format!(", {} passed, {} failed, {others} others", tally.pass, tally.fail)
    });
    let waiting = job.waiting.as_ref().map(|why| format!(": {why}"));
    [Some(state.to_owned()), tally, why(), waiting].into_iter().flatten().collect()
}

fn shown(job: &JobInfo) -> String {
    let mut text = format!(
        "job {}, {}, of {}: {}\n",
        job.id,
        plain(job.name.as_bytes()),
        job.user,
        stands(job)
    );
    let time = |what: &str, at: Option<u64>| {
        at.map(|at| format!("{what} {}\n", units::time_text(at))).unwrap_or_default()
    };
    text.push_str(&time("submitted", Some(job.submitted_us)));
    text.push_str(&time("started  ", job.started_us));
    text.push_str(&time("ended    ", job.ended_us));
    match &job.ci {
        Some(ci) => text.push_str(&format!("a run of the CI job {ci}\n")),
        None => text.push_str(&format!("boards    {} ({})\n", boards(job), job.specs.join(", "))),
    }
    if let Some(worker) = &job.worker {
        text.push_str(&format!("worker    {worker}\n"));
    }
    if let Some(message) = &job.error_msg {
        for line in message.lines() {
            let class = job.error_type.as_deref().unwrap_or("error");
            text.push_str(&format!("{class}: {}\n", plain(line.as_bytes())));
        }
    }
    text
}

fn boards(job: &JobInfo) -> String {
    let names: Vec<&str> = job.boards.iter().map(|board| board.name.as_str()).collect();
    if names.is_empty() { "-".into() } else { names.join(",") }
}
