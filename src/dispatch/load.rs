//! From the two files of a job to its pipeline.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::device::Device;
use super::job::{Job, Role, none_of};
use super::masked::masked;
use super::multinode::Seat;
use super::pipeline::Pipeline;
use super::{names, render};
use crate::config::{At, Key, Node, Place, Problems, Value};
use crate::model::Failure;

/// A job that was read and has a pipeline.
#[derive(Debug)]
pub struct Loaded {
    pub job: Arc<Job>,
    pub device: Arc<Device>,
    pub pipeline: Pipeline,
    /// The board's place in the job's group, if it is one of several.
    pub seat: Option<Seat>,
    /// What was odd in the job while it was read.
    noted: Vec<String>,
    /// The two files as they were read, the device's rendered; without the job's secrets.
    pub texts: Texts,
}

/// The texts of a job's two files.
#[derive(Debug, Default)]
pub struct Texts {
    pub definition: String,
    pub device: String,
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

/// A board for a job: its dictionary, and its role in the group that the job is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardFile {
    pub role: Option<String>,
    pub device: PathBuf,
}

impl BoardFile {
    /// As `FILE` or `ROLE=FILE`.
    pub fn parse(text: &str) -> Self {
        let is_role = |role: &str| !role.is_empty() && !role.contains('/');
        match text.split_once('=').filter(|(role, _)| is_role(role) && !Path::new(text).exists()) {
            Some((role, file)) => Self { role: Some(role.to_owned()), device: file.into() },
            None => Self { role: None, device: text.into() },
        }
    }
}

/// Reads a job definition and a device dictionary and builds the pipeline. Looks at nothing else.
///
/// # Errors
/// Everything that is wrong with both files, in one failure of kind `Config`.
pub fn load(job: &Path, device: &Path) -> Result<Loaded, Failure> {
    load_as(job, &BoardFile { role: None, device: device.to_owned() }, &[])
}

/// The same for a board that may have a role, with folders for what a device that is a template extends.
///
/// # Errors
/// As [`load`], and when the role does not fit the job.
pub fn load_as(job: &Path, board: &BoardFile, templates: &[PathBuf]) -> Result<Loaded, Failure> {
    let problems = Problems::default();
    let job_file = job.display().to_string();
    let (definition, node) = crate::yaml::read_with_text(job, &problems).unwrap_or_default();
    let job = node.as_ref().and_then(|node| Job::read(node, &At::top(&job_file, &problems)));
    let role = job.as_ref().map_or(Ok(None), |job| role(job, board));
    let role = role.unwrap_or_else(|what| {
        At::top(&job_file, &problems).problem(Place::default(), what);
        None
    });
    let context = node.as_ref().and_then(|node| context(node, role.as_deref()));
    let device = render::read(&board.device, templates, context.as_ref(), &problems);
    let (device_file, text) = match &device {
        Some(device) => (device.file.clone(), device.text.clone()),
        None => Default::default(),
    };
    let device = device.and_then(|read| Device::read(&read.node, &At::top(&read.file, &problems)));
    // What a device lacks because its methods were misread would only add to the noise.
    let misread = problems.any(|problem| {
        let above = |methods: &str| !problem.path.is_empty() && methods.starts_with(&problem.path);
        let methods = ["actions.deploy.methods", "actions.boot.methods.u-boot"];
        problem.file == device_file && methods.into_iter().any(above)
    });
    let job = job.map(|job| match &role {
        Some(role) => job.for_role(role),
        None => job,
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
    let seat = role.and_then(|role| seat(&job, role, &device));
    let texts =
        Texts { device: masked(&text, &definition), definition: masked(&definition, &definition) };
    Ok(Loaded { job: Arc::new(job), device: Arc::new(device), pipeline, seat, noted, texts })
}

/// What the job says to the device's template; what it says of the role itself comes first.
pub fn context(job: &Node, role: Option<&str>) -> Option<Node> {
    let common = job.get("context");
    let own = role.and_then(|role| {
        job.get("protocols")?.get("lava-multinode")?.get("roles")?.get(role)?.get("context")
    });
    let (Some(own), Some(common)) = (own, common) else { return own.or(common).cloned() };
    let (Value::Map(own_entries), Value::Map(entries)) = (&own.value, &common.value) else {
        return Some(own.clone());
    };
    let others = entries.iter().filter(|(Key { name, .. }, _)| own.get(name).is_none());
    let all = own_entries.iter().chain(others).cloned().collect();
    Some(Node { value: Value::Map(all), ..own.clone() })
}

/// The role that the board plays in the job; none in a job for one board.
fn role(job: &Job, board: &BoardFile) -> Result<Option<String>, String> {
    let Some(group) = &job.multinode else {
        return match &board.role {
            None => Ok(None),
            Some(role) => Err(format!("the job is for one board, so there is no role {role:?}")),
        };
    };
    let known: Vec<&str> = group.roles.keys().map(String::as_str).collect();
    match board.role.as_ref().or(group.own_role.as_ref()) {
        None => Err(format!(
            "the job is for a group: say which board has which role, as in --device {}=FILE",
            known.first().unwrap_or(&"ROLE")
        )),
        Some(role) => match group.roles.get(role) {
            None => Err(none_of(role, &known)),
            Some(Role { connection: Some(kind), .. }) => Err(format!(
                "the role {role:?} is a {kind} connection to another board: these are not run yet"
            )),
            Some(_) => Ok(Some(role.clone())),
        },
    }
}

fn seat(job: &Job, name: String, device: &Device) -> Option<Seat> {
    let group = job.multinode.as_ref()?;
    let role = group.roles.get(&name)?;
    Some(Seat {
        name: device.hostname.clone(),
        role: name,
        size: group.size(),
        essential: role.essential,
        timeout: group.timeout,
        start_after: role.start_after.clone(),
        start_timeout: role.start_timeout,
    })
}

/// That the device is of another type than the job is for.
fn other_type(job: &Job, device: &Device) -> Option<String> {
    let (wanted, is) = job.device_type.as_ref().zip(device.device_type.as_ref())?;
    let file = &device.file;
    (wanted != is).then(|| format!("the job is for {wanted:?}, the device ({file}) is a {is:?}"))
}
