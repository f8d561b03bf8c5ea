//! `test-overlay`, `test-install-overlay`, `test-runscript-overlay`: the files of one definition.

use super::git_repo;
use super::test_definition::Planned;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
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
            for (i, repository) in test.file.repositories.iter().enumerate() {
                let Repository { url, branch, destination } = repository;
                let name = format!("git-repos-{}-{}-{i}", test.stage, test.run);
                let clone = context.scratch().join(name);
                git_repo::clone(url, branch.as_deref(), None, &clone)
                    .await
                    .map_err(Error::Infrastructure)?;
                let overlay = &mut context.shared().overlay;
                overlay
                    .add_folder(&format!("{folder}/{destination}"), &clone)
                    .map_err(|e| infra(&e))?;
            }
            let overlay = &mut context.shared().overlay;
            if let Some(repository) = &test.repository {
                let needed = subtree::needed(repository, &self.0.definition.path, &test.file);
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
            overlay.add(format!("{folder}/uuid"), false, test.uuid).map_err(|e| infra(&e))
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

fn test(planned: &Planned, context: &mut Context) -> Result<TestRun, Error> {
    let mut tests = context.shared().tests.iter();
    let found = tests.find(|test| test.stage == planned.stage && test.run == planned.run);
    found.cloned().ok_or_else(|| Error::Bug(format!("{} was not fetched", planned.run)))
}

fn infra(error: &std::io::Error) -> Error {
    Error::Infrastructure(format!("the overlay cannot be made: {error}"))
}
