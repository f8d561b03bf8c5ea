//! `uefi-shell-main-action` and `uefi-menu-action`: through a UEFI firmware's shell or its menus.

use super::bootloader_overlay::BootloaderOverlay;
use super::connect_device::Connect;
use super::export_env::ExportEnv;
use super::menu::{MenuInterrupt, MenuSelector, ShellInterrupt};
use super::parts::{Actions, login, shell, unpack};
use super::strategies::{commands, of, overlay, reset};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::Nothing;
use crate::dispatch::context::Context;
use crate::dispatch::job::{Boot, Commands};

pub(super) fn uefi_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps: Actions = vec![overlay(scene), Box::new(Connect::menu()), reset(scene)];
    if let Some(way) = boot.shell_menu.as_ref().filter(|way| !way.is_empty()) {
        steps.push(Box::new(MenuInterrupt { name: "uefi-shell-menu-interrupt", method: "uefi" }));
        steps.push(Box::new(MenuSelector {
            name: "uefi-shell-menu-selector",
            method: "uefi",
            way: way.clone(),
            line_separator: boot.line_separator.clone(),
        }));
    } else {
        steps.push(Box::new(ShellInterrupt));
    }
    steps.push(Box::new(commands(boot)));
    steps.extend(shell(boot, scene));
    steps
}

pub(super) fn uefi_menu_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let overlay = BootloaderOverlay { boot: boot.clone(), deployed: scene.kernel_type() };
    let way = match &boot.commands {
        Commands::Named(name) => name.clone(),
        Commands::List(_) => String::new(),
    };
    let mut steps: Actions =
        vec![Box::new(UefiCommands { overlay }), Box::new(Connect::menu()), reset(scene)];
    steps.extend(selection(&way, boot));
    steps.push(Box::new(Nothing("menu-reset")));
    let login = login(boot);
    if !login.is_empty() {
        steps.extend(login);
        steps.extend(unpack(boot));
        steps.push(Box::new(ExportEnv));
    }
    steps
}

/// Into the boot manager's menu, and on to what the way leads to.
fn selection(way: &str, boot: &Boot) -> Actions {
    vec![
        Box::new(MenuInterrupt { name: "uefi-menu-interrupt", method: "uefi-menu" }),
        Box::new(MenuSelector {
            name: "uefi-menu-selector",
            method: "uefi-menu",
            way: way.to_owned(),
            line_separator: boot.line_separator.clone(),
        }),
    ]
}

/// `uefi-commands`: what the placeholders in the menus' entries stand for.
#[derive(Debug)]
struct UefiCommands {
    overlay: BootloaderOverlay,
}

impl Action for UefiCommands {
    fn name(&self) -> &'static str {
        "uefi-commands"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        self.overlay.run(context)
    }
}
