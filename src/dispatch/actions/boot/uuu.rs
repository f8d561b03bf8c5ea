//! `uuu-boot-retry`: NXP's `uuu` writes to a board that waits for that on USB, as it does when it finds nothing
//! to boot; `bcu` sets its switches.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::bootloader_commands::BootloaderCommands;
use super::bootloader_interrupt::BootloaderInterrupt;
use super::bootloader_overlay::BootloaderOverlay;
use super::connect_device::Connect;
use super::disconnect_device::DisconnectDevice;
use super::flash_parts::{files, filled_words};
use super::parts::Actions;
use super::qemu::images;
use super::reset_device::ResetDevice;
use super::strategies::{of, reset_connection};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::{Group, PowerOff};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host;
use crate::dispatch::job::{Artefact, Boot, Commands, Container};
use crate::dispatch::undo::Undo;
use crate::dispatch::validate::Checks;

/// The image with which it is tried whether the board waits for one.
const IMAGE: &str = "boot";
/// What needs no protocol in front of its words.
const PLAIN: &str = "uuu";
const SWITCHES: &str = "bcu";
/// How long the board needs behind a reset, and how long it is waited for then.
const SETTLING: Duration = Duration::from_secs(5);
const LOOKING: Duration = Duration::from_secs(10);
/// How long it needs between two commands.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn uuu_steps(_scene: &Scene<'_>) -> Actions {
    vec![Group::once("uuu", steps)]
}

fn steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let step = |what| -> Box<dyn Action> {
        Box::new(Uuu { what, boot: boot.clone(), files: images(scene) })
    };
    let mut steps: Actions = vec![Box::new(DisconnectDevice), Box::new(ResetDevice::default())];
    if !sets_switches_itself(&boot.uuu) {
        steps.push(step(What::Look));
        steps.push(Box::new(Corrupt));
        steps.push(Box::new(ResetDevice::default()));
    }
    steps.push(Box::new(Connect::device()));
    steps.push(step(What::Write));
    steps.push(Box::new(DisconnectDevice));
    steps
}

/// Whether the job itself gets the board into its mode, or needs no such mode.
fn sets_switches_itself(commands: &[(String, String)]) -> bool {
    let resets = commands.first().is_some_and(|(protocol, line)| {
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        protocol == SWITCHES && words == ["reset", "usb"]
    });
    let only = !commands.is_empty() && commands.iter().all(|(protocol, _)| protocol == SWITCHES);
    resets || only
}

/// Keeps the board from booting by itself, where it does not wait for images: its U-Boot spoils its medium.
#[derive(Debug)]
struct Corrupt;

impl Action for Corrupt {
    fn name(&self) -> &'static str {
        "boot-corrupt-boot-media"
    }

    fn populate(&self, scene: &Scene<'_>) -> Actions {
        let uuu = &scene.device.flash.uuu;
        let boot = Boot {
            method: "bootloader".into(),
            bootloader: Some("u-boot".into()),
            commands: Commands::List(uuu.corrupt.clone()),
            ..Boot::default()
        };
        let mut steps: Actions = Vec::new();
        if uuu.power_off_first {
            steps.push(Box::new(PowerOff));
        }
        steps.push(Box::new(Connect::device()));
        steps.push(Box::new(BootloaderOverlay { boot, deployed: None }));
        steps.push(Group::once("boot-bootloader", |_| {
            let loader = || "u-boot".to_owned();
            vec![
                reset_connection(),
                Box::new(ResetDevice::default()),
                Box::new(BootloaderInterrupt { loader: loader() }),
                Box::new(BootloaderCommands { loader: loader(), leads_to_shell: false }),
            ]
        }));
        steps.push(Box::new(DisconnectDevice));
        steps
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if checks.device.flash.uuu.corrupt.is_empty() {
                checks.lacks("actions: boot: methods: uuu: options: corrupt_boot_media_command");
            }
        })
    }

    fn skips_steps(&self, context: &mut Context) -> bool {
        context.shared().takes_images
    }
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Looks whether the board waits for images.
    Look,
    /// Runs the job's commands.
    Write,
}

#[derive(Debug)]
struct Uuu {
    what: What,
    boot: Boot,
    files: Vec<Artefact>,
}

impl Uuu {
    /// The container that the programs run in: the job's, or the device's own.
    fn container(&self, image: Option<&String>) -> Option<Container> {
        let own = || Some(Container { image: image?.clone(), ..Container::default() });
        self.boot.container.clone().or_else(own)
    }

    async fn run_in(&self, words: Vec<String>, context: &mut Context) -> Result<String, Error> {
        let image = context.device.flash.uuu.docker_image.clone();
        host::run_in(self.container(image.as_ref()).as_ref(), words, context).await
    }

    async fn look(&self, context: &mut Context) -> Result<(), Error> {
        tokio::time::sleep(SETTLING).await;
        let missing = || Error::Job(format!("the job deploys no {IMAGE:?}"));
        let image = context.shared().files.get(IMAGE).cloned().ok_or_else(missing)?;
        let words = [monitored(context).await?, vec![image.display().to_string()]].concat();
        let found = timeout(LOOKING, self.run_in(words, context)).await;
        let takes_images = found.is_ok();
        found.unwrap_or_else(|_| Ok(String::new()))?;
        context.shared().takes_images = takes_images;
        context.log.info(match takes_images {
            true => "the board takes images over USB",
            false => "the board takes no images over USB: it is kept from booting by itself",
        });
        Ok(())
    }

    async fn write(&self, context: &mut Context) -> Result<(), Error> {
        let files = files(&self.files, context)?;
        for (protocol, line) in &self.boot.uuu {
            let rest = filled_words(line, &files, ToOwned::to_owned);
            if protocol == SWITCHES {
                self.switch(rest, context).await?;
                continue;
            }
            let mut words = monitored(context).await?;
            if protocol != PLAIN {
                words.push(format!("{protocol}:"));
            }
            words.extend(rest);
            tokio::time::sleep(PAUSE).await;
            self.run_in(words, context).await?;
        }
        Ok(())
    }

    /// Sets the board's switches; at the job's end they are set back.
    async fn switch(&self, rest: Vec<String>, context: &mut Context) -> Result<(), Error> {
        let uuu = context.device.flash.uuu.clone();
        let id = match is_bcu_id(&uuu.bcu_id) || uuu.bcu_id_command.is_empty() {
            true => uuu.bcu_id.clone(),
            false => host::run(&uuu.bcu_id_command, context).await?.trim().to_owned(),
        };
        if !is_bcu_id(&id) {
            return Err(Error::Configuration(format!("{id:?} is no board of bcu's, as 2-1.3")));
        }
        let board = [format!("-board={}", uuu.bcu_name), format!("-id={id}")];
        let line = |rest: Vec<String>| [vec![SWITCHES.to_owned()], rest, board.to_vec()].concat();
        let container = self.container(uuu.docker_image.as_ref());
        // The last is run first.
        for back in uuu.bcu_cleanup.iter().rev().map(String::as_str).chain(["deinit"]) {
            let words = line(shlex::split(back).unwrap_or_default());
            let words = host::words_in(container.as_ref(), words, context);
            context.leavings.undo_by(Undo::Program(words)).await;
        }
        self.run_in(line(rest), context).await.map(drop)
    }

    fn check(&self, checks: &mut Checks) {
        let (file, uuu) = (checks.device.file.clone(), checks.device.flash.uuu.clone());
        let options = "actions: boot: methods: uuu: options";
        if uuu.paths.is_empty() && uuu.paths_command.is_empty() {
            checks.fault(format!(
                "the device ({file}) has no \"{options}: usb_otg_path\", as \"2:112\", and no \
                 \"usb_otg_path_command\""
            ));
        }
        if uuu.remote_options.is_some() {
            checks.fault(format!(
                "the device ({file}): \"{options}: remote_options\": containers are of this host only"
            ));
        }
        let switches = self.boot.uuu.iter().any(|(protocol, _)| protocol == SWITCHES);
        match self.container(uuu.docker_image.as_ref()) {
            Some(_) => checks.program("docker"),
            None => {
                checks.program(PLAIN);
                if switches {
                    checks.program(SWITCHES);
                }
                // A shell is among the commands of each protocol, and an archive may bring a script.
                if !checks.device.flash.trusts.contains("uuu") {
                    checks.fault(format!(
                        "the device ({file}): uuu runs programs of this host that a job names: give it a container \
                         (\"docker\"), or say \"actions: boot: methods: uuu: parameters: trust_jobs: true\""
                    ));
                }
            }
        }
        if switches && uuu.bcu_name.is_empty() {
            checks.fault(format!("the device ({file}) has no \"{options}: bcu_board_name\""));
        }
        if self.boot.uuu.is_empty() {
            checks.fault("\"commands\" has nothing to do, as \"- uuu: -b sd {boot}\"");
        }
    }
}

impl Action for Uuu {
    fn name(&self) -> &'static str {
        match self.what {
            What::Look => "check-serial-availability",
            What::Write => "uuu-boot",
        }
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match self.what {
                What::Write => self.check(checks),
                What::Look if !self.files.iter().any(|file| file.name == IMAGE) => {
                    checks.fault(format!("the job deploys no {IMAGE:?}"));
                }
                What::Look => {}
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            match self.what {
                What::Look => self.look(context).await,
                What::Write => self.write(context).await,
            }
        })
    }
}

/// `uuu` for this very board, by where it is plugged in.
async fn monitored(context: &mut Context) -> Result<Vec<String>, Error> {
    let uuu = context.device.flash.uuu.clone();
    let mut paths = uuu.paths;
    if paths.is_empty() {
        let said = host::run(&uuu.paths_command, context).await?;
        paths = said.lines().map(|line| line.trim().to_owned()).collect();
    }
    let mut words = vec![PLAIN.to_owned()];
    words.extend(paths.into_iter().flat_map(|path| ["-m".to_owned(), path]));
    Ok(words)
}

/// As `2-1.3`.
fn is_bcu_id(id: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let dotted =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    id.split_once('-').is_some_and(|(bus, ports)| digits(bus) && dotted(ports))
}
