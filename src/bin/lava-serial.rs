//! Serves serial consoles. See `lavamux::daemon::serial`.

use std::process::ExitCode;

use lavamux::daemon::{self, serial};
use lavamux::front::cli;
use lavamux::model::{Failure, Kind};

fn main() -> ExitCode {
    daemon::start_tracing();
    cli::exit(run())
}

fn run() -> Result<(), Failure> {
    let luggage = serial::luggage();
    let Some(config) = cli::serial::config()? else { return Ok(()) };
    // One thread: the work is copying, and handing it between threads would cost more than it gains.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let served = runtime
        .block_on(async { serial::serve(config, luggage, daemon::shutdown_on_signals()?).await });
    // A name server that does not answer is not waited for.
    runtime.shutdown_background();
    served
}
