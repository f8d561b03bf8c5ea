//! `test-definition`: fetches each definition and makes its files.

use super::bzr_repo::BzrRepo;
use super::git_repo::GitRepo;
use super::inline_repo::InlineRepo;
use super::test_overlay::{TestInstallOverlay, TestOverlay, TestRunscriptOverlay};
use super::url_repo::{TarRepo, UrlRepo};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::job::{Definition, Source};

#[derive(Debug)]
pub(super) struct TestDefinition;

/// One definition of the job, and where its run belongs.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub stage: usize,
    /// As `0_smoke`.
    pub run: String,
    pub definition: Definition,
    /// The distribution on the board, if the job says.
    pub os: Option<String>,
}

impl Action for TestDefinition {
    fn name(&self) -> &'static str {
        "test-definition"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let mut steps: Vec<Box<dyn Action>> = Vec::new();
        for (stage, definitions) in scene.test_stages() {
            for (i, definition) in definitions.iter().enumerate() {
                let run = format!("{i}_{}", definition.name);
                let planned =
                    Planned { stage, run, definition: definition.clone(), os: scene.os() };
                steps.push(match &definition.source {
                    Source::Git { .. } => Box::new(GitRepo(planned.clone())),
                    Source::Inline(_) => Box::new(InlineRepo(planned.clone())),
                    Source::Url { .. } => Box::new(UrlRepo(planned.clone())),
                    Source::Tar { .. } => Box::new(TarRepo(planned.clone())),
                    Source::Bzr { .. } => Box::new(BzrRepo(planned.clone())),
                });
                steps.push(Box::new(TestOverlay(planned.clone())));
                steps.push(Box::new(TestInstallOverlay(planned.clone())));
                steps.push(Box::new(TestRunscriptOverlay(planned)));
            }
        }
        steps
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            context.shared().tests.clear();
            Ok(())
        })
    }
}
