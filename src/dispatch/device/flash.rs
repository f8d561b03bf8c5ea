//! What a device dictionary says of the programs and USB disks by which this host writes a board's flash.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::values::{filled, present, texts};
use crate::config::{Node, Table, Value};
use crate::dispatch::job::Text;
use crate::dispatch::usb::UsbDevice;

/// A number of this digit alone stands for none in LAVA's templates.
const NONE: char = '0';
/// The kernel's driver of most boards' serial ports over USB.
const SERIAL_DRIVER: &str = "cdc_acm";

/// The board as this host's USB sees it, and all ways to write to it.
#[derive(Debug, Clone, Default)]
pub struct Flash {
    /// The board itself: its `board_id`, and its vendor and product.
    pub board: UsbDevice,
    /// The kernel's driver of its serial port.
    pub serial_driver: String,
    /// So long the board needs behind the appearance of its serial port.
    pub serial_pause: Duration,
    /// Whether it is waited for until this host has the board.
    pub waits_for_board: bool,
    /// The label of the file system on the board's disk.
    pub label: Option<String>,
    /// The link below `/dev/disk/by-id` of a Musca's disk.
    pub musca_disk: Option<String>,
    /// The boot methods whose jobs may have their programs do anything on this host; a key of ours.
    pub trusts: BTreeSet<String>,
    pub mps: Mps,
    pub vexpress: Vexpress,
    pub cmsis: Cmsis,
    pub jlink: Jlink,
    pub pyocd: Pyocd,
    pub openocd: Openocd,
    pub dfu: Dfu,
    pub gdb: Gdb,
    pub uuu: Uuu,
    /// A command of this host that shows an image to the board as a USB disk, and one that takes it away.
    pub usbg_enable: Vec<String>,
    pub usbg_disable: Vec<String>,
}

/// An Arm MPS board.
#[derive(Debug, Clone, Default)]
pub struct Mps {
    /// The board is switched off behind the writing; else it is told to reboot.
    pub hard_reboot: bool,
    /// What is written into `reboot.txt` for that.
    pub reboot_string: Option<String>,
}

/// The controller (MCC) of a Versatile Express or Juno board.
#[derive(Debug, Clone, Default)]
pub struct Vexpress {
    /// Its prompts and messages, and what is typed there, by LAVA's names.
    pub texts: BTreeMap<String, String>,
}

/// A debug probe that is a USB disk: an image that is copied to it is flashed.
#[derive(Debug, Clone, Default)]
pub struct Cmsis {
    pub disk: Option<String>,
    /// Its serial port goes and comes back.
    pub resets_after_flash: bool,
    /// Its disk stays where it is after the writing.
    pub skips_remount: bool,
    /// So long it needs behind all that.
    pub pause: Duration,
}

/// SEGGER's J-Link Commander.
#[derive(Debug, Clone, Default)]
pub struct Jlink {
    pub command: Option<String>,
    pub options: Vec<String>,
    pub processor: Option<String>,
    pub core_types: Vec<String>,
    pub address: u64,
    pub erase: Vec<String>,
    pub reset: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Pyocd {
    pub command: Option<String>,
    pub options: Vec<String>,
    pub connects_first: bool,
}

/// `OpenOCD`, with what its options are made of.
#[derive(Debug, Clone, Default)]
pub struct Openocd {
    pub command: Option<String>,
    pub files: Vec<String>,
    pub searches: Vec<String>,
    pub commands: Vec<String>,
    pub debug: Option<String>,
    /// A Tcl script that chooses the board.
    pub selection: Option<String>,
}

/// `dfu-util`.
#[derive(Debug, Clone, Default)]
pub struct Dfu {
    pub command: Option<String>,
    pub options: Vec<String>,
    /// The board's U-Boot is what takes the images.
    pub by_uboot: bool,
    /// What is typed there to begin it.
    pub enter: Vec<String>,
    /// What U-Boot says when an image has come.
    pub done: Option<String>,
    /// `dfu-util` resets the board at the end.
    pub resets: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Gdb {
    pub command: Option<String>,
    /// Waited for before the board goes on.
    pub pause: Duration,
    /// By the name that the job says in `commands`.
    pub ways: BTreeMap<String, GdbWay>,
}

/// One way to use gdb.
#[derive(Debug, Clone, Default)]
pub struct GdbWay {
    pub arguments: Vec<String>,
    pub commands: Vec<String>,
    /// It runs in a container.
    pub in_container: bool,
    pub container: Option<String>,
    /// Devices of this host that the container has.
    pub devices: Vec<String>,
}

/// NXP's `uuu`, and `bcu` beside it.
#[derive(Debug, Clone, Default)]
pub struct Uuu {
    /// Where the board is plugged in, as `2:112`.
    pub paths: Vec<String>,
    /// A command of this host that prints these.
    pub paths_command: Vec<String>,
    /// What is typed at U-Boot so that the board does not boot by itself.
    pub corrupt: Vec<String>,
    pub power_off_first: bool,
    pub docker_image: Option<String>,
    pub remote_options: Option<String>,
    pub bcu_name: String,
    pub bcu_id: String,
    pub bcu_id_command: Vec<String>,
    /// What `bcu` is told at the end, beside `deinit`.
    pub bcu_cleanup: Vec<String>,
}

impl Flash {
    /// Reads the top of a dictionary.
    pub(super) fn read(top: &Table<'_>) -> Self {
        let text = |key: &str| known(top, key);
        let actions = present(top, "actions");
        let methods = |kind: &str| {
            actions
                .as_ref()
                .and_then(|actions| present(actions, kind))
                .and_then(|kind| present(&kind, "methods"))
        };
        let mut flash = Self {
            board: UsbDevice {
                vendor: text("usb_vendor_id"),
                product: text("usb_product_id"),
                id: text("board_id"),
            },
            serial_driver: text("usb_serial_driver").unwrap_or_else(|| SERIAL_DRIVER.into()),
            serial_pause: seconds(top, "usb_sleep").unwrap_or_default(),
            waits_for_board: waits(top),
            label: text("usb_filesystem_label"),
            ..Self::default()
        };
        if let Some(deploy) = methods("deploy") {
            flash.read_deploy(&deploy);
        }
        if let Some(boot) = methods("boot") {
            flash.read_boot(&boot);
        }
        let constants = present(top, "constants").and_then(|table| present(&table, "u-boot"));
        flash.dfu.done = constants.and_then(|table| known(&table, "dfu-download"));
        flash
    }

    fn read_deploy(&mut self, methods: &Table<'_>) {
        self.musca_disk = present(methods, "musca").and_then(|table| known(&table, "id_serial"));
        if let Some(mps) = parameters(methods, "mps") {
            self.mps = Mps {
                hard_reboot: filled(&mps, "hard-reboot").unwrap_or(false),
                reboot_string: filled::<Text>(&mps, "reboot-string").map(|text| text.0),
            };
        }
        if let Some(vemsd) = parameters(methods, "vemsd") {
            let text = |node: &Node| node.as_text().map(ToOwned::to_owned);
            let entries = vemsd.entries().iter();
            self.vexpress.texts =
                entries.filter_map(|(key, node)| Some((key.name.clone(), text(node)?))).collect();
        }
        if let Some(usbg) = present(methods, "usbg-ms") {
            self.usbg_enable = words(&usbg, "enable");
            self.usbg_disable = words(&usbg, "disable");
        }
    }

    fn read_boot(&mut self, methods: &Table<'_>) {
        for name in ["dfu", "jlink", "openocd", "pyocd", "uuu"] {
            let table = parameters(methods, name);
            if table.is_some_and(|table| filled(&table, "trust_jobs").unwrap_or(false)) {
                self.trusts.insert(name.to_owned());
            }
        }
        if let Some(table) = parameters(methods, "cmsis-dap") {
            self.cmsis = Cmsis {
                disk: known(&table, "usb_mass_device"),
                resets_after_flash: filled(&table, "resets_after_flash").unwrap_or(true),
                skips_remount: filled(&table, "skip_autoremount_wait").unwrap_or(false),
                pause: seconds(&table, "post_unmount_delay").unwrap_or(Duration::from_secs(1)),
            };
        }
        if let Some(table) = parameters(methods, "jlink") {
            self.jlink = Jlink {
                command: known(&table, "command"),
                options: texts(&table, "options"),
                processor: known(&table, "processor"),
                core_types: texts(&table, "supported_core_types"),
                address: filled(&table, "address").unwrap_or(0),
                erase: texts(&table, "erase_command"),
                reset: texts(&table, "reset_command"),
            };
        }
        if let Some(table) = parameters(methods, "pyocd") {
            self.pyocd = Pyocd {
                command: known(&table, "command"),
                options: texts(&table, "options"),
                connects_first: filled(&table, "connect_before_flash").unwrap_or(false),
            };
        }
        self.openocd = Openocd::read(methods);
        if let Some(method) = present(methods, "dfu") {
            let table = present(&method, "parameters");
            let list = |key: &str| table.as_ref().map(|t| texts(t, key)).unwrap_or_default();
            self.dfu = Dfu {
                command: table.as_ref().and_then(|table| known(table, "command")),
                options: list("options"),
                by_uboot: known(&method, "implementation").is_some_and(|name| name == "u-boot"),
                enter: list("enter-commands"),
                done: None,
                resets: filled(&method, "reset_works").unwrap_or(true),
            };
        }
        self.gdb = Gdb::read(methods);
        self.uuu = Uuu::read(methods);
    }

    /// The name of the board for programs that choose it by that.
    ///
    /// # Errors
    /// That there is none.
    pub fn board_id(&self, file: &str) -> Result<String, String> {
        self.board.id.clone().ok_or_else(|| format!("the device ({file}) has no \"board_id\""))
    }
}

impl Openocd {
    fn read(methods: &Table<'_>) -> Self {
        let Some(method) = present(methods, "openocd") else { return Self::default() };
        let table = present(&method, "parameters");
        let options = table.as_ref().and_then(|table| present(table, "options"));
        let list = |key: &str| options.as_ref().map(|t| texts(t, key)).unwrap_or_default();
        Self {
            command: table.as_ref().and_then(|table| known(table, "command")),
            files: list("file"),
            searches: list("search"),
            commands: list("command"),
            debug: options
                .as_ref()
                .and_then(|table| filled::<Text>(table, "debug"))
                .map(|text| text.0),
            selection: filled::<Text>(&method, "board_selection_cmd").map(|text| text.0),
        }
    }
}

impl Gdb {
    fn read(methods: &Table<'_>) -> Self {
        let Some(method) = present(methods, "gdb") else { return Self::default() };
        let table = present(&method, "parameters");
        let mut gdb = Self {
            command: table.as_ref().and_then(|table| known(table, "command")),
            pause: table
                .and_then(|table| seconds(&table, "wait_before_continue"))
                .unwrap_or_default(),
            ways: BTreeMap::new(),
        };
        for (key, node) in method.entries() {
            if key.name == "parameters" || !matches!(node.value, Value::Map(_)) {
                continue;
            }
            let Some(table) = method.table(&key.name) else { continue };
            let docker = present(&table, "docker");
            let way = GdbWay {
                arguments: texts(&table, "arguments"),
                commands: texts(&table, "commands"),
                in_container: docker
                    .as_ref()
                    .is_some_and(|docker| filled(docker, "use").unwrap_or(false)),
                container: docker.as_ref().and_then(|docker| known(docker, "container")),
                devices: docker.map(|docker| texts(&docker, "devices")).unwrap_or_default(),
            };
            gdb.ways.insert(key.name.clone(), way);
        }
        gdb
    }
}

impl Uuu {
    fn read(methods: &Table<'_>) -> Self {
        let method = present(methods, "uuu");
        let Some(table) = method.and_then(|method| present(&method, "options")) else {
            return Self::default();
        };
        let text = |key: &str| filled::<Text>(&table, key).map(|text| text.0).unwrap_or_default();
        let some = |key: &str| Some(text(key)).filter(|text| !text.is_empty());
        let is_path = |path: &String| {
            let is_number =
                |text: &str| !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit());
            path.split_once(':').is_some_and(|(bus, port)| is_number(bus) && is_number(port))
        };
        Self {
            paths: texts(&table, "usb_otg_path").into_iter().filter(is_path).collect(),
            paths_command: words(&table, "usb_otg_path_command"),
            corrupt: texts(&table, "corrupt_boot_media_command"),
            power_off_first: filled(&table, "power_off_before_corrupt_boot_media").unwrap_or(false),
            docker_image: some("docker_image"),
            remote_options: some("remote_options"),
            bcu_name: text("bcu_board_name"),
            bcu_id: text("bcu_board_id"),
            bcu_id_command: words(&table, "bcu_board_id_command"),
            bcu_cleanup: texts(&table, "additional_bcu_cleanup_commands"),
        }
    }
}

/// A text, unless it is empty or stands for none.
fn known(table: &Table<'_>, key: &str) -> Option<String> {
    let text = filled::<Text>(table, key)?.0;
    Some(text).filter(|text| !text.trim_matches(NONE).is_empty())
}

fn parameters<'a>(methods: &Table<'a>, name: &str) -> Option<Table<'a>> {
    present(&present(methods, name)?, "parameters")
}

/// One command, as a line or as a list of its words.
fn words(table: &Table<'_>, key: &str) -> Vec<String> {
    match table.node(key).map(|node| &node.value) {
        Some(Value::Text(line)) => shlex::split(line).unwrap_or_default(),
        _ => texts(table, key),
    }
}

fn seconds(table: &Table<'_>, key: &str) -> Option<Duration> {
    let text = filled::<Text>(table, key)?.0;
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if seconds.is_none() {
        table.problem(key, format!("{text:?} is no number of seconds"));
    }
    seconds
}

/// Whether the first of the board's parts says that it is not waited for.
fn waits(top: &Table<'_>) -> bool {
    let Some(Value::List(parts)) = top.node("device_info").map(|node| &node.value) else {
        return true;
    };
    let says = parts.first().and_then(|part| part.get("wait_device_board_id"));
    says.is_none_or(|node| node.value != Value::Bool(false))
}
