//! `boot-installer-iso`: a distribution's installer, to its end, and then the system that it has installed. The
//! installer's QEMU ends where the installer would reboot or switch off.

use futures_util::future::BoxFuture;

use super::parts::{Actions, shell};
use super::qemu::{check_disks, check_words, images, start};
use super::strategies::of;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::deploy::installer::{CD, QEMU};
use crate::dispatch::actions::deploy::preseed::PRESEED;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::job::Artefact;
use crate::dispatch::qemu::{Machine, command, console};
use crate::dispatch::serve::Served;
use crate::dispatch::session::Wait;
use crate::dispatch::validate::Checks;

/// Nothing matches it.
const NEVER: &str = r"[^\s\S]";
/// What Debian's installer is told besides: where its answers are, and, behind the dashes, what the system that
/// it installs is told, too (Debian's installation guide, 5.3 and appendix B.2).
const TOLD: &str = "auto=true DEBIAN_FRONTEND=text";

/// The steps of `boot-installer-iso`.
pub(super) fn installer_steps(scene: &Scene<'_>) -> Actions {
    let mut images = images(scene);
    images.retain(|image| image.name == CD || image.image_arg.is_some());
    let execute = ExecuteInstaller { images, context: scene.job.context.clone() };
    let mut steps: Actions =
        vec![Box::new(execute), Box::new(MonitorInstaller), Box::new(RebootIntoInstalled)];
    steps.extend(shell(of(scene), scene));
    steps
}

/// Starts the installer.
#[derive(Debug)]
struct ExecuteInstaller {
    images: Vec<Artefact>,
    /// What the job may have put into the device's template.
    context: Vec<(String, String)>,
}

impl Action for ExecuteInstaller {
    fn name(&self) -> &'static str {
        "execute-installer-command"
    }

    fn connects(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            console::check(checks);
            match checks.device.qemu(QEMU).map(|qemu| qemu.command.clone()) {
                Some(command) if !command.is_empty() => checks.program(&command),
                _ => checks.fault(
                    "the device has no QEMU: actions: boot: methods: qemu: parameters: command",
                ),
            }
            if !self.images.iter().any(|image| image.name == CD) {
                checks.fault("the job deploys no installer (\"to: iso-installer\")");
            }
            let names: Vec<&str> = self.images.iter().map(|image| image.name.as_str()).collect();
            for image in &self.images {
                let Some(image_arg) = &image.image_arg else { continue };
                if let Err(why) = command::words(image_arg) {
                    checks.fault(format!("{}: image_arg: {why}", image.name));
                }
                for unknown in command::unknown_names(image_arg, &names) {
                    checks
                        .fault(format!("{}: image_arg: there is no image {unknown:?}", image.name));
                }
            }
            check_words(QEMU, &self.images, &self.context, checks);
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Configuration("the device has no qemu".into());
            let qemu = context.device.qemu(QEMU).cloned().ok_or_else(missing)?;
            if !qemu.trust_jobs {
                check_disks(&self.images, context)?;
            }
            let host = context.settings.dispatcher_ip.clone();
            let answers = context.shared().files.get(PRESEED).cloned();
            let answers = match answers {
                None => None,
                Some(file) => Some(Served::new(&file, &host).await.map_err(|error| {
                    Error::Infrastructure(format!("the answers cannot be served: {error}"))
                })?),
            };
            let shared = context.shared();
            let files: Vec<_> = shared.files.clone().into_iter().collect();
            let mut line = shared.installer.line.clone();
            for image in &self.images {
                let words = command::image(image, &files).map_err(Error::Configuration)?;
                line.extend(words);
            }
            let url = answers.as_ref().map(|answers| format!(" url={}", answers.url(&host)));
            let console = qemu.console.map(|console| format!(" console={console}"));
            let (url, console) = (url.unwrap_or_default(), console.unwrap_or_default());
            line.extend(["-append".to_owned(), format!("{TOLD}{url} ---{console}")]);
            shared.installer.answers = answers;
            start(&line, context).await.map(drop)
        })
    }
}

/// Waits for the installer's end, and gives it its answers.
#[derive(Debug)]
struct MonitorInstaller;

impl Action for MonitorInstaller {
    fn name(&self) -> &'static str {
        "monitor-installer-connection"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let what = Some("the end of the installer".to_owned());
            let wait = Wait { what, ..context.wait() };
            let never = Patterns::new([NEVER]).map_err(Error::Configuration)?;
            let answers = context.shared().installer.answers.take();
            let serving = async {
                match &answers {
                    Some(answers) => answers.serve().await,
                    None => std::future::pending().await,
                }
            };
            let session = context.session()?;
            let ended = tokio::select! {
                ended = session.expect(&never, &wait) => ended,
                () = serving => return Err(Error::Bug("the answers are not served any more".into())),
            };
            session.flush();
            let died = session.watch().alarm().is_some();
            let well = context.machine.as_ref().is_some_and(Machine::has_ended_well);
            match ended {
                Err(Error::Dead(_)) if well && !died => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    return Err(Error::Bug("nothing was found in the installer's output".into()));
                }
            }
            if answers.is_some_and(|answers| !answers.is_taken()) {
                let what = "the installer has ended without its answers, which it has not fetched";
                return Err(Error::Job(what.into()));
            }
            context.log.info("the installer has ended");
            Ok(())
        })
    }
}

/// Starts what was installed.
#[derive(Debug)]
struct RebootIntoInstalled;

impl Action for RebootIntoInstalled {
    fn name(&self) -> &'static str {
        "reboot-into-installed"
    }

    fn connects(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Configuration("the device has no qemu".into());
            let qemu = context.device.qemu(QEMU).cloned().ok_or_else(missing)?;
            let guest = context.device.guest.clone();
            let shared = context.shared();
            let tests = shared.overlay_drive.as_ref().map(|drive| (&guest, drive.image.as_path()));
            let disk = command::disk(&guest, &shared.installer.disk);
            let mut line = command::line(&qemu, &[], &[], None).map_err(Error::Configuration)?;
            // The first disk is the one that is booted.
            line.extend(disk);
            line.extend(
                tests.map(|(guest, file)| command::guest(guest, file)).into_iter().flatten(),
            );
            let order = qemu.boot_order.unwrap_or_else(|| "c".into());
            line.extend(["-boot".to_owned(), order]);
            start(&line, context).await.map(drop)
        })
    }
}
