//! `lava-dispatcher render`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{At, Problems};
use crate::dispatch::device::Device;
use crate::dispatch::load::context;
use crate::dispatch::render::render;
use crate::model::Failure;

#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The device's template, LAVA's Jinja2.
    device: PathBuf,
    /// Folders with the templates of device types; looked through before the device's own folder and
    /// LAVA's.
    #[arg(long, value_name = "DIR")]
    templates: Vec<PathBuf>,
    /// The job whose `context` counts.
    #[arg(long, value_name = "FILE")]
    job: Option<PathBuf>,
    /// In a job for several boards: the role whose `context` counts before the job's.
    #[arg(long, value_name = "NAME", requires = "job")]
    role: Option<String>,
}

impl RenderArgs {
    /// # Errors
    /// What is wrong with a template or, after it is printed, with the dictionary.
    pub fn run(self) -> Result<(), Failure> {
        let problems = Problems::default();
        let job = self.job.as_ref().and_then(|job| crate::yaml::read_file(job, &problems));
        // A job that cannot be read gives no context, and the dictionary would be another one.
        problems.check(Some(()))?;
        let context = job.as_ref().and_then(|job| context(job, self.role.as_deref()));
        let rendered = render(&self.device, &self.templates, context.as_ref());
        let text = rendered.map_err(|problem| problems.add(problem)).ok();
        let text = problems.check(text)?;
        super::write_out(format!("{}\n", text.trim_end_matches('\n')).as_bytes())?;
        let file = format!("{} (rendered)", self.device.display());
        let at = At::top(&file, &problems);
        if let Some(node) = crate::yaml::parse(&text, &at) {
            Device::read(&node, &at);
        }
        problems.check(Some(()))
    }
}
