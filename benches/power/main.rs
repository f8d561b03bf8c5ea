//! lava-power beside pdudaemon, on the same simulated PDUs: `cargo bench --bench power`.
//!
//! Both are asked by pdudaemon's HTTP, by the same client. The PDUs are SNMP agents of this program, on
//! port 161 of loopback addresses, for pdudaemon knows no other port: root or CAP_NET_BIND_SERVICE is
//! needed. benches/README.md tells what the rows mean.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

mod load;
mod pdu;
mod peer;
#[allow(dead_code, reason = "a bench of its own needs more of it")]
#[path = "../peers/usage.rs"]
mod usage;

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

use load::Load;
use pdu::Pdus;
use peer::{Name, Peer};

/// Measures lava-power and pdudaemon in one run.
#[derive(Debug, Parser)]
#[command(name = "power")]
struct Args {
    /// The columns
    #[arg(long, value_delimiter = ',', default_value = "lava-power,pdudaemon")]
    peers: Vec<Name>,
    /// How often each figure is taken, with fresh processes each time
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// How many PDUs there are
    #[arg(long, default_value_t = 100)]
    pdus: usize,
    /// For how long operations are counted, in seconds
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// What cargo says
    #[arg(long, hide = true)]
    bench: bool,
}

/// How long a PDU takes to answer where its own time is told apart.
const PDUS_OWN: Duration = Duration::from_millis(20);

const ROWS: [&str; 10] = [
    "start with all PDUs, ms",
    "operations on one PDU, per second",
    "operations on all PDUs, one client each, per second",
    "one operation, p50, ms (the PDU answers after 20 ms)",
    "… added to the PDU's own time, ms",
    "one PDU of all is dead: operations on the others, per second",
    "… p50, ms",
    "… p99, ms",
    "… what its client was told, and after how long",
    "memory (PSS) after that, MiB",
];

fn main() -> Result<()> {
    let args = Args::parse();
    let peers: Vec<Name> = args.peers.iter().copied().filter(|name| name.is_there()).collect();
    for name in args.peers.iter().filter(|name| !name.is_there()) {
        println!("{name} is not installed (tests/rig/pdudaemon does that), and left out.\n");
    }
    let mut figures = vec![vec![Vec::new(); peers.len()]; ROWS.len()];
    for run in 1..=args.runs {
        for (column, name) in peers.iter().enumerate() {
            eprintln!("run {run} of {}: {name}", args.runs);
            let measured = measure(*name, &args).with_context(|| name.to_string())?;
            for (row, figure) in measured.into_iter().enumerate() {
                figures[row][column].push(figure);
            }
        }
    }
    print!("| |");
    peers.iter().for_each(|name| print!(" {name} |"));
    println!("\n|---|{}", "---|".repeat(peers.len()));
    for (label, columns) in ROWS.iter().zip(figures) {
        print!("| {label} |");
        columns.into_iter().for_each(|figures| print!(" {} |", summary(figures)));
        println!();
    }
    Ok(())
}

/// A figure, or what is to be read instead.
#[derive(Debug, Clone)]
enum Figure {
    Number(f64),
    Words(String),
}

fn measure(name: Name, args: &Args) -> Result<Vec<Figure>> {
    let seconds = Duration::from_secs_f64(args.seconds);
    let all: Vec<usize> = (0..args.pdus).collect();
    let pdus = Pdus::start(args.pdus)?;
    let peer = Peer::start(name, &pdus)?;
    let started = peer.start;
    let one = Load::run(&peer, &all[..1], seconds)?;
    let many = Load::run(&peer, &all, seconds)?;

    pdus.answer_after(PDUS_OWN);
    pdus.forget();
    let slow = Load::run(&peer, &all[..1], seconds)?;
    // Of what the PDU itself took: one request, or as many as it was asked.
    let own = PDUS_OWN.as_secs_f64() * pdus.asked() as f64 / slow.operations().max(1) as f64;
    pdus.answer_after(Duration::ZERO);

    let (dead, others) = all.split_last().context("there is no PDU")?;
    pdus.kill(*dead);
    let (with_dead, told) = Load::beside(&peer, others, *dead, seconds)?;
    let memory = usage::pss(peer.pid());
    let ms = |seconds: f64| Figure::Number(seconds * 1000.0);
    Ok(vec![
        ms(started.as_secs_f64()),
        Figure::Number(one.rate()),
        Figure::Number(many.rate()),
        ms(slow.percentile(50)),
        ms(slow.percentile(50) - own),
        Figure::Number(with_dead.rate()),
        ms(with_dead.percentile(50)),
        ms(with_dead.percentile(99)),
        Figure::Words(told),
        Figure::Number(memory),
    ])
}

/// The median, and the least and the most.
fn summary(figures: Vec<Figure>) -> String {
    let mut numbers = Vec::new();
    for figure in figures {
        match figure {
            Figure::Number(number) => numbers.push(number),
            Figure::Words(words) => return words,
        }
    }
    numbers.sort_by(f64::total_cmp);
    match numbers[..] {
        [] => String::new(),
        [only] => format!("{only:.1}"),
        [least, .., most] => {
            format!("{:.1} [{least:.1}..{most:.1}]", numbers[numbers.len() / 2])
        }
    }
}
