//! `deploy-avh`: a firmware package for a model of Arm's service: a ZIP archive with kernel, device tree, root file system
//! and what they are for.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::append_overlays::run;
use super::apply_overlay_image::{ApplyOverlayImage, into_image};
use super::download::DownloadRetry;
use super::parts::{Actions, overlay};
use crate::client::avh::Avh;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::avh::{ASKING, AvhOptions, AvhPackage, AvhPlace, TOKEN, new_name, patiently};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Deploy};
use crate::dispatch::validate::Checks;
use crate::image::{ext, unpack};

/// What a package is made of: the job's artefacts, and what they are called in it.
const IMAGES: [(&str, &str); 3] = [("kernel", "kernel"), ("dtb", "devicetree"), ("rootfs", "nand")];
/// The artefact that is a package already.
pub(in crate::dispatch) const PACKAGE: &str = "fw_package";
const INFO: &str = "Info.plist";

/// What `deploy-avh-retry` tries.
pub(super) fn avh_steps(scene: &Scene<'_>) -> Actions {
    let deploy = scene.deploy();
    let of_device = scene.device.avh.clone();
    let options = deploy.avh.or(&of_device);
    let token = scene.job.secrets.get(TOKEN).cloned();
    let tests = scene.has_tests();
    vec![Box::new(AvhDeploy { deploy, options, of_device, token, tests })]
}

struct AvhDeploy {
    deploy: Deploy,
    options: AvhOptions,
    /// What the device's dictionary says of them.
    of_device: AvhOptions,
    token: Option<String>,
    /// Tests run on what is deployed.
    tests: bool,
}

/// Without the token.
impl std::fmt::Debug for AvhDeploy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AvhDeploy").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Action for AvhDeploy {
    fn name(&self) -> &'static str {
        "deploy-avh"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let mut steps = overlay(scene);
        for artefact in self.deploy.artefacts.clone() {
            steps.push(Box::new(DownloadRetry::new(artefact.clone())));
            match artefact.name.as_str() {
                "rootfs" if self.tests => {
                    let image = Some(artefact);
                    steps.push(Box::new(ApplyOverlayImage { image, sparse: false }));
                }
                PACKAGE if self.tests => {
                    steps.push(Box::new(ApplyOverlayAvh { package: artefact }));
                }
                _ => {}
            }
        }
        steps
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.options.model().is_none() {
                checks.fault("neither the device nor the job names the model: options: model");
            }
            if let Err(why) = self.place() {
                checks.fault(why.to_string());
            }
            if self.deploy.artefact(PACKAGE).is_some() {
                return;
            }
            checks.program("zip");
            for (name, _) in IMAGES {
                if self.deploy.artefact(name).is_none() {
                    checks.fault(format!("\"images\" has no {name:?}"));
                }
            }
            let root = self.deploy.artefact("rootfs");
            if self.tests && root.is_some_and(|root| root.partition.is_none()) {
                checks.fault(
                    "rootfs: \"root_partition\" does not say where the tests go, counted from 0",
                );
            }
        })
    }

    /// The package is made when all of its parts are there.
    fn finish<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let place = self.place()?;
            let avh = place.log_in().await?;
            context.log.info(format!("logged in at {}", place.url));
            let model = self.model(&avh).await?;
            let project = self.project(&avh).await?;
            let (version, build) = (context.now.level.clone(), context.settings.job_id.clone());
            let name = new_name(&model, &version, &build)
                .map_err(|error| Error::Infrastructure(format!("/dev/urandom: {error}")))?;
            let file = match self.deploy.artefact(PACKAGE) {
                Some(_) => downloaded(PACKAGE, context)?,
                None => {
                    let info = info(&name, &model, &version, &build);
                    pack(&name, &info, context).await?
                }
            };
            context.log.info(format!("the firmware package is {}", file.display()));
            context.fact("package", &name);
            context.shared().avh = Some(AvhPackage { place, project, model, version, file });
            Ok(())
        })
    }
}

impl AvhDeploy {
    fn place(&self) -> Result<AvhPlace, Error> {
        let none = || Error::Configuration(format!("the job has no secret {TOKEN:?}"));
        let token = self.token.as_deref().filter(|token| !token.is_empty()).ok_or_else(none)?;
        let place = AvhPlace::new(self.options.endpoint(), token).map_err(Error::Configuration)?;
        self.of_device.allows(&place).map_err(Error::Configuration)?;
        Ok(place)
    }

    /// The model, which has to be one of the service's.
    async fn model(&self, avh: &Avh) -> Result<String, Error> {
        let none = || Error::Configuration("no model is named".into());
        let model = self.options.model().ok_or_else(none)?;
        let models = patiently(ASKING, || avh.models()).await?;
        match models.iter().any(|there| there == model) {
            true => Ok(model.to_owned()),
            false => {
                let there = models.join(", ");
                Err(Error::Job(format!(
                    "{model:?} is no model of {}: {there}",
                    self.options.endpoint()
                )))
            }
        }
    }

    async fn project(&self, avh: &Avh) -> Result<String, Error> {
        let name = self.options.project();
        let found = patiently(ASKING, || avh.project(name)).await?;
        found.ok_or_else(|| {
            Error::Job(format!("{} has no project {name:?}", self.options.endpoint()))
        })
    }
}

fn downloaded(name: &str, context: &mut Context) -> Result<PathBuf, Error> {
    let file = context.shared().files.get(name).cloned();
    file.ok_or_else(|| Error::Bug(format!("{name} was not downloaded")))
}

/// What a package says of itself: a property list.
fn info(name: &str, model: &str, version: &str, build: &str) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let entries = [
        ("Build", build),
        ("DeviceIdentifier", model),
        ("Type", "iot"),
        ("UniqueIdentifier", name),
        ("Version", version),
    ];
    let entries: String = entries
        .into_iter()
        .map(|(key, value)| format!("\t<key>{key}</key>\n\t<string>{}</string>\n", escaped(value)))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n{entries}</dict>\n\
         </plist>\n"
    )
}

/// Makes the package, in a folder of its own.
async fn pack(name: &str, info: &str, context: &mut Context) -> Result<PathBuf, Error> {
    let folder =
        context.scratch().join(format!("{}-avh-{}", context.now.namespace, context.now.level));
    let failed = |error: io::Error| Error::Infrastructure(format!("{}: {error}", folder.display()));
    // A try before this one may have left something.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    std::fs::write(folder.join(INFO), info).map_err(failed)?;
    for (image, called) in IMAGES {
        let (file, to) = (downloaded(image, context)?, folder.join(called));
        std::fs::hard_link(&file, &to)
            .or_else(|_| std::fs::copy(&file, &to).map(drop))
            .map_err(failed)?;
    }
    // A model's name is a word; what else a job may call it is none of a file's.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let name: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let package = folder.join(format!("{name}.zip"));
    let mut zip = unpack::unpacker("zip", &[], &folder);
    zip.args(["-q", "-X"]).arg(&package).arg(INFO).args(IMAGES.map(|(_, called)| called));
    zip.current_dir(&folder);
    run(zip, &package).await?;
    for (_, called) in IMAGES {
        std::fs::remove_file(folder.join(called)).map_err(failed)?;
    }
    Ok(package)
}

/// `apply-overlay-avh`: the tests into a file system of a package that is one already.
#[derive(Debug)]
struct ApplyOverlayAvh {
    package: Artefact,
}

impl Action for ApplyOverlayAvh {
    fn name(&self) -> &'static str {
        "apply-overlay-avh"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            ["zip", "unzip"]
                .iter()
                .chain(&ext::PROGRAMS)
                .for_each(|program| checks.program(program));
            match self.package.storage_file.as_deref() {
                None => checks.fault(format!("{PACKAGE}: \"storage_file\" does not say what the tests go into")),
                Some(file) if !is_plain(file) => checks.fault(format!(
                    "{PACKAGE}: \"storage_file\": {file:?} is no file's name of letters, digits, '_', '-' and '.'"
                )),
                Some(_) => {}
            }
            if self.package.partition.is_none() {
                checks.fault(format!(
                    "{PACKAGE}: \"root_partition\" does not say where the tests go, counted from 0"
                ));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let package = downloaded(PACKAGE, context)?;
            let none = || Error::Configuration("there is no \"storage_file\"".into());
            let name = self.package.storage_file.clone().filter(|name| is_plain(name));
            let name = name.ok_or_else(none)?;
            let folder = context.scratch().join(format!("{}-avh-storage", context.now.namespace));
            let failed =
                |error: io::Error| Error::Infrastructure(format!("{}: {error}", folder.display()));
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).map_err(failed)?;
            let mut unzip = unpack::unpacker("unzip", &[&package], &folder);
            unzip.args(["-q", "-o"]).arg(&package).arg(&name).arg("-d").arg(&folder);
            run(unzip, &package).await?;
            let image = folder.join(&name);
            // An archive may have links, which lead anywhere.
            if !std::fs::symlink_metadata(&image).map_err(failed)?.is_file() {
                return Err(Error::Job(format!("{PACKAGE}: {name:?} in it is no file")));
            }
            into_image(&name, &image, self.package.partition, false, context).await?;
            let own = package.parent().unwrap_or(Path::new("/")).to_owned();
            let mut zip = unpack::unpacker("zip", &[&folder], &own);
            zip.args(["-q", "-X"]).arg(&package).arg(&name);
            zip.current_dir(&folder);
            run(zip, &package).await?;
            std::fs::remove_dir_all(&folder).map_err(failed)
        })
    }
}

/// A name that neither `unzip` nor `zip` takes for a pattern, an option or another folder.
fn is_plain(name: &str) -> bool {
    !name.starts_with(['-', '.'])
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}
