//! `download-retry` and what is in it, `http-download` or `file-download`: one artefact.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::future::BoxFuture;

use super::append_overlays::{AppendOverlays, overlay_artefacts, run as run_on};
use super::kept::{self, Kept};
use super::postprocess::check_names;
use super::scp;
use super::usb_disk::RECOVERY;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::ahead::Fetching;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Checksum, Compression, Deploy};
use crate::dispatch::validate::Checks;
use crate::image::{Digest, Fetch, FetchError, Got, Wanted, unpack};
use crate::sys::{Program, Reach, confined};

#[derive(Debug)]
pub(in crate::dispatch::actions) struct DownloadRetry {
    artefact: Artefact,
    /// The block that keeps it for others, if it is one of those.
    keeps: Option<Deploy>,
    /// It goes into another artefact.
    is_overlay: bool,
}

impl DownloadRetry {
    pub(in crate::dispatch::actions) fn new(artefact: Artefact) -> Self {
        Self { artefact, keeps: None, is_overlay: false }
    }

    /// One that a block `to: downloads` keeps by its name.
    pub(super) fn kept(artefact: Artefact, block: Deploy) -> Self {
        Self { artefact, keeps: Some(block), is_overlay: false }
    }
}

impl Action for DownloadRetry {
    fn name(&self) -> &'static str {
        "download-retry"
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let (artefact, keeps) = (self.artefact.clone(), self.keeps.clone());
        let (known, is_overlay) = (Kept::before(scene), self.is_overlay);
        let mut steps: Vec<Box<dyn Action>> =
            vec![Box::new(Download { artefact, keeps, known, is_overlay })];
        for overlay in overlay_artefacts(&self.artefact) {
            steps.push(Box::new(DownloadRetry { is_overlay: true, ..DownloadRetry::new(overlay) }));
        }
        if !self.artefact.overlays.is_empty() {
            steps.push(Box::new(AppendOverlays { image: self.artefact.clone() }));
        }
        steps
    }
}

#[derive(Debug)]
struct Download {
    artefact: Artefact,
    keeps: Option<Deploy>,
    /// What `downloads://` can name.
    known: Kept,
    is_overlay: bool,
}

impl Action for Download {
    fn name(&self) -> &'static str {
        match scheme(&self.artefact.url) {
            "file" => "file-download",
            "scp" => "scp-download",
            "downloads" => "pre-downloaded",
            "lxc" => "lxc-download",
            _ => "http-download",
        }
    }

    fn url(&self) -> Option<&str> {
        Some(&self.artefact.url)
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match self.is_kept_already() {
                true => {
                    self.known.check(&self.artefact.url).unwrap_or_else(|why| checks.fault(why));
                }
                false => match scheme(&self.artefact.url) {
                    "scp" if checks.settings.files.is_limited() => {
                        checks.fault(format!("{}: {}", self.artefact.url, scp::NOT_WORKERS));
                    }
                    "scp" => match scp::words(&self.artefact.url, Path::new("")) {
                        Ok(_) => checks.program("scp"),
                        Err(why) => checks.fault(why),
                    },
                    "lxc" => checks.fault(format!(
                        "{}: LAVA has dropped containers of this kind in 2026; use downloads:// and docker",
                        self.artefact.url
                    )),
                    "rclone" => checks.fault(format!(
                        "{}: nothing is fetched by rclone here; serve the file by HTTP (\"rclone serve http\"), \
                         and say http://",
                        self.artefact.url
                    )),
                    _ => checks.url(&self.artefact.url, &self.artefact.headers).await,
                },
            }
            if let Some(block) = &self.keeps {
                let place = kept::place(&self.artefact, block.uniquify);
                place.map_or_else(|why| checks.fault(why), drop);
                // The block's last file tells for all.
                if block.artefacts.last().is_some_and(|last| last.name == self.artefact.name) {
                    check_names(block, checks);
                }
            }
            if self.is_folder() {
                checks.program("tar");
            }
            if let Some([name, ..]) = self.unpacker() {
                checks.program(name);
            }
            if matches!(self.artefact.checksum, Some(Checksum::Md5(_))) {
                checks.program("md5sum");
            }
        })
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn ahead(&self, context: &mut Context) {
        // What is wrong is told when it has its turn.
        if let Ok(fetching) = self.fetching(context) {
            context.ahead.files.begin(fetching);
        }
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Artefact { name, url, checksum, .. } = &self.artefact;
            let (file, fetching) = self.fetching(context)?;
            let got = context.ahead.files.end((file.clone(), fetching)).await?;
            let (size, from) = (got.size, if got.cached { " (from the cache)" } else { "" });
            context.log.info(format!("{name}: {size} bytes from {url}{from}"));
            context.fact("size", size.to_string());
            if let Some(Checksum::Md5(expected)) = checksum {
                md5(&file, expected).await?;
            }
            let file = match self.unpacker() {
                None => file,
                Some(unpacker) => {
                    let unpacked = file.with_file_name(format!("unpacked-{name}"));
                    let done = unpack::unpack(unpacker, &file, &unpacked).await;
                    done.map_err(Error::Job)?;
                    unpacked
                }
            };
            let file = match &self.keeps {
                None => file,
                Some(block) => {
                    let place = kept::place(&self.artefact, block.uniquify).map_err(Error::Job)?;
                    context.log.info(format!("{name} is kept as downloads://{}", place.display()));
                    kept::keep(&file, &place, context)?
                }
            };
            let file = match self.is_folder() {
                true => extract(&file, name).await?,
                false => file,
            };
            // What is kept is had by downloads:// alone: a container may be at it meanwhile.
            if self.keeps.is_none() {
                context.shared().files.insert(name.clone(), file);
            }
            Ok(())
        })
    }
}

/// Unpacks a tar archive into a folder beside it, which is called as the artefact, as LAVA has it.
async fn extract(archive: &Path, name: &str) -> Result<PathBuf, Error> {
    let mut folder = archive.with_file_name(name);
    if folder == archive {
        folder = archive.with_file_name(format!("{name}-files"));
    }
    let failed =
        |error: std::io::Error| Error::Infrastructure(format!("{}: {error}", folder.display()));
    // A try before this one may have left something.
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => std::fs::create_dir(&folder).map_err(failed)?,
    }
    let mut tar = unpack::unpacker("tar", &[archive], &folder);
    tar.args(["--extract", "--no-same-owner", "--file"]).arg(archive);
    tar.arg("--directory").arg(&folder);
    run_on(tar, archive).await?;
    Ok(folder)
}

impl Download {
    /// The file, whose folder is made, and what fetches it.
    fn fetching(&self, context: &Context) -> Result<(PathBuf, Fetching<Got>), Error> {
        let Artefact { name, mut url, headers, checksum, .. } = self.artefact.clone();
        let mut files = context.settings.files.clone();
        let base = base_name(&url);
        if self.is_kept_already() {
            let (file, own) = kept::find(&url, context)?;
            (url, files) = (format!("file://{}", file.display()), own);
        }
        let folder = context.scratch().join(format!("{}-{name}", context.now.namespace));
        let failed = |error: std::io::Error| Error::Infrastructure(error.to_string());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let (file, to) = (folder.join(&base), folder.join(&base));
        let digest = match checksum {
            Some(Checksum::Sha256(hex)) => Some(Digest::Sha256(hex)),
            Some(Checksum::Sha512(hex)) => Some(Digest::Sha512(hex)),
            Some(Checksum::Md5(_)) | None => None,
        };
        let cache = context.settings.cache.clone().filter(|_| !self.artefact.fresh);
        let (progress, level) = (context.progress.clone(), context.now.level.clone());
        if scheme(&url) == "scp" {
            if files.is_limited() {
                return Err(Error::Job(format!("{url}: {}", scp::NOT_WORKERS)));
            }
            let fetching = async move { scp::get(&url, digest.as_ref(), &file).await };
            return Ok((to, Box::pin(fetching)));
        }
        let fetching = async move {
            let fetch = Fetch::default().with_cache(cache).with_files(files);
            let wanted =
                Wanted { url: &url, headers: &headers, digest: digest.as_ref(), to: &file };
            let told = move |length, total| progress.download(&level, length, total);
            fetch.get(&wanted, &told).await.map_err(|error| fetch_error(&error))
        };
        Ok((to, Box::pin(fetching)))
    }

    /// Whether what is in the archive is deployed. Root file systems and modules are unpacked where they are
    /// needed, and overlays go into an image.
    fn is_folder(&self) -> bool {
        let name = self.artefact.name.as_str();
        self.artefact.archive && !matches!(name, "modules" | "nfsrootfs") && !self.is_overlay
    }

    /// Whether it is one of the files that the job keeps.
    fn is_kept_already(&self) -> bool {
        self.artefact.url.starts_with("downloads:")
    }

    /// What unpacks the file, when it is not deployed as it comes. The kernel unpacks a ramdisk, and
    /// the overlay goes beside it; a recovery image is many files.
    fn unpacker(&self) -> Option<&'static [&'static str]> {
        if self.keeps.is_some() && !kept::is_unpacked(&self.artefact) {
            return None;
        }
        if matches!(self.artefact.name.as_str(), "ramdisk" | RECOVERY) {
            return None;
        }
        match self.artefact.compression? {
            Compression::Gz => Some(&["gzip", "-dc"]),
            Compression::Xz => Some(&["xz", "-dc"]),
            Compression::Bz2 => Some(&["bzip2", "-dc"]),
            Compression::Zstd => Some(&["zstd", "-dcq"]),
            // The first file in it.
            Compression::Zip => Some(&["funzip"]),
        }
    }
}

fn scheme(url: &str) -> &str {
    url.split_once(':').map_or("", |(scheme, _)| scheme)
}

/// The last part of a URL's path, as a file name.
pub(super) fn base_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '_' };
    match name.trim_start_matches('.') {
        "" => "file".to_owned(),
        name => name.chars().map(safe).collect(),
    }
}

async fn md5(file: &Path, expected: &str) -> Result<(), Error> {
    let mut command = confined("md5sum", &Reach::of(&[file]));
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let failed = |error: std::io::Error| Error::Infrastructure(format!("md5sum: {error}"));
    let ended = Program::spawn(command).map_err(failed)?.ended().await.map_err(failed)?;
    let found = ended.output.trim_start_matches('\\').split_whitespace().next().unwrap_or_default();
    match found == expected {
        true => Ok(()),
        false => {
            let what = format!("{}: the md5sum is {found}, not {expected}", file.display());
            Err(Error::Job(what))
        }
    }
}

pub(super) fn fetch_error(error: &FetchError) -> Error {
    match error {
        error if error.may_pass() => Error::Infrastructure(error.to_string()),
        FetchError::Checksum { .. }
        | FetchError::Status { .. }
        | FetchError::NotAllowed(_)
        | FetchError::Url(_) => Error::Job(error.to_string()),
        _ => Error::Infrastructure(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_a_file_name_that_stays_in_its_folder() {
        assert_eq!(base_name("http://h/a/Image.gz?x=/y"), "Image.gz");
        assert_eq!(base_name("http://h/a/.."), "file");
        assert_eq!(base_name("http://h/a b$(x)"), "a_b__x_");
        assert_eq!(base_name("http://h/"), "file");
    }
}
