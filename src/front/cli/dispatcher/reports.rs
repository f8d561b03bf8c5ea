//! The files that `run` writes its results to for other programs.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::dispatch::record::{Report, junit, tap};
use crate::model::{Failure, Kind};

#[derive(Debug, Clone, Default, Args)]
pub(super) struct ReportArgs {
    /// Write the results as JUnit XML too, also when the job fails. Each of several boards has a file of its
    /// own: results.xml is results-NAME.xml then.
    #[arg(long, value_name = "FILE", value_parser = writable)]
    junit: Option<PathBuf>,
    /// Write the results as TAP 13 too.
    #[arg(long, value_name = "FILE", value_parser = writable)]
    tap: Option<PathBuf>,
    /// Write the results as JSON too.
    #[arg(long, value_name = "FILE", value_parser = writable)]
    json: Option<PathBuf>,
}

impl ReportArgs {
    /// The same for a board of several: its name comes into those of the files.
    pub(super) fn of(&self, board: &str) -> Self {
        let own = |file: &Option<PathBuf>| file.as_ref().map(|file| named(file, board));
        Self { junit: own(&self.junit), tap: own(&self.tap), json: own(&self.json) }
    }

    /// Writes what was asked for, from the log in the job's output folder.
    ///
    /// # Errors
    /// [`Kind::Infra`] when a file cannot be written.
    pub(super) fn write(&self, output: &Path) -> Result<(), Failure> {
        if self.junit.is_none() && self.tap.is_none() && self.json.is_none() {
            return Ok(());
        }
        let report = Report::read(output)?;
        let files = [
            (&self.junit, junit(&report)),
            (&self.tap, tap(&report)),
            (&self.json, json(&report)?),
        ];
        for (file, text) in files {
            let Some(file) = file else { continue };
            std::fs::write(file, text).map_err(|error| {
                Failure::new(Kind::Infra, format!("cannot write {}: {error}", file.display()))
            })?;
        }
        Ok(())
    }
}

fn named(file: &Path, board: &str) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{board}"));
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

/// A file in a folder that is there: known before the job takes its time.
fn writable(file: &str) -> Result<PathBuf, String> {
    let file = PathBuf::from(file);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(format!("there is no folder {}", folder.display())),
        None => Ok(file),
    }
}

pub(super) fn json(report: &Report) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(report);
    Ok(json.map_err(|error| Failure::from_error(Kind::Bug, &error))? + "\n")
}
