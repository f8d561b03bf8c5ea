//! `lava-server` measured from outside: `cargo bench --bench server`.
//!
//! Its memory, its answers to many clients with 1,000 boards, what a job waits for besides its board, and the Python
//! library beside labgrid's client; benches/README.md tells what the rows mean.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod farm;
mod http;
mod jobs;
mod load;
mod page;
mod python;
#[allow(dead_code, reason = "shared with another bench")]
#[path = "../peers/usage.rs"]
mod usage;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Measures lava-server.
#[derive(Debug, Parser)]
#[command(name = "server")]
struct Args {
    /// The rows; all of them when left out
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Row>,
    /// Boards of the lab that clients ask about
    #[arg(long, default_value_t = 1_000)]
    boards: usize,
    /// How long clients ask, in seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Lines of the log whose page is looked at
    #[arg(long, default_value_t = 1_000_000)]
    lines: usize,
    /// How often a job, or a program, is started
    #[arg(long, default_value_t = 11)]
    runs: usize,
    /// What cargo says
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Row {
    /// Memory, and 200 clients
    Load,
    /// 1,000 people who look once a second where their request stands
    Poll,
    /// From handing a job in to the first byte of its board, and from one job to the next
    Jobs,
    /// 1,000 people who follow a request each, and all of it
    Follow,
    /// The page of a job with a long log, in Chromium
    Page,
    /// The Python library and labgrid-client
    Python,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let rows = if args.rows.is_empty() { Row::value_variants().to_vec() } else { args.rows };
    println!("| what | figure |\n|---|---|");
    for row in rows {
        match row {
            Row::Load => load::clients(args.boards, args.seconds).await?,
            Row::Poll => load::people(args.boards, args.seconds).await?,
            Row::Follow => load::followers(args.boards).await?,
            Row::Page => page::page(args.lines, args.runs).await?,
            Row::Jobs => jobs::jobs(args.runs).await?,
            Row::Python => python::python(args.runs)?,
        }
    }
    Ok(())
}

/// Prints a row of times: the median, 90 and 99 of 100, and the longest.
fn times(what: &str, mut took: Vec<std::time::Duration>) {
    took.sort_unstable();
    let at = |percent: usize| {
        let place = (took.len() * percent / 100).min(took.len().saturating_sub(1));
        took.get(place).map_or(f64::NAN, |took| took.as_secs_f64() * 1000.0)
    };
    println!(
        "| {what} | p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, longest {:.1} ms, of {} |",
        at(50),
        at(90),
        at(99),
        at(100),
        took.len()
    );
}
