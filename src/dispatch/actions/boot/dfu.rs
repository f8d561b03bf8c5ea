//! `enter-dfu` and `flash-dfu`: `dfu-util` writes the images to a board in USB's mode for that (DFU), which is
//! its hardware's own or one of its U-Boot's.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::flash_parts::{
    board_id, check, check_files, check_image_args, command, files, filled_words, words,
};
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::host;
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;

/// `dfu-util` may end well when it has failed; these are its last lines when it has not.
const DONE: [&str; 2] = ["No error condition is present", "Done!"];
const COMMANDS: &str = "actions: boot: methods: dfu: parameters: enter-commands";
const DONE_KEY: &str = "constants: u-boot: dfu-download";

/// Types at U-Boot what begins its DFU.
#[derive(Debug)]
pub(super) struct EnterDfu;

#[derive(Debug)]
pub(super) struct FlashDfu {
    pub files: Vec<Artefact>,
}

impl Action for EnterDfu {
    fn name(&self) -> &'static str {
        "enter-dfu"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if checks.device.flash.dfu.enter.is_empty() {
                checks.lacks(COMMANDS);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = context.device.flash.dfu.enter.clone();
            let delay = Duration::from_millis(context.device.boot_character_delay);
            let prompts = context.device.loader("u-boot").prompts;
            let prompts = Patterns::new(&prompts).map_err(Error::Configuration)?;
            let (wait, last) = (context.wait(), commands.len().saturating_sub(1));
            let session = context.session()?;
            for (i, line) in commands.iter().enumerate() {
                session.send_line(line, delay).await?;
                // U-Boot stays in the last one.
                if i < last {
                    session.expect(&prompts, &wait).await?;
                }
            }
            Ok(())
        })
    }
}

impl Action for FlashDfu {
    fn name(&self) -> &'static str {
        "flash-dfu"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            check("dfu", checks.device.flash.dfu.command.clone().as_deref(), checks);
            check_files(&self.files, checks);
            check_image_args("dfu", &self.files, checks);
            let file = checks.device.file.clone();
            let flash = checks.device.flash.clone();
            for (key, value) in
                [("usb_vendor_id", &flash.board.vendor), ("usb_product_id", &flash.board.product)]
            {
                if value.is_none() {
                    checks.fault(format!("the device ({file}) has no \"{key}\""));
                }
            }
            match (flash.dfu.by_uboot, &flash.dfu.done) {
                (true, None) => checks.fault(format!("the device ({file}) has no \"{DONE_KEY}\"")),
                (true, Some(done)) => checks.pattern("dfu-download", done),
                (false, _) => {}
            }
            for artefact in self.files.iter().filter(|file| file.image_arg.is_none()) {
                let what = "\"image_arg\" is missing: the options for this image";
                checks.fault(format!("{}: {what}", artefact.name));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let flash = context.device.flash.clone();
            let (dfu, files) = (&flash.dfu, files(&self.files, context)?);
            let unset = || Error::Configuration("the device has no USB vendor and product".into());
            let (vendor, product) =
                flash.board.vendor.zip(flash.board.product).ok_or_else(unset)?;
            let mut base = vec![command(dfu.command.as_ref())?];
            base.extend(words(&dfu.options));
            base.extend(["--serial".to_owned(), board_id(context)?]);
            base.extend(["--device".to_owned(), format!("{vendor}:{product}")]);
            let done = dfu.done.iter().filter(|_| dfu.by_uboot);
            let done = Patterns::new(done).map_err(Error::Configuration)?;
            let last = self.files.len().saturating_sub(1);
            for (i, artefact) in self.files.iter().enumerate() {
                let image_arg = artefact.image_arg.clone().unwrap_or_default();
                let mut line = base.clone();
                line.extend(filled_words(&image_arg, &files, ToOwned::to_owned));
                if i == last && dfu.resets {
                    line.push("--reset".into());
                }
                let said = host::run(&line, context).await?;
                let lines: Vec<&str> = said.lines().map(str::trim).collect();
                if !lines.windows(2).any(|pair| pair[0].ends_with(DONE[0]) && pair[1] == DONE[1]) {
                    let (shown, end) = (line.join(" "), lines.last().copied().unwrap_or_default());
                    return Err(Error::Infrastructure(format!(
                        "{shown:?} did not say {:?}; its last line: {end:?}",
                        DONE.join(", ")
                    )));
                }
                if !done.is_empty() {
                    let wait = context.wait();
                    context.session()?.expect(&done, &wait).await?;
                }
            }
            Ok(())
        })
    }
}
