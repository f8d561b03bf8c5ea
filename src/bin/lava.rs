//! What a person or a script does with a lab. See `lavamux::front::cli`.

use std::process::ExitCode;

use clap::Parser;
use lavamux::daemon;
use lavamux::front::cli::{self, demo};

/// A board lab at your fingertips.
#[derive(Debug, Parser)]
#[command(name = "lava", version)]
enum Verb {
    Demo(demo::DemoArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    daemon::start_tracing();
    match Verb::parse() {
        Verb::Demo(args) => cli::exit(demo::run(args).await),
    }
}
