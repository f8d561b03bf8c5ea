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
        if let Some(other) = other_type(job, device) {
            notes.push(format!("{}: device_type: {other}", job.file));
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
    let other = job.as_ref().zip(device.as_ref()).and_then(|(job, device)| other_type(job, device));
    let checked = problems.check(job.zip(device).zip(pipeline));
    let ((job, device), pipeline) = checked.map_err(|failure| match other {
        Some(other) => failure.hint(other),
        None => failure,
    })?;
    let noted = problems.notes(&job_file);
    Ok(Loaded { job: Arc::new(job), device: Arc::new(device), pipeline, noted })
}

/// That the device is of another type than the job is for.
fn other_type(job: &Job, device: &Device) -> Option<String> {
    let (wanted, is) = job.device_type.as_ref().zip(device.device_type.as_ref())?;
    let file = &device.file;
    (wanted != is).then(|| format!("the job is for {wanted:?}, the device ({file}) is a {is:?}"))
}
