//! `uefi-menu-interrupt`, `uefi-menu-selector` and their like: typing one's way through menus.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::bootloader_overlay::fill_line;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::menu::Menus;
use crate::dispatch::validate::Checks;

/// What the keys send.
const ENTER: &str = "\r";
const ESCAPE: &str = "\x1b";

/// Calls the menu.
#[derive(Debug)]
pub(super) struct MenuInterrupt {
    pub name: &'static str,
    /// The boot method whose menus these are.
    pub method: &'static str,
}

/// Chooses one entry after the other.
#[derive(Debug)]
pub(super) struct MenuSelector {
    pub name: &'static str,
    pub method: &'static str,
    /// The name of the way through the menus.
    pub way: String,
    /// What the job says ends a line.
    pub line_separator: Option<String>,
}

/// `uefi-shell-interrupt`: from the firmware's start to its shell.
#[derive(Debug)]
pub(super) struct ShellInterrupt;

fn patterns<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Patterns, Error> {
    Patterns::new(texts).map_err(Error::Configuration)
}

impl Action for MenuInterrupt {
    fn name(&self) -> &'static str {
        self.name
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let menus = checks.device.menus(self.method);
            for pattern in menus.prompts.iter().chain([&menus.interrupt_prompt]) {
                checks.pattern(&format!("the device's {}", self.method), pattern);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let menus = context.device.menus(self.method);
            let wait = context.wait();
            let session = context.session()?;
            session.expect(&patterns([&menus.interrupt_prompt])?, &wait).await?;
            session.type_text(&menus.interrupt_string, Duration::ZERO).await
        })
    }
}

impl Action for MenuSelector {
    fn name(&self) -> &'static str {
        self.name
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let menus = checks.device.menus(self.method);
            if !menus.ways.contains_key(&self.way) {
                let (file, method, way) = (checks.device.file.clone(), self.method, &self.way);
                let known: Vec<String> = menus.ways.into_keys().collect();
                let known = known.join(", ");
                checks.fault(format!(
                    "the device ({file}) has no {method} menus {way:?}; it has {known}"
                ));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let menus = context.device.menus(self.method);
            let way = menus.ways.get(&self.way).cloned().unwrap_or_default();
            let own = self.line_separator.as_ref().or(menus.line_separator.as_ref());
            let end = if own.is_some_and(|own| own == "dos") { "\r\n" } else { "\n" };
            let delay = Duration::from_millis(context.device.boot_character_delay);
            let wait = context.wait();
            let prompts = patterns(&menus.prompts)?;
            let found = context.session()?.expect(&prompts, &wait).await?;
            let mut printed = found.before;
            let last = way.len().saturating_sub(1);
            for (i, choice) in way.iter().enumerate() {
                // As in LAVA: a number is a line, a text is entered with the key for that, and Esc is a key.
                let typed = match &choice.enter {
                    Some(text) => fill_line(text, context)? + ENTER,
                    None if choice.escape => ESCAPE.to_owned(),
                    None => number(&menus, &printed, choice, context)? + end,
                };
                context.session()?.type_text(&typed, delay).await?;
                let next = match &choice.wait {
                    Some(wait) => patterns([fancy_regex::escape(wait)])?,
                    // Behind the last entry there is the system.
                    None if i == last => break,
                    None => prompts.clone(),
                };
                printed = context.session()?.expect(&next, &wait).await?.before;
            }
            Ok(())
        })
    }
}

/// The number of the entry that is to be chosen.
fn number(
    menus: &Menus,
    printed: &str,
    choice: &crate::dispatch::menu::Choice,
    context: &mut Context,
) -> Result<String, Error> {
    for item in choice.items.iter().chain(&choice.fallback) {
        let label = fill_line(item, context)?;
        if let Some(number) = menus.number(printed, &label) {
            return Ok(number);
        }
    }
    let items = choice.items.join("\" or \"");
    Err(Error::Infrastructure(format!("the firmware's menu has no entry \"{items}\"")))
}

impl Action for ShellInterrupt {
    fn name(&self) -> &'static str {
        "uefi-shell-interrupt"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let loader = context.device.loader("uefi");
            let wait = context.wait();
            let session = context.session()?;
            session.expect(&patterns([&loader.interrupt_prompt])?, &wait).await?;
            session.type_text(&loader.interrupt_character, Duration::ZERO).await?;
            session.expect(&patterns(&loader.prompts)?, &wait).await.map(drop)
        })
    }
}
