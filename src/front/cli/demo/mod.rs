//! `lava demo`: a small lab in one process, for trying things out.

mod text;

use std::path::PathBuf;

use clap::Args;

use crate::daemon;
use crate::daemon::demo::{Lab, MAX_BASE, Options};
use crate::model::Failure;

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
}

/// Runs the demo until it is interrupted.
///
/// # Errors
/// What could not be started.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let shutdown = daemon::shutdown_on_signals()?;
    let options = Options { dir: args.dir, port_base: args.port_base, qemu: args.qemu };
    let lab = Lab::start(&options, shutdown.clone()).await?;
    text::welcome(&lab);
    daemon::ready(&text::ready(&lab));
    text::what_next(&lab);
    shutdown.cancelled().await;
    text::goodbye();
    lab.stop().await;
    Ok(())
}
