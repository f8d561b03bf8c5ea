//! Which strategy does a block, and why the others do not.

use super::action::Action;
use super::actions::{UserCommand, boot, deploy, test};
use super::device::Device;
use super::job::{self, Block, Boot, Commands, Kind};
use crate::config::Place;
use crate::model::Name;

/// Why no strategy does a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The value that is at fault: its key in the block, if it has one, and its place.
    pub key: Option<&'static str>,
    pub place: Place,
    pub message: String,
}

/// The outermost action of a block's strategy; none for a block that needs nothing done.
///
/// # Errors
/// Every strategy's reason, when none fits.
pub fn choose(block: &Block, device: &Device) -> Result<Option<Box<dyn Action>>, Refusal> {
    match &block.kind {
        Kind::Deploy(to) => {
            let lacks = |method: &str| lacks_deploy(device, method);
            let action = deploy::deploy(to).filter(|_| lacks(&to.to).is_none());
            let asked = Asked { kind: "deploy", key: "to", method: &to.to };
            action.map(Some).ok_or_else(|| asked.refused(block, job::deploys(), lacks))
        }
        Kind::Boot(method) => {
            let loader = method.bootloader.as_deref();
            let lacks = |name: &str| lacks_boot(device, name, loader);
            let action = boot::boot(method).filter(|_| lacks(&method.method).is_none());
            let asked = Asked { kind: "boot", key: "method", method: &method.method };
            let action = action.ok_or_else(|| asked.refused(block, job::boots(), lacks))?;
            match lacks_commands(device, method) {
                Some(message) => {
                    Err(Refusal { key: Some("commands"), place: method.place, message })
                }
                None => Ok(Some(action)),
            }
        }
        Kind::Test(_) => Ok(Some(Box::new(test::TestRetry))),
        Kind::Monitors(monitors) => Ok(Some(Box::new(test::MonitorRetry(monitors.clone())))),
        Kind::Interactive(all) => Ok(Some(Box::new(test::InteractiveRetry(all.clone())))),
        Kind::DockerTest { container, downloads_namespace, .. } => {
            let (container, downloads_namespace) = (container.clone(), downloads_namespace.clone());
            Ok(Some(Box::new(test::DockerTest { container, downloads_namespace })))
        }
        Kind::Services(services) => Ok(Some(Box::new(test::Services(services.clone())))),
        Kind::Command { name } => Ok(Some(Box::new(UserCommand { name: name.clone() }))),
    }
}

/// The method that a block asks for.
struct Asked<'a> {
    /// `deploy` or `boot`.
    kind: &'static str,
    /// Its key in the block.
    key: &'static str,
    method: &'a str,
}

impl Asked<'_> {
    /// Every strategy's reason: of the one that is asked for, and of the others with what the device lacks
    /// for them.
    fn refused(
        &self,
        block: &Block,
        all: impl Iterator<Item = &'static str>,
        lacks: impl Fn(&str) -> Option<String>,
    ) -> Refusal {
        let Self { kind, key, method } = self;
        let (known, others): (Vec<&str>, Vec<&str>) = all.partition(|name| name == method);
        let own = match (dropped(method), lacks(method)) {
            (Some(reason), _) => reason,
            (None, Some(reason)) if !known.is_empty() => reason,
            _ => format!("{method}: there is no such {kind} strategy"),
        };
        let others = others.into_iter().filter(|name| dropped(name).is_none());
        let (absent, offered): (Vec<&str>, Vec<&str>) =
            others.partition(|name| lacks(name).is_some());
        let mut message = format!("no {kind} strategy fits:\n    {own}");
        for (names, and) in [
            (offered, "which the device offers"),
            (absent, "which the device does not offer, either"),
        ] {
            if !names.is_empty() {
                let names = names.join(", ");
                message += &format!("\n    {names}: \"{key}\" is {method:?}, none of these, {and}");
            }
        }
        Refusal { key: Some(key), place: block.place, message }
    }
}

/// Of a method that older jobs have: that it is done nowhere any more, and what does the same.
fn dropped(method: &str) -> Option<String> {
    let instead = match method {
        "lxc" => {
            "LAVA has dropped it in 2026; use \"to: docker\" and \"method: docker\", or \"docker\" in a test block"
        }
        "secondary_media" => {
            "LAVA has it no more; use \"u-boot\" with \"commands: sata\", \"usb\" or \"sd\""
        }
        "fastboot-nfs" => {
            "LAVA has it no more; use \"fastboot\", or \"u-boot\" with \"commands: nfs\""
        }
        "ser-ctl" => {
            "LAVA has it no more; use a \"command\" block with one of the device's commands"
        }
        _ => return None,
    };
    Some(format!("{method}: {instead}"))
}

/// Why a device cannot be deployed to in this way.
fn lacks_deploy(device: &Device, to: &str) -> Option<String> {
    match to {
        // What any device can have.
        "downloads" | "download" => None,
        // Image files, which the boot method does something with.
        to @ ("tmpfs" | "iso-installer") => lacks(device, to, "image", &device.deploy_methods),
        // The board's U-Boot takes part in it, or a program that has its own idea of the board.
        "uuu" => lacks(device, "uuu", "uuu", &device.boot_methods),
        to => lacks(device, to, to, &device.deploy_methods),
    }
}

/// Why a device cannot be booted in this way. `loader` is the boot loader that the block names, if it does.
fn lacks_boot(device: &Device, method: &str, loader: Option<&str>) -> Option<String> {
    match method {
        // What a running system does by itself, or what is only another look at the board.
        "kexec" | "new_connection" => None,
        "bootloader" => match loader {
            Some(loader) => lacks(device, "bootloader", loader, &device.boot_methods),
            // Any will do; that the block names none is told where it is read.
            None => {
                let lacks = |loader| lacks(device, "bootloader", loader, &device.boot_methods);
                let mut reasons = LOADERS.iter().map(|loader| lacks(loader));
                if reasons.any(|reason| reason.is_none()) { None } else { lacks("a boot loader") }
            }
        },
        "recovery" => lacks(device, "recovery", "recovery", &device.deploy_methods),
        // An installer's image, and a program that is no system, are booted by what boots others.
        "qemu-iso" | "monitor" => {
            lacks(device, method, "qemu", &device.boot_methods).map(|reason| match method {
                "monitor" => format!(
                    "{reason}; a board that is no QEMU is connected to and reset by \"minimal\""
                ),
                _ => reason,
            })
        }
        method => lacks(device, method, method, &device.boot_methods),
    }
}

/// The boot loaders whose commands are typed.
const LOADERS: [&str; 7] = ["u-boot", "grub", "grub-efi", "ipxe", "barebox", "depthcharge", "uefi"];

/// Why a named list of boot commands cannot be typed.
fn lacks_commands(device: &Device, boot: &Boot) -> Option<String> {
    let Commands::Named(name) = &boot.commands else { return None };
    if !LOADERS.contains(&boot.loader()) {
        return None;
    }
    let loader = device.loader(boot.loader());
    if loader.commands.contains_key(name) {
        return None;
    }
    let known: Vec<String> = loader.commands.keys().cloned().collect();
    let near = Name::nearest(name, known.iter().map(String::as_str));
    let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    let (file, method, known) = (&device.file, boot.loader(), list(&known));
    Some(format!("the device ({file}) has no {method} commands {name:?}; it has {known}{near}"))
}

/// The reason when it is the device that does not offer what a strategy needs, most often a method of
/// the strategy's own name.
fn lacks(device: &Device, strategy: &str, needed: &str, offered: &[String]) -> Option<String> {
    let there = offered.iter().any(|offer| offer == needed);
    let (file, offers) = (&device.file, list(offered));
    let what = if needed == strategy { "it".into() } else { format!("{needed:?}") };
    (!there).then(|| {
        format!("{strategy}: the device ({file}) does not offer {what}; it offers {offers}")
    })
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
