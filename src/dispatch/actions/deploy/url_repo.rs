//! `url-repo-action` and `tar-repo-action`: definitions in a tar archive, that is downloaded or stands in
//! the job file.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;

use super::download::DownloadRetry;
use super::git_repo::adopt;
use super::test_definition::Planned;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Source};
use crate::dispatch::validate::Checks;
use crate::image::unpack;
use crate::sys::Program;

#[derive(Debug)]
pub(super) struct UrlRepo(pub Planned);

#[derive(Debug)]
pub(super) struct TarRepo(pub Planned);

impl Action for UrlRepo {
    fn name(&self) -> &'static str {
        "url-repo-action"
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let Source::Url { repository, .. } = &self.0.definition.source else { return Vec::new() };
        vec![Box::new(DownloadRetry::new(Artefact::plain(&self.artefact(), repository)))]
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move { checks.program("tar") })
    }

    fn finish<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Source::Url { strip, .. } = self.0.definition.source else {
                return Err(Error::Bug("the definition is not at a URL".into()));
            };
            let missing = || Error::Bug("the archive was not downloaded".into());
            let archive = context.shared().files.remove(&self.artefact()).ok_or_else(missing)?;
            unpacked(&self.0, &archive, strip, context).await
        })
    }
}

impl UrlRepo {
    /// What the download is called among the files of the job.
    fn artefact(&self) -> String {
        format!("definition-{}-{}", self.0.stage, self.0.run)
    }
}

impl Action for TarRepo {
    fn name(&self) -> &'static str {
        "tar-repo-action"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("tar");
            if let Err(why) = decoded(&self.0) {
                checks.fault(why);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Planned { stage, run, .. } = &self.0;
            let archive = context.scratch().join(format!("tar-{stage}-{run}"));
            let bytes = decoded(&self.0).map_err(Error::Configuration)?;
            let written = std::fs::create_dir_all(context.scratch())
                .and_then(|()| std::fs::write(&archive, bytes));
            written.map_err(|e| Error::Infrastructure(format!("{}: {e}", archive.display())))?;
            let Source::Tar { strip, .. } = self.0.definition.source else { return Ok(()) };
            unpacked(&self.0, &archive, strip, context).await
        })
    }
}

fn decoded(planned: &Planned) -> Result<Vec<u8>, String> {
    let Source::Tar { archive, .. } = &planned.definition.source else { return Ok(Vec::new()) };
    let text: String = archive.split_whitespace().collect();
    let wrong = |error| format!("{}: the archive is no base64: {error}", planned.run);
    STANDARD.decode(text).map_err(wrong)
}

/// Unpacks an archive, and takes the definition in it.
async fn unpacked(
    planned: &Planned,
    archive: &Path,
    strip: Option<u32>,
    context: &mut Context,
) -> Result<(), Error> {
    let Planned { stage, run, definition, .. } = planned;
    let folder = context.scratch().join(format!("url-{stage}-{run}"));
    // What an earlier try has left.
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|e| Error::Infrastructure(e.to_string()))?;
    }
    std::fs::create_dir_all(&folder).map_err(|e| Error::Infrastructure(e.to_string()))?;
    let mut tar = unpack::unpacker("tar", &[archive], &folder);
    tar.args(["--force-local", "--no-same-owner", "--no-same-permissions", "-xf"]).arg(archive);
    tar.arg("-C").arg(&folder).args(strip.map(|strip| format!("--strip-components={strip}")));
    tar.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |error: std::io::Error| Error::Infrastructure(format!("tar: {error}"));
    let ended = Program::spawn(tar).map_err(failed)?.ended().await.map_err(failed)?;
    if !ended.status.success() {
        let what = format!("{run}: the archive cannot be unpacked: {}", unpack::complaint(&ended));
        return Err(Error::Test(what));
    }
    let root = root(folder, &definition.path);
    adopt(planned, root, context)
}

/// The folder of the archive that a definition's path begins in: archives of a repository's files
/// have all of them in one folder.
fn root(folder: PathBuf, path: &str) -> PathBuf {
    let path = path.trim_start_matches('/');
    if folder.join(path).exists() {
        return folder;
    }
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut inner = entries.map(|entry| entry.path()).filter(|inner| {
        // A link may lead anywhere.
        let is_folder = inner.symlink_metadata().is_ok_and(|meta| meta.is_dir());
        is_folder && inner.join(path).exists()
    });
    inner.next().unwrap_or(folder)
}
