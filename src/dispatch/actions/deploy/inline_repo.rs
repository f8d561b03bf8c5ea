//! `inline-repo-action`: a test definition that is written in the job file.

use super::test_definition::Planned;
use crate::config::{At, Problems};
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Source;
use crate::dispatch::overlay::{DefinitionFile, Origin, TestRun};

#[derive(Debug)]
pub(super) struct InlineRepo(pub Planned);

impl Action for InlineRepo {
    fn name(&self) -> &'static str {
        "inline-repo-action"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Source::Inline(node) = &self.0.definition.source else {
                return Err(Error::Bug("the definition is not inline".into()));
            };
            let problems = Problems::default();
            let file = context.job.file.clone();
            let file = DefinitionFile::read(node, &At::top(&file, &problems));
            let file = problems.check(file)?;
            register(&self.0, file, None, context);
            Ok(())
        })
    }
}

/// Notes the definition as one that will be run.
pub(super) fn register(
    planned: &Planned,
    mut file: DefinitionFile,
    repository: Option<std::path::PathBuf>,
    context: &mut Context,
) {
    let uuid = format!("{}_{}", context.settings.job_id, context.now.level);
    context.fact("uuid", uuid.clone());
    context.fact("name", planned.definition.name.clone());
    let Planned { stage, run, .. } = planned.clone();
    file.expected = planned.definition.expected.clone().or(file.expected);
    let source = &planned.definition.source;
    let address = source.repository().map(ToOwned::to_owned);
    let revision = match source {
        Source::Git { revision, .. } | Source::Bzr { revision, .. } => revision.clone(),
        Source::Inline(_) | Source::Tar { .. } | Source::Url { .. } => None,
    };
    let shared = context.shared();
    let (path, commit) = (planned.definition.path.clone(), shared.extra.get("commit").cloned());
    let origin = Origin { repository: address, path, revision, commit };
    shared.tests.push(TestRun { stage, run, uuid, file, repository, origin });
}
