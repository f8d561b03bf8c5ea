//! Runs LAVA jobs. See `lavamux::dispatch`.

use std::process::ExitCode;

use clap::Parser as _;
use lavamux::daemon;
use lavamux::dispatch::guard::guard;
use lavamux::front::cli::{self, dispatcher::DispatcherArgs};
use lavamux::model::{Failure, Kind};

fn main() -> ExitCode {
    cli::programs::Program::Dispatcher.complete();
    daemon::start_tracing();
    let args = DispatcherArgs::parse();
    args.mark();
    if args.is_guard() {
        return cli::exit(guard());
    }
    cli::exit(run(args))
}

fn run(args: DispatcherArgs) -> Result<(), Failure> {
    // One thread: a job is one conversation with one board.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    runtime.block_on(async { args.run(&daemon::cancel_on_signals()?).await })
}
