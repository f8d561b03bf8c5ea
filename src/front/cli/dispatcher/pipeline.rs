//! `lava-dispatcher pipeline`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::Format;
use crate::dispatch::load::{BoardFile, load_as};
use crate::dispatch::pipeline::Description;
use crate::model::{Failure, Kind};
use crate::wire::json_text::escaped;

#[derive(Debug, Args)]
pub struct PipelineArgs {
    /// The job definition, LAVA v2 YAML.
    job: PathBuf,
    /// The device dictionary: YAML, or a Jinja2 template (*.jinja2), rendered with the job's context; in a job
    /// for several boards with the board's role, as in --device client=a.yaml.
    #[arg(long, value_name = "[ROLE=]FILE")]
    device: String,
    /// Folders with the templates of device types; looked through before the device's own folder and
    /// LAVA's.
    #[arg(long, value_name = "DIR")]
    templates: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Tree)]
    format: Format,
}

impl PipelineArgs {
    /// # Errors
    /// All that is wrong with the two files.
    pub fn run(self) -> Result<(), Failure> {
        let loaded = load_as(&self.job, &BoardFile::parse(&self.device), &self.templates)?;
        super::tell(&loaded.notes());
        print(&loaded.pipeline.describe(), self.format)
    }
}

/// Writes a pipeline to standard output.
pub(super) fn print(pipeline: &[Description], format: Format) -> Result<(), Failure> {
    let bug = |error: String| Failure::new(Kind::Bug, error);
    let text = match format {
        Format::Tree => tree(pipeline),
        Format::Yaml => crate::yaml::to_string(&pipeline).map_err(bug)?,
        Format::Json => {
            let json = serde_json::to_string_pretty(pipeline);
            escaped(&json.map_err(|error| bug(error.to_string()))?) + "\n"
        }
    };
    super::write_out(text.as_bytes())
}

fn tree(pipeline: &[Description]) -> String {
    let mut text = String::new();
    for step in pipeline {
        branch(step, 0, &mut text);
    }
    text
}

fn branch(step: &Description, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let name = format!("{indent}{} {}", step.level, step.name);
    let tries =
        if step.max_retries > 1 { format!(" x{}", step.max_retries) } else { String::new() };
    let url = step.url.as_deref().unwrap_or_default();
    let line = format!("{name:<48} {:>5} s{tries} {url}", step.timeout);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", line.trim_end());
    for inner in &step.pipeline {
        branch(inner, depth + 1, text);
    }
}
