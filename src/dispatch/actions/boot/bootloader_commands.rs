//! `bootloader-commands`: types the boot commands, each when the one before it is done.

use std::time::Duration;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::watch::Stage;

/// The shell of a UEFI firmware, which takes a carriage return for the end of a line, and no line feed alone.
const UEFI: &str = "uefi";

#[derive(Debug)]
pub(super) struct BootloaderCommands {
    /// As `u-boot`.
    pub loader: String,
    /// The last command boots a system that is logged in to, and does not come back to the prompt.
    pub leads_to_shell: bool,
}

impl Action for BootloaderCommands {
    fn name(&self) -> &'static str {
        "bootloader-commands"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let loader = context.device.loader(&self.loader);
            let delay = Duration::from_millis(context.device.boot_character_delay);
            let commands = context.shared().commands.clone();
            let done = context.shared().final_message.clone();
            let prompts = answers(&loader.prompts, &loader.error_messages)?;
            let last = match done {
                Some(done) => Some(answers(&[done], &loader.error_messages)?),
                // Whoever logs in next sees what the system says.
                None if self.leads_to_shell => None,
                None => Some(prompts.clone()),
            };
            let (wait, count) = (context.wait(), commands.len());
            // Who types a reset wants the board to begin again; "version" prints the banner.
            let begins =
                |command: &String| command.contains("reset") || command.trim() == "version";
            let begins = commands.iter().any(begins);
            let stage = if begins { Stage::Booting } else { Stage::Loader };
            context.session()?.watch().enter(stage);
            for (i, command) in commands.iter().enumerate() {
                let session = context.session()?;
                match self.loader == UEFI {
                    true => session.type_text(&format!("{command}\r\n"), delay).await?,
                    false => session.send_line(command, delay).await?,
                }
                let Some(wanted) = (if i + 1 == count { last.as_ref() } else { Some(&prompts) })
                else {
                    return Ok(());
                };
                let found = session.expect(&wanted.patterns, &wait).await?;
                if found.index >= wanted.good {
                    let said = found.groups.first().cloned().unwrap_or_default();
                    let what = format!("the boot loader said {said:?} to {command:?}");
                    let message = session.told(&what, &wanted.patterns, &wait);
                    return Err(Error::Infrastructure(message));
                }
            }
            Ok(())
        })
    }
}

/// What may come after a command: first what is good, then what tells of an error.
#[derive(Debug, Clone)]
struct Answers {
    patterns: Patterns,
    good: usize,
}

fn answers(good: &[String], errors: &[String]) -> Result<Answers, Error> {
    let patterns = Patterns::new(good).and_then(|patterns| patterns.and(errors));
    let patterns = patterns.map_err(Error::Configuration)?;
    Ok(Answers { patterns, good: good.len() })
}
