//! `lava-test-services`: docker compose starts what the tests need beside the board, on this host. It goes on until
//! the job asks for its end (`command: {name: stop_test_services}`) or ends itself.

use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::deploy::{DownloadRetry, Repository, clone_repository, run_on};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::job::{Artefact, Service, Source};
use crate::dispatch::undo::Undo;
use crate::dispatch::validate::Checks;
use crate::image::{tree, unpack};

/// What is in the name of each project of docker compose's that is one of a job's.
const PROJECT: &str = "-test-service-";

/// All services of a block.
#[derive(Debug)]
pub struct Services(pub Vec<Service>);

/// One of them, tried as often as the job says.
#[derive(Debug)]
struct Retry(Service);

#[derive(Debug)]
struct Start(Service);

impl Action for Services {
    fn name(&self) -> &'static str {
        "lava-test-services"
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        self.0.iter().map(|service| Box::new(Retry(service.clone())) as _).collect()
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !checks.device.allows_services {
                let file = checks.device.file.clone();
                checks.fault(format!(
                    "the device ({file}) does not let jobs start containers of their own on this host \
                     (\"parameters: allow_test_services: true\")"
                ));
            }
        })
    }
}

impl Action for Retry {
    fn name(&self) -> &'static str {
        "lava-test-service-retry"
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![Box::new(Start(self.0.clone()))]
    }
}

impl Action for Start {
    fn name(&self) -> &'static str {
        "lava-test-service"
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        match &self.0.source {
            Source::Url { repository, .. } => {
                vec![Box::new(DownloadRetry::new(Artefact::plain(&self.artefact(), repository)))]
            }
            _ => Vec::new(),
        }
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("docker");
            checks.program(if matches!(self.0.source, Source::Git { .. }) { "git" } else { "tar" });
        })
    }

    fn finish<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if !context.device.allows_services {
                return Err(Error::Configuration("the device does not allow services".into()));
            }
            let folder = context.scratch().join(self.artefact());
            self.fetch(&folder, context).await?;
            let Service { name, path, only, .. } = &self.0;
            let file: Option<PathBuf> = tree::inside(&folder, path).filter(|file| file.is_file());
            let missing = || Error::Job(format!("{name}: there is no file {path:?} in it"));
            let file = file.ok_or_else(missing)?.display().to_string();
            // docker compose wants no dots in it.
            let level = context.now.level.replace('.', "-");
            let project = format!("lava-{}-{level}{PROJECT}{name}", context.settings.job_id);
            let base = ["docker", "compose", "--project-name", &project, "--file", &file];
            let base = base.map(ToOwned::to_owned).to_vec();
            let words = |rest: &[&str]| -> Vec<String> {
                base.iter().cloned().chain(rest.iter().map(|word| (*word).to_owned())).collect()
            };
            context.leavings.undo_by(Undo::Program(words(&["down"]))).await;
            let mut up = words(&["up", "--detach"]);
            up.extend(only.clone());
            host::run(&up, context).await.map(drop)
        })
    }
}

impl Start {
    /// What its download and its folder are called.
    fn artefact(&self) -> String {
        format!("service-{}", self.0.name)
    }

    /// Gets what it is made of into a folder.
    async fn fetch(&self, folder: &Path, context: &mut Context) -> Result<(), Error> {
        match &self.0.source {
            Source::Git { repository, branch, revision, recursive, shallow, .. } => {
                let wanted = Repository {
                    branch: branch.as_deref(),
                    revision: revision.as_deref(),
                    recursive: *recursive,
                    shallow: shallow.unwrap_or(true),
                };
                let files = context.settings.files.clone();
                let cloned = clone_repository(repository, wanted, folder, &files).await;
                cloned.map_err(Error::Infrastructure)
            }
            _ => {
                let missing = || Error::Bug("the archive was not downloaded".into());
                let archive =
                    context.shared().files.remove(&self.artefact()).ok_or_else(missing)?;
                let failed =
                    |error| Error::Infrastructure(format!("{}: {error}", folder.display()));
                std::fs::create_dir_all(folder).map_err(failed)?;
                let mut tar = unpack::unpacker("tar", &[&archive], folder);
                tar.args(["--extract", "--no-same-owner", "--file"]).arg(&archive);
                tar.arg("--directory").arg(folder);
                run_on(tar, &archive).await
            }
        }
    }
}

/// Ends the services that the job has started, each of them, the last first. One that cannot be ended is tried again at
/// the job's end.
pub(in crate::dispatch::actions) async fn stop_services(
    context: &mut Context,
) -> Result<(), Error> {
    let service = |undo: &Undo| match undo {
        Undo::Program(words) if words.iter().any(|word| word.contains(PROJECT)) => {
            Some(words.clone())
        }
        _ => None,
    };
    let services: Vec<_> = context.leavings.undo.iter().filter_map(service).rev().collect();
    let mut failed = None;
    for service in services {
        // For as long as the action has: services may be slow to end.
        let done = host::run(&service, context).await;
        match done {
            Ok(_) => context.leavings.undo.retain(|undo| *undo != Undo::Program(service.clone())),
            Err(error) => {
                context.log.error(error.to_string());
                failed = failed.or(Some(error));
            }
        }
    }
    failed.map_or(Ok(()), Err)
}
