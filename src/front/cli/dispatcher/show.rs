//! `lava-dispatcher show`.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::reports;
use crate::dispatch::execute::LOG;
use crate::dispatch::record::{self, Entry, Filter, Origin, Report};
use crate::dispatch::results::{CaseResult, LAVA};
use crate::front::cli::point::point;
use crate::model::{Failure, Kind, Name, units};
use crate::wire::pattern::Pattern;
use crate::wire::plain::plain;

/// LAVA's levels.
const LEVELS: [&str; 10] = [
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "input",
    "target",
    "feedback",
    "results",
    "event",
];

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The job's output folder.
    dir: PathBuf,
    #[arg(long, value_enum, default_value_t = Form::Log)]
    format: Form,
    /// Of the log: only these levels, as target,input.
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', value_parser = LEVELS)]
    level: Vec<String>,
    /// Only what these actions did, with the ones inside them; by name, or by level as 2.4.1.
    #[arg(long, value_name = "ACTION", value_delimiter = ',')]
    action: Vec<String>,
    /// Only what these said.
    #[arg(long, value_enum, value_delimiter = ',')]
    source: Vec<Source>,
    /// Only lines that match a regular expression.
    #[arg(long, value_name = "RE")]
    grep: Option<String>,
    /// With --grep: ignore case.
    #[arg(long, short, requires = "grep")]
    ignore_case: bool,
    /// Only from then on: +90s after the job's begin, a time, or an age.
    #[arg(long, value_name = "POINT")]
    since: Option<String>,
    /// Only before then.
    #[arg(long, value_name = "POINT")]
    until: Option<String>,
    /// Only these lines, as 120-140 or 120-, counted from 0 as results count them (starttc, endtc).
    #[arg(long, value_name = "FROM-TO", value_parser = lines)]
    lines: Option<(u64, u64)>,
    /// Show the number of each line; in JSON lines it is "line".
    #[arg(long, short)]
    numbers: bool,
    /// Write LAVA's output.yaml and output.idx into a folder instead.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

/// What is shown, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The log for people: seconds since the job's begin, level, text.
    Log,
    /// The log as it is, a JSON object per line.
    Jsonl,
    /// The log as LAVA's output.yaml.
    Lava,
    /// The results as JUnit XML.
    Junit,
    /// The results as TAP 13.
    Tap,
    /// The results as JSON, by suite.
    Json,
    /// The results as a YAML list.
    Yaml,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    /// What the board said.
    Target,
    /// What was typed.
    Input,
    Dispatcher,
}

impl ShowArgs {
    /// # Errors
    /// [`Kind::User`] for options that cannot be; why the log cannot be read.
    pub fn run(self) -> Result<(), Failure> {
        let report = || Report::read(&self.dir);
        if let Some(into) = &self.export {
            return match self.has_filter() {
                false => record::export(&self.dir, into),
                true => Err(Failure::new(Kind::User, "--export writes the whole log: no filters")),
            };
        }
        let text = match self.format {
            Form::Log | Form::Jsonl | Form::Lava => return self.log(),
            _ if self.has_filter() => {
                let what = "filters are for the log: --format log, jsonl or lava";
                return Err(Failure::new(Kind::User, what));
            }
            Form::Junit => record::junit(&report()?),
            Form::Tap => record::tap(&report()?),
            Form::Json => reports::json(&report()?)?,
            Form::Yaml => {
                record::results_yaml(&report()?).map_err(|error| Failure::new(Kind::Bug, error))?
            }
        };
        super::write_out(text.as_bytes())
    }

    fn has_filter(&self) -> bool {
        let several = [self.level.is_empty(), self.action.is_empty(), self.source.is_empty()];
        let single = [self.grep.is_none(), self.since.is_none(), self.until.is_none()];
        several.into_iter().chain(single).any(|none| !none) || self.lines.is_some()
    }

    fn log(&self) -> Result<(), Failure> {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let log = self.dir.join(LOG);
        let begin = record::begin(&log)?.unwrap_or(0);
        let filter = self.filter(begin)?;
        let (from, to) = self.lines.unwrap_or((0, u64::MAX));
        // Which actions are under way is known only to who has read from the begin.
        let start = if self.action.is_empty() { from } else { 0 };
        let mut actions = Seen::default();
        let read = record::read(&log, start, |entry| {
            if !self.action.is_empty() {
                actions.note(&entry);
            }
            if entry.index > to {
                return Ok(ControlFlow::Break(()));
            }
            if entry.index < from || !filter.wants(&entry) {
                return Ok(ControlFlow::Continue(()));
            }
            let text = match self.format {
                Form::Jsonl => json_line(&entry, self.numbers)?,
                Form::Lava => record::log_line(&entry),
                _ if self.numbers => format!("{:>7} {}", entry.index, line(&entry, begin)),
                _ => line(&entry, begin),
            };
            out.write_all(text.as_bytes()).map_err(|error| unwritable(&error))?;
            Ok(ControlFlow::Continue(()))
        });
        let flushed = read.and_then(|()| out.flush().map_err(|error| unwritable(&error)));
        // Of the lines behind the last one that was wanted nothing is known.
        let done = flushed.and_then(|()| match to {
            u64::MAX => actions.check(&self.action),
            _ => Ok(()),
        });
        match done {
            // Whoever read it has seen enough.
            Err(failure) if failure.kind == Kind::Interrupted => Ok(()),
            done => done,
        }
    }

    fn filter(&self, begin: u64) -> Result<Filter, Failure> {
        let at = |text: &Option<String>| text.as_ref().map(|text| time(text, begin)).transpose();
        let origin = |source: &Source| match source {
            Source::Target => Origin::Target,
            Source::Input => Origin::Input,
            Source::Dispatcher => Origin::Dispatcher,
        };
        let pattern = |text: &String| Pattern::new(text, self.ignore_case);
        let pattern = self.grep.as_ref().map(pattern).transpose();
        Ok(Filter {
            levels: self.level.clone(),
            actions: self.action.clone(),
            origins: self.source.iter().map(origin).collect(),
            pattern: pattern.map_err(|error| Failure::new(Kind::User, error.to_string()))?,
            since: at(&self.since)?,
            until: at(&self.until)?,
        })
    }
}

/// What lines of a log can be asked for by: its actions by level, and their results.
#[derive(Default)]
struct Seen(BTreeMap<String, String>);

impl Seen {
    fn note(&mut self, entry: &Entry) {
        for (level, name) in entry.actions.iter() {
            if !self.0.contains_key(level) {
                self.0.insert(level.clone(), name.clone());
            }
        }
        // "job" and the runs of definitions have results as actions have, and no lines of their own.
        let of = |key: &str| entry.msg.get(key).and_then(|value| value.as_str());
        if let Some(case) = of("case").filter(|_| of("definition") == Some(LAVA)) {
            self.0.insert(case.to_owned(), case.to_owned());
        }
    }

    /// # Errors
    /// [`Kind::User`] for the first of the wanted that the log has not.
    fn check(&self, wanted: &[String]) -> Result<(), Failure> {
        let known = || self.0.iter().flat_map(|(level, name)| [level.as_str(), name.as_str()]);
        let Some(unknown) = wanted.iter().find(|wanted| known().all(|known| known != *wanted))
        else {
            return Ok(());
        };
        let names = || self.0.values().map(String::as_str);
        let begun = names().find(|name| name.starts_with(unknown.as_str()));
        let near = begun.or_else(|| Name::nearest(unknown, names()));
        let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        Err(Failure::new(Kind::User, format!("the job had no action {unknown:?}{near}")))
    }
}

/// `120-140`, `120-`, or `120` alone.
fn lines(text: &str) -> Result<(u64, u64), String> {
    let wrong = || "expected lines such as 120-140, 120-, or 120".to_owned();
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let (from, to) = match text.split_once('-') {
        None => (number(text)?, number(text)?),
        Some((from, "")) => (number(from)?, u64::MAX),
        Some((from, to)) => (number(from)?, number(to)?),
    };
    if from <= to { Ok((from, to)) } else { Err(wrong()) }
}

/// A point in microseconds since the epoch.
fn time(text: &str, begin: u64) -> Result<u64, Failure> {
    let wrong = |error: String| Failure::new(Kind::User, error);
    if let Some(after) = text.strip_prefix('+') {
        let after = units::duration(after).map_err(wrong)?;
        return Ok(begin.saturating_add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX)));
    }
    let point = point(text).map_err(wrong)?;
    let what = || wrong(format!("{text:?}: expected +90s, a time, or an age such as 10m"));
    point.time_us(units::now_us()).ok_or_else(what)
}

fn unwritable(error: &std::io::Error) -> Failure {
    let gone = error.kind() == std::io::ErrorKind::BrokenPipe;
    Failure::from_error(if gone { Kind::Interrupted } else { Kind::Infra }, error)
}

fn json_line(entry: &Entry, number: bool) -> Result<String, Failure> {
    let json = match number {
        true => serde_json::to_value(entry).and_then(|mut value| {
            value["line"] = entry.index.into();
            serde_json::to_string(&value)
        }),
        false => serde_json::to_string(entry),
    };
    Ok(json.map_err(|error| Failure::from_error(Kind::Bug, &error))? + "\n")
}

/// A line of a log for people, with how long after the job's begin it was.
pub fn line(entry: &Entry, begin: u64) -> String {
    let seconds = entry.time_us().unwrap_or(begin).saturating_sub(begin) as f64 / 1e6;
    let text = match entry.lvl.as_str() {
        "results" => serde_json::from_value(entry.msg.clone())
            .map_or_else(|_| entry.text(), |case: CaseResult| case.to_string()),
        _ => entry.text(),
    };
    // Of several consoles it is said whose line it is.
    let of = entry.ns.as_ref().map(|name| format!("[{}] ", plain(name.as_bytes())));
    let (level, of) = (plain(entry.lvl.as_bytes()), of.unwrap_or_default());
    format!("{seconds:>9.3} {level:<8} {of}{}\n", shown(&text))
}

/// A text without what a terminal would act on; of several lines the later ones stand below the first.
fn shown(text: &str) -> String {
    let lines = text.trim_matches('\r').lines().map(|line| plain(line.as_bytes()));
    lines.collect::<Vec<_>>().join("\n                    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_log_moves_the_terminal() {
        let text = "\u{1b}[1;31mred\u{1b}[0m\r\u{7}\tx\u{9b}2J\r";
        assert_eq!(shown(text), "red^M^G\tx\u{fffd}2J");
        assert_eq!(shown("why:\n  because"), "why:\n                      because");
    }

    #[test]
    fn lines_are_one_or_a_range() {
        assert_eq!(lines("120-140"), Ok((120, 140)));
        assert_eq!(lines("120-"), Ok((120, u64::MAX)));
        assert_eq!(lines("7"), Ok((7, 7)));
        assert!(lines("9-8").is_err() && lines("-9").is_err() && lines("").is_err());
    }
}
