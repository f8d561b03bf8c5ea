//! Whole jobs, measured from their start to their end: `cargo bench --bench jobs`.
//!
//! lava-dispatcher beside Debian's LAVA, with the same job and device files, on the same stand-in boards;
//! benches/README.md tells what the rows mean. LAVA is left out where benches/jobs/lava was not run.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod board;
mod dispatcher;
mod files;
mod qemu;
mod row;
#[allow(dead_code, reason = "shared with another bench")]
#[path = "../peers/usage.rs"]
mod usage;

use anyhow::Result;
use clap::{Parser, ValueEnum as _};

use dispatcher::Dispatcher;
use row::{Row, Size};

/// Measures lava-dispatcher, and LAVA beside it.
#[derive(Debug, Parser)]
#[command(name = "jobs")]
struct Args {
    /// The rows; all of them when left out
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Row>,
    /// How often each figure is taken
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Lines that the board prints
    #[arg(long, default_value_t = 100_000)]
    lines: usize,
    /// Jobs at once
    #[arg(long, default_value_t = 32)]
    jobs: usize,
    /// What cargo says
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let size = Size { lines: args.lines, jobs: args.jobs };
    let rows = if args.rows.is_empty() { Row::value_variants().to_vec() } else { args.rows };
    let mut dispatchers = vec![Dispatcher::Ours];
    match dispatcher::lava() {
        Some(folder) => dispatchers.push(Dispatcher::Lava(folder)),
        None => println!("LAVA is left out: benches/jobs/lava gets Debian's.\n"),
    }
    let headings: String = dispatchers.iter().map(|one| format!(" {} |", one.heading())).collect();
    println!("| what | aim |{headings}\n|---|---|{}", "---|".repeat(dispatchers.len()));
    for row in rows {
        // Figure by figure, each dispatcher's runs.
        let mut table: Vec<(String, Vec<String>)> = Vec::new();
        for (column, dispatcher) in dispatchers.iter().enumerate() {
            let mut runs = Vec::new();
            for run in 1..=args.runs {
                eprintln!("run {run} of {}: {row:?}, {}", args.runs, dispatcher.heading());
                match row.measure(dispatcher, size) {
                    Ok(figures) => runs.push(figures),
                    Err(error) => eprintln!("{error:#}"),
                }
            }
            for (at, figure) in row.figures(size).into_iter().enumerate() {
                let values = runs.iter().filter_map(|figures| figures.get(at).copied()).collect();
                if column == 0 {
                    table.push((format!("{} | {}", figure.what, figure.aim), Vec::new()));
                }
                table[at].1.push(summary(values, figure.unit));
            }
        }
        for (what, columns) in table {
            println!("| {what} | {} |", columns.join(" | "));
        }
    }
    Ok(())
}

/// The median, and the least and the most behind it.
fn summary(mut values: Vec<f64>, unit: &str) -> String {
    values.sort_unstable_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else { return "-".into() };
    let median = values[values.len() / 2];
    let places = if median < 10.0 { 2 } else { 0 };
    format!("{median:.places$} {unit} [{least:.places$}..{most:.places$}]")
}
