//! Serves serial consoles. See `lavamux::daemon::serial`.

use std::process::ExitCode;

use clap::Parser as _;
use lavamux::daemon::{self, serial};
use lavamux::front::cli::{self, serial::SerialArgs};
use lavamux::model::{Failure, Kind};

fn main() -> ExitCode {
    daemon::start_tracing();
    cli::exit(run(SerialArgs::parse()))
}

fn run(args: SerialArgs) -> Result<(), Failure> {
    let luggage = serial::luggage();
    let Some(config) = args.into_config()? else { return Ok(()) };
    // One thread: the work is copying, and handing it between threads would cost more than it gains.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let served = runtime
        .block_on(async { serial::serve(config, luggage, daemon::shutdown_on_signals()?).await });
    // A name server that does not answer is not waited for.
    runtime.shutdown_background();
    served
}
