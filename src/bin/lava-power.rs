//! Switches the outlets of power units. See `lavamux::daemon::power`.

use std::process::ExitCode;

use clap::Parser as _;
use lavamux::daemon;
use lavamux::daemon::power::PowerDaemon;
use lavamux::front::cli::{self, power::PowerArgs};
use lavamux::model::{Failure, Kind};

fn main() -> ExitCode {
    cli::programs::Program::Power.complete();
    daemon::start_tracing();
    cli::exit(run(PowerArgs::parse()))
}

fn run(args: PowerArgs) -> Result<(), Failure> {
    let paths = args.paths();
    let Some(config) = args.into_config()? else { return Ok(()) };
    // One thread: PDUs are slow, and their tasks wait nearly all the time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let served = runtime.block_on(async {
        let shutdown = daemon::shutdown_on_signals()?;
        let power = PowerDaemon::bind(config).await?.reading_again(paths)?;
        let addresses = power.addresses();
        power.run(shutdown, || daemon::ready(&addresses)).await;
        Ok(())
    });
    // A name server that does not answer is not waited for.
    runtime.shutdown_background();
    served
}
