//! The run of a CI job's script: its repository is cloned, and the script runs with the Python library and a token,
//! kept to its own folder where the kernel can do that. What it prints is the log, what it tells of its tests, a
//! line of JSON each in `$LAVA_RESULTS`, the results.

mod library;
mod python;
mod results;
mod space;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::python::Python;
use self::results::Told;
use self::space::{Printed, is_full};
use super::actions::deploy::{Repository, clone_repository};
use super::context::Settings;
use super::device::Device;
use super::error::{Error, TimedOut};
use super::execute::LOG;
use super::guard::Guard;
use super::log::Log;
use super::progress::Silent;
use super::results::CaseResult;
use crate::image::Files;
use crate::model::{Failure, Kind, WorkScript};
use crate::sys::{Program, Reach, confined, has_fences, limit_files};

/// How a script's name ends that is for Python.
const PYTHON: &str = ".py";
/// How often it is looked what a script has told.
const LOOK: Duration = Duration::from_millis(250);
/// What programs of a script may read of this host, beside what [`Reach`] has of itself.
const READS: [&str; 13] = [
    "/dev/full",
    "/dev/null",
    "/dev/random",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
    "/etc/debian_version",
    "/etc/gitconfig",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/mime.types",
    "/etc/os-release",
    "/proc",
];

/// A script, and what is needed to run it.
#[derive(Debug)]
pub struct Script {
    pub job_id: String,
    pub work: WorkScript,
    /// The folder for the log and for all that the script makes.
    pub output: PathBuf,
    /// What lets it in at the server, and where that is.
    pub token_file: PathBuf,
    pub server: String,
    pub ca: Option<PathBuf>,
    /// The files of this host that it may read beside programs.
    pub files: Vec<PathBuf>,
    /// What tells its guard when the server was heard of last.
    pub contact: Option<PathBuf>,
    /// How much the files of the run may take, in bytes.
    pub space: u64,
}

impl Script {
    /// Runs it to its end.
    ///
    /// # Errors
    /// That it could not be begun, has failed, or was cancelled; the log tells so, too.
    pub async fn run(&self, cancelled: &CancellationToken) -> Result<(), Failure> {
        let infra = |error: std::io::Error| {
            Failure::new(Kind::Infra, format!("{}: {error}", self.output.display()))
        };
        std::fs::create_dir_all(&self.output).map_err(infra)?;
        let token = std::fs::read_to_string(&self.token_file).map_err(infra)?;
        let secrets = vec![token.trim().to_owned()];
        let log = Log::create(&self.output.join(LOG), &secrets, Arc::new(Silent))?;
        if !has_fences() {
            log.warning(
                "this kernel has no Landlock: the script may read all that this worker may",
            );
        }
        let settings = Settings {
            job_id: self.job_id.clone(),
            output: self.output.clone(),
            claimed: Some(self.output.clone()),
            contact: self.contact.clone(),
            ..Settings::default()
        };
        let guard = Guard::start(&settings, &Device::default(), secrets).await;
        let guard = guard.inspect_err(|why| log.warning(format!("it has no guard: {why}"))).ok();
        let (begun, limit) = (Instant::now(), Duration::from_secs(self.work.limit_s));
        let done = tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(Error::Cancelled),
            done = self.steps(&log) => done,
            full = is_full(&self.output, self.space) => Err(full),
            () = sleep(limit) => Err(Error::Timeout(Box::new(TimedOut {
                action: self.work.script.clone(),
                seconds: limit.as_secs(),
                ..TimedOut::default()
            }))),
        };
        if let Err(error) = &done {
            log.error(format!("{} error: {error}", error.class()));
        }
        log.results(&CaseResult::job(done.as_ref().err(), begun.elapsed().as_secs_f64()));
        if let Some(guard) = guard {
            guard.dismiss().await;
        }
        log.finish().await?;
        done.map_err(Error::into_failure)
    }

    async fn steps(&self, log: &Log) -> Result<(), Error> {
        let failed = |error: std::io::Error| Error::Infrastructure(error.to_string());
        let (library, own) = (self.output.join("library"), self.output.join("own"));
        let repository = own.join("repository");
        for folder in ["home", "tmp"] {
            std::fs::create_dir_all(own.join(folder)).map_err(failed)?;
        }
        library::write(&library).map_err(failed)?;
        let WorkScript { git, reference, script, .. } = &self.work;
        let commit = reference.as_deref().filter(|reference| is_commit(reference));
        let wanted = Repository {
            branch: reference.as_deref().filter(|_| commit.is_none()),
            revision: commit,
            recursive: true,
            shallow: commit.is_none(),
        };
        log.info(format!("cloning {git}"));
        let files = Files::only(self.files.clone());
        clone_repository(git, wanted, &repository, &files).await.map_err(Error::Infrastructure)?;
        let mut told = Told::new(&own.join("results"), &self.work.ci).map_err(failed)?;
        let python = match script.ends_with(PYTHON) {
            true => Some(Python::find().await.map_err(Error::Infrastructure)?),
            false => None,
        };
        let command = self.command(&repository, &library, &own, python.as_ref());
        let command = command.map_err(|error| Error::Job(format!("{script}: {error}")))?;
        log.info(format!("running {script} {}", self.work.args.join(" ")));
        let program = Program::spawn(command);
        let program = program.map_err(|error| Error::Job(format!("{script}: {error}")))?;
        let printed = Printed::nothing();
        let said = |line: &str| printed.line(line, log);
        let mut ended = std::pin::pin!(program.telling(&said));
        let ended = loop {
            tokio::select! {
                ended = &mut ended => break ended,
                () = sleep(LOOK) => told.look(log),
            }
        };
        told.look(log);
        printed.end(log);
        let status = ended.map_err(failed)?.status;
        match (status.success(), status.code()) {
            (true, _) => Ok(()),
            (false, Some(code)) => Err(Error::Job(format!("{script} ended with exit code {code}"))),
            (false, None) => Err(Error::Job(format!("{script}: {status}"))),
        }
    }

    fn command(
        &self,
        repository: &Path,
        library: &Path,
        own: &Path,
        python: Option<&Python>,
    ) -> std::io::Result<Command> {
        let path = repository.join(&self.work.script);
        let real = path.canonicalize().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                std::io::Error::other(format!("{} has no such file", self.work.git))
            }
            _ => error,
        })?;
        if !real.starts_with(repository.canonicalize()?) {
            return Err(std::io::Error::other("it leads out of the repository"));
        }
        let mut reads: Vec<&Path> = READS.iter().map(Path::new).filter(|it| it.exists()).collect();
        reads.extend([library, &self.token_file]);
        reads.extend(self.ca.as_deref());
        reads.extend(self.files.iter().map(PathBuf::as_path));
        reads.extend(python.iter().flat_map(|python| &python.folders).map(PathBuf::as_path));
        let reach = Reach::of_network_and(reads).writing(&[own]);
        let mut command = match python {
            Some(python) => confined(&python.program, &reach),
            None => confined(&path, &reach),
        };
        limit_files(&mut command, self.space);
        if python.is_some() {
            command.arg(&path);
        }
        command.args(&self.work.args).current_dir(repository);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let folder = |name: &str| own.join(name);
        for (name, value) in [
            ("HOME", folder("home")),
            ("TMPDIR", folder("tmp")),
            ("LAVA_RESULTS", folder("results")),
            ("LAVA_TOKEN_FILE", self.token_file.clone()),
            ("PYTHONPATH", library.to_owned()),
        ] {
            command.env(name, value);
        }
        for gone in ["SSH_AUTH_SOCK", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"] {
            command.env_remove(gone);
        }
        command.env("LAVA_SERVER", &self.server).env("LAVA_USER", &self.work.user);
        command.env("LAVA_JOB", &self.job_id).env("PYTHONUNBUFFERED", "1");
        if let Some(ca) = &self.ca {
            command.env("LAVA_CA", ca);
        }
        Ok(command)
    }
}

/// A commit is wanted by the beginning of its hash.
fn is_commit(reference: &str) -> bool {
    (7..=64).contains(&reference.len()) && reference.bytes().all(|byte| byte.is_ascii_hexdigit())
}
