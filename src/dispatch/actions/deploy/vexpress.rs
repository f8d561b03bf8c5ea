//! `vexpress-fw-deploy`: the firmware of a Versatile Express or Juno board, by its controller (MCC).
//!
//! The controller has a command line on the board's console. At its word it shows the card that the board is
//! configured from to this host, as a USB disk.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::parts::{Actions, downloads};
use super::usb_disk::{Of, UsbDisk, What};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::boot::{Connect, ResetDevice};
use crate::dispatch::actions::{Group, WaitUsb};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::validate::Checks;

pub(super) fn vexpress_steps(_scene: &Scene<'_>) -> Actions {
    vec![Group::once("vexpress-fw-deploy", steps)]
}

fn steps(scene: &Scene<'_>) -> Actions {
    let disk = |name, what| UsbDisk::step(name, Of::Label, what);
    let mut steps = downloads(scene);
    steps.push(Box::new(Connect::device()));
    steps.push(Box::new(ResetDevice::default()));
    steps.push(disk("extract-vexpress-recovery-image", What::Extract));
    steps.push(Box::new(Controller::Enter));
    steps.push(Box::new(Controller::ShowDisk));
    steps.push(Box::new(WaitUsb::LABELLED));
    steps.push(disk("mount-vexpress-usbmsd", What::Open));
    steps.push(disk("deploy-vexpress-recovery-image", What::Recover));
    steps.push(disk("unmount-vexpress-usbmsd", What::Close));
    steps.push(Box::new(Controller::EraseFlash));
    steps
}

/// A dialogue with the controller.
#[derive(Debug, Clone, Copy)]
enum Controller {
    /// Gets to its prompt, before it boots the board by itself.
    Enter,
    /// Has it show its card.
    ShowDisk,
    /// Has it erase the flash, so that all firmware comes from the card.
    EraseFlash,
}

/// What ends the countdown, where the dictionary does not say; a line end follows.
const INTERRUPT: &str = " ";

impl Controller {
    /// The keys of the dictionary that it needs: prompts and messages first, then what is typed.
    fn keys(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Enter => (&["mcc_prompt", "autorun_prompt", "mcc_reset_msg"], &[]),
            Self::ShowDisk => (&["mcc_prompt"], &["msd_mount_cmd"]),
            Self::EraseFlash => (
                &["mcc_prompt", "flash_prompt", "flash_erase_msg"],
                &["flash_enter_cmd", "flash_erase_cmd", "flash_exit_cmd"],
            ),
        }
    }

    async fn enter(context: &mut Context) -> Result<(), Error> {
        let (prompt, autorun) = (pattern("mcc_prompt", context)?, text("autorun_prompt", context)?);
        let boots = text("mcc_reset_msg", context)?;
        let either = prompt.and([autorun]).and_then(|either| either.and([boots.clone()]));
        let either = either.map_err(Error::Configuration)?;
        let prompt = pattern("mcc_prompt", context)?.and([boots]).map_err(Error::Configuration)?;
        let texts = &context.device.flash.vexpress.texts;
        let key = texts.get("interrupt_char").map_or(INTERRUPT, String::as_str);
        let key = format!("{key}\n");
        let wait = context.wait();
        let session = context.session()?;
        let mut found = session.expect(&either, &wait).await?.index;
        let mut boots = 2;
        if found == 1 {
            session.type_text(&key, Duration::ZERO).await?;
            (found, boots) = (session.expect(&prompt, &wait).await?.index, 1);
        }
        if found == boots {
            let what = "the board's controller boots it already: it could not be stopped";
            return Err(Error::Infrastructure(session.told(what, &prompt, &wait)));
        }
        Ok(())
    }
}

impl Action for Controller {
    fn name(&self) -> &'static str {
        match self {
            Self::Enter => "enter-vexpress-mcc",
            Self::ShowDisk => "enable-vexpress-usbmsd",
            Self::EraseFlash => "erase-vexpress-flash",
        }
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let (patterns, typed) = self.keys();
            let (file, texts) = (checks.device.file.clone(), &checks.device.flash.vexpress.texts);
            let texts = texts.clone();
            for key in patterns.iter().chain(typed) {
                match texts.get(*key) {
                    None => checks.fault(format!(
                        "the device ({file}) has no \"actions: deploy: methods: vemsd: parameters: {key}\""
                    )),
                    Some(pattern) if patterns.contains(key) => checks.pattern(key, pattern),
                    Some(_) => {}
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            match self {
                Self::Enter => Self::enter(context).await,
                Self::ShowDisk => say("msd_mount_cmd", &["mcc_prompt"], context).await,
                Self::EraseFlash => {
                    say("flash_enter_cmd", &["flash_prompt"], context).await?;
                    say("flash_erase_cmd", &["flash_erase_msg", "flash_prompt"], context).await?;
                    say("flash_exit_cmd", &["mcc_prompt"], context).await
                }
            }
        })
    }
}

/// Types what the dictionary says, and waits for what comes, one after the other.
async fn say(typed: &str, expected: &[&str], context: &mut Context) -> Result<(), Error> {
    let (line, wait) = (text(typed, context)?, context.wait());
    let delay = Duration::from_millis(context.device.boot_character_delay);
    context.session()?.send_line(&line, delay).await?;
    for key in expected {
        let pattern = pattern(key, context)?;
        context.session()?.expect(&pattern, &wait).await?;
    }
    Ok(())
}

fn text(key: &str, context: &Context) -> Result<String, Error> {
    let texts = &context.device.flash.vexpress.texts;
    let missing = || Error::Configuration(format!("the device has no {key:?}"));
    texts.get(key).cloned().ok_or_else(missing)
}

fn pattern(key: &str, context: &Context) -> Result<Patterns, Error> {
    Patterns::new([text(key, context)?]).map_err(Error::Configuration)
}
