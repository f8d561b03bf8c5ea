//! From the two files of a job to its pipeline.

use std::path::Path;
use std::sync::Arc;

use super::device::Device;
use super::job::Job;
use super::pipeline::Pipeline;
use crate::config::{At, Node, Problems};
use crate::model::Failure;

/// A job that was read and has a pipeline.
#[derive(Debug)]
pub struct Loaded {
    pub job: Arc<Job>,
    pub device: Arc<Device>,
    pub pipeline: Pipeline,
}

/// Reads a job definition and a device dictionary and builds the pipeline. Looks at nothing else.
///
/// # Errors
/// Everything that is wrong with both files, in one failure of kind `Config`.
pub fn load(job: &Path, device: &Path) -> Result<Loaded, Failure> {
    let problems = Problems::default();
    let job = read(job, &problems, Job::read);
    let device = read(device, &problems, Device::read);
    // A tree that is built from what was misread would only add to the noise.
    let (job, device) = problems.check(job.zip(device))?;
    let pipeline = Pipeline::build(&job, &device, &problems);
    let pipeline = problems.check(pipeline)?;
    Ok(Loaded { job: Arc::new(job), device: Arc::new(device), pipeline })
}

fn read<T>(
    path: &Path,
    problems: &Problems,
    read: impl FnOnce(&Node, &At<'_>) -> Option<T>,
) -> Option<T> {
    let file = path.display().to_string();
    let node = crate::yaml::read_file(path, problems)?;
    read(&node, &At::top(&file, problems))
}
