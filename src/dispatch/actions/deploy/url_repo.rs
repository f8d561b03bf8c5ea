//! `url-repo-action`: a definition in an archive that is downloaded.

use futures_util::future::BoxFuture;

use super::download::DownloadRetry;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;

/// The archive's URL.
#[derive(Debug)]
pub(super) struct UrlRepo(pub String);

impl Action for UrlRepo {
    fn name(&self) -> &'static str {
        "url-repo-action"
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        vec![Box::new(DownloadRetry::new(Artefact::plain("definition", &self.0)))]
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move { checks.fault("cannot be run yet: the definition is \"from: url\"") })
    }
}
