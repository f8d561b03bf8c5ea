//! The job that boots a board, as its dictionary has a way for it.

use serde_json::{Value, json};

use super::PASS;
use crate::model::{BootRequest, Failure, Kind, LAB_SERVER, Name, Sha256};

/// What most shells have at the end of a line.
const PROMPTS: [&str; 1] = ["[$#] $"];
/// For all of a boot, and for each of its parts, in minutes.
const LIMITS: [u32; 2] = [60, 30];
/// The methods that load kernels over TFTP, the best one first.
const LOADERS: [&str; 4] = ["u-boot", "grub", "ipxe", "barebox"];
const QEMU: &str = "qemu";

/// A file for a board.
#[derive(Debug, Clone)]
pub struct BootFile {
    /// `image`, `ramdisk` or `dtb`.
    pub part: &'static str,
    pub source: Source,
}

#[derive(Debug, Clone)]
pub enum Source {
    Stored(Sha256),
    Url(String),
}

impl BootFile {
    pub(super) fn stored(&self) -> Option<&Sha256> {
        match &self.source {
            Source::Stored(hash) => Some(hash),
            Source::Url(_) => None,
        }
    }
}

/// Which job it is, and of what.
pub(super) struct About<'a> {
    pub(super) name: &'a Name,
    pub(super) kind: &'a str,
    pub(super) id: u64,
    pub(super) pass: &'a str,
}

/// # Errors
/// When the board has no way to boot that is known here, or a key has no login.
pub(super) fn definition(
    about: &About<'_>,
    methods: &[String],
    asked: &BootRequest,
    files: &[BootFile],
) -> Result<String, Failure> {
    let has = |method: &str| methods.iter().any(|it| it == method);
    let (deploy, mut boot) = match LOADERS.into_iter().find(|method| has(method)) {
        Some(method) => (tftp(about, files), loaded(method, asked, files)),
        None if has(QEMU) => (qemu(about, asked, files), json!({"method": QEMU, "media": "tmpfs"})),
        None => {
            let name = about.name;
            let known = [&LOADERS[..], &[QEMU]].concat().join(", ");
            let what =
                format!("the dictionary of {name} has no way to boot that is known here: {known}");
            return Err(Failure::new(Kind::User, what)
                .hint("submit a job that says how: lava submit, or set another dictionary"));
        }
    };
    boot["prompts"] = match asked.prompts.is_empty() {
        true => json!(PROMPTS),
        false => json!(asked.prompts),
    };
    match (&asked.login, &asked.ssh_key) {
        (Some(user), key) => boot["auto_login"] = login(user, key.as_deref())?,
        (None, None) => {}
        (None, Some(_)) => {
            let what = "a key is put on a board by a shell that somebody has logged in to";
            return Err(Failure::new(Kind::User, what).hint("say as whom: --login root"));
        }
    }
    let job = json!({
        "job_name": format!("boot {}", about.name),
        "device_type": about.kind,
        "visibility": "public",
        "secrets": {"pass": about.pass},
        "timeouts": {"job": {"minutes": LIMITS[0]}, "action": {"minutes": LIMITS[1]}},
        "actions": [{"deploy": deploy}, {"boot": boot}],
    });
    crate::yaml::to_string(&job).map_err(|error| Failure::new(Kind::Bug, error))
}

fn file(about: &About<'_>, file: &BootFile) -> Value {
    match &file.source {
        Source::Url(url) => json!({"url": url}),
        Source::Stored(hash) => json!({
            "url": format!("{LAB_SERVER}/jobs/{}/images/{hash}", about.id),
            "sha256sum": hash.as_str(),
            "headers": {PASS: about.pass},
        }),
    }
}

fn tftp(about: &About<'_>, files: &[BootFile]) -> Value {
    let mut deploy = json!({"to": "tftp", "os": "oe"});
    for one in files {
        let mut value = file(about, one);
        let part = match one.part {
            "image" => {
                value["type"] = "image".into();
                "kernel"
            }
            "ramdisk" => {
                // It is booted as it is.
                value["install_overlay"] = false.into();
                value["install_modules"] = false.into();
                "ramdisk"
            }
            part => part,
        };
        deploy[part] = value;
    }
    deploy
}

fn loaded(method: &str, asked: &BootRequest, files: &[BootFile]) -> Value {
    let ramdisk = files.iter().any(|file| file.part == "ramdisk");
    let commands = asked.commands.as_deref();
    let commands = commands.or(ramdisk.then_some("ramdisk")).unwrap_or("ramdisk");
    json!({"method": method, "commands": commands})
}

/// A QEMU with a ramdisk or a command line gets a kernel; else what it boots is its disk.
fn qemu(about: &About<'_>, asked: &BootRequest, files: &[BootFile]) -> Value {
    let kernel = asked.append.is_some() || files.iter().any(|file| file.part == "ramdisk");
    let mut images = json!({});
    for one in files {
        let mut value = file(about, one);
        let (part, argument) = match one.part {
            "image" if kernel => {
                let append = asked
                    .append
                    .as_deref()
                    .map(|it| format!(" -append \"{}\"", it.replace('"', "")));
                ("kernel", format!("-kernel {{kernel}}{}", append.unwrap_or_default()))
            }
            // Its format is seen from its beginning; what it writes goes away with the job.
            "image" => ("disk", "-drive file={disk},if=virtio,snapshot=on".to_owned()),
            "ramdisk" => ("ramdisk", "-initrd {ramdisk}".to_owned()),
            part => (part, format!("-{part} {{{part}}}")),
        };
        value["image_arg"] = argument.into();
        images[part] = value;
    }
    json!({"to": "tmpfs", "os": "oe", "images": images})
}

fn login(user: &str, key: Option<&str>) -> Result<Value, Failure> {
    let mut login = json!({"login_prompt": "login: ", "username": user});
    if let Some(key) = key {
        let plain = key.trim();
        let harmless = |c: char| c.is_ascii_alphanumeric() || " +/=@.-_:".contains(c);
        if plain.is_empty() || plain.contains("PRIVATE") || !plain.chars().all(harmless) {
            let what = "that is no public SSH key of one line, as ~/.ssh/id_ed25519.pub";
            return Err(Failure::new(Kind::User, what));
        }
        login["login_commands"] = json!([
            "mkdir -p -m 700 ~/.ssh",
            format!("echo '{plain}' >> ~/.ssh/authorized_keys && chmod 600 ~/.ssh/authorized_keys"),
        ]);
    }
    Ok(login)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line_that_no_shell_understands_otherwise() {
        let key = "ssh-ed25519 AAAAC3Nza+/= alice@lab";
        assert!(login("root", Some(key)).unwrap().to_string().contains(key));
        for wrong in ["", "a'; reboot '", "two\nlines", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert!(login("root", Some(wrong)).is_err(), "{wrong}");
        }
    }
}
