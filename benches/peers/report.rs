//! The figures, and the table of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::peer;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    FlatToOne,
    FlatToOneCpu,
    FlatToOneLost,
    FlatToTen,
    FlatToTenCpu,
    FlatToTenLost,
    EchoP50,
    EchoP99,
    LoadedEchoP50,
    LoadedEchoP99,
    LoadCpu,
    LoadLost,
    PssOf1,
    PssOf100,
    PssOf1000,
    PssOf1000Attached,
    StartOf1000,
    StallPause,
    StallGrowth,
    StallMissed,
}

impl Figure {
    fn label(self) -> &'static str {
        match self {
            Self::FlatToOne => "one console flat out to 1 client, MB/s",
            Self::FlatToOneCpu => "… daemon CPU, s per MB",
            Self::FlatToOneLost => "… lost, %",
            Self::FlatToTen => "one console flat out to 10 clients, MB/s each",
            Self::FlatToTenCpu => "… daemon CPU, s per MB of the console",
            Self::FlatToTenLost => "… lost, %",
            Self::EchoP50 => "echo idle, p50, µs",
            Self::EchoP99 => "… p99, µs",
            Self::LoadedEchoP50 => "echo with 100 consoles at 11.5 kB/s, p50, µs",
            Self::LoadedEchoP99 => "… p99, µs",
            Self::LoadCpu => "… daemon CPU, % of a core",
            Self::LoadLost => "… lost, %",
            Self::PssOf1 => "memory (PSS) with 1 console, MiB",
            Self::PssOf100 => "… 100 consoles, MiB",
            Self::PssOf1000 => "… 1,000 consoles, MiB",
            Self::PssOf1000Attached => "… 1,000 consoles and 1,000 clients, MiB",
            Self::StartOf1000 => "start with 1,000 consoles, s",
            Self::StallPause => "a client stops at 1 MB/s for 8 s: longest pause of the other, s",
            Self::StallGrowth => "… memory growth, MiB",
            Self::StallMissed => "… what it misses when it reads on, MB",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    figures: BTreeMap<Figure, BTreeMap<peer::Name, Vec<f64>>>,
    notes: BTreeSet<String>,
}

impl Report {
    pub(crate) fn add(&mut self, figure: Figure, peer: peer::Name, value: f64) {
        self.figures.entry(figure).or_default().entry(peer).or_default().push(value);
    }

    /// Something that the table cannot say.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.insert(note);
    }

    /// As Markdown, with a column for each of these peers.
    pub(crate) fn table(&self, peers: &[(peer::Name, String)]) -> String {
        let mut table = "| |".to_owned();
        for (_, heading) in peers {
            let _ = write!(table, " {heading} |");
        }
        table += &format!("\n|---|{}\n", "---|".repeat(peers.len()));
        for (figure, values) in &self.figures {
            let _ = write!(table, "| {} |", figure.label());
            for (name, _) in peers {
                let cell = values.get(name).map_or(String::new(), |values| cell(values));
                let _ = write!(table, " {cell} |");
            }
            table += "\n";
        }
        for note in &self.notes {
            let _ = write!(table, "\n* {note}");
        }
        table
    }
}

/// The median, and behind it the least and the most.
fn cell(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    };
    match sorted[..] {
        [least, .., most] => format!("{} [{}..{}]", short(median), short(least), short(most)),
        _ => short(median),
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let decimals = 2 - value.abs().log10().floor().max(-4.0) as i32;
    format!("{value:.*}", usize::try_from(decimals).unwrap_or(0))
}
