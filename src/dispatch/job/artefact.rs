//! A file that a job deploys: where it comes from and in what form.

use std::collections::BTreeMap;

use super::Text;
use super::values::file_names;
use crate::config::{At, FromNode, Node, Table, Value};
use crate::model::{IMAGE_PASS, Name, image_passes};

/// One file to download.
#[derive(Debug, Clone, Default)]
pub struct Artefact {
    /// As `kernel` or `ramdisk`.
    pub name: String,
    pub url: String,
    /// HTTP headers to send.
    pub headers: BTreeMap<String, String>,
    /// It is a tar archive, and the folder with what is in it is deployed.
    pub archive: bool,
    /// It comes from its server, whatever the cache has.
    pub fresh: bool,
    /// How the file at the URL is packed.
    pub compression: Option<Compression>,
    pub checksum: Option<Checksum>,
    /// Of a kernel: `image`, `zimage` or `uimage`.
    pub image_type: Option<String>,
    /// Of a ramdisk: `u-boot` when it comes with U-Boot's legacy header.
    pub header: Option<String>,
    /// Whether the test overlay goes into this ramdisk.
    pub install_overlay: bool,
    /// Whether the job's modules go into this ramdisk or root file system.
    pub install_modules: bool,
    /// Whether the test overlay goes into this image for `fastboot` or `qdl`.
    pub apply_overlay: bool,
    /// What else goes into this file system image or archive.
    pub overlays: Vec<Overlay>,
    /// The partition of an image that the overlay goes into, counted from 0.
    pub partition: Option<u32>,
    /// Of a package for Arm's service: the file in it with that partition.
    pub storage_file: Option<String>,
    /// The image is in Android's sparse format.
    pub sparse: bool,
    /// Of `mps`: what the file is called on the board.
    pub rename: Option<String>,
    /// Of `fastboot`: how to reboot after it was flashed.
    pub reboot: Option<String>,
    /// Whether it is fetched at all.
    pub download: bool,
    /// Of an image for QEMU: the words of its command line that bring it in, with `{NAME}` for the file.
    pub image_arg: Option<String>,
    /// Of a root file system: the folder in the archive that it is in.
    pub prefix: Option<String>,
    /// What the unpacked file is: `cpio.newc`, `ext4`, `tar` or `file`.
    pub format: Option<String>,
}

/// One thing that goes into a file system image or an archive.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// The test shell and the test definitions.
    Lava,
    /// A file or an archive, to a folder of the image.
    File { artefact: Box<Artefact>, path: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gz,
    Xz,
    Bz2,
    Zstd,
    Zip,
}

/// What the file's hash has to be, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    Md5(String),
    Sha256(String),
    Sha512(String),
}

/// What overlays can be put into, and `file` for what is an overlay as it is.
const FORMATS: [&str; 4] = ["cpio.newc", "ext4", "file", "tar"];

/// What `fastboot` does after it has flashed an image.
const REBOOTS: [&str; 4] =
    ["fastboot-reboot", "fastboot-reboot-bootloader", "fastboot-reboot-fastboot", "hard-reset"];

impl Artefact {
    /// A file of which only the URL is said.
    pub fn plain(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            install_overlay: true,
            install_modules: true,
            sparse: true,
            download: true,
            ..Self::default()
        }
    }

    /// Reads the artefact `name` of a deploy block, if it is there.
    pub fn read(name: &str, block: &Table<'_>) -> Option<Self> {
        let at = block.at().key(name);
        if let Some(node) = block.node(name)?.get("path") {
            let what = "this has no effect here: only what goes into another file has a path there";
            at.key("path").note(node.place, what);
        }
        Self::of(name, block.node(name)?, at)
    }

    /// Reads an artefact that is called so.
    pub(super) fn of(name: &str, node: &Node, at: At<'_>) -> Option<Self> {
        let table = Table::new(node, at)?;
        let url = table.required::<String>("url");
        let headers: Option<BTreeMap<String, Text>> = table.optional("headers");
        let headers = headers.unwrap_or_default();
        let (url, pass) = without_pass(url.unwrap_or_default());
        let headers = headers.into_iter().map(|(key, value)| (key, value.0));
        let artefact = Self {
            name: name.to_owned(),
            url,
            archive: one_of(&table, "archive", &["tar"]).is_some(),
            fresh: !table.optional("use_cache").unwrap_or(true),
            headers: headers.chain(pass).collect(),
            // Jobs that are made of templates leave it empty.
            compression: table
                .node("compression")
                .filter(|node| node.value != Value::Null)
                .and_then(|_| table.optional("compression")),
            checksum: Checksum::read(&table),
            image_type: one_of(&table, "type", &["image", "zimage", "uimage"]),
            header: one_of(&table, "header", &["u-boot"]),
            install_overlay: table.optional("install_overlay").unwrap_or(true),
            install_modules: table.optional("install_modules").unwrap_or(true),
            apply_overlay: table.optional("apply-overlay").unwrap_or(false),
            overlays: Overlay::read_all(&table),
            partition: table.optional("partition").or_else(|| table.optional("root_partition")),
            storage_file: table.optional("storage_file"),
            sparse: table.optional("sparse").unwrap_or(true),
            rename: table.optional("rename"),
            reboot: one_of(&table, "reboot", &REBOOTS),
            download: table.optional("download").unwrap_or(true),
            image_arg: table.optional("image_arg"),
            prefix: table.optional::<Text>("prefix").map(|text| text.0),
            format: one_of(&table, "format", &FORMATS),
        };
        table.optional::<u32>("root_partition");
        table.optional::<String>("path");
        one_of(&table, "overlay_backend", &["auto", "e2fsprogs", "guestfs"]);
        table.finish();
        Some(artefact)
    }
}

impl Overlay {
    /// The overlays of an artefact, the tests' last.
    fn read_all(artefact: &Table<'_>) -> Vec<Self> {
        let Some(table) = artefact.table("overlays") else { return Vec::new() };
        file_names(&table, "an overlay");
        let names = table.entries().iter().map(|(key, _)| key.name.as_str());
        let mut overlays: Vec<Self> = names
            .filter(|name| *name != "lava")
            .filter_map(|name| {
                let path = table.table(name)?.optional::<String>("path");
                let (node, at) = (table.node(name)?, table.at().key(name));
                let artefact = Box::new(Artefact::of(name, node, at)?);
                Some(Self::File { artefact, path: path.unwrap_or_else(|| "/".into()) })
            })
            .collect();
        if table.optional("lava").unwrap_or(false) {
            overlays.push(Self::Lava);
        }
        overlays
    }
}

/// A URL without the pass that may stand in it, and the header that has the pass then: nobody logs those.
fn without_pass(mut url: String) -> (String, Option<(String, String)>) {
    let found = image_passes(&url).next().filter(|(_, pass)| url.ends_with(pass));
    let Some((end, pass)) = found else { return (url, None) };
    let header = (IMAGE_PASS.to_owned(), pass.to_owned());
    url.truncate(end);
    (url, Some(header))
}

/// A text that must be one of a few.
pub(super) fn one_of(table: &Table<'_>, key: &str, known: &[&str]) -> Option<String> {
    table.parsed(key, |text| match known.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(none_of(text, known)),
    })
}

/// That a text is none of a few, and which of them it is most like.
pub(in crate::dispatch) fn none_of(text: &str, known: &[&str]) -> String {
    let near = Name::nearest(text, known.iter().copied());
    let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    format!("{text:?} is none of {}{near}", known.join(", "))
}

impl Checksum {
    fn read(table: &Table<'_>) -> Option<Self> {
        let hex = |key: &str, digits: usize| {
            table.parsed(key, move |text| {
                let text = text.to_ascii_lowercase();
                match text.len() == digits && text.chars().all(|c| c.is_ascii_hexdigit()) {
                    true => Ok(text),
                    false => Err(format!("expected {digits} hexadecimal digits")),
                }
            })
        };
        let md5 = hex("md5sum", 32).map(Self::Md5);
        let sha256 = hex("sha256sum", 64).map(Self::Sha256);
        let sha512 = hex("sha512sum", 128).map(Self::Sha512);
        sha512.or(sha256).or(md5)
    }
}

impl FromNode for Compression {
    fn from_node(node: &Node, at: &At<'_>) -> Option<Self> {
        match String::from_node(node, at)?.as_str() {
            "gz" => Some(Self::Gz),
            "xz" => Some(Self::Xz),
            "bz2" => Some(Self::Bz2),
            "zstd" => Some(Self::Zstd),
            "zip" => Some(Self::Zip),
            other => {
                at.problem(node.place, none_of(other, &["bz2", "gz", "xz", "zip", "zstd"]));
                None
            }
        }
    }
}
