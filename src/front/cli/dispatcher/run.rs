//! `lava-dispatcher run`.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::group::{GroupArgs, load_all};
use super::reports::ReportArgs;
use super::{Format, pipeline, tell, watcher};
use crate::dispatch::context::Settings;
use crate::dispatch::error::Error;
use crate::dispatch::execute::execute;
use crate::dispatch::load::{BoardFile, Loaded};
use crate::dispatch::validate::validate;
use crate::dispatch::worker::claim::Claim;
use crate::image::Files;
use crate::model::{Failure, Kind, units};

/// Where Debian's TFTP servers look for files.
const TFTP_DIR: &str = "/srv/tftp";

/// Where the kernel gives a new UUID to everybody who asks.
const NEW_UUID: &str = "/proc/sys/kernel/random/uuid";

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The job definition, LAVA v2 YAML.
    job: PathBuf,
    /// The device dictionary: YAML, or a Jinja2 template (*.jinja2), rendered with the job's context. For a job
    /// for several boards one for each, with its role, as in --device client=a.yaml --device server=b.yaml.
    #[arg(long, value_name = "[ROLE=]FILE", required = true)]
    device: Vec<String>,
    #[command(flatten)]
    group: GroupArgs,
    /// Folders with the templates of device types; looked through before the device's own folder and
    /// LAVA's.
    #[arg(long, value_name = "DIR")]
    templates: Vec<PathBuf>,
    /// The folder for output.jsonl and results.yaml, of several boards a folder in it for each; made if it
    /// is not there.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Print the pipeline and check files, URLs, programs and boards; run nothing.
    #[arg(long)]
    validate: bool,
    /// With --validate: how to print the pipeline.
    #[arg(long, value_enum, default_value_t = Format::Yaml, requires = "validate")]
    format: Format,
    /// The inventory that says where boards' consoles and outlets are.
    #[arg(long, value_name = "FILE")]
    lab: Option<PathBuf>,
    /// The folder that the TFTP server serves; it must be there [default: /srv/tftp, with
    /// --tftp-listen a folder of the job's own].
    #[arg(long, value_name = "DIR")]
    tftp_dir: Option<PathBuf>,
    /// Serve the job's files by TFTP at this address while the job runs, to whoever asks for them. Port 69
    /// needs a privilege; 0 picks a free one, which the log tells.
    #[arg(long, value_name = "IP:PORT")]
    tftp_listen: Option<SocketAddr>,
    /// A folder that this host's NFS server exports, for root file systems ("nfsrootfs"); they are unpacked
    /// below it, which needs root.
    #[arg(long, value_name = "DIR")]
    nfs_dir: Option<PathBuf>,
    /// The address under which the board reaches the TFTP server [default: this host's].
    #[arg(long, value_name = "IP")]
    dispatcher_ip: Option<String>,
    /// Keep what is downloaded in this folder, and take it from there while its server says that it has
    /// not changed, or the job that it is the right one by its sha256sum.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// The job may read only these files of this host, and files in these folders: with its file: URLs,
    /// repositories and devices for containers; may be repeated [default: all that this user may].
    #[arg(long, value_name = "DIR")]
    files: Vec<PathBuf>,
    /// The job may read no file of this host.
    #[arg(long, conflicts_with = "files")]
    no_files: bool,
    /// Names the job on the board (/lava-ID), on the console and under the TFTP folder [default: the
    /// time and four random digits].
    #[arg(long, value_name = "ID", value_parser = job_id)]
    job_id: Option<String>,
    /// When the job fails, hold the board for so long, as 30m or 2h, with its console open to everybody
    /// (lava attach ID), before it is switched off. Cancelling the job ends it. Without this, as the job's
    /// "debug: {pause_on_failure: {minutes: 30}}" says.
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pause_on_failure: Option<Duration>,
    /// Leave the board on when the job is complete, with its console open to everybody. A QEMU of the job's own is
    /// kept until the job is cancelled.
    #[arg(long)]
    leave_on: bool,
    /// Where the kernel shows this host's USB devices [default: /sys]; a container may have it elsewhere.
    #[arg(long, value_name = "DIR")]
    sysfs: Option<PathBuf>,
    /// Begin the job only if nobody has begun it in this output folder: how workers run jobs.
    #[arg(long, hide = true)]
    claim: bool,
    /// By this file of its worker's the job ends in time when there is no contact with the server.
    #[arg(long, hide = true, value_name = "FILE")]
    pub(super) contact: Option<PathBuf>,
    #[command(flatten)]
    reports: ReportArgs,
}

impl RunArgs {
    /// # Errors
    /// What was wrong before the job, or how it ended.
    pub async fn run(self, cancelled: &CancellationToken) -> Result<(), Failure> {
        let _claim = match self.claim {
            true => Some(Claim::take(&absolute(&self.output)?).await?),
            false => None,
        };
        let boards: Vec<BoardFile> =
            self.device.iter().map(|text| BoardFile::parse(text)).collect();
        let all = load_all(&self.job, &boards, &self.templates)?;
        tell(&notes(&all));
        // Containers and the job's guard have other working folders.
        let output = absolute(&self.output)?;
        let settings = Settings {
            job_id: self.job_id.unwrap_or_else(own_id),
            tftp_dir: match (self.tftp_dir, self.tftp_listen) {
                (Some(folder), _) => absolute(&folder)?,
                (None, Some(_)) => output.join("tftp"),
                (None, None) => TFTP_DIR.into(),
            },
            tftp_listen: self.tftp_listen,
            nfs_dir: self.nfs_dir.as_deref().map(absolute).transpose()?,
            cache: self.cache.as_deref().map(absolute).transpose()?,
            dispatcher_ip: self.dispatcher_ip.unwrap_or_else(own_address),
            files: match self.no_files || !self.files.is_empty() {
                true => Files::only(self.files),
                false => Files::default(),
            },
            lab: self.lab.as_deref().map(absolute).transpose()?,
            claimed: self.claim.then(|| output.clone()),
            contact: self.contact.as_deref().map(absolute).transpose()?,
            output,
            pause_on_failure: self.pause_on_failure,
            leave_on: self.leave_on,
            sysfs: self.sysfs,
        };
        if self.validate {
            for loaded in &all {
                pipeline::print(&loaded.pipeline.describe(), self.format)?;
            }
        }
        let loaded = match all.as_slice() {
            [loaded] if loaded.seat.is_none() && !self.group.is_elsewhere() => loaded,
            _ => {
                return self
                    .group
                    .run(&all, settings, self.validate, &self.reports, cancelled)
                    .await;
            }
        };
        let unreachable = valid(loaded, &settings, cancelled).await?;
        if self.validate {
            return all_there(&unreachable);
        }
        tell(&unreachable);
        let output = settings.output.clone();
        let outcome = execute(loaded, settings, watcher(), cancelled).await?;
        let written = self.reports.write(&output);
        both(outcome.into_result(), written)
    }
}

/// How the job ended, and beside it that its results could not be written.
pub(super) fn both(job: Result<(), Failure>, written: Result<(), Failure>) -> Result<(), Failure> {
    match (job, written) {
        (Err(job), Err(written)) => {
            Err(Failure { message: format!("{}\n{}", job.message, written.message), ..job })
        }
        (job, written) => job.and(written),
    }
}

/// What is odd about the job and its boards; what is so for several of them, once.
fn notes(all: &[Loaded]) -> Vec<String> {
    let mut notes = Vec::new();
    for note in all.iter().flat_map(Loaded::notes) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// What a job that runs can hope for is missing for who only wants to know.
pub(super) fn all_there(unreachable: &[String]) -> Result<(), Failure> {
    match unreachable.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Kind::Lab, unreachable.join("\n"))),
    }
}

/// Checks what can be checked, and gives what may pass; who has seen enough cancels it.
pub(super) async fn valid(
    loaded: &Loaded,
    settings: &Settings,
    cancelled: &CancellationToken,
) -> Result<Vec<String>, Failure> {
    let limit = Duration::from_secs(loaded.job.timeouts.job);
    tokio::select! {
        biased;
        () = cancelled.cancelled() => Err(Error::Cancelled.into_failure()),
        valid = validate(&loaded.pipeline, &loaded.job, &loaded.device, settings) => valid,
        () = tokio::time::sleep(limit) => Err(Failure::new(
            Kind::Lab,
            format!("what the job needs could not be checked in all of its time, {} s", limit.as_secs()),
        )),
    }
}

/// A path that means the same from every folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(Kind::User, format!("{}: {error}", path.display())))
}

/// An id that no other job has which begins in the same second.
fn own_id() -> String {
    let seconds = units::now_us() / 1_000_000;
    let uuid = std::fs::read_to_string(NEW_UUID).unwrap_or_default();
    let random = uuid.get(..4).map_or_else(|| std::process::id().to_string(), ToOwned::to_owned);
    format!("{seconds}-{random}")
}

/// The address of this host that the default route uses.
fn own_address() -> String {
    // No packet is sent: connecting a UDP socket only looks up the route.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    let address = socket.and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    address.map_or_else(|_| Ipv4Addr::LOCALHOST.to_string(), |address| address.ip().to_string())
}

fn job_id(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        true if !text.starts_with('.') && text.len() <= 64 => Ok(text.to_owned()),
        _ => Err("a job's id is 1 to 64 letters, digits, '-', '_' and '.'".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_jobs_that_begin_in_the_same_second_have_two_ids() {
        let ids: std::collections::BTreeSet<String> = (0..4).map(|_| own_id()).collect();
        assert!(ids.len() > 1, "{ids:?}");
        assert!(ids.iter().all(|id| job_id(id).as_ref() == Ok(id)), "{ids:?}");
    }
}
