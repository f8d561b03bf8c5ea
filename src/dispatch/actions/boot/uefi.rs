//! `uefi-shell-main-action` and `uefi-menu-action`: through a UEFI firmware's shell or its menus.

use super::bootloader_commands::BootloaderCommands;
use super::export_env::ExportEnv;
use super::parts::{Actions, login, shell, unpack};
use super::strategies::{of, overlay, reset};
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::NotYet;

const BECAUSE: &str = "the firmware's menus";

fn later(name: &'static str) -> Box<dyn Action> {
    Box::new(NotYet { name, because: BECAUSE })
}

pub(super) fn uefi_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps = vec![overlay(scene), later("menu-connect"), reset(scene)];
    if boot.shell_menu.as_ref().is_some_and(|entry| !entry.is_empty()) {
        steps.push(later("uefi-shell-menu-interrupt"));
        steps.push(later("uefi-shell-menu-selector"));
    } else {
        steps.push(later("uefi-shell-interrupt"));
    }
    steps.push(Box::new(BootloaderCommands { loader: boot.loader().to_owned() }));
    steps.extend(shell(boot, scene));
    steps
}

pub(super) fn uefi_menu_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let mut steps = vec![later("uefi-commands"), later("menu-connect"), reset(scene)];
    steps.extend(["uefi-menu-interrupt", "uefi-menu-selector", "menu-reset"].map(later));
    let login = login(boot);
    if !login.is_empty() {
        steps.extend(login);
        steps.extend(unpack(boot));
        steps.push(Box::new(ExportEnv));
    }
    steps
}
