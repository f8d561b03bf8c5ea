//! From the two files of a job to its pipeline.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::device::Device;
use super::job::Job;
use super::names;
use super::pipeline::Pipeline;
use super::render;
use crate::config::{At, Problems};
use crate::model::Failure;

/// A job that was read and has a pipeline.
#[derive(Debug)]
pub struct Loaded {
    pub job: Arc<Job>,
    pub device: Arc<Device>,
    pub pipeline: Pipeline,
    /// What was odd in the job while it was read.
    noted: Vec<String>,
}

impl Loaded {
    /// What is odd about the two files, though LAVA would take them.
    pub fn notes(&self) -> Vec<String> {
        let (job, device) = (&self.job, &self.device);
        let mut notes = self.noted.clone();
        if let (Some(wanted), Some(is)) = (&job.device_type, &device.device_type)
            && wanted != is
        {
            let (job, device) = (&job.file, &device.file);
            notes.push(format!(
                "{job}: device_type: the job is for {wanted:?}, the device ({device}) is a {is:?}"
            ));
        }
        let named = job.timeouts.actions.keys().chain(job.timeouts.connections.keys());
        for name in named.filter(|name| !names::is_action(name)) {
            let what = "no action has this name, so the time limit has no effect";
            notes.push(format!("{}: timeouts: {name:?}: {what}", job.file));
        }
        notes
    }
}

/// Reads a job definition and a device dictionary and builds the pipeline. Looks at nothing else.
///
/// # Errors
/// Everything that is wrong with both files, in one failure of kind `Config`.
pub fn load(job: &Path, device: &Path) -> Result<Loaded, Failure> {
    load_with(job, device, &[])
}

/// The same, with folders for what a device that is a template extends.
///
/// # Errors
/// Everything that is wrong with both files, in one failure of kind `Config`.
pub fn load_with(job: &Path, device: &Path, templates: &[PathBuf]) -> Result<Loaded, Failure> {
    let problems = Problems::default();
    let job_file = job.display().to_string();
    let node = crate::yaml::read_file(job, &problems);
    let job = node.as_ref().and_then(|node| Job::read(node, &At::top(&job_file, &problems)));
    let device = render::read(device, templates, node.as_ref(), &problems);
    let device_file = device.as_ref().map(|(file, _)| file.clone()).unwrap_or_default();
    let device = device.and_then(|(file, node)| Device::read(&node, &At::top(&file, &problems)));
    // What a device lacks because its methods were misread would only add to the noise.
    let misread = problems.any(|problem| {
        let above = |methods: &str| !problem.path.is_empty() && methods.starts_with(&problem.path);
        let methods = ["actions.deploy.methods", "actions.boot.methods.u-boot"];
        problem.file == device_file && methods.into_iter().any(above)
    });
    let pipeline = match (&job, &device) {
        (Some(job), Some(device)) if !misread => Pipeline::build(job, device, &problems),
        _ => None,
    };
    let ((job, device), pipeline) = problems.check(job.zip(device).zip(pipeline))?;
    let noted = problems.notes(&job_file);
    Ok(Loaded { job: Arc::new(job), device: Arc::new(device), pipeline, noted })
}
