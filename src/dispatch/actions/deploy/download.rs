//! `download-retry` and what is in it, `http-download` or `file-download`: one artefact.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::future::BoxFuture;

use super::append_overlays::{AppendOverlays, overlay_artefacts};
use super::postprocess::{SCHEME, predownloaded};
use super::usb_disk::RECOVERY;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::ahead::Fetching;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Checksum, Compression};
use crate::dispatch::validate::Checks;
use crate::image::{Digest, Fetch, FetchError, Got, Wanted, unpack};
use crate::sys::{Program, Reach, confined};

#[derive(Debug)]
pub(in crate::dispatch::actions) struct DownloadRetry {
    artefact: Artefact,
}

impl DownloadRetry {
    pub(in crate::dispatch::actions) fn new(artefact: Artefact) -> Self {
        Self { artefact }
    }
}

impl Action for DownloadRetry {
    fn name(&self) -> &'static str {
        "download-retry"
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let mut steps: Vec<Box<dyn Action>> =
            vec![Box::new(Download { artefact: self.artefact.clone() })];
        for overlay in overlay_artefacts(&self.artefact) {
            steps.push(Box::new(DownloadRetry::new(overlay)));
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
}

impl Action for Download {
    fn name(&self) -> &'static str {
        match self.artefact.url.split(':').next() {
            Some("file") => "file-download",
            Some("scp") => "scp-download",
            Some("downloads") => "predownloaded",
            _ => "http-download",
        }
    }

    fn url(&self) -> Option<&str> {
        Some(&self.artefact.url)
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // What is downloaded before is not there yet.
            if !self.is_there() {
                checks.url(&self.artefact.url, &self.artefact.headers).await;
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
        if !self.is_there()
            && let Ok(fetching) = self.fetching(context)
        {
            context.ahead.files.begin(fetching);
        }
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Artefact { name, url, checksum, .. } = &self.artefact;
            let (file, fetching) = self.fetching(context)?;
            let (size, from) = match self.is_there() {
                true => {
                    drop(fetching);
                    let from = predownloaded(url, context)?;
                    let failed = |error| Error::Infrastructure(format!("{url}: {error}"));
                    (std::fs::copy(from, &file).map_err(failed)?, "")
                }
                false => {
                    let got = context.ahead.files.end((file.clone(), fetching)).await?;
                    (got.size, if got.cached { " (from the cache)" } else { "" })
                }
            };
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
            context.shared().files.insert(name.clone(), file);
            Ok(())
        })
    }
}

impl Download {
    /// Whether an earlier block of the job has downloaded it.
    fn is_there(&self) -> bool {
        self.artefact.url.starts_with(SCHEME)
    }

    /// The file, whose folder is made, and what fetches it.
    fn fetching(&self, context: &Context) -> Result<(PathBuf, Fetching<Got>), Error> {
        let Artefact { name, url, headers, checksum, .. } = self.artefact.clone();
        let folder = context.scratch().join(format!("{}-{name}", context.now.namespace));
        let failed = |error: std::io::Error| Error::Infrastructure(error.to_string());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let (file, to) = (folder.join(base_name(&url)), folder.join(base_name(&url)));
        let digest = match checksum {
            Some(Checksum::Sha256(hex)) => Some(Digest::Sha256(hex)),
            Some(Checksum::Sha512(hex)) => Some(Digest::Sha512(hex)),
            Some(Checksum::Md5(_)) | None => None,
        };
        let (cache, files) = (context.settings.cache.clone(), context.settings.files.clone());
        let (progress, level) = (context.progress.clone(), context.now.level.clone());
        let fetching = async move {
            let fetch = Fetch::default().with_cache(cache).with_files(files);
            let wanted =
                Wanted { url: &url, headers: &headers, digest: digest.as_ref(), to: &file };
            let told = move |length, total| progress.download(&level, length, total);
            fetch.get(&wanted, &told).await.map_err(|error| fetch_error(&error))
        };
        Ok((to, Box::pin(fetching)))
    }

    /// What unpacks the file, when it is not deployed as it comes. The kernel unpacks a ramdisk, and
    /// the overlay goes beside it; a recovery image is many files.
    fn unpacker(&self) -> Option<&'static [&'static str]> {
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

fn fetch_error(error: &FetchError) -> Error {
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
