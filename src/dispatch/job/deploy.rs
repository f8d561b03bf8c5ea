//! A deploy block.

use super::values::file_names;
use super::{Artefact, Text, Texts};
use crate::config::{Table, Value};
use crate::dispatch::avh::AvhOptions;

/// The artefacts of a TFTP deployment, in the order in which they are downloaded.
pub const ARTEFACTS: [&str; 8] =
    ["ramdisk", "kernel", "dtb", "nfsrootfs", "modules", "preseed", "tee", "dtbo"];

/// What is put where the board gets it from.
#[derive(Debug, Clone, Default)]
pub struct Deploy {
    /// The method, as `tftp` or `fastboot`.
    pub to: String,
    /// What is downloaded, in that order: for the methods with `images`, as the job has them.
    pub artefacts: Vec<Artefact>,
    /// The distribution on the board, as `debian` or `oe`.
    pub os: Option<String>,
    /// An NFS root that stays.
    pub persistent_nfs: Option<PersistentRoot>,
    /// Of `iso-installer`.
    pub iso: Option<Iso>,
    /// Of removable media: the name of the medium in the device dictionary.
    pub device: Option<String>,
    /// Of removable media: what fetches the image on the board.
    pub download: Option<Tool>,
    /// Of removable media: what writes the image on the board; `dd` without it.
    pub writer: Option<Tool>,
    /// A container image: of the method `docker`, or that the host's programs run in.
    pub container: Option<Container>,
    /// Of `qdl`: the file in the archive that the overlay goes into; empty for none.
    pub rootfs_image: Option<String>,
    /// Of `downloads`: shell commands for the downloaded files, in a container.
    pub postprocess: Option<(Container, Vec<String>)>,
    /// Of `avh`.
    pub avh: AvhOptions,
    /// Of `downloads`: each file is kept in a folder of its own.
    pub uniquify: bool,
}

/// A root file system that a server of the lab's has.
#[derive(Debug, Clone, Default)]
pub struct PersistentRoot {
    /// `SERVER:PATH`.
    pub address: String,
    /// Whether the tests go into it.
    pub install_overlay: bool,
}

/// What is on an installer's CD, and what it installs to.
#[derive(Debug, Clone, Default)]
pub struct Iso {
    pub kernel: String,
    pub initrd: String,
    /// As QEMU's tools have it: a number of bytes, or one with `k`, `M` or `G` behind it.
    pub installation_size: String,
}

/// A program on the board, with what it is given.
#[derive(Debug, Clone, Default)]
pub struct Tool {
    pub tool: String,
    /// What it prints when it has begun; a regular expression.
    pub prompt: Option<String>,
    pub options: String,
}

/// A container image.
#[derive(Debug, Clone, Default)]
pub struct Container {
    pub image: String,
    /// It is on this host already and not to be pulled.
    pub local: bool,
    /// What the container is called, before the job's number is added.
    pub called: Option<String>,
    /// The container of the same job whose network it has, as the job calls that.
    pub network_from: Option<String>,
    /// Devices of this host that it has.
    pub devices: Vec<String>,
    /// Of QEMU: the program in it, if it is not the one of the device dictionary.
    pub binary: Option<String>,
    /// The image is behind a login.
    pub login: bool,
}

/// LAVA's keys of a container. The distribution in it, `os`, changes nothing.
const CONTAINER_KEYS: [&str; 9] = [
    "binary",
    "container_name",
    "devices",
    "image",
    "local",
    "login",
    "name",
    "network_from",
    "os",
];

impl Deploy {
    pub(super) fn read(to: &str, table: &Table<'_>) -> Self {
        let artefacts = match to {
            "tftp" => named(table, &ARTEFACTS, &["kernel"]),
            "nbd" => named(table, &["initrd", "kernel", "dtb", "nbdroot", "tee"], &["nbdroot"]),
            "nfs" if table.node("images").is_none() => {
                named(table, &["nfsrootfs", "modules"], &["nfsrootfs"])
            }
            "vemsd" => named(table, &["recovery_image"], &["recovery_image"]),
            "uuu" => images(table).into_iter().map(|image| plain(image, table)).collect(),
            "usbg-ms" => named(table, &["image"], &["image"]),
            "usb" | "sata" | "sd" | "u-boot-ums" if table.node("images").is_none() => {
                named(table, &["image"], &["image"])
            }
            "qdl" => named(table, &["qcomflash"], &["qcomflash"]),
            "ssh" => named(table, &["firmware", "kernel", "dtb", "rootfs", "modules"], &[]),
            "overlay" | "docker" | "lxc" => Vec::new(),
            "avh" if table.node("fw_package").is_some() => named(table, &["fw_package"], &[]),
            "tmpfs" => [named(table, &["uefi"], &[]), images(table)].concat(),
            _ => images(table),
        };
        table.optional::<Text>("authorize");
        table.optional::<bool>("enable");
        let persistent = table.table("persistent_nfs").and_then(|table| {
            let address = table.required("address");
            let install_overlay = table.optional("install_overlay").unwrap_or(true);
            table.finish();
            Some(PersistentRoot { address: address?, install_overlay })
        });
        if to == "iso-installer" && table.node("iso").is_none() {
            table.problem("iso", "\"iso\" is missing: kernel, initrd, installation_size");
        }
        Self {
            to: to.to_owned(),
            artefacts,
            os: table.optional("os"),
            persistent_nfs: persistent,
            iso: (to == "iso-installer").then(|| Iso::read(table)).flatten(),
            device: table.node("device").and_then(|_| table.optional("device")),
            download: Tool::read(table, "download"),
            writer: Tool::read(table, "writer"),
            container: Container::read(table, if to == "docker" { "image" } else { "docker" }),
            rootfs_image: table.optional("rootfs_image"),
            postprocess: postprocess(table),
            avh: if to == "avh" { avh(table) } else { AvhOptions::default() },
            uniquify: to == "downloads" && table.optional("uniquify").unwrap_or(false),
        }
    }

    pub fn artefact(&self, name: &str) -> Option<&Artefact> {
        self.artefacts.iter().find(|artefact| artefact.name == name)
    }
}

/// The artefacts that have keys of their own in the block.
fn named(table: &Table<'_>, names: &[&str], required: &[&str]) -> Vec<Artefact> {
    for name in required.iter().filter(|name| table.node(name).is_none()) {
        table.problem(name, format!("{name:?} is missing"));
    }
    names.iter().flat_map(|name| listed(name, table)).collect()
}

/// An artefact, or several of a list, which are called `dtbo0`, `dtbo1`, …
fn listed(name: &str, table: &Table<'_>) -> Vec<Artefact> {
    let (at, value) = (table.at().key(name), table.node(name).map(|node| &node.value));
    match value {
        Some(Value::List(items)) if name == "dtbo" => {
            let items = items.iter().enumerate();
            let read = |(i, item)| Artefact::of(&format!("{name}{i}"), item, at.index(i));
            items.filter_map(read).collect()
        }
        _ => Artefact::read(name, table).into_iter().collect(),
    }
}

/// The artefacts below `images`, in the order of the job.
fn images(table: &Table<'_>) -> Vec<Artefact> {
    if table.node("images").is_none() {
        table.problem("images", "\"images\" is missing");
    }
    let Some(images) = table.table("images") else { return Vec::new() };
    file_names(&images, "an image");
    let names = images.entries().iter().map(|(key, _)| key.name.as_str());
    // What is not to be downloaded is a URL for the flashing program only.
    names.filter_map(|name| Artefact::read(name, &images)).filter(|image| image.download).collect()
}

/// An image of `uuu`, which is sparse only where the job says so.
fn plain(image: Artefact, table: &Table<'_>) -> Artefact {
    let node = table.node("images").and_then(|images| images.get(&image.name)?.get("sparse"));
    Artefact { sparse: node.is_some_and(|node| node.value == Value::Bool(true)), ..image }
}

/// A job of an older LAVA calls them `avh`.
fn avh(table: &Table<'_>) -> AvhOptions {
    let key = if table.node("avh").is_some() { "avh" } else { "options" };
    AvhOptions::read(table, key)
}

fn postprocess(table: &Table<'_>) -> Option<(Container, Vec<String>)> {
    let postprocess = table.table("postprocess")?;
    if postprocess.node("docker").is_none() {
        postprocess.problem("docker", "\"docker\" is missing: the container of the steps");
    }
    let steps = postprocess.table("docker").and_then(|docker| docker.required::<Texts>("steps"));
    let container = Container::read_with(&postprocess, "docker", &["steps"]);
    postprocess.finish();
    Some((container?, steps.unwrap_or_default().0))
}

impl Iso {
    fn read(block: &Table<'_>) -> Option<Self> {
        let table = block.table("iso")?;
        let text = |key: &str| table.required::<Text>(key).map(|text| text.0).unwrap_or_default();
        let iso = Self {
            kernel: text("kernel"),
            initrd: text("initrd"),
            installation_size: text("installation_size"),
        };
        table.finish();
        Some(iso)
    }
}

impl Tool {
    fn read(block: &Table<'_>, key: &str) -> Option<Self> {
        // The method `downloads` has a key of this name with another meaning.
        block.node(key).filter(|node| matches!(node.value, Value::Map(_)))?;
        let table = block.table(key)?;
        let tool = Self {
            tool: table.required("tool").unwrap_or_default(),
            prompt: table.optional("prompt"),
            options: table.optional("options").unwrap_or_default(),
        };
        table.finish();
        Some(tool)
    }
}

impl Container {
    /// Reads the container of a test block.
    pub(super) fn read_for_tests(block: &Table<'_>) -> Option<Self> {
        let container = Self::read_with(block, "docker", &["wait"])?;
        if let Some(table) = block.table("docker") {
            if let Some(node) = table.node("wait") {
                let what = "this has no effect here: the container has the devices that are there";
                table.at().key("wait").note(node.place, what);
            }
            container.check(&table);
        }
        Some(container)
    }

    /// What a job says becomes an option of docker's as it is meant, and no other one.
    fn check(&self, table: &Table<'_>) {
        let is_word = |text: &str, more: &str| {
            text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c) || more.contains(c))
        };
        for (key, name) in [("container_name", &self.called), ("network_from", &self.network_from)]
        {
            if name.as_ref().is_some_and(|name| !is_word(name, "")) {
                table.problem(key, "a container's name has letters, digits, '_', '.' and '-'");
            }
        }
        let is_device =
            |path: &String| path.starts_with("/dev/") && !path.contains("..") && is_word(path, "/");
        if !self.devices.iter().all(is_device) {
            table.problem("devices", "a device is a path such as /dev/kvm");
        }
    }

    /// Its name in the job of this number, where it has one.
    pub fn name(&self, job_id: &str) -> Option<String> {
        self.called.as_ref().map(|called| format!("{called}-lava-{job_id}"))
    }

    /// The words of `docker run` that only some containers need.
    pub fn options(&self, job_id: &str) -> Vec<String> {
        let network = self
            .network_from
            .iter()
            .map(|name| format!("--network=container:{name}-lava-{job_id}"));
        network.chain(self.devices.iter().map(|device| format!("--device={device}"))).collect()
    }

    /// Reads a container image: its name alone, or a table with it.
    pub(super) fn read(block: &Table<'_>, key: &str) -> Option<Self> {
        Self::read_with(block, key, &[])
    }

    /// The same, of a table that has more keys than a container's.
    fn read_with(block: &Table<'_>, key: &str, more: &[&str]) -> Option<Self> {
        let node = block.node(key)?;
        // docker would take it for an option.
        let is_option = |image: &String| image.starts_with('-');
        let what = "the name of a container image does not begin with \"-\"";
        if let Some(image) = node.as_text().map(ToOwned::to_owned) {
            if is_option(&image) {
                block.problem(key, what);
            }
            return Some(Self { image, ..Self::default() });
        }
        let table = block.table(key)?;
        let image: Option<String> = table.optional("image");
        let named = if image.is_some() { "image" } else { "name" };
        let image = image.or_else(|| table.optional("name"));
        match &image {
            None => table.problem("image", "\"image\" is missing"),
            Some(image) if is_option(image) => table.problem(named, what),
            Some(_) => {}
        }
        let local = table.optional("local").unwrap_or(false);
        let container = Self {
            image: image.unwrap_or_default(),
            local,
            called: table.optional("container_name"),
            network_from: table.optional("network_from"),
            devices: table.optional::<Texts>("devices").unwrap_or_default().0,
            binary: table.optional("binary"),
            login: table.node("login").is_some(),
        };
        for key in CONTAINER_KEYS.iter().chain(more) {
            table.node(key);
        }
        table.finish();
        Some(container)
    }
}
