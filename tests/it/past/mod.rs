//! What consoles said long ago: found again in megabytes, printed, followed.

mod keep;
mod log;
mod search;

use std::fs;

use lavamux::capture::Writer;
use lavamux::config::CaptureOptions;
use lavamux::model::Name;

use crate::common::{Daemon, TestLab};

/// The time of the first byte that is recorded, in microseconds since the epoch.
const BEGIN_US: u64 = 1_700_000_000_000_000;

/// A console's record of long ago, made before any daemon runs: `lines` come a millisecond apart.
fn record<'a>(lab: &TestLab, console: &str, lines: impl IntoIterator<Item = &'a [u8]>) {
    let options = CaptureOptions { segment: 3 << 20, ..CaptureOptions::new(lab.path("capture")) };
    let mut writer = Writer::open(&console.parse::<Name>().unwrap(), options).unwrap();
    for (at, line) in lines.into_iter().enumerate() {
        writer.append(BEGIN_US + at as u64 * 1000, line);
    }
}

/// A daemon with these consoles, whose boards say back what is typed.
fn serial(lab: &TestLab, names: &[&str]) -> Daemon {
    let mut config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[capture]\ndir = {:?}\nsegment = \"3MiB\"\n",
        lab.path("capture")
    );
    for name in names {
        config.push_str(&format!("[[console]]\nname = \"{name}\"\nport = \"exec:cat\"\n"));
    }
    lab.start("lava-serial", ["--config", &lab.write("serial.toml", &config)])
}

/// The files of a console's record that end so.
fn files(lab: &TestLab, console: &str, suffix: &str) -> Vec<String> {
    let names = fs::read_dir(lab.path("capture").join(console)).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(suffix)).collect()
}
