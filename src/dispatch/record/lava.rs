//! The log and the results in LAVA's own forms, for programs that read LAVA's `output.yaml`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Entry, Report, entry};
use crate::dispatch::{execute, index};
use crate::model::{Failure, Kind};

/// The keys of a result that LAVA has too, in its order.
const KEYS: &[&str] = &[
    "case",
    "definition",
    "result",
    "level",
    "duration",
    "namespace",
    "set",
    "measurement",
    "units",
    "starttc",
    "endtc",
    "reference",
    "uuid",
    "repository",
    "path",
    "revision",
    "commit_id",
    "error_type",
    "error_msg",
    "extra",
];

const ESC: char = '\u{1b}';

/// LAVA's names for its log and the index of that.
const LOG: &str = "output.yaml";
const INDEX: &str = "output.idx";

/// Writes the log of a job as LAVA keeps it, with its index, into a folder.
///
/// # Errors
/// As [`entry::read`]; [`Kind::Infra`] when the files cannot be written.
pub fn export(job: &Path, into: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::new(Kind::Infra, format!("cannot write to {}: {error}", into.display()))
    };
    std::fs::create_dir_all(into).map_err(failed)?;
    let mut log = BufWriter::new(File::create(into.join(LOG)).map_err(failed)?);
    let mut index = index::Writer::create(&into.join(INDEX)).map_err(failed)?;
    entry::read(&job.join(execute::LOG), 0, |entry| {
        let line = log_line(&entry);
        index.add(line.len());
        log.write_all(line.as_bytes()).map_err(failed)?;
        Ok(ControlFlow::Continue(()))
    })?;
    log.flush().map_err(failed)
}

/// A line of LAVA's log: an item of a YAML list that is a map on one line.
pub fn log_line(entry: &Entry) -> String {
    let mut line = String::from("- {\"dt\": ");
    scalar(&json!(time(&entry.dt)), &mut line);
    line.push_str(", \"lvl\": ");
    scalar(&json!(entry.lvl), &mut line);
    line.push_str(", \"msg\": ");
    match (&entry.msg, entry.lvl.as_str()) {
        (Value::Object(map), "results") => flow(&Value::Object(result(map)), &mut line),
        // Of what a board says LAVA leaves out the escape characters.
        (Value::String(text), "target" | "feedback") if text.contains(ESC) => {
            flow(&json!(text.replace(ESC, "")), &mut line);
        }
        (msg, _) => flow(msg, &mut line),
    }
    if let Some(namespace) = &entry.ns {
        line.push_str(", \"ns\": ");
        scalar(&json!(namespace), &mut line);
    }
    line.push_str("}\n");
    line
}

/// All results as a YAML list of LAVA's results.
///
/// # Errors
/// Never in fact: only for values that YAML cannot hold.
pub fn results_yaml(report: &Report) -> Result<String, String> {
    let cases = report.suites.iter().flat_map(|suite| &suite.cases).map(|timed| &timed.case);
    crate::yaml::to_string(&cases.collect::<Vec<_>>())
}

/// As Python's `isoformat`, in UTC without saying so: `2026-11-21T10:30:00.123000`.
fn time(rfc3339: &str) -> String {
    let time = rfc3339.trim_end_matches('Z');
    match time.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{fraction:0<6}"),
        None => time.to_owned(),
    }
}

fn result(ours: &Map<String, Value>) -> Map<String, Value> {
    let is_job = ours.get("case") == Some(&json!("job")) && ours.get("level").is_none();
    let mut map = Map::new();
    for key in KEYS {
        match (*key, ours.get(*key)) {
            (_, None | Some(Value::Null)) => {}
            // LAVA has no more to say of the whole job.
            ("duration" | "extra", Some(_)) if is_job => {}
            ("duration", Some(seconds)) => {
                let seconds = seconds.as_f64().unwrap_or_default();
                map.insert((*key).to_owned(), json!(format!("{seconds:.2}")));
            }
            (_, Some(value)) => {
                map.insert((*key).to_owned(), value.clone());
            }
        }
    }
    map
}

/// JSON with blanks behind `,` and `:`, which every YAML parser takes.
fn flow(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                text.push_str(if i == 0 { "" } else { ", " });
                flow(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (i, (key, value)) in map.iter().enumerate() {
                text.push_str(if i == 0 { "" } else { ", " });
                scalar(&json!(key), text);
                text.push_str(": ");
                flow(value, text);
            }
            text.push('}');
        }
        other => scalar(other, text),
    }
}

/// A text in double quotes, with what YAML does not allow as it is escaped; or a number.
fn scalar(value: &Value, text: &mut String) {
    for c in value.to_string().chars() {
        match c {
            // Writing to a String cannot fail.
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
}
