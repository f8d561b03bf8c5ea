//! `git-repo-action`: clones the repository of a test definition with the `git` program.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::future::BoxFuture;
use tokio::process::Command;

use super::inline_repo::register;
use super::test_definition::Planned;
use crate::config::Problems;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Source;
use crate::dispatch::overlay::DefinitionFile;
use crate::dispatch::validate::Checks;

#[derive(Debug)]
pub(super) struct GitRepo(pub Planned);

impl Action for GitRepo {
    fn name(&self) -> &'static str {
        "git-repo-action"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("git");
            let Source::Git { repository, branch, .. } = &self.0.definition.source else { return };
            let mut words = vec!["ls-remote", "--exit-code", "--", repository.as_str()];
            words.push(branch.as_deref().unwrap_or("HEAD"));
            if let Err(why) = git(&words, None).await {
                checks.fault(why);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Planned { stage, run, definition, .. } = &self.0;
            let Source::Git { repository, branch, revision, .. } = &definition.source else {
                return Err(Error::Bug("the definition is not in git".into()));
            };
            let folder = context.scratch().join(format!("git-{stage}-{run}"));
            clone(repository, branch.as_deref(), revision.as_deref(), &folder)
                .await
                .map_err(Error::Infrastructure)?;
            if let Ok(commit) = git(&["rev-parse", "HEAD"], Some(&folder)).await {
                context.log.info(format!("{repository} is at {}", commit.trim()));
                context.fact("commit", commit.trim());
            }
            adopt(&self.0, folder, context)
        })
    }
}

/// Takes the definition that is in a folder with its repository.
///
/// # Errors
/// [`Error::Test`] when it is not there, or is none.
pub(super) fn adopt(
    planned: &Planned,
    folder: PathBuf,
    context: &mut Context,
) -> Result<(), Error> {
    let path = inside(&folder, &planned.definition.path)?;
    let problems = Problems::default();
    let file = crate::yaml::read_file(&path, &problems).and_then(|node| {
        let label = path.display().to_string();
        DefinitionFile::read(&node, &crate::config::At::top(&label, &problems))
    });
    let file = problems.check(file).map_err(|failure| Error::Test(failure.message))?;
    register(planned, file, Some(folder), context);
    Ok(())
}

/// The path in the repository, which must not lead out of it, not by a link either.
fn inside(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    let whole = folder.join(path.trim_start_matches('/'));
    let real = |path: &Path| {
        path.canonicalize().map_err(|error| Error::Test(format!("{}: {error}", path.display())))
    };
    match real(&whole)?.starts_with(real(folder)?) {
        true => Ok(whole),
        false => Err(Error::Test(format!("{path:?} leads out of the repository"))),
    }
}

/// Clones into a folder; what an earlier try has left there is removed.
pub(super) async fn clone(
    repository: &str,
    branch: Option<&str>,
    revision: Option<&str>,
    folder: &Path,
) -> Result<(), String> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let target = folder.display().to_string();
    let mut words = vec!["clone", "--quiet"];
    // A revision may be anywhere in the history; a tip needs nothing of it.
    if revision.is_none() {
        words.extend(["--depth", "1"]);
    }
    if let Some(branch) = branch {
        words.extend(["--branch", branch]);
    }
    words.extend(["--", repository, &target]);
    git(&words, None).await?;
    if let Some(revision) = revision {
        let commit = format!("{revision}^{{commit}}");
        let commit =
            git(&["rev-parse", "--verify", "--end-of-options", &commit], Some(folder)).await?;
        git(&["checkout", "--quiet", "--detach", commit.trim()], Some(folder)).await?;
    }
    Ok(())
}

/// Runs git, which must not ask anybody anything. Killed when dropped.
async fn git(words: &[&str], folder: Option<&Path>) -> Result<String, String> {
    let mut command = Command::new("git");
    if let Some(folder) = folder {
        command.arg("-C").arg(folder);
    }
    let output = command
        .args(words)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("git: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim().replace('\n', "; ");
            Err(format!(
                "git {}: {}",
                words.join(" "),
                if said.is_empty() { "failed" } else { &said }
            ))
        }
    }
}
