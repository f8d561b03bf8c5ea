//! `lava boot`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Context;
use super::board::{ServerArg, tell};
use super::job::ended;
use crate::client::server::{LabEvents, LabServer};
use crate::config::read_text;
use crate::model::{BootRequest, BootState, Failure, JobInfo, Kind, Name};

/// How far it is, is asked whenever the server tells that something has changed of it, so often at least, …
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// … and so often where it tells nothing.
const LOOK: Duration = Duration::from_millis(300);
/// How often in a row a server that does not answer is asked again.
const TRIES: u32 = 200;

/// Boots a board that you have leased, and leaves it on for you.
///
/// A file is an image of the server's, by its name or SHA-256 (lava image), or a URL. How the board is booted its
/// dictionary says. What is done on the way is the log of a job: lava job log.
///
/// Exit codes: 0 when it is ready, 1 when it did not boot, 3 when the lab was at fault, 4 it is not yours.
#[derive(Debug, Args)]
pub(super) struct BootArgs {
    board: Name,
    /// The kernel; of a virtual machine (lava image list --vm), and of a QEMU without --ramdisk and --append, its disk.
    #[arg(long, value_name = "IMAGE")]
    image: String,
    #[arg(long, value_name = "IMAGE")]
    ramdisk: Option<String>,
    /// The device tree.
    #[arg(long, value_name = "IMAGE")]
    dtb: Option<String>,
    /// Which of the dictionary's boot commands.
    #[arg(long, value_name = "NAME")]
    commands: Option<String>,
    /// The kernel's command line, of a QEMU.
    #[arg(long, value_name = "TEXT")]
    append: Option<String>,
    /// By which the shell is known, a regular expression; else what most have.
    #[arg(long, value_name = "RE")]
    prompt: Vec<String>,
    /// As whom to log in where the console asks for that, without a password.
    #[arg(long, value_name = "USER")]
    login: Option<String>,
    /// A public key that may log in by SSH from then on; of other boards than virtual machines with --login.
    #[arg(long, value_name = "FILE")]
    ssh_key: Option<PathBuf>,
    /// It is ready only when its SSH server answers; a virtual machine with an address is that anyway.
    #[arg(long)]
    ssh: bool,
    /// It is ready although its SSH server may not answer.
    #[arg(long, conflicts_with = "ssh")]
    no_ssh: bool,
    /// Do not wait until it is ready.
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn run(args: BootArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    let key = args.ssh_key.as_deref().map(|path| {
        let told = |why| Failure::new(Kind::User, format!("{}: {why}", path.display()));
        let key = read_text(path).map_err(told)?.trim().to_owned();
        match key.contains("PRIVATE KEY") {
            true => {
                Err(told("this is the private key, which is yours alone; give its .pub".into()))
            }
            false => Ok(key),
        }
    });
    let asked = BootRequest {
        image: args.image,
        ramdisk: args.ramdisk,
        dtb: args.dtb,
        commands: args.commands,
        append: args.append,
        prompts: args.prompt,
        login: args.login,
        ssh_key: key.transpose()?,
        ssh: (args.ssh || args.no_ssh).then_some(args.ssh),
        user: Some(ctx.user().to_owned()),
    };
    let mut job = server.boot(&args.board, &asked).await?;
    let (id, mut told, mut tries, mut events) = (job.id, None, 0, None);
    loop {
        let stage = job.boot.unwrap_or(BootState::Queued);
        let over = args.no_wait || job.has_ended() || stage == BootState::Ready;
        if !over && told != Some(stage) {
            told = Some(stage);
            ctx.note(&format!("job {id}: {}{}", stage.as_str(), why(&job))).await;
        }
        if over {
            let mut text = format!("{}: {} (job {id})\n", args.board, stage.as_str());
            if stage == BootState::Ready
                && let Some(ssh) =
                    server.board(args.board.as_str()).await.ok().and_then(|it| it.ssh())
            {
                text.push_str(&format!("  {ssh}\n"));
            }
            tell(ctx, args.server.json, &job, &text).await?;
            return if job.has_ended() { ended(&job) } else { Ok(()) };
        }
        may_have_changed(&server, &mut events, id).await;
        match server.job(id, ctx.user()).await {
            Ok(now) => (job, tries) = (now, 0),
            Err(failure) if failure.kind == Kind::Lab && tries < TRIES => tries += 1,
            Err(failure) => return Err(failure),
        }
    }
}

/// Waits until a job may stand otherwise.
async fn may_have_changed(server: &LabServer, events: &mut Option<LabEvents>, id: u64) {
    let Some(following) = events else {
        *events = server.events().await.ok();
        if events.is_none() {
            tokio::time::sleep(LOOK).await;
        }
        // What was so before it followed is asked once now.
        return;
    };
    let its_own = async {
        while let Ok(Some(event)) = following.next().await {
            if event.about == "job" && event.id == id.to_string() {
                return true;
            }
        }
        false
    };
    if let Ok(false) = tokio::time::timeout(AT_LEAST_EVERY, its_own).await {
        *events = None;
        tokio::time::sleep(LOOK).await;
    }
}

fn why(job: &JobInfo) -> String {
    job.waiting.as_ref().map(|why| format!(" ({why})")).unwrap_or_default()
}
