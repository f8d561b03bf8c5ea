//! The programs that run a job, and what one run of them takes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};

use crate::files;

/// How often a running program's memory is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(crate) enum Dispatcher {
    Ours,
    /// In this folder.
    Lava(PathBuf),
}

/// Where benches/jobs/lava puts it, if it has.
pub(crate) fn lava() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/lava");
    folder.join("made").exists().then_some(folder)
}

/// A run under way.
#[derive(Debug)]
pub(crate) struct Running {
    begin: Instant,
    begun: SystemTime,
    child: Child,
    pub(crate) output: PathBuf,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) took: Duration,
    pub(crate) end: Instant,
    /// By the clock that logs go by.
    pub(crate) begun: SystemTime,
    pub(crate) ended: SystemTime,
    pub(crate) success: bool,
    /// The most memory that it had resident, in MB; without what it started.
    pub(crate) memory: f64,
    pub(crate) output: PathBuf,
}

impl Dispatcher {
    pub(crate) fn heading(&self) -> &'static str {
        match self {
            Self::Ours => "lava-dispatcher",
            Self::Lava(_) => "LAVA (Debian)",
        }
    }

    /// Starts a job whose files are in `dir`; its log goes there, too.
    pub(crate) fn start(&self, dir: &Path, more: &[&str]) -> Result<Running> {
        static JOBS: AtomicU32 = AtomicU32::new(0);
        let id = format!("9{}{}", std::process::id(), JOBS.fetch_add(1, Ordering::Relaxed));
        let (job, device, output) =
            (dir.join("job.yaml"), dir.join("device.yaml"), dir.join("out"));
        let mut command = match self {
            Self::Ours => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_lava-dispatcher"));
                command.arg("run").arg(&job);
                command.env("LAVA_RUNTIME_DIR", dir);
                command
            }
            Self::Lava(folder) => {
                let mut command = Command::new(folder.join("venv/bin/python"));
                command.env("PYTHONPATH", folder.join("root/usr/lib/python3/dist-packages"));
                command.arg(folder.join("root/usr/bin/lava-run")).arg(&job);
                command.arg("--dispatcher").arg(files::write(dir, "dispatcher.yaml", "{}\n")?);
                command.arg("--output-dir").arg(&output);
                command
            }
        };
        if let Self::Ours = self {
            command.arg("--output").arg(&output);
        }
        command.arg("--device").arg(&device).args(["--job-id", &id]).args(more);
        // LAVA's log is what it says.
        let said = std::fs::File::create(dir.join("said"))?;
        command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
        let (begin, begun) = (Instant::now(), SystemTime::now());
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        Ok(Running { begin, begun, child, output })
    }

    /// Runs a job to its end.
    pub(crate) fn run(&self, dir: &Path, more: &[&str]) -> Result<Done> {
        self.start(dir, more)?.wait()
    }
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended; it is not waited for.
    pub(crate) fn ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    pub(crate) fn wait(mut self) -> Result<Done> {
        let mut memory = 0.0_f64;
        let status = loop {
            memory = memory.max(peak(self.child.id()).unwrap_or_default());
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if self.begin.elapsed() > LIMIT {
                self.child.kill()?;
                bail!("not done after {} s", LIMIT.as_secs());
            }
            std::thread::sleep(LOOK);
        };
        let (end, ended) = (Instant::now(), SystemTime::now());
        let (took, begun, output) = (end - self.begin, self.begun, self.output);
        Ok(Done { took, end, begun, ended, success: status.success(), memory, output })
    }
}

impl Done {
    /// The job has done all that it should.
    pub(crate) fn good(self) -> Result<Self> {
        if !self.success {
            let folder = self.output.parent().unwrap_or(&self.output).to_owned();
            let said = std::fs::read_to_string(folder.join("said")).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(5).collect();
            ensure!(self.success, "the job failed: {last:#?}");
        }
        Ok(self)
    }
}

/// The most memory that a process has had resident, in MB.
fn peak(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1000.0)
}
