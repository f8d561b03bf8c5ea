//! Everything else that a person or a script does in the lab. See `lavamux::front::cli::lava`.

use std::process::ExitCode;

use clap::Parser as _;
use lavamux::daemon;
use lavamux::front::cli;
use lavamux::front::cli::lava::{LavaArgs, run};

fn main() -> ExitCode {
    cli::programs::Program::Lava.complete();
    daemon::start_quiet_tracing();
    run(LavaArgs::parse())
}
