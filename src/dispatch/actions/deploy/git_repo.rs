//! `git-repo-action`: clones the repository of a test definition with the `git` program.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::future::BoxFuture;
use tokio::process::Command;

use super::inline_repo::register;
use super::test_definition::Planned;
use crate::config::Problems;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::ahead::Fetching;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Source;
use crate::dispatch::overlay::{DefinitionFile, subtree};
use crate::dispatch::validate::Checks;
use crate::image::Files;
use crate::sys::{Program, Reach, confined};

#[derive(Debug)]
pub(super) struct GitRepo(pub Planned);

impl Action for GitRepo {
    fn name(&self) -> &'static str {
        "git-repo-action"
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("git");
            let Source::Git { repository, branch, .. } = &self.0.definition.source else { return };
            let mut words = vec!["ls-remote", "--exit-code", "--", repository.as_str()];
            words.push(branch.as_deref().unwrap_or("HEAD"));
            let files = &checks.settings.files;
            if let Err(why) = place(repository, files).map(drop) {
                checks.fault(why);
            } else if let Err(why) = git(&words, None, is_local(repository), files).await {
                checks.fault(why);
            }
        })
    }

    fn ahead(&self, context: &mut Context) {
        // What is wrong is told when it has its turn.
        if let Ok(cloning) = self.cloning(context) {
            context.ahead.repositories.begin(cloning);
        }
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let (folder, cloning) = self.cloning(context)?;
            let commit = context.ahead.repositories.end((folder.clone(), cloning)).await?;
            at(&self.0, commit, context);
            adopt(&self.0, folder, context)
        })
    }
}

impl GitRepo {
    /// The folder for the clone, and what clones into it.
    fn cloning(&self, context: &Context) -> Result<(PathBuf, Fetching<Option<String>>), Error> {
        let Planned { stage, run, definition, .. } = &self.0;
        let Source::Git { repository, branch, revision, recursive, shallow, history } =
            definition.source.clone()
        else {
            return Err(Error::Bug("the definition is not in git".into()));
        };
        let folder = context.scratch().join(format!("git-{stage}-{run}"));
        let (to, files) = (folder.clone(), context.settings.files.clone());
        let path = definition.path.clone();
        let cloning = async move {
            let wanted = Wanted {
                branch: branch.as_deref(),
                revision: revision.as_deref(),
                recursive,
                // A revision may be anywhere in the history; a tip needs nothing of it.
                shallow: shallow.unwrap_or(true) && revision.is_none(),
            };
            clone(&repository, wanted, &to, &files).await.map_err(Error::Infrastructure)?;
            let may_deepen = shallow.is_none() && history != Some(false);
            // A repository of this host comes whole, and so does one with a single commit.
            let looked = || {
                let (to, path) = (to.clone(), path.clone());
                tokio::task::spawn_blocking(move || asks(&to, &path))
            };
            if may_deepen
                && to.join(".git/shallow").exists()
                && looked().await.map_err(|error| Error::Bug(error.to_string()))?
            {
                let words = ["fetch", "--quiet", "--unshallow", "--tags"];
                git(&words, Some(&to), is_local(&repository), &files)
                    .await
                    .map_err(Error::Infrastructure)?;
            }
            let commit = git(&["rev-parse", "HEAD"], Some(&to), false, &files).await;
            Ok(commit.ok().map(|commit| commit.trim().to_owned()))
        };
        Ok((folder, Box::pin(cloning)))
    }
}

/// Notes the revision that the definition's repository is at.
pub(super) fn at(planned: &Planned, revision: Option<String>, context: &mut Context) {
    if let Some((revision, repository)) = revision.zip(planned.definition.source.repository()) {
        context.log.info(format!("{repository} is at {revision}"));
        context.fact("commit", revision);
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

/// Whether a definition in a clone asks git for something of it. What is wrong with it is told later.
fn asks(clone: &Path, path: &str) -> bool {
    let problems = Problems::default();
    let read = || {
        let node = crate::yaml::read_file(&inside(clone, path).ok()?, &problems)?;
        DefinitionFile::read(&node, &crate::config::At::top(path, &problems))
    };
    read().is_some_and(|file| subtree::asks_for_history(clone, path, &file))
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

/// What of a repository is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::dispatch) struct Wanted<'a> {
    pub branch: Option<&'a str>,
    pub revision: Option<&'a str>,
    /// With what it has of other repositories.
    pub recursive: bool,
    /// Without its history.
    pub shallow: bool,
}

/// Clones into a folder; what an earlier try has left there is removed.
pub(in crate::dispatch) async fn clone(
    repository: &str,
    wanted: Wanted<'_>,
    folder: &Path,
    files: &Files,
) -> Result<(), String> {
    let Wanted { branch, revision, recursive, shallow } = wanted;
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    // It may write there only.
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let target = folder.display().to_string();
    let mut words = vec!["clone", "--quiet"];
    if shallow {
        words.extend(["--depth", "1"]);
    }
    if recursive && revision.is_none() {
        words.push("--recurse-submodules");
    }
    if let Some(branch) = branch {
        words.extend(["--branch", branch]);
    }
    let (local, repository) = (is_local(repository), place(repository, files)?);
    words.extend(["--", &repository, &target]);
    let mut command = confined("git", &Reach::of_network().writing(&[folder]));
    keep_to_network(&mut command, local, files);
    said(command, &words).await?;
    if let Some(revision) = revision {
        let commit = format!("{revision}^{{commit}}");
        let git = async |words: &[&str]| git(words, Some(folder), local, files).await;
        let commit = git(&["rev-parse", "--verify", "--end-of-options", &commit]).await?;
        git(&["checkout", "--quiet", "--detach", commit.trim()]).await?;
        if recursive {
            git(&["submodule", "--quiet", "update", "--init", "--recursive"]).await?;
        }
    }
    Ok(())
}

/// Runs git on a clone, if it is one's, and on nothing of this host else.
async fn git(
    words: &[&str],
    folder: Option<&Path>,
    local: bool,
    files: &Files,
) -> Result<String, String> {
    let mut command = match folder {
        None => confined("git", &Reach::of_network()),
        Some(folder) => confined("git", &Reach::of_network().writing(&[folder])),
    };
    if let Some(folder) = folder {
        command.arg("-C").arg(folder);
    }
    keep_to_network(&mut command, local, files);
    said(command, words).await
}

/// The schemes of repositories that are elsewhere.
const NETWORK: &str = "ftp:ftps:git:http:https:ssh";

/// A repository of another host may name further ones: not on this one, where its files are not the job's to
/// read. Of one on this host git by itself lets it name none.
fn keep_to_network(command: &mut Command, local: bool, files: &Files) {
    if files.is_limited() && !local {
        command.env("GIT_ALLOW_PROTOCOL", NETWORK);
    }
}

/// Whether git would look for a repository on this host: by `file:`, or as a path. `HOST:PATH` is none.
fn is_local(repository: &str) -> bool {
    let (before, _) = repository.split_once(':').unwrap_or(("/", ""));
    before == "file" || before.contains('/')
}

/// The repository, if the job may have it; where it is on this host, without links.
fn place(repository: &str, files: &Files) -> Result<String, String> {
    if !files.is_limited() || !is_local(repository) {
        return Ok(repository.to_owned());
    }
    let path = repository.strip_prefix("file://").unwrap_or(repository);
    let real = files.place(Path::new(path)).map_err(|error| error.to_string())?;
    Ok(real.display().to_string())
}

/// What git says, which must not ask anybody anything. Killed when dropped, with what it has started.
async fn said(mut command: Command, words: &[&str]) -> Result<String, String> {
    command
        .args(words)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        // It could make no socket for others to share its connection.
        .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ControlMaster=no")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let program = Program::spawn(command).map_err(|error| format!("git: {error}"))?;
    let ended = program.ended().await.map_err(|error| format!("git: {error}"))?;
    match ended.status.success() {
        true => Ok(ended.output),
        false => {
            let said = ended.errors.trim().replace('\n', "; ");
            Err(format!(
                "git {}: {}",
                words.join(" "),
                if said.is_empty() { "failed" } else { &said }
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_of_this_host_is_known_however_it_is_written() {
        for local in ["file:///r.git", "/r.git", "../r.git", "r.git", "./host:r", "file:r"] {
            assert!(is_local(local), "{local}");
            assert!(place(local, &Files::only(Vec::new())).is_err(), "{local}");
            assert_eq!(place(local, &Files::default()).unwrap(), local);
        }
        for other in ["https://h/r.git", "git@h:r.git", "ssh://h/r", "git://h/r", "h:r"] {
            assert!(!is_local(other), "{other}");
        }
    }
}
