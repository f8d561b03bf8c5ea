//! `bzr-repo-action`: branches the repository of a test definition with `brz`, or with `bzr`, as it was
//! called before.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::future::BoxFuture;

use super::git_repo::{adopt, at};
use super::test_definition::Planned;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::ahead::Fetching;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Source;
use crate::dispatch::validate::{Checks, find_program};
use crate::image::Files;
use crate::image::unpack::complaint;
use crate::sys::{Program, Reach, confined};

#[derive(Debug)]
pub(super) struct BzrRepo(pub Planned);

impl Action for BzrRepo {
    fn name(&self) -> &'static str {
        "bzr-repo-action"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program(program());
            let Source::Bzr { repository, .. } = &self.0.definition.source else { return };
            if let Err(why) = place(repository, &checks.settings.files) {
                checks.fault(why);
            }
        })
    }

    fn ahead(&self, context: &mut Context) {
        // What is wrong is told when it has its turn.
        if let Ok(branching) = self.branching(context) {
            context.ahead.repositories.begin(branching);
        }
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let (folder, branching) = self.branching(context)?;
            let revision = context.ahead.repositories.end((folder.clone(), branching)).await?;
            at(&self.0, revision, context);
            adopt(&self.0, folder, context)
        })
    }
}

impl BzrRepo {
    /// The folder for the branch, and what gets it there.
    fn branching(&self, context: &Context) -> Result<(PathBuf, Fetching<Option<String>>), Error> {
        let Planned { stage, run, definition, .. } = &self.0;
        let Source::Bzr { repository, revision } = definition.source.clone() else {
            return Err(Error::Bug("the definition is not in bzr".into()));
        };
        let folder = context.scratch().join(format!("bzr-{stage}-{run}"));
        let (to, files) = (folder.clone(), context.settings.files.clone());
        let branching = async move {
            let repository = place(&repository, &files).map_err(Error::Job)?;
            // What an earlier try has left.
            let failed = |error: std::io::Error| Error::Infrastructure(error.to_string());
            if to.exists() {
                std::fs::remove_dir_all(&to).map_err(failed)?;
            }
            // It may write there only.
            std::fs::create_dir_all(&to).map_err(failed)?;
            let place = to.display().to_string();
            // Without a history of its own: only its files are wanted.
            let mut words = vec!["checkout", "--lightweight", "--quiet"];
            let revision = revision.map(|revision| format!("--revision={revision}"));
            words.extend(revision.as_deref());
            words.extend(["--", &repository, &place]);
            bzr(&words, &to, &files).await.map_err(Error::Infrastructure)?;
            let revision = bzr(&["revno", "--tree", &place], &to, &files).await;
            Ok(revision.ok().map(|revision| revision.trim().to_owned()))
        };
        Ok((folder, Box::pin(branching)))
    }
}

/// Runs bzr, which must not ask anybody anything. Killed when dropped, with what it has started.
async fn bzr(words: &[&str], folder: &Path, files: &Files) -> Result<String, String> {
    let name = program();
    let reach = match files.limits() {
        None => Reach::of_network(),
        // A branch of another host may name one of this host as its own.
        Some(allowed) => Reach::of_network_and(allowed.iter().map(PathBuf::as_path)),
    };
    let mut command = confined(name, &reach.writing(&[folder]));
    // Its own log is in its user's home.
    command.args(words).env("BRZ_LOG", "/dev/null");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let ended = Program::spawn(command).map_err(failed)?.ended().await.map_err(failed)?;
    match ended.status.success() {
        true => Ok(ended.output),
        false => Err(format!("{name} {}: {}", words.join(" "), complaint(&ended))),
    }
}

/// The schemes of branches that are elsewhere.
const NETWORK: [&str; 9] =
    ["bzr", "bzr+http", "bzr+https", "bzr+ssh", "git", "http", "https", "lp", "sftp"];

/// The branch, if the job may have it; where it is on this host, without links.
fn place(repository: &str, files: &Files) -> Result<String, String> {
    let scheme = repository.split_once(':').map(|(scheme, _)| scheme);
    if !files.is_limited() || scheme.is_some_and(|scheme| NETWORK.contains(&scheme)) {
        return Ok(repository.to_owned());
    }
    let path = repository.strip_prefix("file://").unwrap_or(repository);
    let real = files.place(Path::new(path)).map_err(|error| error.to_string())?;
    Ok(real.display().to_string())
}

fn program() -> &'static str {
    if find_program("brz").is_some() { "brz" } else { "bzr" }
}
