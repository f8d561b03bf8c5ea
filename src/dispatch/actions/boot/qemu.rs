//! `boot-image-retry` and what is in it: a QEMU of the job's own, up to its shell.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::parts::{Actions, shell};
use super::strategies::of;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::NotYet;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Block, Boot, Kind};
use crate::dispatch::qemu::{Machine, Qemu, command, console};
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
/// The artefact that is QEMU's own firmware.
const FIRMWARE: &str = "uefi";

/// The steps of `boot-image-retry`.
pub(super) fn qemu_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps: Actions = vec![Box::new(BootQemuImage { boot: boot.clone() })];
    steps.extend(shell(boot, scene));
    steps
}

/// The steps of `boot-installer-iso`.
pub(super) fn installer_steps(scene: &Scene<'_>) -> Actions {
    let because = "an installer is booted (\"method: qemu-iso\")";
    let names =
        ["execute-installer-command", "monitor-installer-connection", "reboot-into-installed"];
    let steps = names.into_iter().map(|name| Box::new(NotYet { name, because }) as Box<dyn Action>);
    steps.chain(shell(of(scene), scene)).collect()
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
        let images = blocks.clone().filter_map(|block| match &block.kind {
            Kind::Deploy(deploy) => Some(deploy.artefacts.clone()),
            _ => None,
        });
        let images = images.flatten().collect();
        let left_alone = self.boot.prompts.is_empty() && !blocks.clone().any(Block::is_test);
        vec![Box::new(ExecuteQemu { boot: self.boot.clone(), images, left_alone })]
    }
}

/// Starts QEMU.
#[derive(Debug)]
struct ExecuteQemu {
    boot: Boot,
    /// What the job deploys.
    images: Vec<Artefact>,
    /// Nothing that follows would notice its end.
    left_alone: bool,
}

impl Action for ExecuteQemu {
    fn name(&self) -> &'static str {
        "execute-qemu"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let file = checks.device.file.clone();
            let method = &self.boot.method;
            console::check(checks);
            match checks.device.qemu(method).map(|qemu| qemu.command.clone()) {
                Some(command) if !command.is_empty() => checks.program(&command),
                _ => checks.fault(format!(
                    "the device ({file}) has no \"actions: boot: methods: {method}: parameters: command\""
                )),
            }
            if self.boot.container.is_some() {
                checks.fault("QEMU in a container (\"docker\") is not started yet");
            }
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
            let line = self.line(&qemu, context)?;
            connect(context).await?;
            let session = context.session()?;
            session.forget();
            session.watch().begin(Stage::Booting);
            let shown = shlex::try_join(line.iter().map(String::as_str)).unwrap_or_default();
            context.log.info(format!("starting: {shown}"));
            context.shared().prompts = self.boot.prompts.clone();
            let missing = || Error::Bug("there is no line to QEMU".into());
            let machine = context.machine.as_ref().ok_or_else(missing)?;
            machine.start(&line).await?;
            if self.left_alone {
                machine.survives(WATCHED).await?;
            }
            Ok(())
        })
    }
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
        Ok(line)
    }
}

/// The board's line and its console, once for the job.
async fn connect(context: &mut Context) -> Result<(), Error> {
    if context.machine.is_some() {
        return Ok(());
    }
    let settings = context.settings.clone();
    // A board without a usable name has the job's.
    let name = context.device.hostname.parse::<Name>().map(|name| name.to_string());
    let name = name.unwrap_or_else(|_| format!("job-{}", settings.job_id));
    let machine = Machine::new(&name, &settings.output).await?;
    let connection = machine.attach(&settings.job_id).await?;
    let console = machine.console();
    context.log.info(format!("to watch on this host: lava-console {name} ({console})"));
    registry::note(&settings.job_id, &name, console, None);
    let timeline = Timeline::new(console, &settings.job_id);
    context.connect(Session::new(connection, context.log.clone()));
    timeline.job(Phase::Begin).await;
    (context.timeline, context.machine) = (Some(timeline), Some(machine));
    Ok(())
}
