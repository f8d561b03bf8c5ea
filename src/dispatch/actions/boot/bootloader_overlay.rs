//! `bootloader-overlay`: fills in what stands for addresses and files in the boot commands.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::actions::deploy::prepare_kernel::{boot_command, lacks_addresses};
use crate::dispatch::context::Context;
use crate::dispatch::device::{Addresses, Device};
use crate::dispatch::error::Error;
use crate::dispatch::job::{Boot, Commands};
use crate::dispatch::validate::Checks;

#[derive(Debug)]
pub(super) struct BootloaderOverlay {
    pub boot: Boot,
    /// The type of the kernel that the job deploys, if it says.
    pub deployed: Option<String>,
}

impl Action for BootloaderOverlay {
    fn name(&self) -> &'static str {
        "bootloader-overlay"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(kind) = self.deployed.as_ref().or(self.boot.kernel_type.as_ref()) else {
                let commands = self.commands(&checks.device);
                for placeholder in ["{BOOTX}", "{KERNEL_ADDR}"] {
                    if commands.iter().any(|line| line.contains(placeholder)) {
                        checks.fault(no_type(placeholder));
                    }
                }
                return;
            };
            // What a deployed kernel needs is told where it is prepared.
            if self.deployed.is_none()
                && let Some(why) = lacks_addresses(kind, &checks.device)
            {
                checks.fault(why);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let commands = self.commands(&context.device);
            let command = context.shared().boot_command;
            let own = self.boot.kernel_type.as_deref().and_then(boot_command);
            let command = command.or(own);
            let addresses = command.and_then(|command| context.device.addresses.get(command));
            let sealed = context.device.add_header.as_deref() == Some("u-boot");
            let (addresses, server) = (addresses.cloned(), context.settings.dispatcher_ip.clone());
            let files = context.shared().tftp.clone();
            let values = Values { command, addresses, sealed, server, files };
            let filled = values.fill(&commands).map_err(Error::Configuration)?;
            for line in &filled {
                context.log.debug(format!("boot command: {line}"));
            }
            let fallback = context.device.loader(self.boot.loader()).final_message;
            let shared = context.shared();
            shared.commands = filled;
            shared.final_message =
                self.boot.final_message.clone().or(Some(fallback).filter(|text| !text.is_empty()));
            shared.prompts = self.boot.prompts.clone();
            Ok(())
        })
    }
}

impl BootloaderOverlay {
    /// The boot commands before anything is filled in.
    fn commands(&self, device: &Device) -> Vec<String> {
        match &self.boot.commands {
            Commands::List(commands) => commands.clone(),
            Commands::Named(name) => {
                let loader = device.loader(self.boot.loader());
                loader.commands.get(name).cloned().unwrap_or_default()
            }
        }
    }
}

fn no_type(placeholder: &str) -> String {
    format!("the boot commands use {placeholder}, but the job's kernel has no \"type\"")
}

/// What the placeholders stand for.
#[derive(Debug)]
struct Values {
    command: Option<&'static str>,
    addresses: Option<Addresses>,
    /// The ramdisk has U-Boot's header. Without it LAVA does not pass a ramdisk to `{BOOTX}`.
    sealed: bool,
    server: String,
    files: BTreeMap<String, String>,
}

impl Values {
    /// Fills in every line. A line that asks for a file which the job does not deploy is left out.
    fn fill(&self, commands: &[String]) -> Result<Vec<String>, String> {
        let filled: Result<Vec<Option<String>>, String> =
            commands.iter().map(|line| self.line(line)).collect();
        Ok(filled?.into_iter().flatten().collect())
    }

    fn line(&self, line: &str) -> Result<Option<String>, String> {
        let mut line = line.to_owned();
        for (placeholder, value) in self.table() {
            if !line.contains(placeholder) {
                continue;
            }
            match value {
                Some(value) => line = line.replace(placeholder, &value),
                None if placeholder == "{BOOTX}" || placeholder == "{KERNEL_ADDR}" => {
                    return Err(no_type(placeholder));
                }
                None => return Ok(None),
            }
        }
        Ok(Some(line))
    }

    fn table(&self) -> Vec<(&'static str, Option<String>)> {
        let file = |name: &str| self.files.get(name).cloned();
        let address = |of: fn(&Addresses) -> &String| self.addresses.as_ref().map(of).cloned();
        let with = |name: &str, address: Option<String>| file(name).and(address);
        vec![
            ("{SERVER_IP}", Some(self.server.clone())),
            ("{BOOTX}", self.bootx()),
            ("{KERNEL_ADDR}", address(|addresses| &addresses.kernel)),
            ("{RAMDISK_ADDR}", address(|addresses| &addresses.ramdisk)),
            ("{DTB_ADDR}", address(|addresses| &addresses.dtb)),
            ("{TEE_ADDR}", with("tee", self.addresses.as_ref().and_then(|a| a.tee.clone()))),
            ("{KERNEL}", file("kernel")),
            ("{RAMDISK}", file("ramdisk")),
            ("{DTB}", file("dtb")),
            ("{TEE}", file("tee")),
            ("{DTBO}", file("dtbo")),
        ]
    }

    fn bootx(&self) -> Option<String> {
        let (command, addresses) = (self.command?, self.addresses.as_ref()?);
        let ramdisk = match self.files.contains_key("ramdisk") && self.sealed {
            true => addresses.ramdisk.as_str(),
            false => "-",
        };
        let line = format!("{command} {} {ramdisk} {}", addresses.kernel, addresses.dtb);
        Some(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(files: &[&str], sealed: bool) -> Values {
        let addresses =
            Addresses { kernel: "0x1".into(), ramdisk: "0x2".into(), dtb: "0x3".into(), tee: None };
        Values {
            command: Some("booti"),
            addresses: Some(addresses),
            sealed,
            server: "10.0.2.2".into(),
            files: files.iter().map(|name| ((*name).into(), format!("7/{name}/f"))).collect(),
        }
    }

    fn fill(values: &Values, lines: &[&str]) -> Vec<String> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).into()).collect();
        values.fill(&lines).unwrap()
    }

    #[test]
    fn placeholders_are_filled_and_lines_for_missing_files_left_out() {
        let filled = fill(
            &values(&["kernel", "ramdisk"], true),
            &[
                "setenv serverip {SERVER_IP}",
                "tftp {KERNEL_ADDR} {KERNEL}",
                "tftp {RAMDISK_ADDR} {RAMDISK}",
                "tftp {TEE_ADDR} {TEE}",
                "setenv initrd_size ${filesize}",
                "tftp {DTB_ADDR} {DTB}",
                "{BOOTX}",
            ],
        );
        assert_eq!(
            filled,
            [
                "setenv serverip 10.0.2.2",
                "tftp 0x1 7/kernel/f",
                "tftp 0x2 7/ramdisk/f",
                "setenv initrd_size ${filesize}",
                "booti 0x1 0x2 0x3",
            ]
        );
    }

    #[test]
    fn without_a_ramdisk_or_its_header_bootx_has_a_dash() {
        assert_eq!(fill(&values(&["kernel"], true), &["{BOOTX}"]), ["booti 0x1 - 0x3"]);
        assert_eq!(fill(&values(&["kernel", "ramdisk"], false), &["{BOOTX}"]), ["booti 0x1 - 0x3"]);
    }

    #[test]
    fn a_kernel_without_a_type_cannot_be_booted_by_bootx() {
        let values = Values { command: None, addresses: None, ..values(&["kernel"], true) };
        assert!(values.fill(&["{BOOTX}".into()]).unwrap_err().contains("\"type\""));
    }
}
