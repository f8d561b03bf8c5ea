//! The lab by SSH. See `lavamux::daemon::ssh`.

use std::process::ExitCode;

use clap::Parser as _;
use lavamux::daemon;
use lavamux::daemon::ssh::SshDaemon;
use lavamux::front::cli::{self, ssh::SshArgs};
use lavamux::model::{Failure, Kind};

fn main() -> ExitCode {
    cli::programs::Program::Ssh.complete();
    daemon::start_tracing();
    cli::exit(run(SshArgs::parse()))
}

fn run(args: SshArgs) -> Result<(), Failure> {
    let paths = args.paths();
    let Some(config) = args.into_config()? else { return Ok(()) };
    // One thread, as lava-serial: its work is handing bytes on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let served = runtime.block_on(async {
        let shutdown = daemon::shutdown_on_signals()?;
        let ssh = SshDaemon::bind(config, paths).await?;
        let addresses = ssh.addresses();
        ssh.run(shutdown, || daemon::ready(&addresses)).await;
        Ok(())
    });
    runtime.shutdown_background();
    served
}
