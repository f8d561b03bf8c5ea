//! Attaches a person or a script to a board's console. See `lavamux::front::cli::console`.

use std::process::ExitCode;

use clap::Parser as _;
use lavamux::front::cli;
use lavamux::front::cli::console::{ConsoleArgs, run};

fn main() -> ExitCode {
    cli::programs::Program::Console.complete();
    run(ConsoleArgs::parse())
}
