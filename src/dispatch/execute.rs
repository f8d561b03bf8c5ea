//! Running a loaded job from its first action to the files that tell of it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::context::{Context, Settings};
use super::error::Error;
use super::guard::Guard;
use super::job::Job;
use super::load::Loaded;
use super::log::Log;
use super::multinode::Member;
use super::progress::Progress;
use super::results::CaseResult;
use super::{guard, registry, run};
use crate::image::tftp;
use crate::model::event::Phase;
use crate::model::{Failure, Kind};
use crate::sys::{Cgroup, has_fences};

/// The job's log, a JSON object per line.
pub const LOG: &str = "output.jsonl";
/// The list of results.
pub const RESULTS: &str = "results.yaml";
/// The job as its author wrote it, with whom it wants to be told of it, and its board's dictionary: neither has
/// the job's secrets.
pub const DEFINITION: &str = "definition.yaml";
pub const DEVICE: &str = "device.yaml";

/// What a job came to.
#[derive(Debug)]
pub struct Outcome {
    /// `None` when the job is complete: all of its actions were done.
    pub error: Option<Error>,
    pub results: Vec<CaseResult>,
    /// How many test cases failed. A job is complete also with failed cases.
    pub failed: usize,
}

impl Outcome {
    /// What the program that ran the job has to report.
    ///
    /// # Errors
    /// Why the job is incomplete, or that test cases have failed.
    pub fn into_result(self) -> Result<(), Failure> {
        match (self.error, self.failed) {
            (Some(error), _) => Err(error.into_failure()),
            (None, 0) => Ok(()),
            (None, 1) => Err(Failure::new(Kind::Failed, "1 test case failed")),
            (None, failed) => {
                Err(Failure::new(Kind::Failed, format!("{failed} test cases failed")))
            }
        }
    }
}

/// Runs a job. The log is written as it goes, the results at the end, both into the output folder.
///
/// # Errors
/// Only when the job could not be begun or its results not be written; how it went is in the outcome.
pub async fn execute(
    loaded: &Loaded,
    settings: Settings,
    progress: Arc<dyn Progress>,
    cancelled: &CancellationToken,
) -> Result<Outcome, Failure> {
    execute_as(loaded, settings, None, progress, cancelled).await
}

/// As [`execute`], for a board that has joined the group of its job.
///
/// # Errors
/// As [`execute`].
pub async fn execute_as(
    loaded: &Loaded,
    settings: Settings,
    member: Option<Member>,
    progress: Arc<dyn Progress>,
    cancelled: &CancellationToken,
) -> Result<Outcome, Failure> {
    let output = settings.output.clone();
    let on_output = |error: std::io::Error| {
        Failure::new(Kind::Infra, format!("cannot write to {}: {error}", output.display()))
    };
    std::fs::create_dir_all(&output).map_err(on_output)?;
    keep(&output.join(DEFINITION), &loaded.texts.definition).map_err(on_output)?;
    keep(&output.join(DEVICE), &loaded.texts.device).map_err(on_output)?;
    let tftp = serve_tftp(&settings).await?;
    let Job { secrets, passes, .. } = &*loaded.job;
    let secrets: Vec<String> = secrets.values().chain(passes).cloned().collect();
    let log = Log::create(&output.join(LOG), &secrets, progress.clone())?;
    if let Some(tftp) = &tftp {
        log.info(format!("files are served by TFTP at {}", tftp.server.address()));
    }
    tell_of_limits(&log);
    let (job, device) = (loaded.job.clone(), loaded.device.clone());
    let mut context = Context::new(job, device, Arc::new(settings), log, progress);
    context.member = member;
    match Guard::start(&context.settings, &context.device, secrets).await {
        Ok(guard) => context.leavings.guard = Some(guard),
        Err(why) => context.log.warning(format!(
            "nobody switches the board off should this program be killed: its guard cannot be started: {why}"
        )),
    }
    if let Err(error) = context.make_scratch().await {
        if let Some(guard) = context.leavings.guard.take() {
            guard.dismiss().await;
        }
        return Err(error.into_failure());
    }
    let done = run::run(&loaded.pipeline, &mut context, cancelled).await;
    registry::remove(&context.settings.job_id);
    if let Some(timeline) = context.timeline.take() {
        timeline.job(if done.is_ok() { Phase::Done } else { Phase::Failed }).await;
    }
    if let Some(machine) = context.machine.take() {
        machine.close().await;
    }
    if let Some(guard) = context.leavings.guard.take() {
        guard.dismiss().await;
    }
    context.log.finish().await?;
    write_results(&output.join(RESULTS), context.results.all())?;
    Ok(Outcome {
        error: done.err(),
        failed: context.results.failed(),
        results: context.results.all().to_vec(),
    })
}

/// What keeps the job to itself on this host, as far as that depends on the host.
fn tell_of_limits(log: &Log) {
    match (guard::own_cgroup(), Cgroup::place()) {
        (Some(cgroup), _) => {
            log.debug(format!(
                "the job's processes are in the cgroup {}",
                cgroup.folder().display()
            ));
        }
        (None, place) => {
            let why = place.err().map(|why| format!(" ({why})")).unwrap_or_default();
            log.debug(format!(
                "the job has no cgroup of its own{why}: its processes are known by {}",
                guard::MARK
            ));
        }
    }
    if !has_fences() {
        log.debug(
            "this kernel has no Landlock: programs that look at the job's files may get at all that this user may",
        );
    }
}

/// Our own TFTP server. The folder that was made for it goes with it, once it is empty.
#[derive(Debug)]
pub struct TftpServer {
    server: tftp::Server,
    made: Option<PathBuf>,
}

impl Drop for TftpServer {
    fn drop(&mut self) {
        if let Some(made) = &self.made {
            // What a job could not remove, or somebody has put there, stays.
            let _ = std::fs::remove_dir(made);
        }
    }
}

/// Our own TFTP server, where one is wanted; its folder is made.
///
/// # Errors
/// When it cannot be had at its address.
pub async fn serve_tftp(settings: &Settings) -> Result<Option<TftpServer>, Failure> {
    let Some(address) = settings.tftp_listen else { return Ok(None) };
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Infra, format!("no TFTP server at {address}: {error}"))
            .hint("a port from 1024 on needs no privilege")
    };
    let folder = settings.tftp_dir.clone();
    let made = (!folder.exists()).then(|| folder.clone());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let server = tftp::Server::start(address, folder).await.map_err(failed)?;
    Ok(Some(TftpServer { server, made }))
}

/// Writes what only this user may read: a dictionary's commands may have a lab's passwords.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::options();
    let file = file.write(true).create(true).truncate(true).mode(0o600).open(path);
    file?.write_all(text.as_bytes())
}

fn write_results(path: &Path, results: &[CaseResult]) -> Result<(), Failure> {
    let failed = |what: String| {
        Failure::new(Kind::Infra, format!("cannot write {}: {what}", path.display()))
    };
    let text = crate::yaml::to_string(&results).map_err(failed)?;
    std::fs::write(path, text).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_that_was_made_for_the_tftp_server_goes_with_it_when_it_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let tftp_dir = dir.path().join("out/tftp");
        let tftp_listen = Some("127.0.0.1:0".parse().unwrap());
        let settings = Settings { tftp_dir: tftp_dir.clone(), tftp_listen, ..Settings::default() };
        let server = serve_tftp(&settings).await.unwrap();
        assert!(tftp_dir.is_dir());
        drop(server);
        assert!(!tftp_dir.exists());
        let server = serve_tftp(&settings).await.unwrap();
        std::fs::write(tftp_dir.join("mine"), "").unwrap();
        drop(server);
        assert!(tftp_dir.join("mine").exists());
    }
}
