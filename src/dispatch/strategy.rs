//! Which strategy does a block, and why the others do not.

use super::action::Action;
use super::actions::{UserCommand, boot, deploy, test};
use super::device::Device;
use super::job::{Block, Boot, Commands, Deploy, Kind};
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
    let none = |kind: &str, key: Option<&'static str>, reason: String| {
        let message = format!("no {kind} strategy fits:\n    {reason}");
        Err(Refusal { key, place: block.place, message })
    };
    match &block.kind {
        Kind::Deploy(to) => match (lacks_deploy(device, to), deploy::deploy(to)) {
            (Some(reason), _) => none("deploy", Some("to"), reason),
            (None, Some(action)) => Ok(Some(action)),
            (None, None) => {
                none("deploy", Some("to"), format!("{}: there is no such strategy yet", to.to))
            }
        },
        Kind::Boot(method) => {
            if let Some(reason) = lacks_boot(device, method) {
                return none("boot", Some("method"), reason);
            }
            if let Some(message) = lacks_commands(device, method) {
                return Err(Refusal { key: Some("commands"), place: method.place, message });
            }
            match boot::boot(method) {
                Some(action) => Ok(Some(action)),
                None => {
                    let reason = format!("{}: there is no such strategy yet", method.method);
                    none("boot", Some("method"), reason)
                }
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

/// Why a device cannot be deployed to in this way.
fn lacks_deploy(device: &Device, deploy: &Deploy) -> Option<String> {
    match deploy.to.as_str() {
        // What any device can have.
        "downloads" | "download" => None,
        // Image files, which the boot method does something with.
        to @ ("tmpfs" | "iso-installer") => lacks(device, to, "image", &device.deploy_methods),
        // The board's U-Boot takes part in it, or a program that has its own idea of the board.
        "uuu" => lacks(device, "uuu", "uuu", &device.boot_methods),
        to => lacks(device, to, to, &device.deploy_methods),
    }
}

/// Why a device cannot be booted in this way.
fn lacks_boot(device: &Device, boot: &Boot) -> Option<String> {
    match boot.method.as_str() {
        // What a running system does by itself, or what is only another look at the board.
        "kexec" | "new_connection" => None,
        "bootloader" => lacks(device, "bootloader", boot.loader(), &device.boot_methods),
        "recovery" => lacks(device, "recovery", "recovery", &device.deploy_methods),
        // An installer's image is booted by what boots others.
        "qemu-iso" => lacks(device, "qemu-iso", "qemu", &device.boot_methods),
        method => lacks(device, method, method, &device.boot_methods),
    }
}

/// Why a named list of boot commands cannot be typed.
fn lacks_commands(device: &Device, boot: &Boot) -> Option<String> {
    let Commands::Named(name) = &boot.commands else { return None };
    let loaders = ["u-boot", "grub", "grub-efi", "ipxe", "barebox", "depthcharge", "uefi"];
    if !loaders.contains(&boot.loader()) {
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
