//! Checking a pipeline before anything is run: files, URLs, programs, regular expressions.

use std::collections::BTreeSet;
use std::path::Path;

use super::context::Settings;
use super::device::Device;
use super::expect::Patterns;
use super::pipeline::Pipeline;
use crate::image::Fetch;
use crate::model::{Failure, Kind};

/// Collects what is wrong, all of it.
#[derive(Debug)]
pub struct Checks {
    pub device: Device,
    pub settings: Settings,
    fetch: Fetch,
    step: String,
    faults: Vec<String>,
    programs: BTreeSet<String>,
}

impl Checks {
    /// Notes something that is wrong with the action that is being checked.
    pub fn fault(&mut self, message: impl AsRef<str>) {
        let fault = format!("{}: {}", self.step, message.as_ref());
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// A program must be on this host.
    pub fn program(&mut self, name: &str) {
        if self.programs.insert(name.to_owned()) && find_program(name).is_none() {
            self.fault(format!("the program {name:?} is not on this host"));
        }
    }

    /// A text must be a regular expression.
    pub fn pattern(&mut self, what: &str, pattern: &str) {
        if let Err(error) = Patterns::new([pattern]) {
            self.fault(format!("{what}: {error}"));
        }
    }

    /// There must be something at a URL.
    pub async fn url(&mut self, url: &str) {
        if let Err(error) = self.fetch.probe(url).await {
            self.fault(error.to_string());
        }
    }
}

/// Checks every action.
///
/// # Errors
/// [`Kind::Config`] with all that is wrong, one line each.
pub async fn validate(
    pipeline: &Pipeline,
    device: &Device,
    settings: &Settings,
) -> Result<(), Failure> {
    let fetch = Fetch::new().map_err(|error| Failure::new(Kind::Infra, error.to_string()))?;
    let mut checks = Checks {
        device: device.clone(),
        settings: settings.clone(),
        fetch,
        step: String::new(),
        faults: Vec::new(),
        programs: BTreeSet::new(),
    };
    for step in pipeline.all().flat_map(super::pipeline::Step::walk) {
        checks.step = format!("{} {}", step.level, step.action.name());
        step.action.validate(&mut checks).await;
    }
    match checks.faults.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Kind::Config, checks.faults.join("\n"))),
    }
}

/// The path of a program, as the system would find it.
pub fn find_program(name: &str) -> Option<std::path::PathBuf> {
    if name.contains('/') {
        return Some(name.into()).filter(|path: &std::path::PathBuf| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| Path::is_file(file))
}
