//! `lava ci`: scripts of repositories that use boards by themselves.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::board::{ServerArg, tell};
use super::job::{ended, follow, stands};
use crate::model::{CiInfo, CiJob, CiRun, Failure, Name};
use crate::wire::plain::plain;

/// CI jobs of a lava-server: a script in a git repository, which a worker runs with the Python library and a token
/// of its own, so that it asks for boards, uses them and gives them back.
#[derive(Debug, Args)]
pub(super) struct CiArgs {
    #[command(subcommand)]
    verb: CiVerb,
}

#[derive(Debug, Subcommand)]
enum CiVerb {
    Add(AddArgs),
    /// Lists the CI jobs.
    List(ServerArg),
    /// Forgets CI jobs; their runs stay.
    Remove(NamesArgs),
    Run(RunArgs),
    /// Tells what a CI job is.
    Show(NameArgs),
}

/// Adds a CI job, or says anew what one is.
#[derive(Debug, Args)]
struct AddArgs {
    name: Name,
    /// The repository: its workers clone it.
    #[arg(long, value_name = "URL")]
    git: String,
    /// A branch, a tag or a commit [default: the repository's own branch].
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// The script in the repository: Python, or something that is executable.
    #[arg(long, value_name = "PATH")]
    script: String,
    /// How long a run may take [default: 1h].
    #[arg(long = "for", value_name = "TIME")]
    length: Option<String>,
    /// The worker that is to run it; any that runs scripts, else.
    #[arg(long, value_name = "NAME")]
    worker: Option<Name>,
    #[command(flatten)]
    server: ServerArg,
}

#[derive(Debug, Args)]
struct NameArgs {
    name: Name,
    #[command(flatten)]
    server: ServerArg,
}

#[derive(Debug, Args)]
struct NamesArgs {
    #[arg(required = true)]
    names: Vec<Name>,
    #[command(flatten)]
    server: ServerArg,
}

/// Has a CI job run, as you: the run is a job, with lava job log, results and cancel.
///
/// Exit codes: with --wait and --follow 0 when the script ended with 0 and no result is a failure, 1 when not, 3
/// when the lab was at fault; 4 you may have no board.
#[derive(Debug, Args)]
struct RunArgs {
    name: Name,
    /// Wait for its end.
    #[arg(long)]
    wait: bool,
    /// … and print its log meanwhile. Ctrl-C ends this, and not the run.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    server: ServerArg,
    /// What the script is given.
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(super) async fn run(args: CiArgs, ctx: &Context) -> Result<(), Failure> {
    match args.verb {
        CiVerb::Add(args) => {
            let AddArgs { name, git, reference, script, length, worker, server } = args;
            let job = CiJob { git, reference, script, length, worker };
            let ci = server.locate()?.put_ci(&name, &job, ctx.user()).await?;
            tell(ctx, server.json, &ci, &format!("{name} can be run: lava ci run {name}\n")).await
        }
        CiVerb::List(server) => {
            let all = server.locate()?.ci_jobs().await?;
            if server.json {
                return ctx.print_json(&all).await;
            }
            let line = |ci: &CiInfo| {
                let text = plain(format!("{} {}", ci.job.git, ci.job.script).as_bytes());
                format!("{:16}  {:12}  {text}\n", ci.name, ci.user)
            };
            ctx.print(all.iter().map(line).collect::<String>().as_bytes()).await
        }
        CiVerb::Remove(args) => {
            let server = args.server.locate()?;
            for name in &args.names {
                server.remove_ci(name, ctx.user()).await?;
                let done = json!({"ci": name, "done": true});
                let text = format!("{name} is no CI job any more\n");
                tell(ctx, args.server.json, &done, &text).await?;
            }
            Ok(())
        }
        CiVerb::Run(args) => begin(args, ctx).await,
        CiVerb::Show(args) => {
            let ci = args.server.locate()?.ci_job(&args.name).await?;
            tell(ctx, args.server.json, &ci, &shown(&ci)).await
        }
    }
}

async fn begin(args: RunArgs, ctx: &Context) -> Result<(), Failure> {
    let RunArgs { name, wait, follow: follows, server: at, args } = args;
    let (server, user) = (at.locate()?, Some(ctx.user().to_owned()));
    let job = server.run_ci(&name, &CiRun { args, user }).await?;
    let text = format!("job {}: {}\n", job.id, stands(&job));
    if !wait && !follows {
        return tell(ctx, at.json, &job, &text).await;
    }
    ctx.note(text.trim_end()).await;
    let done = follow(&server, &job, None, follows.then_some(at.json), ctx).await?;
    if !follows || !at.json {
        let text = format!("job {}: {}\n", done.id, stands(&done));
        tell(ctx, at.json, &done, &text).await?;
    }
    ended(&done)
}

fn shown(ci: &CiInfo) -> String {
    let CiInfo { name, user, job } = ci;
    let mut text = format!("{name}, of {user}\n");
    let lines = [
        ("git   ", Some(job.git.as_str())),
        ("ref   ", job.reference.as_deref()),
        ("script", Some(job.script.as_str())),
        ("for   ", job.length.as_deref()),
        ("worker", job.worker.as_ref().map(Name::as_str)),
    ];
    for (what, value) in lines {
        let value = value.map(|value| plain(value.as_bytes()));
        text.extend(value.map(|value| format!("{what}  {value}\n")));
    }
    text
}
