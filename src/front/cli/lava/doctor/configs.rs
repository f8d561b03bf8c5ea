//! The daemons' configurations: can they be read, and is there what they name?

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access, statvfs};

use super::{Finding, expiry};
use crate::client::{Endpoint, Http};
use crate::config::discover::Discover;
use crate::config::power::PowerConfig;
use crate::config::serial::SerialConfig;
use crate::config::{HttpListen, permit_all, permit_all_power};
use crate::model::Failure;
use crate::sys::user_name;

/// Where the packages' units have their configurations.
const ETC: &str = "/etc/lava";
/// Less than this is no room for captures, in bytes; so is less than a hundredth of the disk.
const LEAST_ROOM: u64 = 64 * 1024 * 1024;
/// How long before its end a certificate is to be renewed, in seconds.
const RENEWAL: i64 = 14 * 24 * 3600;
/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the daemons are told, each with the files that say so.
pub(super) struct Configs {
    serial: Vec<(PathBuf, Result<SerialConfig, Failure>)>,
    power: Vec<(PathBuf, Result<PowerConfig, Failure>)>,
}

impl Configs {
    pub(super) fn read(serial: &[PathBuf], power: &[PathBuf]) -> Self {
        let (mut serial, mut power) = (serial.to_vec(), power.to_vec());
        if serial.is_empty() && power.is_empty() {
            serial.extend(Some(Path::new(ETC).join("serial.d")).filter(|dir| has_files(dir)));
            serial.extend(files(&Path::new(ETC).join("serial")));
            power.extend(files(&Path::new(ETC).join("power")));
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
        Self {
            serial: serial.into_iter().map(read).collect(),
            power: power.into_iter().map(read_power).collect(),
        }
    }

    pub(super) async fn look(&self, findings: &mut Vec<Finding>) {
        let mut captures: Vec<&Path> = Vec::new();
        for (path, config) in &self.serial {
            let shown = path.display();
            match config {
                Ok(config) => {
                    let consoles = config.consoles.len();
                    findings
                        .push(Finding::good("configs", format!("{shown}: {consoles} consoles")));
                    captures.extend(config.consoles.iter().map(|it| it.capture.dir.as_path()));
                    captures.extend(config.discover.as_ref().map(Discover::capture_dir));
                    listener(config.http.as_ref(), findings).await;
                }
                Err(failure) => findings.push(wrong(path, failure)),
            }
        }
        for (path, config) in &self.power {
            match config {
                Ok(config) => {
                    let outlets = config.boards.len();
                    let what = format!("{}: {outlets} outlets", path.display());
                    findings.push(Finding::good("configs", what));
                    findings.extend(
                        config.consoles.token_file.iter().filter_map(|it| secret("tokens", it)),
                    );
                    listener(config.http.as_ref(), findings).await;
                }
                Err(failure) => findings.push(wrong(path, failure)),
            }
        }
        captures.sort();
        captures.dedup();
        captures.into_iter().for_each(|dir| findings.push(room(dir)));
        if self.serial.is_empty() && self.power.is_empty() {
            findings.push(Finding::unknown("configs", format!("none in {ETC}")));
        }
    }
}

fn wrong(path: &Path, failure: &Failure) -> Finding {
    Finding::wrong(
        "configs",
        failure.message.clone(),
        format!("${{EDITOR:-vi}} {}", path.display()),
    )
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
            return Finding::wrong(CHECK, format!("{shown}: {error}"), format!("ls -ld {shown}"));
        }
    };
    if !found.is_dir() {
        let what = format!("{} is no folder", there.display());
        return Finding::wrong(CHECK, what, format!("mv {0} {0}.old", there.display()));
    }
    let me = rustix::process::getuid();
    // Of another user's folder nothing can be said: the daemon may be that user.
    let mine = me.is_root() || found.uid() == me.as_raw() || there != dir;
    if mine && access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let user = user_name(me.as_raw());
        let what = format!("{user} may not write in {}", there.display());
        let mend = match found.uid() == me.as_raw() {
            true => format!("chmod u+rwx {}", there.display()),
            false => format!("sudo install -d -o {user} {shown}"),
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
                        "du -xk {shown} | sort -n | tail   # and set a smaller keep in [capture]"
                    ),
                ),
                false => Finding::good(CHECK, format!("{shown}: {room}")),
            }
        }
        Err(error) => Finding::unknown(CHECK, format!("{shown}: {error}")),
    }
}

/// Whether the address is ours, and the certificate good.
async fn listener(http: Option<&HttpListen>, findings: &mut Vec<Finding>) {
    let Some(HttpListen { listen, tls, .. }) = http else { return };
    if let Some(tls) = tls {
        findings.push(certificate(&tls.cert));
        findings.extend(secret("certificates", &tls.key));
    } else if !listen.ip().is_unspecified() && listen.port() != 0 {
        let http = Http::new(Endpoint::Tcp(listen.to_string())).with_timeout(PATIENCE);
        let answers = http.get_bytes("/healthz").await.is_ok();
        findings.push(match (answers, is_free(*listen)) {
            (true, _) => Finding::good("ports", format!("{listen} answers")),
            (false, Ok(())) => Finding::unknown("ports", format!("{listen}: nobody listens")),
            (false, Err(error)) => Finding::wrong(
                "ports",
                format!("{listen} cannot be listened on: {error}"),
                format!("sudo ss -ltnp 'sport = :{}'   # who has it", listen.port()),
            ),
        });
    }
}

fn is_free(address: SocketAddr) -> std::io::Result<()> {
    TcpListener::bind(address).map(|_| ())
}

/// Whether a certificate is going to end.
fn certificate(file: &Path) -> Finding {
    const CHECK: &str = "certificates";
    let shown = file.display();
    let renew =
        format!("openssl x509 -enddate -noout -in {shown}   # renew it, and reload its daemon");
    let end = match std::fs::read(file) {
        Ok(pem) => expiry::of_pem(&pem),
        Err(error) => {
            return Finding::wrong(CHECK, format!("{shown}: {error}"), format!("ls -l {shown}"));
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
            Some(Finding::wrong(check, what, format!("chmod 600 {shown}")))
        }
        Ok(_) => None,
        Err(error) => {
            Some(Finding::wrong(check, format!("{shown}: {error}"), format!("ls -l {shown}")))
        }
    }
}
