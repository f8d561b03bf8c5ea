//! `test-overlay`, `test-install-overlay`, `test-runscript-overlay`: the files of one definition.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::git_repo;
use super::test_definition::Planned;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Definition, Source};
use crate::dispatch::overlay::{Repository, TestRun, install_script, run_script, subtree};

/// Adds the files of the definition's repository.
#[derive(Debug)]
pub(super) struct TestOverlay(pub Planned);

/// Adds `install.sh`, where there is something to install.
#[derive(Debug)]
pub(super) struct TestInstallOverlay(pub Planned);

/// Adds `run.sh`.
#[derive(Debug)]
pub(super) struct TestRunscriptOverlay(pub Planned);

impl Action for TestOverlay {
    fn name(&self) -> &'static str {
        "test-overlay"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let test = test(&self.0, context)?;
            let folder = test.folder(&context.lava_dir());
            let definition = &self.0.definition;
            let skips = |what: &str| definition.skip_install.iter().any(|skipped| skipped == what);
            let wanted = (!skips("all") && !skips("git-repos")).then_some(&test.file.repositories);
            for (i, repository) in wanted.into_iter().flatten().enumerate() {
                let values = test.file.parameters.clone().into_iter();
                let values = values.chain(definition.parameters.clone()).collect();
                let Repository { url, branch, destination } =
                    repository.filled(&values).map_err(Error::Test)?;
                let name = format!("git-repos-{}-{}-{i}", test.stage, test.run);
                let clone = context.scratch().join(name);
                let branch = branch.as_deref();
                let wanted = git_repo::Wanted { branch, shallow: true, ..Default::default() };
                git_repo::clone(&url, wanted, &clone, &context.settings.files)
                    .await
                    .map_err(Error::Infrastructure)?;
                let overlay = &mut context.shared().overlay;
                overlay
                    .add_folder(&format!("{folder}/{destination}"), &clone)
                    .map_err(|e| infra(&e))?;
            }
            let with_history = match definition.source {
                Source::Git { history, .. } => history,
                _ => None,
            };
            let overlay = &mut context.shared().overlay;
            if let Some(repository) = &test.repository {
                let path = &definition.path;
                let asks = with_history
                    .unwrap_or_else(|| subtree::asks_for_history(repository, path, &test.file));
                let needed = match asks {
                    true => vec![String::new()],
                    false => subtree::needed(repository, path, &test.file, &definition.parameters),
                };
                let git = repository.join(".git");
                // Git's own folder and no link: that could lead to anything on this host.
                if asks && git.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                    overlay.add_folder(&format!("{folder}/.git"), &git).map_err(|e| infra(&e))?;
                }
                for path in needed {
                    let on_board = match path.as_str() {
                        "" => folder.clone(),
                        path => format!("{folder}/{path}"),
                    };
                    overlay
                        .add_folder(&on_board, &repository.join(&path))
                        .map_err(|e| infra(&e))?;
                }
            }
            let written = written(definition, &test)?;
            // One in the job file is where the job says that it is, too.
            if matches!(definition.source, Source::Inline(_)) && is_plain(&definition.path) {
                let path = format!("{folder}/{}", definition.path);
                overlay.add(path, false, written.as_str()).map_err(|e| infra(&e))?;
            }
            let metadata = metadata(definition, &test)?;
            for (name, text) in
                [("testdef.yaml", written), ("testdef_metadata", metadata), ("uuid", test.uuid)]
            {
                overlay.add(format!("{folder}/{name}"), false, text).map_err(|e| infra(&e))?;
            }
            Ok(())
        })
    }
}

impl Action for TestInstallOverlay {
    fn name(&self) -> &'static str {
        "test-install-overlay"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let test = test(&self.0, context)?;
            let lava_dir = context.lava_dir();
            match install_script(&test, &self.0.definition, &lava_dir, self.0.os.as_deref()) {
                None => Ok(()),
                Some(script) => {
                    let path = format!("{}/install.sh", test.folder(&lava_dir));
                    context.shared().overlay.add(path, true, script).map_err(|e| infra(&e))
                }
            }
        })
    }
}

impl Action for TestRunscriptOverlay {
    fn name(&self) -> &'static str {
        "test-runscript-overlay"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let test = test(&self.0, context)?;
            let lava_dir = context.lava_dir();
            let script = run_script(&test, &self.0.definition, &lava_dir);
            let path = format!("{}/run.sh", test.folder(&lava_dir));
            context.shared().overlay.add(path, true, script).map_err(|e| infra(&e))
        })
    }
}

/// The definition as it was written.
fn written(definition: &Definition, test: &TestRun) -> Result<String, Error> {
    match (&definition.source, &test.repository) {
        (Source::Inline(node), _) => crate::yaml::to_string(node).map_err(Error::Bug),
        (_, None) => Ok(String::new()),
        (_, Some(repository)) => {
            let path = repository.join(definition.path.trim_start_matches('/'));
            std::fs::read_to_string(&path)
                .map_err(|error| Error::Infrastructure(format!("{}: {error}", path.display())))
        }
    }
}

/// What LAVA notes beside a definition.
fn metadata(definition: &Definition, test: &TestRun) -> Result<String, Error> {
    let vcs = match &definition.source {
        Source::Inline(_) => "inline",
        Source::Git { .. } => "git",
        Source::Bzr { .. } => "bzr",
        Source::Url { .. } | Source::Tar { .. } => "url",
    };
    let mut metadata = BTreeMap::from([("branch_vcs", vcs), ("project_name", &test.file.name)]);
    metadata.extend(test.origin.commit.as_deref().map(|commit| ("commit_id", commit)));
    crate::yaml::to_string(&metadata).map_err(Error::Bug)
}

/// Whether a path stays below the folder that it is in.
fn is_plain(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
}

fn test(planned: &Planned, context: &mut Context) -> Result<TestRun, Error> {
    let mut tests = context.shared().tests.iter();
    let found = tests.find(|test| test.stage == planned.stage && test.run == planned.run);
    found.cloned().ok_or_else(|| Error::Bug(format!("{} was not fetched", planned.run)))
}

fn infra(error: &std::io::Error) -> Error {
    Error::Infrastructure(format!("the overlay cannot be made: {error}"))
}
