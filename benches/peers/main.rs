//! lava-serial beside conserver, ser2net and ConMan: `cargo bench --bench peers`.
//!
//! Prints a table; benches/README.md tells what the rows mean and how to choose among them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod client;
#[path = "../common/mod.rs"]
mod common;
mod farm;
mod peer;
mod record;
mod report;
mod row;
mod self_check;
mod usage;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use report::Report;
use row::{Measured, Row};

/// Measures lava-serial and other console servers in one run, on boards that are ptys.
#[derive(Debug, Parser)]
#[command(name = "peers")]
struct Args {
    /// The columns
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "bare,lava-serial,conserver,ser2net,conman"
    )]
    peers: Vec<peer::Name>,
    /// The rows; all of them when left out
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Row>,
    /// How often each figure is taken, with fresh processes each time
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Is the farm of so many boards: what this program starts itself as
    #[arg(long, hide = true)]
    farm: Option<usize>,
    /// What cargo says
    #[arg(long, hide = true)]
    bench: bool,
}

/// A console server holds a descriptor for each console and each client, and the farm two.
const DESCRIPTORS: u64 = 4_096;

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(boards) = args.farm {
        return farm::serve(boards);
    }
    raise_limit()?;
    self_check::finds_what_is_wrong().context("the bench itself is wrong")?;
    let mut peers = Vec::new();
    for name in args.peers {
        match name.peer().heading() {
            Some(heading) => peers.push((name, heading)),
            None => println!("{name:?} is not installed, and left out.\n"),
        }
    }
    let rows = if args.rows.is_empty() { Row::value_variants().to_vec() } else { args.rows };
    let mut report = Report::default();
    // A machine that grows slower does so for all of them.
    for run in 1..=args.runs {
        for row in &rows {
            for (name, heading) in &peers {
                eprintln!("run {run} of {}: {row:?}, {heading}", args.runs);
                let peer = name.peer();
                let report = &mut report;
                let mut on = Measured { name: *name, heading, peer: &*peer, report };
                if let Err(error) = row.measure(&mut on) {
                    eprintln!("{error:#}");
                    report.note(format!("{heading}, {row:?}: failed: {error:#}"));
                }
            }
        }
    }
    println!("{}", report.table(&peers));
    Ok(())
}

fn raise_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let enough = maximum.is_none_or(|maximum| maximum >= DESCRIPTORS);
    ensure!(enough, "{DESCRIPTORS} open files are needed (ulimit -Hn)");
    let current = Some(maximum.map_or(DESCRIPTORS, |maximum| maximum.min(65_536)));
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}
