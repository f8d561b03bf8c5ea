//! `lava submit`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use super::board::{ServerArg, tell};
use super::job::{ended, follow, stands};
use crate::config::read_text;
use crate::model::{Failure, JobSubmit, Kind};

/// The largest job that is read from standard input, in bytes.
const MAX_INPUT: u64 = 1024 * 1024;

/// Hands in a job: LAVA's job definition. It runs as soon as there are boards for it, and a worker.
///
/// What is wrong with the job is told at once, with line and column, and nothing is handed in then.
///
/// Exit codes: with --wait and --follow 0 when the job is complete and no test case failed, 1 when not, 3
/// when the lab was at fault; 4 you may have no board.
#[derive(Debug, Args)]
pub(super) struct SubmitArgs {
    /// The job's file; - is standard input.
    job: PathBuf,
    /// Wait for the job's end.
    #[arg(long)]
    wait: bool,
    /// … and print its log meanwhile. Ctrl-C ends this, and not the job.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn run(args: SubmitArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    let shown = args.job.display().to_string();
    let definition =
        read(&args.job).map_err(|why| Failure::new(Kind::User, format!("{shown}: {why}")))?;
    let user = Some(ctx.user().to_owned());
    let job = server.submit_job(&JobSubmit { definition, file: Some(shown), user }).await?;
    let text = format!("job {}: {}\n", job.id, stands(&job));
    if !args.wait && !args.follow {
        return tell(ctx, args.server.json, &job, &text).await;
    }
    ctx.note(text.trim_end()).await;
    let done = follow(&server, &job, None, args.follow.then_some(args.server.json), ctx).await?;
    if !args.follow || !args.server.json {
        tell(ctx, args.server.json, &done, &format!("job {}: {}\n", done.id, stands(&done)))
            .await?;
    }
    ended(&done)
}

fn read(file: &Path) -> Result<String, String> {
    if file != Path::new("-") {
        return read_text(file);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MAX_INPUT).read_to_string(&mut text);
    read.map(|_| text).map_err(|error| format!("standard input cannot be read: {error}"))
}
