//! Which strategy does a block, and why the others do not.

use super::action::Action;
use super::actions::{boot, deploy, test};
use super::device::Device;
use super::job::{Block, Commands, Kind};
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
        Kind::Deploy(tftp) => match lacks(device, "tftp", &device.deploy_methods) {
            Some(reason) => none("deploy", Some("to"), reason),
            None => Ok(Some(Box::new(deploy::TftpDeploy::new(tftp.clone())))),
        },
        Kind::OtherDeploy { to } => {
            let reason = format!("tftp: the block says \"to: {to}\", not tftp");
            none("deploy", Some("to"), reason)
        }
        Kind::Boot(boot) => {
            if let Some(reason) = lacks(device, "u-boot", &device.boot_methods) {
                return none("boot", Some("method"), reason);
            }
            if let Commands::Named(name) = &boot.commands
                && !device.uboot.commands.contains_key(name)
            {
                let known: Vec<String> = device.uboot.commands.keys().cloned().collect();
                let near = Name::nearest(name, known.iter().map(String::as_str));
                let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
                let (file, known) = (&device.file, list(&known));
                let message = format!(
                    "the device ({file}) has no u-boot commands {name:?}; it has {known}{near}"
                );
                return Err(Refusal { key: Some("commands"), place: boot.place, message });
            }
            Ok(Some(Box::new(boot::UbootAction::new((**boot).clone()))))
        }
        Kind::OtherBoot { method } => {
            let reason = format!("u-boot: the block says \"method: {method}\", not u-boot");
            none("boot", Some("method"), reason)
        }
        Kind::Test(_) => Ok(Some(Box::new(test::TestRetry))),
        Kind::Monitors(monitors) => Ok(Some(Box::new(test::MonitorRetry(monitors.clone())))),
        Kind::Interactive(all) => Ok(Some(Box::new(test::InteractiveRetry(all.clone())))),
        Kind::OtherTest { what } => {
            let reason = format!("lava-test-shell: the block has {what}, not plain definitions");
            none("test", None, reason)
        }
        Kind::Command { name } => {
            none("command", None, format!("user command {name:?}: these are not run yet"))
        }
    }
}

/// The reason when it is the device that does not offer a method.
fn lacks(device: &Device, method: &str, offered: &[String]) -> Option<String> {
    let there = offered.iter().any(|offer| offer == method);
    let (file, offers) = (&device.file, list(offered));
    (!there).then(|| format!("{method}: the device ({file}) does not offer it; it offers {offers}"))
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
