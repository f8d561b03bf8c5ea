//! What a job may say to QEMU: options that reach nothing of this host but the job's own files.
//!
//! A job's `image_arg`, and what it puts into a device's template by its `context`, become words of a program
//! of this host, which has options that run commands, open files and attach to networks. The device
//! dictionary may say all of them, and that its jobs may, too: `parameters: {trust_jobs: true}`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::image::qcow2;

/// Options without a value.
const FLAGS: &[&str] = &[
    "S",
    "enable-kvm",
    "no-fd-bootchk",
    "no-reboot",
    "no-shutdown",
    "nodefaults",
    "nographic",
    "snapshot",
    "usb",
];
/// Options whose value is text for the guest.
const TEXTS: &[&str] = &["append", "name", "uuid"];
/// Options whose value is a file.
const FILES: &[&str] = &[
    "bios", "cdrom", "dtb", "fda", "fdb", "hda", "hdb", "hdc", "hdd", "initrd", "kernel",
    "mtdblock", "pflash", "sd",
];
/// Options whose value is one of a few.
const CHOICES: &[(&str, &[&str])] = &[
    ("display", &["none"]),
    ("monitor", &["none", "null"]),
    ("parallel", &["none", "null"]),
    ("serial", &["mon:stdio", "none", "null", "stdio"]),
];
/// Options whose value is a list of properties.
const LISTS: &[&str] = &[
    "M", "accel", "boot", "cpu", "device", "drive", "global", "icount", "k", "m", "machine",
    "numa", "object", "rtc", "smbios", "smp", "vga",
];
/// The same, for the guest's networks.
const NETWORKS: &[&str] = &["net", "netdev", "nic"];
/// Networks that are QEMU's own, or none.
const OWN_NETWORKS: &[&str] = &["hubport", "nic", "none", "user"];
/// Properties whose value is a file of this host, or leads to something else of it.
const PATHS: &[&str] = &[
    "dir",
    "dtb",
    "dumpdtb",
    "evdev",
    "fd",
    "file",
    "filename",
    "firmware",
    "guestfwd",
    "helper",
    "host_device",
    "initrd",
    "kernel",
    "logfile",
    "mem-path",
    "path",
    "property",
    "romfile",
    "script",
    "downscript",
    "smb",
    "splash",
    "sysfsdev",
    "tftp",
    "uri",
    "url",
];
/// Files of this host that give nothing away.
const HARMLESS: &[&str] = &["/dev/null", "/dev/random", "/dev/urandom", "/dev/zero", "/dev/hwrng"];
/// Devices that are this host's.
const HOST_DEVICES: &[&str] = &[
    "ivshmem",
    "pci-assign",
    "scsi-block",
    "scsi-generic",
    "usb-host",
    "usb-mtp",
    "vfio",
    "vhost",
    "virtio-9p",
];
/// Objects that read and write nothing of this host.
const OBJECTS: &[&str] = &[
    "cryptodev-backend-builtin",
    "iothread",
    "memory-backend-ram",
    "rng-builtin",
    "rng-random",
    "throttle-group",
];

/// Why the words of a job may not be QEMU's, if they may not.
pub fn refused(words: &[String]) -> Option<String> {
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let Some(option) = option(word) else {
            if is_place(word) {
                continue;
            }
            return Some(format!("{word:?} is none of the job's files"));
        };
        if FLAGS.contains(&option) {
            continue;
        }
        let Some(value) = words.next() else { return Some(format!("{word} has no value")) };
        if let Some(why) = refused_value(option, value) {
            return Some(format!("{word} {value}: {why}"));
        }
    }
    None
}

/// Why a value of a job's context may not get into the device's words, if it may not: wherever a template
/// puts it, it could bring options of its own.
pub fn refused_text(text: &str) -> Option<String> {
    let mut now = None;
    let tokens = text.split(|c: char| c.is_whitespace() || "'\"[]".contains(c));
    for token in tokens.filter(|token| !token.is_empty()) {
        if let Some(option) = option(token) {
            let is_known = known().any(|known| known == option);
            if !is_known && option.starts_with(|c: char| c.is_ascii_alphabetic()) {
                return Some(format!("{token}: a job may not say this option"));
            }
            now = is_known.then_some(option).filter(|option| !FLAGS.contains(option));
        } else if let Some(why) = match now.take() {
            Some(option) => refused_value(option, token),
            None => properties(token).find_map(|(key, value)| refused_path(key, value)),
        } {
            return Some(format!("{token}: {why}"));
        }
    }
    None
}

/// Why a file of the job's may not be one of QEMU's disks, if it may not: formats with other files behind
/// them name these files themselves.
///
/// # Errors
/// What reading says.
pub fn refused_disk(file: &Path) -> io::Result<Option<&'static str>> {
    let mut head = Vec::new();
    File::open(file)?.take(qcow2::HEAD as u64).read_to_end(&mut head)?;
    let qcow2 = qcow2::elsewhere(&head).is_some();
    // docs/interop/qed_spec.rst: bit 0 of the features from byte 16 on.
    let qed = head.starts_with(b"QED\0") && head.get(16).is_some_and(|byte| byte & 1 != 0);
    let vmdk = [&b"KDMV"[..], b"COWD", b"# Disk"].iter().any(|magic| head.starts_with(magic));
    Ok((qcow2 || qed || vmdk)
        .then_some("the image names another file of this host that it goes on in"))
}

fn known() -> impl Iterator<Item = &'static str> {
    let choices = CHOICES.iter().map(|(option, _)| *option);
    let lists = [FLAGS, TEXTS, FILES, LISTS, NETWORKS].into_iter().flatten().copied();
    choices.chain(lists)
}

/// The option that a word is, which QEMU takes with one dash or two.
fn option(word: &str) -> Option<&str> {
    let option = word.strip_prefix('-')?;
    Some(option.strip_prefix('-').unwrap_or(option))
}

fn refused_value(option: &str, value: &str) -> Option<String> {
    if TEXTS.contains(&option) {
        return None;
    }
    if FILES.contains(&option) {
        let is_ours = is_place(value) || (option == "bios" && matches!(value, "default" | "none"));
        return (!is_ours)
            .then(|| "the file is none of the job's; write its name in braces".into());
    }
    if let Some((_, choices)) = CHOICES.iter().find(|(choice, _)| *choice == option) {
        let is_one = choices.contains(&value);
        return (!is_one).then(|| format!("a job may say {}", choices.join(", ")));
    }
    let is_network = NETWORKS.contains(&option);
    if !is_network && !LISTS.contains(&option) {
        return Some("a job may not say this option".into());
    }
    // A place is {NAME}; anything else in braces is JSON.
    if value.starts_with('{') && !is_place(value) {
        return Some("a job may not say this as JSON".into());
    }
    // The first part alone is the kind, and so is what is said to be it, of which the last counts.
    let first = properties(value).next().filter(|(key, _)| key.is_empty());
    let said = properties(value).filter(|(key, _)| matches!(*key, "driver" | "qom-type" | "type"));
    let kinds: Vec<&str> = first.into_iter().chain(said).map(|(_, kind)| kind).collect();
    let all_of =
        |known: &[&str]| !kinds.is_empty() && kinds.iter().all(|kind| known.contains(kind));
    if is_network && !all_of(OWN_NETWORKS) {
        return Some(format!("a job's network is one of {}", OWN_NETWORKS.join(", ")));
    }
    let is_host = |kind: &&str| HOST_DEVICES.iter().any(|device| kind.starts_with(device));
    if option == "device" && kinds.iter().any(is_host) {
        return Some("the device is this host's".into());
    }
    if option == "object" && !all_of(OBJECTS) {
        return Some(format!("a job's objects are {}", OBJECTS.join(", ")));
    }
    properties(value).find_map(|(key, value)| {
        // What is no property that is known to be one: nothing of it has the look of a path.
        let is_path = !is_network && value.contains('/') && !HARMLESS.contains(&value);
        let unknown = is_path && option != "smbios" && option != "rtc";
        refused_path(key, value).or_else(|| {
            unknown
                .then(|| format!("{value:?} is none of the job's files; write its name in braces"))
        })
    })
}

/// The parts of a list; the key of one that has none is empty.
fn properties(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.split(',').map(|part| part.split_once('=').unwrap_or(("", part)))
}

fn refused_path(key: &str, value: &str) -> Option<String> {
    // As in `file.filename`.
    let key = key.rsplit('.').next().unwrap_or(key);
    let is_ours = value.is_empty() || is_place(value) || HARMLESS.contains(&value);
    (PATHS.contains(&key) && !is_ours && !(key.ends_with("script") && value == "no"))
        .then(|| format!("{key:?} is none of the job's files; write the file's name in braces"))
}

/// Whether a text is the place of a file of the job's, as `{rootfs}`.
fn is_place(text: &str) -> bool {
    let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::command::words;
    use super::*;

    #[test]
    fn what_jobs_say_to_qemu_is_let_through() {
        for said in [
            "-kernel {kernel} -append \"console=ttyS0,115200 root=/dev/vda init=/bin/sh\"",
            "-initrd {initrd}",
            "-drive file={rootfs},format=raw,id=hd0,if=virtio",
            "-drive format=raw,file={disk1}",
            "-drive file={iso},index=2,media=cdrom,readonly",
            "-bios {bios}",
            "{disk}",
            "-M virt,virtualization=on -cpu max,pauth-impdef=on -m 2G -smp 4",
            "-netdev user,id=n,net=10.0.2.0/24,hostfwd=tcp::2222-:22 -device virtio-net-pci,netdev=n",
            "-object rng-random,filename=/dev/urandom,id=r -device virtio-rng-pci,rng=r",
            "-device loader,file={zephyr},addr=0x1000 -monitor none -serial mon:stdio -no-reboot",
            "-blockdev driver=raw,file={rootfs}",
        ] {
            let refused = refused(&words(said).unwrap());
            assert_eq!(refused.is_some(), said.starts_with("-blockdev"), "{said}: {refused:?}");
        }
        for said in [
            "-smp 2",
            "tap",
            "mon:stdio",
            "q35,accel=kvm",
            "console=ttyS0,115200 root=/dev/nfs ip=dhcp",
        ] {
            assert_eq!(refused_text(said), None, "{said}");
        }
    }

    #[test]
    fn what_reaches_this_host_is_refused() {
        for said in [
            "-netdev user,id=n,guestfwd=tcp:10.0.2.9:1-cmd:'sh -c id'",
            "-nic user,smb=/home/lava",
            "-netdev tap,id=n,script=/tmp/x",
            "-net bridge,br=br0",
            "-netdev user,id=n,type=tap",
            "-device e1000,model=x,driver=vfio-pci",
            "-drive driver=vvfat,dir=.",
            "-global driver=e1000,property=romfile,value=x",
            "-virtfs local,path=/home/lava,mount_tag=h,security_model=none",
            "--virtfs local,path=/home/lava",
            "-fsdev local,id=f,path=/",
            "-drive file=/home/lava/.ssh/id_rsa,format=raw",
            "-drive format=raw,file.filename=/etc/shadow",
            "-drive file={rootfs}/../../x",
            "-drive file=notes.txt",
            "-hda /dev/sda",
            "/dev/sda",
            "-kernel /boot/vmlinuz",
            "-blockdev '{\"driver\": \"file\", \"filename\": \"/etc/shadow\"}'",
            "-device vfio-pci,host=01:00.0",
            "-device driver=usb-host,vendorid=1",
            "-object memory-backend-file,mem-path=/x,id=m,size=1G",
            "-object secret,id=s,file=/etc/shadow",
            "-machine virt,dumpdtb=/tmp/x",
            "-incoming 'exec:id'",
            "-chardev file,id=c,path=/tmp/x",
            "-serial file:/tmp/x",
            "-monitor unix:/tmp/x,server",
            "-daemonize",
            "-pidfile /tmp/x",
            "-D /tmp/x",
            "-sandbox off",
            "-semihosting",
            "-readconfig /tmp/x",
        ] {
            assert!(refused(&words(said).unwrap()).is_some(), "{said}");
        }
        for said in [
            "max -virtfs local,path=/home/lava",
            "user,guestfwd=tcp:10.0.2.9:1-cmd:sh",
            "x', '-daemonize",
            "x -drive file=/etc/shadow",
            "x -netdev tap,id=n",
        ] {
            assert!(refused_text(said).is_some(), "{said}");
        }
    }

    #[test]
    fn a_disk_that_goes_on_in_a_file_of_this_host_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk");
        let disk = |head: &[u8]| {
            std::fs::write(&file, [head, &[0; 100]].concat()).unwrap();
            refused_disk(&file).unwrap().is_some()
        };
        assert!(!disk(b"") && !disk(b"QFI\xfb\0\0\0\x03"));
        assert!(disk(b"QFI\xfb\0\0\0\x03\0\0\0\0\0\0\x01\x70"));
        let mut external = b"QFI\xfb\0\0\0\x03".to_vec();
        external.resize(80, 0);
        external[79] = 4;
        assert!(disk(&external) && disk(b"# Disk DescriptorFile\n"));
    }
}
