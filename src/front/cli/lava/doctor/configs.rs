//! The daemons' configurations: can they be read, and is there what they name?

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::super::init::usual_dir;
use super::{Finding, expiry, ports, quoted};
use crate::config::discover::Discover;
use crate::config::power::PowerConfig;
use crate::config::serial::SerialConfig;
use crate::config::ssh::SshConfig;
use crate::config::{HttpListen, permit_all, permit_all_power};
use crate::model::Failure;
use crate::sys::user_name;

/// Where the packages' units have their configurations.
const ETC: &str = "/etc/lava";
/// Less than this is no room for captures, in bytes; so is less than a hundredth of the disk.
const LEAST_ROOM: u64 = 64 * 1024 * 1024;
/// How long before its end a certificate is to be renewed, in seconds.
const RENEWAL: i64 = 14 * 24 * 3600;

/// What the daemons are told, each with the files that say so.
pub(super) struct Configs {
    serial: Vec<(PathBuf, Result<SerialConfig, Failure>)>,
    power: Vec<(PathBuf, Result<PowerConfig, Failure>)>,
    ssh: Vec<(PathBuf, Result<SshConfig, Failure>)>,
    /// What only others may read.
    closed: Vec<PathBuf>,
}

impl Configs {
    pub(super) fn read(serial: &[PathBuf], power: &[PathBuf], ssh: &[PathBuf]) -> Self {
        let (mut serial, mut power, mut ssh) = (serial.to_vec(), power.to_vec(), ssh.to_vec());
        if serial.is_empty() && power.is_empty() && ssh.is_empty() {
            let (etc, own) = (Path::new(ETC), usual_dir());
            serial.extend(Some(etc.join("serial.d")).filter(|dir| has_files(dir)));
            serial.extend(files(&etc.join("serial")));
            power.extend(files(&etc.join("power")));
            ssh.extend(Some(etc.join("ssh.d")).filter(|dir| has_files(dir)));
            serial.extend(Some(own.join("serial.toml")).filter(|file| file.exists()));
            power.extend(Some(own.join("power.toml")).filter(|file| file.exists()));
        }
        let mut closed = Vec::new();
        for paths in [&mut serial, &mut power, &mut ssh] {
            closed.extend(paths.extract_if(.., |path| is_closed(path)));
        }
        let read = |path: PathBuf| {
            let config = SerialConfig::read(std::slice::from_ref(&path));
            let config = config.and_then(|config| permit_all(&config).map(|()| config));
            (path, config)
        };
        let read_power = |path: PathBuf| {
            let config = PowerConfig::read(std::slice::from_ref(&path));
            let config = config.and_then(|config| permit_all_power(&config).map(|()| config));
            (path, config)
        };
        let read_ssh = |path: PathBuf| {
            let config = SshConfig::read(std::slice::from_ref(&path));
            (path, config)
        };
        Self {
            serial: serial.into_iter().map(read).collect(),
            power: power.into_iter().map(read_power).collect(),
            ssh: ssh.into_iter().map(read_ssh).collect(),
            closed,
        }
    }

    pub(super) async fn look(&self, findings: &mut Vec<Finding>) {
        let (mut captures, mut addresses) = (Vec::<&Path>::new(), Vec::new());
        let before = findings.len();
        for (path, config) in &self.serial {
            match config {
                Ok(config) => {
                    findings.push(good(path, config.consoles.len(), "console"));
                    captures.extend(config.consoles.iter().map(|it| it.capture.dir.as_path()));
                    captures.extend(config.discover.as_ref().map(Discover::capture_dir));
                    certificates(config.http.as_ref(), findings);
                    addresses.extend(ports::of_serial(config, path));
                }
                Err(failure) => findings.push(wrong(path, failure)),
            }
        }
        for (path, config) in &self.power {
            match config {
                Ok(config) => {
                    findings.push(good(path, config.boards.len(), "outlet"));
                    let files = config.consoles.token_file.iter();
                    findings.extend(files.filter_map(|it| secret("tokens", it)));
                    certificates(config.http.as_ref(), findings);
                    addresses.extend(ports::of_power(config, path));
                }
                Err(failure) => findings.push(wrong(path, failure)),
            }
        }
        for (path, config) in &self.ssh {
            match config {
                Ok(config) => {
                    findings.push(match config.users.iter().any(|user| !user.keys.is_empty()) {
                        true => good(path, config.users.len(), "user"),
                        false => Finding::wrong(
                            "configs",
                            format!("{}: nobody has a key, so nobody can log in", path.display()),
                            format!("${{EDITOR:-vi}} {}   # [[user]]", quoted(path)),
                        ),
                    });
                    // It is made at the first start.
                    let key = Some(&config.host_key).filter(|key| key.exists());
                    findings.extend(key.and_then(|key| secret("keys", key)));
                    addresses.extend(ports::of_ssh(config, path));
                }
                Err(failure) => findings.push(wrong(path, failure)),
            }
        }
        for path in &self.closed {
            let user = user_name(rustix::process::getuid().as_raw());
            let what = format!("{}: {user} may not read it; sudo lava doctor does", path.display());
            findings.push(Finding::unknown("configs", what));
        }
        if findings.len() == before {
            findings.push(Finding::unknown("configs", format!("none in {ETC}")));
        }
        ports::look(addresses, findings).await;
        captures.sort();
        captures.dedup();
        captures.into_iter().for_each(|dir| findings.push(room(dir)));
    }
}

fn good(path: &Path, count: usize, thing: &str) -> Finding {
    let several = if count == 1 { "" } else { "s" };
    Finding::good("configs", format!("{}: {count} {thing}{several}", path.display()))
}

/// Whether it, or a file in it, is only for others to read.
fn is_closed(path: &Path) -> bool {
    let closed = |path: &Path| access(path, Access::READ_OK) == Err(rustix::io::Errno::ACCESS);
    closed(path) || path.is_dir() && files(path).iter().any(|file| closed(file))
}

fn wrong(path: &Path, failure: &Failure) -> Finding {
    Finding::wrong("configs", failure.message.clone(), format!("${{EDITOR:-vi}} {}", quoted(path)))
}

fn has_files(dir: &Path) -> bool {
    dir.read_dir().is_ok_and(|mut entries| entries.next().is_some())
}

/// The files of TOML in a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = dir.read_dir().into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> =
        paths.filter(|it| it.extension().is_some_and(|e| e == "toml")).collect();
    paths.sort();
    paths
}

/// Whether captures can be written.
fn room(dir: &Path) -> Finding {
    const CHECK: &str = "captures";
    let shown = dir.display();
    // The daemon makes what is not there.
    let there = dir.ancestors().find(|it| it.exists()).unwrap_or(Path::new("/"));
    let found = match there.metadata() {
        Ok(found) => found,
        Err(error) => {
            return Finding::wrong(
                CHECK,
                format!("{shown}: {error}"),
                format!("ls -ld {}", quoted(dir)),
            );
        }
    };
    if !found.is_dir() {
        let what = format!("{} is no folder", there.display());
        return Finding::wrong(CHECK, what, format!("mv {0} {0}.old", quoted(there)));
    }
    let me = rustix::process::getuid();
    // Of another user's folder nothing can be said: the daemon may be that user.
    let mine = me.is_root() || found.uid() == me.as_raw() || there != dir;
    if mine && access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let user = user_name(me.as_raw());
        let what = format!("{user} may not write in {}", there.display());
        let mend = match found.uid() == me.as_raw() {
            true => format!("chmod u+rwx {}", quoted(there)),
            false => format!("sudo install -d -o {user} {}", quoted(dir)),
        };
        return Finding::wrong(CHECK, what, mend);
    }
    match statvfs(there) {
        Ok(disk) => {
            let (free, all) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
            let room = format!("{} MiB of {} are free", free >> 20, all >> 20);
            match free < LEAST_ROOM.min(all / 4).max(all / 100) {
                true => Finding::wrong(
                    CHECK,
                    format!("{shown} is full: {room}"),
                    format!(
                        "du -xk {} | sort -n | tail   # and set a smaller keep in [capture]",
                        quoted(dir)
                    ),
                ),
                false => Finding::good(CHECK, format!("{shown}: {room}")),
            }
        }
        Err(error) => Finding::unknown(CHECK, format!("{shown}: {error}")),
    }
}

/// Whether the certificate is good.
fn certificates(http: Option<&HttpListen>, findings: &mut Vec<Finding>) {
    let Some(tls) = http.and_then(|http| http.tls.as_ref()) else { return };
    findings.push(certificate(&tls.cert));
    findings.extend(secret("certificates", &tls.key));
}

/// Whether a certificate is going to end.
fn certificate(file: &Path) -> Finding {
    const CHECK: &str = "certificates";
    let shown = file.display();
    let path = quoted(file);
    let renew =
        format!("openssl x509 -enddate -noout -in {path}   # renew it, and reload its daemon");
    let end = match std::fs::read(file) {
        Ok(pem) => expiry::of_pem(&pem),
        Err(error) => {
            return Finding::wrong(
                CHECK,
                format!("{shown}: {error}"),
                format!("ls -l {}", quoted(file)),
            );
        }
    };
    let Some(end) = end else {
        return Finding::wrong(
            CHECK,
            format!("{shown} has no certificate that can be read"),
            renew,
        );
    };
    let left = end - jiff::Timestamp::now().as_second();
    let days = left / (24 * 3600);
    match left {
        ..=0 => Finding::wrong(CHECK, format!("{shown} has expired {} days ago", -days), renew),
        1..RENEWAL => Finding::wrong(CHECK, format!("{shown} expires in {days} days"), renew),
        _ => Finding::good(CHECK, format!("{shown} is good for {days} days")),
    }
}

/// What is wrong with a file that nobody else may read.
pub(super) fn secret(check: &'static str, file: &Path) -> Option<Finding> {
    let shown = file.display();
    match file.metadata() {
        Ok(found) if found.mode() & 0o077 != 0 => {
            let what = format!("{shown} may be read by others (mode {:03o})", found.mode() & 0o777);
            Some(Finding::wrong(check, what, format!("chmod 600 {}", quoted(file))))
        }
        Ok(_) => None,
        Err(error) => Some(Finding::wrong(
            check,
            format!("{shown}: {error}"),
            format!("ls -l {}", quoted(file)),
        )),
    }
}
