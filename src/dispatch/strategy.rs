//! Which strategy does a block, and why the others do not.

use super::action::Action;
use super::actions::{boot, deploy, test};
use super::device::Device;
use super::job::{Block, Commands, Kind};

/// The outermost action of a block's strategy; none for a block that needs nothing done.
///
/// # Errors
/// Every strategy's reason, when none fits.
pub fn choose(block: &Block, device: &Device) -> Result<Option<Box<dyn Action>>, String> {
    let none = |kind: &str, reasons: &[String]| {
        Err(format!("no {kind} strategy fits:\n    {}", reasons.join("\n    ")))
    };
    match &block.kind {
        Kind::Deploy(tftp) => {
            if !device.deploy_methods.iter().any(|method| method == "tftp") {
                let offers = list(&device.deploy_methods);
                return none("deploy", &[format!("tftp: the device offers {offers}")]);
            }
            Ok(Some(Box::new(deploy::TftpDeploy::new(tftp.clone()))))
        }
        Kind::OtherDeploy { to } => {
            none("deploy", &[format!("tftp: the block says \"to: {to}\", not tftp")])
        }
        Kind::Boot(boot) => {
            if !device.boot_methods.iter().any(|method| method == "u-boot") {
                let offers = list(&device.boot_methods);
                return none("boot", &[format!("u-boot: the device offers {offers}")]);
            }
            if let Commands::Named(name) = &boot.commands
                && !device.uboot.commands.contains_key(name)
            {
                let known: Vec<String> = device.uboot.commands.keys().cloned().collect();
                let known = list(&known);
                let reason = format!("u-boot: the device has no commands {name:?}; it has {known}");
                return none("boot", &[reason]);
            }
            Ok(Some(Box::new(boot::UbootAction::new((**boot).clone()))))
        }
        Kind::OtherBoot { method } => {
            none("boot", &[format!("u-boot: the block says \"method: {method}\", not u-boot")])
        }
        Kind::Test(_) => Ok(Some(Box::new(test::TestRetry))),
        Kind::OtherTest { what } => {
            none("test", &[format!("lava-test-shell: the block has {what}, not plain definitions")])
        }
        Kind::Command { name } => {
            none("command", &[format!("user command {name:?}: these are not run yet")])
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
