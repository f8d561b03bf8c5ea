//! `bootloader-interrupt`: stops the countdown and gets the boot loader's prompt.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::session::Wait;
use crate::dispatch::validate::Checks;

/// The key that stops the countdown may give a second prompt. It is waited for this long, so that it
/// is not taken for the answer to the first command.
const SECOND_PROMPT: Duration = Duration::from_millis(200);
const SECOND_PROMPT_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct BootloaderInterrupt {
    /// As `u-boot`.
    pub loader: String,
}

impl Action for BootloaderInterrupt {
    fn name(&self) -> &'static str {
        "bootloader-interrupt"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let uboot = checks.device.loader(&self.loader);
            if uboot.prompts.is_empty() {
                checks.fault(format!(
                    "the device's {} method has no \"bootloader_prompt\"",
                    self.loader
                ));
            }
            let prompts = uboot.prompts.iter().chain([&uboot.interrupt_prompt]);
            for pattern in prompts.chain(&uboot.error_messages) {
                checks.pattern(&format!("the device's {}", self.loader), pattern);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let uboot = context.device.loader(&self.loader);
            // The board may be at its prompt already, where the job has not reset it.
            let wait = Wait { nudge: true, ..context.wait() };
            let patterns =
                |patterns: &[String]| Patterns::new(patterns).map_err(Error::Configuration);
            let session = context.session()?;
            if uboot.needs_interrupt {
                let countdown = std::slice::from_ref(&uboot.interrupt_prompt);
                let either = patterns(countdown)?.or_at_rest(&uboot.prompts);
                let either = either.map_err(Error::Configuration)?;
                if session.expect(&either, &wait).await?.index == 0 {
                    session.type_text(&keys(&uboot), Duration::ZERO).await?;
                    session.expect(&patterns(&uboot.prompts)?, &wait).await?;
                } else {
                    session.note("the boot loader was at its prompt without a countdown");
                }
            } else {
                session.type_text("\n", Duration::ZERO).await?;
                session.expect(&patterns(&uboot.prompts)?, &wait).await?;
            }
            session.drain(SECOND_PROMPT, SECOND_PROMPT_LIMIT).await?;
            session.forget();
            Ok(())
        })
    }
}

/// What stops the countdown.
fn keys(uboot: &crate::dispatch::device::Loader) -> String {
    if !uboot.interrupt_control.is_empty() {
        let control = |key: &String| {
            key.chars().next().map(|c| char::from(c.to_ascii_uppercase() as u8 & 0x1f))
        };
        return uboot.interrupt_control.iter().filter_map(control).collect();
    }
    let end = if uboot.interrupt_newline { "\n" } else { "" };
    format!("{}{end}", uboot.interrupt_character)
}
