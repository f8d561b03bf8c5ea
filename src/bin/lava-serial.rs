//! Serves serial consoles. See `lavamux::daemon::serial`.

use std::process::ExitCode;

use lavamux::daemon::{self, serial};
use lavamux::front::cli;
use lavamux::model::{Failure, Kind};
use lavamux::sys::hold_signals;

fn main() -> ExitCode {
    cli::programs::Program::Serial.complete();
    daemon::start_tracing();
    cli::exit(run())
}

fn run() -> Result<(), Failure> {
    serial::understands()?;
    let Some(config) = cli::serial::config()? else { return Ok(()) };
    let left = serial::left();
    // One thread: the work is copying, and handing it between threads would cost more than it gains.
    // Signals come to it alone, so that it can hold them back.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().on_thread_start(hold_signals).build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let served = runtime.block_on(async {
        Box::pin(serial::serve(config, left, daemon::shutdown_on_signals()?)).await
    });
    // A name server that does not answer is not waited for.
    runtime.shutdown_background();
    served
}
