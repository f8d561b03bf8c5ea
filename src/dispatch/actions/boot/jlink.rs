//! `flash-jlink`: SEGGER's J-Link Commander writes the images, by a script that is made of the job's or the
//! dictionary's commands.

use std::fmt::Write as _;
use std::path::PathBuf;

use futures_util::future::BoxFuture;

use super::flash_parts::{
    board_id, check, check_files, check_words, command, files, filled, words,
};
use super::flash_trust;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::host;
use crate::dispatch::job::{Artefact, Boot, Commands};
use crate::dispatch::validate::Checks;

/// What Commander says, and ends well all the same, when there is no probe.
const NO_PROBE: &str = "Connecting to J-Link via USB...FAILED";

#[derive(Debug)]
pub(super) struct FlashJlink {
    pub boot: Boot,
    pub files: Vec<Artefact>,
}

impl FlashJlink {
    /// The processor as Commander knows it, with the core where there are several.
    fn processor(&self, device: &Device) -> Result<String, String> {
        let (jlink, file) = (&device.flash.jlink, &device.file);
        let key = "actions: boot: methods: jlink: parameters: processor";
        let processor = jlink.processor.as_ref();
        let processor = processor.ok_or_else(|| format!("the device ({file}) has no \"{key}\""))?;
        let cores = &jlink.core_types;
        match (&self.boot.core_type, cores.first()) {
            (_, None) => Ok(processor.clone()),
            (None, Some(core)) => Ok(format!("{processor}_{core}")),
            (Some(core), _) if cores.contains(core) => Ok(format!("{processor}_{core}")),
            (Some(core), _) => Err(format!(
                "\"coretype\": {core:?} is none of the device's (\"supported_core_types\": {})",
                cores.join(", ")
            )),
        }
    }

    /// The job's own commands, if it has any.
    fn commands(&self) -> Option<&[String]> {
        match &self.boot.commands {
            Commands::List(list) if !list.is_empty() => Some(list),
            _ => None,
        }
    }

    /// What Commander is to do, a line each.
    fn script(&self, device: &Device, files: &[(String, PathBuf)]) -> String {
        let jlink = &device.flash.jlink;
        let mut script = String::from("r\nh\nsleep 500\n");
        let mut line = |line: &str| {
            script.push_str(line);
            script.push('\n');
        };
        jlink.erase.iter().for_each(|command| line(command));
        match self.commands() {
            Some(commands) => {
                commands.iter().for_each(|text| line(&filled(text, files, ToOwned::to_owned)));
            }
            None => {
                for (_, file) in files {
                    for verb in ["loadfile", "verifybin"] {
                        let mut text = String::new();
                        let _ = write!(text, "{verb} {} {:#x}", file.display(), jlink.address);
                        line(&text);
                    }
                }
            }
        }
        jlink.reset.iter().for_each(|command| line(command));
        line("qc");
        script
    }
}

impl Action for FlashJlink {
    fn name(&self) -> &'static str {
        "flash-jlink"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            check("jlink", checks.device.flash.jlink.command.clone().as_deref(), checks);
            check_files(&self.files, checks);
            if let Err(why) = self.processor(&checks.device) {
                checks.fault(why);
            }
            if let Commands::Named(name) = &self.boot.commands {
                checks.fault(format!("\"commands\": a list of J-Link's commands, not {name:?}"));
            }
            let commands = self.commands().unwrap_or_default();
            let said = commands.iter().map(|line| ("commands", line.as_str()));
            check_words("jlink", said, flash_trust::jlink, checks);
            for prompt in &self.boot.prompts {
                checks.pattern("prompts", prompt);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let jlink = context.device.flash.jlink.clone();
            let files = files(&self.files, context)?;
            let script = self.script(&context.device, &files);
            let file = context.scratch().join(format!("{}.jlink", context.now.level));
            let failed = |error| Error::Infrastructure(format!("{}: {error}", file.display()));
            std::fs::write(&file, &script).map_err(failed)?;
            context.log.info(format!("J-Link's script: {}", script.trim().replace('\n', "; ")));
            let mut line = vec![command(jlink.command.as_ref())?, "-device".to_owned()];
            line.push(self.processor(&context.device).map_err(Error::Configuration)?);
            line.extend(words(&jlink.options));
            let fixed = ["-autoconnect", "1", "-NoGui", "1", "-CommanderScript"];
            line.extend(fixed.map(ToOwned::to_owned));
            line.extend([file.display().to_string(), "-SelectEmuBySN".into(), board_id(context)?]);
            let said = host::run(&line, context).await?;
            if said.contains(NO_PROBE) {
                return Err(Error::Job(format!("{:?} said {NO_PROBE:?}", line[0])));
            }
            if self.boot.prompts.is_empty() {
                return Ok(());
            }
            let prompts = Patterns::new(&self.boot.prompts).map_err(Error::Configuration)?;
            context.has_booted(self.boot.prompts.clone());
            let wait = context.wait();
            context.session()?.expect(&prompts, &wait).await.map(drop)
        })
    }
}
