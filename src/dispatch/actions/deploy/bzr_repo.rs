//! `bzr-repo-action`: branches the repository of a test definition with `brz`, or with `bzr`, as it was
//! called before.

use futures_util::future::BoxFuture;

use super::git_repo::adopt;
use super::test_definition::Planned;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::job::Source;
use crate::dispatch::validate::{Checks, find_program};

#[derive(Debug)]
pub(super) struct BzrRepo(pub Planned);

impl Action for BzrRepo {
    fn name(&self) -> &'static str {
        "bzr-repo-action"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move { checks.program(program()) })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Planned { stage, run, definition, .. } = &self.0;
            let Source::Bzr { repository, revision } = &definition.source else {
                return Err(Error::Bug("the definition is not in bzr".into()));
            };
            let folder = context.scratch().join(format!("bzr-{stage}-{run}"));
            let failed = |error: std::io::Error| Error::Infrastructure(error.to_string());
            std::fs::create_dir_all(context.scratch()).map_err(failed)?;
            if folder.exists() {
                std::fs::remove_dir_all(&folder).map_err(failed)?;
            }
            // Without a history of its own: only its files are wanted.
            let revision = revision.as_ref().map(|revision| format!("--revision={revision}"));
            let words = [program(), "checkout", "--lightweight", "--quiet"].map(ToOwned::to_owned);
            let place = ["--".to_owned(), repository.clone(), folder.display().to_string()];
            let words: Vec<String> = words.into_iter().chain(revision).chain(place).collect();
            host::run(&words, context).await?;
            adopt(&self.0, folder, context)
        })
    }
}

fn program() -> &'static str {
    if find_program("brz").is_some() { "brz" } else { "bzr" }
}
