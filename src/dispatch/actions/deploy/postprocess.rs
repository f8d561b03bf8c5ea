//! `downloads`: files that later blocks fetch by `downloads://`, after a container has had them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::parts::{Actions, downloads, overlay};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::job::{Container, Deploy};
use crate::dispatch::validate::Checks;

/// The folder with the files, in the container.
pub(in crate::dispatch::actions) const FOLDER: &str = "/lava-downloads";
const SCRIPT: &str = "postprocess.sh";
const KVM: &str = "/dev/kvm";
/// How URLs begin that mean files of these.
pub(super) const SCHEME: &str = "downloads://";

/// `downloads`: the files come into one folder.
#[derive(Debug)]
pub(super) struct Downloads {
    /// What they are called in the job.
    names: Vec<String>,
}

impl Downloads {
    pub(super) fn new(deploy: &Deploy) -> Self {
        Self { names: names(deploy) }
    }
}

fn names(deploy: &Deploy) -> Vec<String> {
    deploy.artefacts.iter().map(|artefact| artefact.name.clone()).collect()
}

impl Action for Downloads {
    fn name(&self) -> &'static str {
        "downloads"
    }

    fn populate(&self, scene: &Scene<'_>) -> Actions {
        let mut steps = overlay(scene);
        steps.extend(downloads(scene));
        if let Some((container, script)) = scene.deploy().postprocess {
            steps.push(Box::new(Postprocess { names: self.names.clone(), container, script }));
        }
        steps
    }

    fn finish<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move { gather(&self.names, context).map(drop) })
    }
}

/// The folder of a namespace's downloads.
pub(in crate::dispatch::actions) fn folder(namespace: &str, context: &Context) -> PathBuf {
    context.scratch().join("downloads").join(namespace)
}

/// What the URL `downloads://PATH` means: a file of the namespace's downloads, or one that a container has made
/// there.
///
/// # Errors
/// When there is none.
pub(super) fn predownloaded(url: &str, context: &Context) -> Result<PathBuf, Error> {
    let path = url.strip_prefix(SCHEME).unwrap_or(url);
    let folder = folder(&context.now.namespace, context);
    // A link in it could lead to a file of this host.
    let real = folder.join(path).canonicalize().ok().zip(folder.canonicalize().ok());
    let file = real.filter(|(file, folder)| file.is_file() && file.starts_with(folder));
    let missing = || Error::Job(format!("{url}: the job has downloaded no such file before"));
    file.map(|(file, _)| file).ok_or_else(missing)
}

/// Moves these files that were downloaded into the namespace's folder, where it is not there yet.
fn gather(names: &[String], context: &mut Context) -> Result<PathBuf, Error> {
    let folder = folder(&context.now.namespace.clone(), context);
    let failed =
        |error: std::io::Error| Error::Infrastructure(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let files = context.shared().files.iter_mut();
    for (_, file) in files.filter(|(name, _)| names.contains(name)) {
        let place = folder.join(file.file_name().unwrap_or_default());
        if *file != place {
            std::fs::rename(&*file, &place).map_err(failed)?;
            *file = place;
        }
    }
    Ok(folder)
}

/// The job's commands, in a container that has the downloaded files in a folder.
#[derive(Debug)]
struct Postprocess {
    names: Vec<String>,
    container: Container,
    script: Vec<String>,
}

impl Action for Postprocess {
    fn name(&self) -> &'static str {
        "download-postprocess-docker"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("docker");
            if self.script.is_empty() {
                checks.fault("\"postprocess\" has no \"steps\"");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let folder = gather(&self.names, context)?;
            let failed = |error: std::io::Error| {
                Error::Infrastructure(format!("{}: {error}", folder.display()))
            };
            let script = folder.join(SCRIPT);
            std::fs::write(&script, self.text(context)).map_err(failed)?;
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&script, mode).map_err(failed)?;
            let name = host::helper_name(context);
            let words = words(&self.container, &name, &folder, Path::new(KVM).exists());
            host::run_named(name, &words, context).await.map(drop)
        })
    }
}

impl Postprocess {
    fn text(&self, context: &Context) -> String {
        let mut lines = vec!["#!/bin/sh".to_owned(), "exec 2>&1".into(), "set -ex".into()];
        let own = [
            ("LAVA_JOB_ID", context.settings.job_id.clone()),
            ("LAVA_DISPATCHER_IP", context.settings.dispatcher_ip.clone()),
        ];
        let job =
            context.job.environment.iter().map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in job.chain(own) {
            lines.push(format!("export {name}='{}'", value.replace('\'', r"'\''")));
        }
        lines.extend(self.script.iter().cloned());
        lines.join("\n") + "\n"
    }
}

/// The words that run the script in its container.
fn words(container: &Container, name: &str, folder: &Path, kvm: bool) -> Vec<String> {
    let pull = if container.local { "--pull=never" } else { "--pull=missing" };
    let mut words: Vec<String> =
        ["docker", "run", "--rm", "--init", pull].map(ToOwned::to_owned).into();
    words.push(format!("--name={name}"));
    words.extend(kvm.then(|| format!("--device={KVM}")));
    words.push(format!("--volume={}:{FOLDER}", folder.display()));
    words.push(format!("--workdir={FOLDER}"));
    words.extend(["--".to_owned(), container.image.clone(), format!("{FOLDER}/{SCRIPT}")]);
    words
}
