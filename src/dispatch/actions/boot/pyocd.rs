//! `flash-pyocd`: the program `pyocd` writes the images, one after the other.

use futures_util::future::BoxFuture;

use super::flash_parts::{
    board_id, check, check_files, check_image_args, command, files, filled_words, words,
};
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::host;
use crate::dispatch::job::Artefact;
use crate::dispatch::power;
use crate::dispatch::validate::Checks;

/// An older program of pyOCD's, which has another option for the board.
const FLASHTOOL: &str = "pyocd-flashtool";
/// Commands of the host that the board needs behind the writing.
const PRE_OS: &str = "pre_os_command";

#[derive(Debug)]
pub(super) struct FlashPyocd {
    pub files: Vec<Artefact>,
}

impl Action for FlashPyocd {
    fn name(&self) -> &'static str {
        "flash-pyocd"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            check("pyocd", checks.device.flash.pyocd.command.clone().as_deref(), checks);
            check_files(&self.files, checks);
            check_image_args("pyocd", &self.files, checks);
            for command in checks.device.commands.of(PRE_OS) {
                checks.power(&command).await;
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let pyocd = context.device.flash.pyocd.clone();
            let program = command(pyocd.command.as_ref())?;
            let option = if program.starts_with(FLASHTOOL) { "--board" } else { "--uid" };
            let mut base = vec![program];
            base.extend(words(&pyocd.options));
            base.extend([option.to_owned(), board_id(context)?]);
            let files = files(&self.files, context)?;
            for (artefact, (_, file)) in self.files.iter().zip(&files) {
                let image = match &artefact.image_arg {
                    Some(image_arg) => filled_words(image_arg, &files, ToOwned::to_owned),
                    None => vec![file.display().to_string()],
                };
                host::run(&[base.clone(), image].concat(), context).await?;
            }
            let commands = context.device.commands.of(PRE_OS);
            power::run(&commands, context).await
        })
    }
}
