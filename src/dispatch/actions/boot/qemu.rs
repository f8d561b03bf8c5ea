//! `boot-image-retry` and what is in it: a QEMU of the job's own, up to its shell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::parts::{Actions, shell};
use super::strategies::of;
use crate::client::ConsoleRef;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::deploy::extract_nfsrootfs::ROOT;
use crate::dispatch::connection::Target;
use crate::dispatch::context::{Context, Settings};
use crate::dispatch::error::Error;
use crate::dispatch::host::{self, Started};
use crate::dispatch::job::{Artefact, Block, Boot, Container, Kind};
use crate::dispatch::qemu::{Machine, Qemu, command, console, trust};
use crate::dispatch::registry;
use crate::dispatch::session::Session;
use crate::dispatch::timeline::Timeline;
use crate::dispatch::validate::Checks;
use crate::dispatch::watch::Stage;
use crate::model::Name;
use crate::model::event::Phase;

/// Nothing may come of a QEMU that nobody logs in to, and that no test listens to. It is watched this long,
/// since what is wrong with its options it says at once.
const WATCHED: Duration = Duration::from_millis(500);
/// The method of a QEMU whose root is on NFS.
const NFS: &str = "qemu-nfs";
/// Devices of this host that a QEMU in a container has, where they are.
const KVM: &str = "/dev/kvm";
const TUN: &str = "/dev/net/tun";
/// The artefact that is QEMU's own firmware.
const FIRMWARE: &str = "uefi";

/// The steps of `boot-image-retry`.
pub(super) fn qemu_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps: Actions = vec![Box::new(BootQemuImage { boot: boot.clone() })];
    steps.extend(shell(boot, scene));
    steps
}

#[derive(Debug)]
struct BootQemuImage {
    boot: Boot,
}

impl Action for BootQemuImage {
    fn name(&self) -> &'static str {
        "boot-qemu-image"
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let blocks = scene.job.blocks.iter().filter(|b| b.namespace() == scene.namespace());
        let mut images = images(scene);
        let nfs = self.boot.method == NFS;
        let has_root = images.iter().any(|image| image.name == ROOT);
        // What it says for QEMU the device says, too.
        images.retain(|image| !nfs || image.name != ROOT);
        let left_alone = self.boot.prompts.is_empty() && !blocks.clone().any(Block::is_test);
        let (boot, context) = (self.boot.clone(), scene.job.context.clone());
        let rootless = nfs && !has_root;
        vec![Box::new(ExecuteQemu { boot, images, context, left_alone, rootless })]
    }
}

/// All that the blocks of a namespace deploy.
pub(super) fn images(scene: &Scene<'_>) -> Vec<Artefact> {
    let blocks = scene.job.blocks.iter().filter(|block| block.namespace() == scene.namespace());
    let images = blocks.filter_map(|block| match &block.kind {
        Kind::Deploy(deploy) if deploy.to != "downloads" => Some(deploy.artefacts.clone()),
        _ => None,
    });
    images.flatten().collect()
}

/// Starts QEMU.
#[derive(Debug)]
struct ExecuteQemu {
    boot: Boot,
    /// What the job deploys.
    images: Vec<Artefact>,
    /// What the job may have put into the device's template.
    context: Vec<(String, String)>,
    /// Nothing that follows would notice its end.
    left_alone: bool,
    /// It needs a root file system by NFS, and the job has none.
    rootless: bool,
}

impl Action for ExecuteQemu {
    fn name(&self) -> &'static str {
        "execute-qemu"
    }

    fn connects(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let file = checks.device.file.clone();
            let method = &self.boot.method;
            console::check(checks);
            match checks.device.qemu(method).map(|qemu| qemu.command.clone()) {
                Some(command) if !command.is_empty() => match &self.boot.container {
                    Some(_) => checks.program("docker"),
                    None => checks.program(&command),
                },
                _ => checks.fault(format!(
                    "the device ({file}) has no \"actions: boot: methods: {method}: parameters: command\""
                )),
            }
            if method == NFS {
                if checks.device.qemu(method).is_some_and(|qemu| qemu.append.is_none()) {
                    checks.fault(format!(
                        "the device ({file}) has no \"actions: boot: methods: {method}: parameters: append\""
                    ));
                }
                if self.rootless {
                    checks.fault(format!("the job deploys no {ROOT:?} (\"to: nfs\")"));
                }
            }
            check_words(method, &self.images, &self.context, checks);
            let names: Vec<&str> = self.images.iter().map(|image| image.name.as_str()).collect();
            for image in &self.images {
                let Some(image_arg) = &image.image_arg else { continue };
                if let Err(why) = command::words(image_arg) {
                    checks.fault(format!("{}: image_arg: {why}", image.name));
                }
                for unknown in command::unknown_names(image_arg, &names) {
                    let (image, names) = (&image.name, names.join(", "));
                    checks.fault(format!(
                        "{image}: image_arg: {{{unknown}}} is none of the images ({names})"
                    ));
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Configuration("the device has no qemu".into());
            let qemu = context.device.qemu(&self.boot.method).cloned().ok_or_else(missing)?;
            let mut line = self.line(&qemu, context)?;
            if let Some(container) = &self.boot.container {
                line = contained(container, line, context).await;
            }
            if !qemu.trust_jobs {
                check_disks(&self.images, context)?;
            }
            context.has_booted(self.boot.prompts.clone());
            let machine = start(&line, context).await?;
            if self.left_alone {
                machine.survives(WATCHED).await?;
            }
            Ok(())
        })
    }
}

/// The words that start QEMU in a container, which sees the job's files by the same names.
async fn contained(container: &Container, line: Vec<String>, context: &mut Context) -> Vec<String> {
    let name = format!("lava-docker-qemu-{}-{}", context.settings.job_id, context.now.level);
    host::add_container(Started::here(name.clone()), context).await;
    let mut folders = vec![context.scratch()];
    folders.extend(context.settings.nfs_dir.clone());
    let devices = [KVM, TUN].into_iter().filter(|device| Path::new(device).exists());
    let devices: Vec<&str> = devices.collect();
    container_words(container, &name, &folders, &devices, &context.settings.job_id, line)
}

/// Those words; QEMU's input and output are docker's.
fn container_words(
    container: &Container,
    name: &str,
    folders: &[PathBuf],
    devices: &[&str],
    job_id: &str,
    line: Vec<String>,
) -> Vec<String> {
    let pull = if container.local { "--pull=never" } else { "--pull=missing" };
    let run = ["docker", "run", "--rm", "--init", "--interactive", pull];
    let mut words: Vec<String> = run.map(ToOwned::to_owned).into();
    words.push(format!("--name={name}"));
    words.extend(container.options(job_id));
    words.extend(devices.iter().map(|device| format!("--device={device}")));
    for folder in folders.iter().map(|folder| folder.display()) {
        words.push(format!("--volume={folder}:{folder}"));
    }
    words.extend(["--".to_owned(), container.image.clone()]);
    let mut line = line.into_iter();
    let program = line.next();
    words.extend(container.binary.clone().or(program));
    words.extend(line);
    words
}

/// Starts a QEMU behind the board's line; one that runs is killed before.
pub(super) async fn start<'a>(
    line: &[String],
    context: &'a mut Context,
) -> Result<&'a Machine, Error> {
    connect(context).await?;
    let session = context.session()?;
    session.forget();
    session.watch().begin(Stage::Booting);
    let shown = shlex::try_join(line.iter().map(String::as_str)).unwrap_or_default();
    context.log.info(format!("starting: {shown}"));
    let missing = || Error::Bug("there is no line to QEMU".into());
    let machine = context.machine.as_ref().ok_or_else(missing)?;
    machine.start(line).await?;
    Ok(machine)
}

/// What a job says to QEMU must reach nothing of this host but the job's files.
pub(super) fn check_words(
    method: &str,
    images: &[Artefact],
    context: &[(String, String)],
    checks: &mut Checks,
) {
    if checks.device.trusts_jobs(method) {
        return;
    }
    let key = format!("actions: boot: methods: {method}: parameters: trust_jobs: true");
    let hint = format!("a device whose jobs may do anything on this host says \"{key}\"");
    for image in images {
        let words = image.image_arg.as_deref().map(command::words).and_then(Result::ok);
        if let Some(why) = words.and_then(|words| trust::refused(&words)) {
            checks.fault(format!("{}: image_arg: {why}; {hint}", image.name));
        }
    }
    for (key, text) in context {
        if let Some(why) = trust::refused_text(text) {
            checks.fault(format!("context: {key}: {why}; {hint}"));
        }
    }
}

/// An image that goes on in another file must not get at those of this host.
pub(super) fn check_disks(images: &[Artefact], context: &mut Context) -> Result<(), Error> {
    for image in images.iter().filter(|image| image.image_arg.is_some()) {
        let Some(file) = context.shared().files.get(&image.name).cloned() else { continue };
        let failed = |error| Error::Infrastructure(format!("{}: {error}", file.display()));
        if let Some(why) = trust::refused_disk(&file).map_err(failed)? {
            return Err(Error::Job(format!("{}: {why}", image.name)));
        }
    }
    Ok(())
}

impl ExecuteQemu {
    fn line(&self, qemu: &Qemu, context: &mut Context) -> Result<Vec<String>, Error> {
        let guest = context.device.guest.clone();
        let shared = context.shared();
        let drive = shared.overlay_drive.as_ref().map(|drive| (&guest, drive.image.as_path()));
        let files: Vec<(String, PathBuf)> = shared.files.clone().into_iter().collect();
        let mut line =
            command::line(qemu, &self.images, &files, drive).map_err(Error::Configuration)?;
        if let Some(folder) = shared.files.get(FIRMWARE).and_then(|file| file.parent()) {
            line.extend(["-L".to_owned(), folder.display().to_string()]);
        }
        if self.boot.method == NFS {
            let missing = || Error::Bug("there is no root file system".into());
            let root = shared.nfs_root.as_ref().ok_or_else(missing)?.display().to_string();
            let append = qemu.append.clone().unwrap_or_default();
            let server = &context.settings.dispatcher_ip;
            let append = append.replace("{NFS_SERVER_IP}", server).replace("{NFSROOTFS}", &root);
            line.extend(["-append".to_owned(), append]);
        }
        Ok(line)
    }
}

/// The board's console, where a `lava-serial` of the lab has it.
async fn lab_console(connect: Option<String>, settings: &Settings) -> Result<ConsoleRef, Error> {
    let missing = || {
        Error::Configuration(
            "the device has a \"line\", and no \"commands: connect\" that leads to a console of lava-serial".into(),
        )
    };
    let target = Target::parse(&connect.ok_or_else(missing)?).map_err(Error::Configuration)?;
    target.find(settings).await?.ok_or_else(missing)
}

/// The board's line and its console, once for the job.
async fn connect(context: &mut Context) -> Result<(), Error> {
    let settings = context.settings.clone();
    if let Some(machine) = &context.machine {
        let console = machine.console().to_string();
        if !context.is_connected() && !context.join(&console) {
            context.forget_lost_console();
            let missing = || Error::Bug("there is no line to QEMU".into());
            let machine = context.machine.as_ref().ok_or_else(missing)?;
            let connection = machine.attach(&settings.job_id).await?;
            context.connect_to(&console, Session::new(connection, context.log.clone()));
        }
        return Ok(());
    }
    // A board without a usable name has the job's.
    let name = context.device.hostname.parse::<Name>().map(|name| name.to_string());
    let name = name.unwrap_or_else(|_| format!("job-{}", settings.job_id));
    let line = context.device.vm.as_ref().and_then(|vm| vm.line.clone());
    let machine = match line {
        None => Machine::new(&name, &settings.output).await?,
        Some(line) => {
            let console = lab_console(context.device.connect.clone(), &settings).await?;
            context.log.info(format!("waiting for {console} to open {}", line.display()));
            Machine::behind(line, console, &settings.output).await?
        }
    };
    let connection = machine.attach(&settings.job_id).await?;
    let console = machine.console();
    context.log.info(format!("to watch on this host: lava-console {name} ({console})"));
    registry::note(&settings.job_id, &name, console, None);
    let timeline = Timeline::new(console, &settings.job_id);
    context.connect_to(&console.to_string(), Session::new(connection, context.log.clone()));
    timeline.job(Phase::Begin).await;
    (context.timeline, context.machine) = (Some(timeline), Some(machine));
    Ok(())
}
