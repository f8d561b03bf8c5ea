//! `bootloader-overlay`: fills in what stands for addresses and files in the boot commands.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::actions::deploy::prepare_kernel::{boot_command, lacks_addresses};
use crate::dispatch::context::Context;
use crate::dispatch::device::{Addresses, Device};
use crate::dispatch::error::Error;
use crate::dispatch::job::{Boot, Commands};
use crate::dispatch::validate::Checks;

/// What iPXE fetches its commands as, in the job's TFTP folder.
const SCRIPT: &str = "script.ipxe";

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
            if self.boot.use_bootscript && self.boot.loader() != "ipxe" {
                checks.fault("\"use_bootscript\": only iPXE fetches its commands as a script");
            }
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
            let values = self.values(context);
            let mut filled = values.fill(&commands).map_err(Error::Configuration)?;
            for line in &filled {
                context.log.debug(format!("boot command: {line}"));
            }
            if self.boot.use_bootscript {
                filled = self.as_script(&filled, context).await?;
            }
            let fallback = context.device.loader(self.boot.loader()).final_message;
            let shared = context.shared();
            shared.values = values;
            shared.commands = filled;
            shared.final_message =
                self.boot.final_message.clone().or(Some(fallback).filter(|text| !text.is_empty()));
            shared.prompts = self.boot.prompts.clone();
            Ok(())
        })
    }
}

/// Fills in what the boot block's overlay has found out.
pub(super) fn fill_line(line: &str, context: &mut Context) -> Result<String, Error> {
    let values = context.shared().values.clone();
    let filled = values.line(line).map_err(Error::Configuration)?;
    filled.ok_or_else(|| Error::Job(format!("{line:?} asks for what the job does not deploy")))
}

impl BootloaderOverlay {
    /// The kernel's command line with everything filled in, where the device has it apart.
    pub(super) fn command_line(&self, context: &mut Context) -> Result<Option<String>, Error> {
        let Some(line) = self.values(context).cmdline else { return Ok(None) };
        fill_line(&line, context).map(Some)
    }

    /// Has iPXE fetch the commands as a script; what is typed leads there.
    async fn as_script(
        &self,
        commands: &[String],
        context: &mut Context,
    ) -> Result<Vec<String>, Error> {
        let path = context.make_tftp_folder().await?.join(SCRIPT);
        let failed =
            |error: std::io::Error| Error::Infrastructure(format!("{}: {error}", path.display()));
        std::fs::write(&path, script(commands)).map_err(failed)?;
        // The TFTP server may be another user.
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&path, mode).map_err(failed)?;
        let (server, job) = (&context.settings.dispatcher_ip, &context.settings.job_id);
        Ok(vec!["dhcp net0".into(), format!("chain tftp://{server}/{job}/{SCRIPT}")])
    }

    fn values(&self, context: &mut Context) -> Values {
        let command = context.shared().boot_command;
        let own = self.boot.kernel_type.as_deref().and_then(boot_command);
        let command = command.or(own);
        let addresses = command.and_then(|command| context.device.addresses.get(command)).cloned();
        let sealed = context.device.add_header.as_deref() == Some("u-boot");
        let loader = context.device.loader(self.boot.loader());
        let cmdline = match &self.boot.commands {
            Commands::Named(name) => loader.command_lines.get(name).cloned(),
            Commands::List(_) => None,
        };
        let more = self.boot.kernel_args.as_deref().unwrap_or_default();
        let cmdline = cmdline.map(|line| format!("{line} {more}").trim_end().to_owned());
        let (server, job) =
            (context.settings.dispatcher_ip.clone(), context.settings.job_id.clone());
        let files = context.shared().tftp.clone();
        let (mac, room) = (loader.mac, context.device.dtb_resize.clone());
        Values { command, addresses, sealed, server, files, mac, cmdline, job, room }
    }

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

fn script(commands: &[String]) -> String {
    format!("#!ipxe\n\n{}\n", commands.join("\n"))
}

fn no_type(placeholder: &str) -> String {
    format!("the boot commands use {placeholder}, but the job's kernel has no \"type\"")
}

/// What the placeholders stand for.
#[derive(Debug, Clone, Default)]
pub struct Values {
    command: Option<&'static str>,
    addresses: Option<Addresses>,
    /// The ramdisk has U-Boot's header. Without it LAVA does not pass a ramdisk to `{BOOTX}`.
    sealed: bool,
    server: String,
    files: BTreeMap<String, String>,
    /// The address of the board's network interface.
    mac: Option<String>,
    /// The kernel's command line, where the boot loader takes it apart from the commands.
    cmdline: Option<String>,
    job: String,
    /// How large the device tree becomes before others are laid over it, in bytes.
    room: Option<String>,
}

impl Values {
    /// Fills in every line. A line that asks for a file which the job does not deploy is left out.
    fn fill(&self, commands: &[String]) -> Result<Vec<String>, String> {
        let lines = commands.iter().flat_map(|line| self.overlays(line));
        let filled: Result<Vec<Option<String>>, String> =
            lines.map(|line| self.line(&line)).collect();
        Ok(filled?.into_iter().flatten().collect())
    }

    /// The lines that a line stands for: `{APPLY_DTBO_COMMANDS}` for two of each of the job's device tree overlays,
    /// in its order.
    fn overlays(&self, line: &str) -> Vec<String> {
        if line.trim() != "{APPLY_DTBO_COMMANDS}" {
            return vec![line.to_owned()];
        }
        let load = |file| format!("tftp {{DTBO_ADDR}} {file}");
        let lines = self.trees().into_iter();
        lines.flat_map(|(_, file)| [load(file), "fdt apply {DTBO_ADDR}".into()]).collect()
    }

    /// The device tree overlays that the job deploys, in its order, by their names (`dtbo0`).
    fn trees(&self) -> Vec<(&str, &str)> {
        let number = |name: &str| -> Option<u32> {
            match name.strip_prefix("dtbo")? {
                "" => Some(0),
                number => number.parse().ok(),
            }
        };
        let files = self.files.iter().map(|(name, file)| (name.as_str(), file.as_str()));
        let mut trees: Vec<(&str, &str)> =
            files.filter(|(name, _)| number(name).is_some()).collect();
        trees.sort_by_key(|(name, _)| number(name));
        trees
    }

    fn line(&self, line: &str) -> Result<Option<String>, String> {
        // What a kernel is told may itself have placeholders.
        let mut line = match &self.cmdline {
            Some(cmdline) if !self.files.contains_key("cmdline") => {
                line.replace("{CMDLINE}", cmdline)
            }
            _ => line.to_owned(),
        };
        for (name, file) in self.trees() {
            line = line.replace(&format!("{{{}}}", name.to_uppercase()), file);
        }
        // Those that the job has not.
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let mut numbered = line.split("{DTBO").skip(1).filter_map(|rest| rest.split_once('}'));
        if numbered.any(|(number, _)| !number.is_empty() && is_number(number)) {
            return Ok(None);
        }
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

    /// All that is known.
    pub(in crate::dispatch) fn known(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.table().into_iter().filter_map(|(placeholder, value)| Some((placeholder, value?)))
    }

    fn table(&self) -> Vec<(&'static str, Option<String>)> {
        let file = |name: &str| self.files.get(name).cloned();
        let address = |of: fn(&Addresses) -> &String| self.addresses.as_ref().map(of).cloned();
        let with = |name: &str, address: Option<String>| file(name).and(address);
        let overlaid = |value: Option<String>| self.trees().first().and(value);
        vec![
            ("{SERVER_IP}", Some(self.server.clone())),
            ("{BOOTX}", self.bootx()),
            ("{KERNEL_ADDR}", address(|addresses| &addresses.kernel)),
            ("{RAMDISK_ADDR}", address(|addresses| &addresses.ramdisk)),
            ("{DTB_ADDR}", address(|addresses| &addresses.dtb)),
            ("{TEE_ADDR}", with("tee", self.addresses.as_ref().and_then(|a| a.tee.clone()))),
            ("{DTBO_ADDR}", overlaid(self.addresses.as_ref().and_then(|a| a.dtbo.clone()))),
            ("{DTB_BASE_ADDR}", overlaid(address(|addresses| &addresses.dtb))),
            ("{DTB_BASE_RESIZE}", overlaid(self.room.clone())),
            ("{KERNEL}", file("kernel")),
            ("{RAMDISK}", file("ramdisk")),
            ("{INITRD}", file("ramdisk")),
            ("{DTB}", file("dtb")),
            ("{TEE}", file("tee")),
            ("{DTBO}", self.trees().first().map(|(_, file)| (*file).to_owned())),
            ("{PRESEED_CONFIG}", file("preseed")),
            // The answers are not put into a ramdisk.
            ("{PRESEED_LOCAL}", None),
            ("{NFSROOTFS}", file("nfsrootfs")),
            ("{NFS_SERVER_IP}", Some(file("nfs_server").unwrap_or_else(|| self.server.clone()))),
            ("{NBDSERVERIP}", Some(self.server.clone())),
            ("{NBDSERVERPORT}", file("nbd_port")),
            ("{LAVA_MAC}", self.mac.clone()),
            ("{ROOT}", file("root")),
            ("{ROOT_PART}", file("root_part")),
            ("{TEST_MENU_NAME}", Some(format!("LAVA {} test image", self.job))),
            ("{CMDLINE}", file("cmdline")),
            ("{DEPTHCHARGE_KERNEL}", file("fit").or_else(|| file("kernel"))),
            // With a FIT image the ramdisk is in it.
            ("{DEPTHCHARGE_RAMDISK}", Some(self.loose_ramdisk())),
        ]
    }

    fn loose_ramdisk(&self) -> String {
        let fit = self.files.contains_key("fit");
        self.files.get("ramdisk").filter(|_| !fit).cloned().unwrap_or_default()
    }

    fn bootx(&self) -> Option<String> {
        let (command, addresses) = (self.command?, self.addresses.as_ref()?);
        let ramdisk = match self.files.contains_key("ramdisk") && self.sealed {
            true => addresses.ramdisk.as_str(),
            false => "-",
        };
        // A trusted environment begins the kernel.
        let tee = addresses.tee.as_ref().filter(|_| self.files.contains_key("tee"));
        let begin = tee.unwrap_or(&addresses.kernel);
        let line = format!("{command} {begin} {ramdisk} {}", addresses.dtb);
        Some(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(files: &[&str], sealed: bool) -> Values {
        let addresses = Addresses {
            kernel: "0x1".into(),
            ramdisk: "0x2".into(),
            dtb: "0x3".into(),
            tee: Some("0x4".into()),
            dtbo: Some("0x5".into()),
        };
        Values {
            command: Some("booti"),
            addresses: Some(addresses),
            sealed,
            server: "10.0.2.2".into(),
            files: files.iter().map(|name| ((*name).into(), format!("7/{name}/f"))).collect(),
            mac: Some("00:90:05:af:00:7d".into()),
            cmdline: None,
            job: "7".into(),
            room: Some("1048576".into()),
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
    fn grubs_commands_name_the_server_the_files_and_the_root_file_system() {
        let mut values = values(&["kernel", "dtb", "nfsrootfs"], false);
        values.files.insert("nfs_server".into(), "10.1.1.1".into());
        let commands = [
            "net_bootp",
            "linux (tftp,{SERVER_IP})/{KERNEL} root=/dev/nfs nfsroot={NFS_SERVER_IP}:{NFSROOTFS},tcp",
            "initrd (tftp,{SERVER_IP})/{RAMDISK}",
            "devicetree (tftp,{SERVER_IP})/{DTB}",
            "boot",
        ];
        let root =
            "linux (tftp,10.0.2.2)/7/kernel/f root=/dev/nfs nfsroot=10.1.1.1:7/nfsrootfs/f,tcp";
        let tree = "devicetree (tftp,10.0.2.2)/7/dtb/f";
        assert_eq!(fill(&values, &commands), ["net_bootp", root, tree, "boot"]);
    }

    #[test]
    fn ipxes_script_has_the_commands_line_by_line() {
        let lines = ["dhcp net0".to_owned(), "boot".to_owned()];
        assert_eq!(script(&lines), "#!ipxe\n\ndhcp net0\nboot\n");
    }

    #[test]
    fn ipxes_commands_know_the_boards_network_interface() {
        let commands = ["set console lava_mac={LAVA_MAC}", "initrd tftp://{SERVER_IP}/{RAMDISK}"];
        let filled =
            ["set console lava_mac=00:90:05:af:00:7d", "initrd tftp://10.0.2.2/7/ramdisk/f"];
        assert_eq!(fill(&values(&["kernel", "ramdisk"], false), &commands), filled);
    }

    #[test]
    fn depthcharges_command_line_is_filled_in_and_a_fit_image_has_the_ramdisk_in_it() {
        let line = ["tftpboot {SERVER_IP} {DEPTHCHARGE_KERNEL} {CMDLINE} {DEPTHCHARGE_RAMDISK}"];
        let cmdline = Some("root=/dev/nfs nfsroot={NFS_SERVER_IP}:{NFSROOTFS}".into());
        let loose = Values { cmdline, ..values(&["kernel", "ramdisk", "nfsrootfs"], false) };
        let root = "root=/dev/nfs nfsroot=10.0.2.2:7/nfsrootfs/f";
        let filled = format!("tftpboot 10.0.2.2 7/kernel/f {root} 7/ramdisk/f");
        assert_eq!(fill(&loose, &line), [filled]);
        let fit = values(&["fit", "cmdline", "ramdisk"], false);
        assert_eq!(fill(&fit, &line), ["tftpboot 10.0.2.2 7/fit/f 7/cmdline/f "]);
    }

    #[test]
    fn device_trees_are_laid_over_the_first_in_the_jobs_order_and_left_out_where_there_are_none() {
        let lines = [
            "tftp {DTB_ADDR} {DTB}",
            "fdt addr {DTB_BASE_ADDR}",
            "fdt resize {DTB_BASE_RESIZE}",
            "{APPLY_DTBO_COMMANDS}",
            "tftp {DTBO_ADDR} {DTBO2}",
            "{BOOTX}",
        ];
        assert_eq!(
            fill(&values(&["kernel", "dtb", "dtbo10", "dtbo2"], false), &lines),
            [
                "tftp 0x3 7/dtb/f",
                "fdt addr 0x3",
                "fdt resize 1048576",
                "tftp 0x5 7/dtbo2/f",
                "fdt apply 0x5",
                "tftp 0x5 7/dtbo10/f",
                "fdt apply 0x5",
                "tftp 0x5 7/dtbo2/f",
                "booti 0x1 - 0x3",
            ]
        );
        let plain = fill(&values(&["kernel", "dtb"], false), &lines);
        assert_eq!(plain, ["tftp 0x3 7/dtb/f", "booti 0x1 - 0x3"]);
        let one = fill(&values(&["kernel", "dtbo"], false), &["tftp {DTBO_ADDR} {DTBO}"]);
        assert_eq!(one, ["tftp 0x5 7/dtbo/f"]);
    }

    #[test]
    fn a_trusted_environment_is_begun_in_the_place_of_the_kernel() {
        let filled = fill(&values(&["kernel", "tee", "ramdisk"], true), &["{BOOTX}", "x {INITRD}"]);
        assert_eq!(filled, ["booti 0x4 0x2 0x3", "x 7/ramdisk/f"]);
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
