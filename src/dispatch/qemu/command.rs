//! QEMU's command line.

use std::path::{Path, PathBuf};

use super::{Guest, Qemu};
use crate::dispatch::job::Artefact;

/// The words of `image_arg`, with the place of each `{NAME}` in them.
///
/// # Errors
/// When the quotes in it have no end.
pub fn words(image_arg: &str) -> Result<Vec<String>, String> {
    shlex::split(image_arg).ok_or_else(|| {
        format!("a quote in {image_arg:?} has no end, or a \\ is the last character")
    })
}

/// The names in `{}` that are none of the `known` ones. Braces around anything but a name are text.
pub fn unknown_names(image_arg: &str, known: &[&str]) -> Vec<String> {
    let pieces = image_arg.split('{').skip(1).filter_map(|piece| piece.split_once('}'));
    let names = pieces.map(|(name, _)| name).filter(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c))
    });
    names.filter(|name| !known.contains(name)).map(ToOwned::to_owned).collect()
}

/// The whole command: the program first. `files` are the deployed files by their artefacts' names.
///
/// # Errors
/// An option that is not to be understood.
pub fn line(
    qemu: &Qemu,
    images: &[Artefact],
    files: &[(String, PathBuf)],
    guest: Option<(&Guest, &Path)>,
) -> Result<Vec<String>, String> {
    let mut line = vec![qemu.command.clone()];
    for option in qemu.options.iter().chain(&qemu.extra) {
        line.extend(words(option)?);
    }
    if let Some(sandbox) = sandbox(qemu, &line) {
        line.extend(["-sandbox".to_owned(), sandbox.to_owned()]);
    }
    for one in images {
        line.extend(image(one, files)?);
    }
    if let Some((guest, path)) = guest {
        line.extend(self::guest(guest, path));
    }
    Ok(line)
}

/// The words that bring an image in; none for one that QEMU has nothing to do with.
///
/// # Errors
/// As [`words`].
pub fn image(image: &Artefact, files: &[(String, PathBuf)]) -> Result<Vec<String>, String> {
    let words = image.image_arg.as_deref().map_or_else(|| Ok(Vec::new()), words)?;
    Ok(words.into_iter().map(|word| filled(&word, files)).collect())
}

/// The words that give QEMU the drive with the tests.
pub fn guest(guest: &Guest, path: &Path) -> [String; 2] {
    let [option, value] = disk(guest, path);
    [option, format!("{value},id={}", guest.drive)]
}

/// The words that give QEMU a disk of the job's own, where the device's disks are.
pub fn disk(guest: &Guest, path: &Path) -> [String; 2] {
    let (file, interface) = (doubled(path), &guest.interface);
    ["-drive".into(), format!("format=raw,file={file},media=disk,if={interface}")]
}

/// What QEMU is kept from, where the device does not say so itself, or trusts its jobs. Some networks are made by
/// programs that QEMU starts, with rights that it has not.
fn sandbox(qemu: &Qemu, words: &[String]) -> Option<&'static str> {
    let says = |word: &String| matches!(word.as_str(), "-sandbox" | "--sandbox");
    if qemu.trust_jobs || words.iter().any(says) {
        return None;
    }
    let starts_programs = |word: &String| {
        let kind = word.split(',').next().unwrap_or_default();
        matches!(kind, "tap" | "bridge")
            || ["helper=", "script=", "smb="].iter().any(|key| word.contains(key))
    };
    Some(match words.iter().any(starts_programs) {
        true => "on",
        false => "on,elevateprivileges=deny,spawn=deny",
    })
}

/// A word with the files' paths in it. In QEMU's option lists a comma that belongs to a value is
/// written twice.
fn filled(word: &str, files: &[(String, PathBuf)]) -> String {
    let mut filled = word.to_owned();
    for (name, path) in files {
        let place = format!("{{{name}}}");
        let text = if word == place { path.display().to_string() } else { doubled(path) };
        filled = filled.replace(&place, &text);
    }
    filled
}

/// A path as a value in one of QEMU's option lists.
pub fn doubled(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str, image_arg: &str) -> Artefact {
        Artefact { name: name.into(), image_arg: Some(image_arg.into()), ..Artefact::default() }
    }

    #[test]
    fn the_command_is_made_of_the_devices_words_and_the_images() {
        let qemu = Qemu {
            command: "qemu-system-x86_64".into(),
            options: vec!["-cpu max".into(), "-nographic".into()],
            extra: vec!["-smp".into(), "2".into()],
            ..Qemu::default()
        };
        let images = [
            image("kernel", "-kernel {kernel} -append \"console=ttyS0 root=/dev/vda\""),
            image("rootfs", "-drive format=raw,file={rootfs}"),
        ];
        let files = [
            ("kernel".to_owned(), PathBuf::from("/a b,c/Image")),
            ("rootfs".to_owned(), PathBuf::from("/a b,c/root")),
        ];
        let guest = Guest { interface: "virtio".into(), ..Guest::default() };
        let line = line(&qemu, &images, &files, Some((&guest, Path::new("/g")))).unwrap();
        assert_eq!(
            line,
            [
                "qemu-system-x86_64",
                "-cpu",
                "max",
                "-nographic",
                "-smp",
                "2",
                "-sandbox",
                "on,elevateprivileges=deny,spawn=deny",
                "-kernel",
                "/a b,c/Image",
                "-append",
                "console=ttyS0 root=/dev/vda",
                "-drive",
                "format=raw,file=/a b,,c/root",
                "-drive",
                "format=raw,file=/g,media=disk,if=virtio,id=lavatest",
            ]
        );
    }

    #[test]
    fn a_device_that_says_its_sandbox_or_trusts_its_jobs_has_no_other() {
        let device = |option: &str, trust_jobs| {
            let (command, options) = ("qemu".into(), vec![option.to_owned()]);
            line(&Qemu { command, options, trust_jobs, ..Qemu::default() }, &[], &[], None).unwrap()
        };
        assert_eq!(device("-sandbox off", false), ["qemu", "-sandbox", "off"]);
        assert_eq!(device("-nographic", true), ["qemu", "-nographic"]);
        assert_eq!(device("-net tap", false), ["qemu", "-net", "tap", "-sandbox", "on"]);
    }

    #[test]
    fn a_name_of_no_image_is_seen_and_other_braces_are_text() {
        let text = "-drive file={rootfs} -blockdev '{\"driver\": \"raw\"}' -kernel {kernal}";
        assert_eq!(unknown_names(text, &["rootfs", "kernel"]), ["kernal"]);
        assert!(words("-append \"x").is_err());
    }
}
