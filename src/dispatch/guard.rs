//! What is done when a dispatcher is killed and cannot clean up by itself.
//!
//! Each job has a guard: a process of this program's own that waits for the end of a pipe. While the job
//! lives, the pipe tells it what there is to clean up; at the job's end it is dismissed. When the pipe ends
//! without that, whatever of, the guard kills all that the job has started, undoes what is to be undone while
//! the board has power, switches the board off with the device's own commands, and removes the job's
//! containers and files. It has its own process group, so
//! that neither Ctrl-C nor the death of the dispatcher's group reaches it. While there is a guard, it has a lock
//! that tells others so ([`super::worker::claim::watch`]): a board whose guard is at work is not free.
//!
//! The guard of a worker's job also sees to it that the job is over in time when there is no contact with the server
//! any more ([`CutOff`]): a dispatcher that does not end then it kills, and of a board that may be somebody else's by
//! then it keeps its hands off.
//!
//! What a job has started is known by a variable of its environment ([`MARK`]), which every process
//! inherits from the one that started it, also one that has left its parent. Where a cgroup is delegated to
//! us, the job has one in it, which holds those as well that have dropped the variable.

use std::io::{BufRead as _, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use super::avh::{self, Rented};
use super::context::Settings;
use super::device::Device;
use super::host::{Started, remove_containers};
use super::log::Log;
use super::power::{self, Asking};
use super::progress::Silent;
use super::undo::{self, Undo};
use super::worker::claim;
use super::worker::contact::LastContact;
use super::{execute, registry};
use crate::dispatch::validate::find_program;
use crate::model::units::now_us;
use crate::model::{CutOff, Failure, Kind};
use crate::sys::Cgroup;

/// The variable that all of a job's processes have in their environment: the number of the process that
/// runs the job, and when it began.
pub use crate::sys::JOB_MARK as MARK;
/// The program, and its hidden verb.
const PROGRAM: &str = "lava-dispatcher";
pub const VERB: &str = "guard";
/// A guard that is dismissed ends at once.
const DISMISSED: Duration = Duration::from_secs(2);
/// How often what a job has started is looked for: a process may start another one meanwhile.
const ROUNDS: u32 = 20;
const ROUND: Duration = Duration::from_millis(50);

/// What there is to clean up.
#[derive(Serialize, Deserialize)]
struct Will {
    job_id: String,
    output: PathBuf,
    lab: Option<PathBuf>,
    hostname: String,
    power_off: Vec<String>,
    mark: Option<String>,
    cgroup: Option<PathBuf>,
    /// What is never logged.
    secrets: Vec<String>,
    /// What tells when the server of the job was heard of last.
    contact: Option<PathBuf>,
}

/// A line of what the guard is told.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Will(Box<Will>),
    Container(Started),
    Folder(PathBuf),
    Undo(Undo),
    Rented(Box<Rented>),
    Dismissed,
}

/// A job's guard, seen from the job.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    pipe: ChildStdin,
}

impl Guard {
    /// Has a guard look after a job.
    ///
    /// # Errors
    /// Why there is none. Then a killed job leaves its board as it is.
    pub(super) async fn start(
        settings: &Settings,
        device: &Device,
        secrets: Vec<String>,
    ) -> Result<Self, String> {
        let program = program().ok_or_else(|| format!("there is no {PROGRAM}"))?;
        let shown = program.display().to_string();
        let mut command = Command::new(program);
        command.arg(VERB).stdin(Stdio::piped()).stderr(Stdio::null());
        // It says nothing, and this way has the lock from its first moment on, whenever we die.
        let lock = settings.claimed.as_deref().map(claim::watch).transpose();
        let lock = lock.map_err(|error| format!("no lock for it: {error}"))?;
        command.stdout(lock.map_or_else(Stdio::null, Stdio::from));
        // It is none of those that it ends; nor are the guards of other boards of the same run.
        command.process_group(0).env_remove(MARK);
        let mut child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
        let pipe = child.stdin.take().ok_or_else(|| format!("{shown} has no pipe"))?;
        let mut guard = Self { child, pipe };
        let will = Will {
            job_id: settings.job_id.clone(),
            output: settings.output.clone(),
            lab: settings.lab.clone(),
            hostname: device.hostname.clone(),
            power_off: device.commands.power_off.clone(),
            mark: own_mark(),
            cgroup: own_cgroup().map(|cgroup| cgroup.folder().to_owned()),
            secrets,
            contact: settings.contact.clone(),
        };
        guard.tell(&Word::Will(Box::new(will))).await;
        Ok(guard)
    }

    /// The job has made one more folder of its own.
    pub(super) async fn folder(&mut self, folder: &Path) {
        self.tell(&Word::Folder(folder.to_owned())).await;
    }

    /// There is one more thing to be undone.
    pub(super) async fn undo(&mut self, undo: &Undo) {
        self.tell(&Word::Undo(undo.clone())).await;
    }

    /// There is, or is going to be, something of the job's at Arm's service.
    pub(super) async fn rented(&mut self, rented: &Rented) {
        self.tell(&Word::Rented(Box::new(rented.clone()))).await;
    }

    /// There is one more container.
    pub(super) async fn container(&mut self, container: &Started) {
        self.tell(&Word::Container(container.clone())).await;
    }

    /// The job has cleaned up.
    pub(super) async fn dismiss(mut self) {
        self.tell(&Word::Dismissed).await;
        drop(self.pipe);
        if timeout(DISMISSED, self.child.wait()).await.is_err() {
            tracing::debug!("the job's guard has not ended yet");
        }
    }

    async fn tell(&mut self, word: &Word) {
        let Ok(mut line) = serde_json::to_vec(word) else { return };
        line.push(b'\n');
        // A guard that somebody has killed guards nothing.
        if let Err(error) = self.pipe.write_all(&line).await {
            tracing::debug!(%error, "the job's guard is gone");
        }
    }
}

/// The program beside our own, else the system's.
pub fn program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let beside = own.with_file_name(PROGRAM);
    if beside.is_file() { Some(beside) } else { find_program(PROGRAM) }
}

/// The guard itself: waits for the end of standard input.
///
/// # Errors
/// When standard input is none of a job's.
pub fn guard() -> Result<(), Failure> {
    crate::sys::hold_signals();
    let (mut will, mut containers, mut folders) = (None, Vec::new(), Vec::new());
    let (mut undo, mut all_rented) = (Vec::new(), Vec::<Rented>::new());
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(Word::Will(told)) => {
                // It must not be among those that it ends.
                if let Some(Err(error)) = told.cgroup.clone().map(|own| Cgroup::at(own).leave()) {
                    tracing::debug!(%error, "the guard is in the job's cgroup");
                }
                if let Some(contact) = &told.contact {
                    end_in_time(contact);
                }
                will = Some(told);
            }
            Ok(Word::Container(container)) => containers.push(container),
            Ok(Word::Folder(folder)) => folders.push(folder),
            Ok(Word::Undo(one)) => undo.push(one),
            Ok(Word::Rented(rented)) => {
                all_rented.retain(|known| known.name != rented.name);
                all_rented.push(*rented);
            }
            Ok(Word::Dismissed) => return Ok(()),
            Err(error) => {
                let what = format!("standard input is none of a job's: {error}");
                return Err(Failure::new(Kind::User, what));
            }
        }
    }
    let Some(will) = will else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    runtime.block_on(execute_will(*will, &containers, &folders, &undo, all_rented))
}

/// Has a thread kill the dispatcher, whose child this process is, when it has not ended in time.
fn end_in_time(contact: &Path) {
    let Some(dispatcher) = getppid() else { return };
    // Who has died before that has left us to another parent.
    let Ok(process) = pidfd_open(dispatcher, PidfdFlags::empty()) else { return };
    if getppid() != Some(dispatcher) {
        return;
    }
    let mut contact = LastContact::in_file(contact);
    std::thread::spawn(move || {
        contact.wait_until(CutOff::kills);
        let _ = pidfd_send_signal(process, Signal::KILL);
    });
}

/// A mark for this process, which is about to begin anew as one that has it.
pub fn new_mark() -> String {
    format!("{}-{}", std::process::id(), now_us())
}

/// The mark of the job that this process runs. One that it has from a job around it is none of its own.
pub fn own_mark() -> Option<String> {
    let mark = std::env::var(MARK).ok()?;
    (mark.split_once('-')?.0 == std::process::id().to_string()).then_some(mark)
}

/// Moves this process into a cgroup for the job with this mark, where one can be had.
pub fn enter_cgroup(mark: &str) {
    if let Err(why) = Cgroup::enter(&cgroup_name(mark)) {
        tracing::debug!(why, "the job has no cgroup of its own");
    }
}

/// The cgroup of the job that this process runs.
pub fn own_cgroup() -> Option<Cgroup> {
    Cgroup::current(&cgroup_name(&own_mark()?))
}

fn cgroup_name(mark: &str) -> String {
    format!("lava-job-{mark}")
}

/// Ends what a job has left running that has come to its end.
pub async fn sweep() {
    if let Some(cgroup) = own_cgroup()
        && let Err(error) = cgroup.leave().and_then(|()| cgroup.end())
    {
        tracing::debug!(%error, "the job's cgroup is still there");
    }
    if let Some(mark) = own_mark() {
        end_all(&mark).await;
    }
}

async fn execute_will(
    will: Will,
    containers: &[Started],
    folders: &[PathBuf],
    undo: &[Undo],
    rented: Vec<Rented>,
) -> Result<(), Failure> {
    // A full disk or a folder that is gone keeps no board on.
    let open = |path: &Path| Log::append(path, &will.secrets, Arc::new(Silent));
    let log = open(&will.output.join(execute::LOG)).or_else(|_| open(Path::new("/dev/null")))?;
    log.error(
        "the job's dispatcher was killed: what it has started is ended, and the board switched off",
    );
    if let Some(cgroup) = will.cgroup.map(Cgroup::at)
        && let Err(error) = end_cgroup(&cgroup).await
        // The guard of another board of the same run was quicker.
        && error.kind() != ErrorKind::NotFound
    {
        log.debug(format!("{}: {error}", cgroup.folder().display()));
    }
    if let Some(mark) = &will.mark {
        end_all(mark).await;
    }
    let settings = Settings {
        job_id: will.job_id.clone(),
        output: will.output,
        lab: will.lab,
        ..Settings::default()
    };
    let limit = power::COMMAND_LIMIT;
    let asking = Asking { log: &log, settings: &settings, board: &will.hostname, limit };
    let until = async |of| match will.contact.as_deref().map(LastContact::in_file) {
        Some(mut contact) => contact.until(of).await,
        None => std::future::pending().await,
    };
    let is_others = until(CutOff::lets_go);
    let off = async {
        tokio::select! {
            biased;
            () = undo::all(undo, &asking) => {}
            () = until(CutOff::hurries) => log.warning("there is no time to undo the rest"),
        }
        if let Err(error) = power::off(&will.power_off, &asking).await {
            log.error(format!("the board may still be on: {error}"));
        }
    };
    let leave = async {
        tokio::select! {
            biased;
            () = is_others => log.error(
                "the board may still be on, and somebody else's: nothing was heard of the server for too long",
            ),
            () = off => {}
        }
    };
    // What a container does to the board is over as soon as the rest.
    tokio::join!(
        leave,
        remove_containers(containers, &settings, &log),
        avh::give_back(rented, &log)
    );
    for folder in folders {
        if let Err(error) = std::fs::remove_dir_all(folder)
            && error.kind() != ErrorKind::NotFound
        {
            log.error(format!("{} is still there: {error}", folder.display()));
        }
    }
    registry::remove(&will.job_id);
    log.info("cleaned up after the dispatcher");
    Ok(())
}

/// Ends what is in a job's cgroup. A guard that could not leave it still has a board to switch off: then the
/// others are ended one by one.
async fn end_cgroup(cgroup: &Cgroup) -> std::io::Result<()> {
    if !cgroup.processes()?.into_iter().any(is_guard) {
        return cgroup.end();
    }
    for _ in 0..ROUNDS {
        let others: Vec<Pid> =
            cgroup.processes()?.into_iter().filter(|id| !is_guard(*id)).collect();
        if others.is_empty() {
            return Ok(());
        }
        for id in others {
            // As in `end_all`: who is held by a descriptor is looked at again.
            if let Ok(process) = pidfd_open(id, PidfdFlags::empty())
                && cgroup.processes()?.contains(&id)
            {
                let _ = pidfd_send_signal(process, Signal::KILL);
            }
        }
        tokio::time::sleep(ROUND).await;
    }
    Err(ErrorKind::TimedOut.into())
}

/// Whether a process is this one, or the guard of another board of the same run.
fn is_guard(id: Pid) -> bool {
    if id == rustix::process::getpid() {
        return true;
    }
    let process = Path::new("/proc").join(id.as_raw_nonzero().to_string());
    let program = |process: &Path| std::fs::read_link(process.join("exe")).ok();
    let words = std::fs::read(process.join("cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1) == Some(VERB.as_bytes())
        && program(&process).is_some_and(|own| Some(own) == program(Path::new("/proc/self")))
}

/// Kills all processes with this mark, but not this one, until there are none.
async fn end_all(mark: &str) {
    let entry = format!("{MARK}={mark}");
    for _ in 0..ROUNDS {
        let marked = marked(&entry);
        if marked.is_empty() {
            return;
        }
        for id in marked {
            // By then the number may be another process's: who is held by a descriptor is looked at again.
            if let Ok(process) = pidfd_open(id, PidfdFlags::empty())
                && is_marked(
                    Path::new("/proc").join(id.as_raw_nonzero().to_string()).as_path(),
                    &entry,
                )
            {
                let _ = pidfd_send_signal(process, Signal::KILL);
            }
        }
        tokio::time::sleep(ROUND).await;
    }
}

fn marked(entry: &str) -> Vec<Pid> {
    let own = rustix::process::getpid();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|process| {
        let id = process.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
        (id != own && is_marked(&process.path(), entry)).then_some(id)
    });
    ids.collect()
}

/// Whether a process has the mark. One that has ended, but was not waited for, has none.
fn is_marked(process: &Path, entry: &str) -> bool {
    let environment = std::fs::read(process.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_guard_that_is_in_the_cgroup_ends_the_others_and_not_itself() {
        let dir = tempfile::tempdir().unwrap();
        let mut other = Command::new("sleep").arg("1000").kill_on_drop(true).spawn().unwrap();
        let listed = format!("{}\n{}\n", std::process::id(), other.id().unwrap());
        std::fs::write(dir.path().join("cgroup.procs"), listed).unwrap();
        std::fs::write(dir.path().join("cgroup.kill"), "").unwrap();
        let cgroup = Cgroup::at(dir.path().to_owned());
        let left = format!("{}\n", std::process::id());
        let (ended, status) = tokio::join!(end_cgroup(&cgroup), async {
            let status = other.wait().await;
            std::fs::write(dir.path().join("cgroup.procs"), left).unwrap();
            status
        });
        ended.unwrap();
        assert!(!status.unwrap().success());
        // Nobody has ended all of it at once.
        assert_eq!(std::fs::read_to_string(dir.path().join("cgroup.kill")).unwrap(), "");
    }
}
