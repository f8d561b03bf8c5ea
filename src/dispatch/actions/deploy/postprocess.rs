//! `downloads`: files that later blocks fetch by `downloads://`, after a container has had them.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use futures_util::future::BoxFuture;

use super::download::DownloadRetry;
use super::kept;
use super::parts::{Actions, overlay};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::boot::{Packing, overlay_archive};
use crate::dispatch::context::{Context, LAVA_DOWNLOADS};
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::job::{Container, Deploy};
use crate::dispatch::overlay::environment;
use crate::dispatch::validate::Checks;

/// The script, in the folder with the files.
const SCRIPT: &str = "postprocess.sh";
/// What a container has where this host has it, as LAVA's have: images are often made with QEMU.
const KVM: &str = "/dev/kvm";

pub(super) fn downloads_steps(scene: &Scene<'_>) -> Actions {
    let deploy = scene.deploy();
    let mut steps = overlay(scene);
    for artefact in deploy.artefacts.clone() {
        steps.push(Box::new(DownloadRetry::kept(artefact, deploy.clone())));
    }
    if let Some((container, script)) = deploy.postprocess {
        steps.push(Box::new(Postprocess { container, steps: script }));
    }
    steps
}

/// Notes what is wrong with the names of the files that a block keeps.
pub(super) fn check_names(deploy: &Deploy, checks: &mut Checks) {
    if let Some((one, other, path)) = kept::twins(deploy) {
        let path = path.display();
        checks.fault(format!(
            "{one} and {other} would both be kept as {path}: say \"uniquify: true\" for a folder for each"
        ));
    }
}

/// `download-postprocess-docker`: shell commands in a container that has the files.
#[derive(Debug)]
struct Postprocess {
    container: Container,
    steps: Vec<String>,
}

impl Action for Postprocess {
    fn name(&self) -> &'static str {
        "download-postprocess-docker"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.docker(&self.container);
            if self.steps.is_empty() {
                checks.fault("postprocess: docker: \"steps\" is missing or empty");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let folder = kept::folder(context)?;
            if let Some(archive) = overlay_archive(Packing::Gzip, context).await? {
                let name = archive.file_name().unwrap_or_default().to_owned();
                kept::keep(&archive, Path::new(&name), context)?;
            }
            let (job, device) = (context.job.clone(), context.device.clone());
            let settings = context.settings.clone();
            let variables = environment(&job, &device, &settings, &context.shared().environment);
            let failed = |error: std::io::Error| {
                Error::Infrastructure(format!("{}/{SCRIPT}: {error}", folder.display()))
            };
            write(&folder, &script(&variables, &self.steps)).map_err(failed)?;
            let id = &settings.job_id;
            let name = self.container.name(id).unwrap_or_else(|| host::helper_name(context));
            let has_kvm = Path::new(KVM).exists() && settings.files.place(Path::new(KVM)).is_ok();
            let words = words(&self.container, id, &name, &folder, has_kvm);
            match host::run_named(name, &words, context).await {
                // What the steps do is the job's.
                Err(Error::Infrastructure(why)) => Err(Error::Job(why)),
                done => done.map(drop),
            }
        })
    }
}

/// The script: stops at the first step that fails, and gives what it has made to whose the folder is, who has to
/// read it and to remove it.
fn script(variables: &str, steps: &[String]) -> String {
    let owner = format!("$(stat -c %u:%g {LAVA_DOWNLOADS})");
    let give = format!("chown -R \"{owner}\" {LAVA_DOWNLOADS} 2>/dev/null || true");
    let open = format!("chmod -R u+rwX {LAVA_DOWNLOADS} 2>/dev/null || true");
    let steps = steps.join("\n");
    format!(
        "#!/bin/sh\nexec 2>&1\ntrap 'set +x; {give}; {open}' EXIT\nset -ex\n{variables}{steps}\n"
    )
}

/// Writes the script anew: a link of its name, which a container may have left, is not followed.
fn write(folder: &Path, text: &str) -> std::io::Result<()> {
    let path = folder.join(SCRIPT);
    if path.symlink_metadata().is_ok() {
        std::fs::remove_file(&path)?;
    }
    let mut new = std::fs::OpenOptions::new();
    new.write(true).create_new(true).mode(0o755).open(path)?.write_all(text.as_bytes())
}

/// The words that start the container.
fn words(
    container: &Container,
    job_id: &str,
    name: &str,
    folder: &Path,
    has_kvm: bool,
) -> Vec<String> {
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut options = container.options(job_id);
    if has_kvm && !container.devices.iter().any(|device| device == KVM) {
        options.push(format!("--device={KVM}"));
    }
    [
        texts(&["docker", "run", "--rm", "--init"]),
        texts(&[if container.local { "--pull=never" } else { "--pull=missing" }]),
        vec![format!("--name={name}")],
        options,
        vec![format!("--volume={}:{LAVA_DOWNLOADS}", folder.display())],
        vec![format!("--workdir={LAVA_DOWNLOADS}"), "--".into(), container.image.clone()],
        vec![format!("{LAVA_DOWNLOADS}/{SCRIPT}")],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_has_the_folder_and_works_in_it() {
        let container = Container {
            image: "linaro/kir".into(),
            local: true,
            devices: vec!["/dev/loop0".into()],
            ..Container::default()
        };
        let folder = Path::new("/s/downloads/common");
        assert_eq!(
            words(&container, "7", "lava-help-7", folder, true).join(" "),
            "docker run --rm --init --pull=never --name=lava-help-7 --device=/dev/loop0 --device=/dev/kvm \
             --volume=/s/downloads/common:/lava-downloads --workdir=/lava-downloads -- linaro/kir \
             /lava-downloads/postprocess.sh"
        );
    }

    #[test]
    fn a_link_of_the_scripts_name_is_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("other"), "mine").unwrap();
        std::os::unix::fs::symlink("other", dir.path().join(SCRIPT)).unwrap();
        write(dir.path(), "#!/bin/sh\n").unwrap();
        assert_eq!(std::fs::read(dir.path().join("other")).unwrap(), b"mine");
        assert_eq!(std::fs::read(dir.path().join(SCRIPT)).unwrap(), b"#!/bin/sh\n");
    }
}
