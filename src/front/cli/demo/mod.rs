//! `lava demo`: a small lab in one process, for trying things out.

mod job;
mod text;

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::daemon;
use crate::daemon::demo::{Lab, MAX_BASE, Options};
use crate::model::{Failure, Kind};
use job::{Images, Output};

/// Start a small lab in this process: two boards, their consoles and their power.
///
/// No root, no hardware, nothing to install; Ctrl-C ends it and leaves nothing behind.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep its files in this folder while it runs, with the inventory as lab.toml. A fresh
    /// temporary folder when left out.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Its TCP ports on 127.0.0.1: HTTP of the consoles N, of the outlets N+1, telnet from N+10 on,
    /// raw from N+20 on. Free ones are looked for when left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_BASE)))]
    port_base: Option<u16>,
    /// Boards in QEMU that run U-Boot, instead of simulated ones. Needs QEMU and U-Boot installed.
    #[arg(long)]
    qemu: bool,
    /// Run a sample job on panda01, then end: 0 when it passed, 1 when it did not.
    #[arg(long)]
    job: bool,
    /// Go on after the job, until Ctrl-C.
    #[arg(long, requires = "job")]
    stay: bool,
    /// Keep the job's log and results in this folder. Otherwise they go with the demo.
    #[arg(long, value_name = "DIR", requires = "job")]
    output: Option<PathBuf>,
    /// With --qemu --job: the kernel to boot, an arm64 Image.
    #[arg(long, value_name = "FILE", requires_all = ["qemu", "job", "ramdisk"])]
    kernel: Option<PathBuf>,
    /// With --qemu --job: its ramdisk, a cpio archive packed by gzip that gives root a shell.
    #[arg(long, value_name = "FILE", requires_all = ["qemu", "job", "kernel"])]
    ramdisk: Option<PathBuf>,
}

/// Runs the demo until it is interrupted, or until its job is done.
///
/// # Errors
/// What could not be started, or how the job ended.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let images = args.kernel.zip(args.ramdisk);
    let images = images.map(|(kernel, ramdisk)| Images { kernel, ramdisk });
    if args.job && args.qemu && images.is_none() {
        let failure = Failure::new(Kind::User, "a job on a board in QEMU needs something to boot");
        return Err(
            failure.hint("give an arm64 kernel and a ramdisk: --kernel FILE --ramdisk FILE")
        );
    }
    let interrupted = daemon::shutdown_on_signals()?;
    let options = Options { dir: args.dir, port_base: args.port_base, qemu: args.qemu };
    let lab = Lab::start(&options, &interrupted).await?;
    let output = match args.output {
        Some(folder) => Output::Kept(folder),
        None if args.stay => Output::UntilTheEnd,
        None => Output::Nowhere,
    };
    let job = args.job.then_some(output);
    let done = show(&lab, images, job, args.stay, &interrupted).await;
    lab.stop().await;
    done
}

/// What people get to see of a running lab.
async fn show(
    lab: &Lab,
    images: Option<Images>,
    job: Option<Output>,
    stay: bool,
    interrupted: &CancellationToken,
) -> Result<(), Failure> {
    let files = job::write(lab, images)?;
    text::welcome(lab);
    daemon::ready(&text::ready(lab));
    text::what_next(lab, &files);
    let stay = stay || job.is_none();
    let mut done = Ok(());
    if let Some(output) = job {
        text::job_begins();
        done = job::run(lab, &files, output, interrupted).await;
    }
    if stay {
        if let Err(failure) = std::mem::replace(&mut done, Ok(())) {
            text::job_failed(&failure);
        }
        interrupted.cancelled().await;
    }
    text::goodbye();
    done
}
