//! The keys of `driver = "libvirt"`: virtual boards that libvirt runs, by virsh.

use crate::config::Table;

/// libvirt, as virsh reaches it. An outlet's port is the name of a domain, or its UUID.
#[derive(Debug, Clone)]
pub struct Libvirt {
    /// As `qemu:///system` or `qemu+ssh://host/system`.
    pub uri: String,
    /// The program, by its name or path.
    pub virsh: String,
}

impl Libvirt {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        table.required::<String>("uri");
        let uri = table.parsed("uri", |text| {
            let scheme = text.split_once("://").map(|(scheme, _)| scheme).unwrap_or_default();
            match scheme.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace) {
                true => Err(format!("{text:?} is no URI of libvirt; write it like qemu:///system")),
                false => Ok(text.to_owned()),
            }
        });
        let virsh = table.optional::<String>("virsh").unwrap_or_else(|| "virsh".to_owned());
        if virsh.is_empty() || virsh.contains('\0') {
            table.problem("virsh", "the program is missing");
        }
        Some(Self { uri: uri?, virsh })
    }

    /// Whether a domain can be called so, and is nothing else to virsh.
    pub(super) fn check(port: &str) -> Result<(), String> {
        let sound = |c: char| c.is_alphanumeric() || "._+-@:".contains(c);
        match !port.is_empty() && !port.starts_with('-') && port.chars().all(sound) {
            true => Ok(()),
            false => {
                Err(format!("{port:?} is no domain's name; it has letters, digits and ._+-@:"))
            }
        }
    }
}
