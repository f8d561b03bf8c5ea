//! The job that boots a board, as its dictionary has a way for it.

use serde_json::{Value, json};

use crate::dispatch::device::Device;
use crate::dispatch::vm::{METHOD, Vm};
use crate::model::{
    BootRequest, Failure, IMAGE_PASS, ImageInfo, Kind, LAB_SERVER, Name, Sha256, SshPlace, VmImage,
};

/// What most shells have at the end of what they print, and what busybox asks its terminal behind it.
const PROMPTS: [&str; 1] = [r"[$#] (\x1b\[6n)?$"];
/// For all of a boot, and for each of its parts, in minutes.
const LIMITS: [u32; 2] = [60, 30];
/// The methods that load kernels over TFTP, the best one first.
const LOADERS: [&str; 4] = ["u-boot", "grub", "ipxe", "barebox"];
const QEMU: &str = "qemu";
/// What a console asks who is not logged in.
const LOGIN_PROMPT: &str = "login: ";

/// A file for a board.
#[derive(Debug, Clone)]
pub struct BootFile {
    /// `image`, `ramdisk` or `dtb`.
    pub part: &'static str,
    pub source: Source,
    /// What is known of it by its name in the image store.
    pub image: Option<ImageInfo>,
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
    /// Where the board's SSH server is, as far as its attributes say.
    pub(super) ssh: Option<&'a SshPlace>,
}

/// # Errors
/// When the board has no way to boot that is known here, or a key has no login.
pub(super) fn definition(
    about: &About<'_>,
    device: &Device,
    asked: &BootRequest,
    files: &[BootFile],
) -> Result<String, Failure> {
    let has = |method: &str| device.boot_methods.iter().any(|it| it == method);
    if let Some(vm) = &device.vm {
        let (deploy, boot) = machine(about, vm, asked, files)?;
        return job(about, &deploy, &boot);
    }
    let (deploy, mut boot) = match LOADERS.into_iter().find(|method| has(method)) {
        Some(method) => (tftp(about, files), loaded(method, asked, files)),
        None if has(QEMU) => (qemu(about, asked, files), json!({"method": QEMU, "media": "tmpfs"})),
        None => {
            let name = about.name;
            let known = [&LOADERS[..], &[QEMU, METHOD]].concat().join(", ");
            let what =
                format!("the dictionary of {name} has no way to boot that is known here: {known}");
            return Err(Failure::new(Kind::User, what)
                .hint("submit a job that says how: lava submit, or set another dictionary"));
        }
    };
    boot["prompts"] = prompts(asked);
    if asked.ssh == Some(true) {
        boot["wait_ssh"] = server(about)?;
    }
    match (&asked.login, &asked.ssh_key) {
        (Some(user), key) => boot["auto_login"] = login(user, key.as_deref())?,
        (None, None) => {}
        (None, Some(_)) => {
            let what = "a key is put on a board by a shell that somebody has logged in to";
            return Err(Failure::new(Kind::User, what).hint("say as whom: --login root"));
        }
    }
    job(about, &deploy, &boot)
}

fn job(about: &About<'_>, deploy: &Value, boot: &Value) -> Result<String, Failure> {
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

fn prompts(asked: &BootRequest) -> Value {
    match asked.prompts.is_empty() {
        true => json!(PROMPTS),
        false => json!(asked.prompts),
    }
}

/// The SSH server that is waited for.
fn server(about: &About<'_>) -> Result<Value, Failure> {
    let SshPlace { host, port, .. } = about.ssh.ok_or_else(|| {
        let name = about.name;
        let what = format!("nobody knows where the SSH server of {name} is");
        Failure::new(Kind::User, what)
            .hint(format!("lava board set {name} --attribute address=192.0.2.7"))
    })?;
    Ok(json!({"host": host, "port": port}))
}

/// A virtual machine with a disk of its own above the image. It is told its name and the key by its seed.
fn machine(
    about: &About<'_>,
    vm: &Vm,
    asked: &BootRequest,
    files: &[BootFile],
) -> Result<(Value, Value), Failure> {
    let wrong = |what: String| Err(Failure::new(Kind::User, what));
    let name = about.name;
    let [disk] = files else {
        return wrong(format!(
            "{name} is a virtual machine: it boots from its disk alone, --image"
        ));
    };
    if asked.append.is_some() || asked.commands.is_some() {
        return wrong(format!(
            "{name} is a virtual machine: its own boot loader says what it boots"
        ));
    }
    if let Some(ImageInfo { name: image, vm: known, .. }) = &disk.image {
        let Some(VmImage { arch, memory_mib, .. }) = known else {
            let what = format!(
                "{name} is a virtual machine, and {image} is not stored as the disk of one"
            );
            let hint = "lava image list --vm has those that are; lava image put FILE --vm x86_64 stores one";
            return Err(Failure::new(Kind::User, what).hint(hint));
        };
        if *arch != vm.arch {
            return wrong(format!("{image} is for {arch}, and {name} is {}", vm.arch));
        }
        let memory = memory_mib.filter(|memory| *memory > vm.memory);
        if let Some(memory) = memory {
            return wrong(format!(
                "{image} needs {memory} MiB of memory, and {name} has {}",
                vm.memory
            ));
        }
    }
    let mut boot = json!({"method": METHOD});
    if asked.ssh.unwrap_or(about.ssh.is_some()) {
        boot["wait_ssh"] = server(about)?;
    }
    if let Some(key) = &asked.ssh_key {
        boot["ssh_keys"] = json!([public_key(key)?]);
    }
    match &asked.login {
        Some(user) => {
            boot["auto_login"] = login(user, None)?;
            boot["prompts"] = prompts(asked);
        }
        None if !asked.prompts.is_empty() => boot["prompts"] = json!(asked.prompts),
        None if boot.get("wait_ssh").is_none() => boot["prompts"] = json!([LOGIN_PROMPT]),
        None => {}
    }
    let deploy = json!({"to": "tmpfs", "os": "oe", "images": {"disk": file(about, disk)}});
    Ok((deploy, boot))
}

fn file(about: &About<'_>, file: &BootFile) -> Value {
    match &file.source {
        Source::Url(url) => json!({"url": url}),
        Source::Stored(hash) => json!({
            "url": format!("{LAB_SERVER}/jobs/{}/images/{hash}", about.id),
            "sha256sum": hash.as_str(),
            "headers": {IMAGE_PASS: about.pass},
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
    let mut login = json!({"login_prompt": LOGIN_PROMPT, "username": user});
    if let Some(key) = key {
        let plain = public_key(key)?;
        login["login_commands"] = json!([
            "mkdir -p -m 700 ~/.ssh",
            format!("echo '{plain}' >> ~/.ssh/authorized_keys && chmod 600 ~/.ssh/authorized_keys"),
        ]);
    }
    Ok(login)
}

/// A public key, in which there is nothing that a shell or a file of keys takes for something else.
fn public_key(key: &str) -> Result<&str, Failure> {
    let plain = key.trim();
    let harmless = |c: char| c.is_ascii_alphanumeric() || " +/=@.-_:".contains(c);
    if plain.is_empty() || plain.contains("PRIVATE") || !plain.chars().all(harmless) {
        let what = "that is no public SSH key of one line, as ~/.ssh/id_ed25519.pub";
        return Err(Failure::new(Kind::User, what));
    }
    Ok(plain)
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
