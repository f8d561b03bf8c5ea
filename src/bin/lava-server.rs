//! Knows a lab's boards and gives them to who asks. See `lavamux::daemon::server`.

use std::process::ExitCode;

use clap::Parser as _;
use lavamux::daemon;
use lavamux::daemon::server::ServerDaemon;
use lavamux::daemon::server::backup::{backup, restore};
use lavamux::front::cli;
use lavamux::front::cli::server::{Asked, ServerArgs};
use lavamux::model::{Failure, Kind};

/// More CPUs than this are left to others: what it does stands in line for one lab.
const MOST_THREADS: usize = 4;

fn main() -> ExitCode {
    cli::programs::Program::Server.complete();
    daemon::start_tracing();
    cli::exit(run(ServerArgs::parse()))
}

fn run(args: ServerArgs) -> Result<(), Failure> {
    let asked = args.asked()?;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cpus.min(MOST_THREADS))
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let served = runtime.block_on(async {
        let config = match asked {
            Asked::Serve(config) => config,
            Asked::Nothing => return Ok(()),
            Asked::Backup(config, folder) => return cli::say(&backup(&config, &folder).await?),
            Asked::Restore(config, folder) => return cli::say(&restore(&config, &folder).await?),
        };
        let shutdown = daemon::shutdown_on_signals()?;
        let server = ServerDaemon::open(config).await?;
        let addresses = server.addresses();
        server.run(shutdown, || daemon::ready(&addresses)).await
    });
    // A name server that does not answer is not waited for.
    runtime.shutdown_background();
    served
}
