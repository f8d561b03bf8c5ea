//! `lava-dispatcher run` of a job for several boards, and `lava-dispatcher coordinator`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::reports::ReportArgs;
use super::run::{all_there, both, valid};
use super::tell;
use super::watch::watchers;
use crate::dispatch::context::Settings;
use crate::dispatch::error::Error;
use crate::dispatch::execute::{Outcome, execute_as, serve_tftp};
use crate::dispatch::load::{BoardFile, Loaded, load_as};
use crate::dispatch::multinode::coordinator::{Coordinator, Socket, connect};
use crate::dispatch::multinode::{Member, Seat};
use crate::dispatch::progress::Progress;
use crate::model::{Failure, Kind, Name};

#[derive(Debug, Args)]
pub struct CoordinatorArgs {
    /// The Unix socket to serve, for `lava-dispatcher run --coordinator`.
    #[arg(long, value_name = "SOCKET")]
    listen: PathBuf,
}

/// Where the group of a job is.
#[derive(Debug, Args)]
pub(super) struct GroupArgs {
    /// The coordinator's socket, where boards of the job's group are run by other `lava-dispatcher run`s
    /// on this host.
    #[arg(long, value_name = "SOCKET")]
    coordinator: Option<PathBuf>,
    /// With --coordinator: the group, the same for all of its boards [default: the job's own
    /// target_group, or its name].
    #[arg(long, value_name = "NAME", requires = "coordinator")]
    group: Option<String>,
}

impl CoordinatorArgs {
    /// Serves groups until it is cancelled.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub async fn run(self, cancelled: &CancellationToken) -> Result<(), Failure> {
        let path = self.listen.display();
        let failed =
            |error| Failure::new(Kind::Infra, format!("no coordinator at {path}: {error}"));
        let socket = Socket::bind(&self.listen).map_err(failed)?;
        let _ = writeln!(std::io::stdout(), "ready: coordinator={path}");
        Coordinator::default().serve_socket(socket, cancelled).await;
        Ok(())
    }
}

impl GroupArgs {
    pub(super) fn is_elsewhere(&self) -> bool {
        self.coordinator.is_some()
    }

    /// Runs the boards of a job that are here. With `only_validate` nothing is run.
    ///
    /// # Errors
    /// All that is wrong with any of them before they begin; then how each ended.
    pub(super) async fn run(
        &self,
        loaded: &[Loaded],
        settings: Settings,
        only_validate: bool,
        reports: &ReportArgs,
        cancelled: &CancellationToken,
    ) -> Result<(), Failure> {
        if !self.is_elsewhere() {
            complete(loaded)?;
        }
        let settings: Vec<Settings> = each(loaded, &settings);
        let mut faults = Vec::new();
        for (loaded, settings) in loaded.iter().zip(&settings) {
            let name = &seat(loaded)?.name;
            let valid = valid(loaded, settings, cancelled).await;
            let valid = valid.and_then(|unreachable| match only_validate {
                true => all_there(&unreachable),
                false => {
                    tell(
                        &unreachable
                            .iter()
                            .map(|what| format!("{name}: {what}"))
                            .collect::<Vec<_>>(),
                    );
                    Ok(())
                }
            });
            if let Err(fault) = valid {
                faults.push((name.clone(), fault));
            }
        }
        if !faults.is_empty() || only_validate {
            return told(faults);
        }
        let group =
            self.group.clone().or_else(|| loaded[0].job.multinode.as_ref()?.target_group.clone());
        let group = group.unwrap_or_else(|| loaded[0].job.name.clone());
        // One server for all of them: there is one address.
        let mut settings = settings;
        let tftp = serve_tftp(&settings[0]).await?;
        if tftp.is_some() {
            settings.iter_mut().for_each(|settings| settings.tftp_listen = None);
        }
        let outputs: Vec<PathBuf> = settings.iter().map(|one| one.output.clone()).collect();
        let own = Coordinator::default();
        let names = loaded.iter().map(|one| Ok(seat(one)?.name.as_str()));
        let watchers = watchers(&names.collect::<Result<Vec<_>, Failure>>()?);
        let running =
            loaded.iter().zip(settings).zip(watchers).map(|((loaded, settings), watcher)| {
                self.run_one(loaded, settings, watcher, &own, &group, cancelled)
            });
        let ended = join_all(running).await;
        let mut failures = Vec::new();
        for ((one, ended), output) in loaded.iter().zip(ended).zip(&outputs) {
            let name = &seat(one)?.name;
            let reports = if loaded.len() > 1 { reports.of(name) } else { reports.clone() };
            let done = ended.and_then(|outcome| {
                let written = reports.write(output);
                both(outcome.into_result(), written)
            });
            if let Err(failure) = done {
                failures.push((name.clone(), failure));
            }
        }
        told(failures)
    }

    async fn run_one(
        &self,
        loaded: &Loaded,
        settings: Settings,
        progress: Arc<dyn Progress>,
        own: &Coordinator,
        group: &str,
        cancelled: &CancellationToken,
    ) -> Result<Outcome, Failure> {
        let seat = seat(loaded)?.clone();
        let joining = async {
            match &self.coordinator {
                None => Member::join(own.connect(), group, seat).await,
                Some(path) => {
                    let stream = connect(path).await.map_err(|error| {
                        let what = format!("no coordinator at {}: {error}", path.display());
                        Error::Infrastructure(what)
                    })?;
                    Member::join(stream, group, seat).await
                }
            }
        };
        let member = tokio::select! {
            member = joining => member.map_err(Error::into_failure)?,
            () = cancelled.cancelled() => return Err(Error::Cancelled.into_failure()),
        };
        execute_as(loaded, settings, Some(member), progress, cancelled).await
    }
}

/// All boards with their part of the job.
///
/// # Errors
/// What is wrong with any of them; what is wrong with the job itself, once. When the job is for one board,
/// and there are several.
pub(super) fn load_all(
    job: &Path,
    boards: &[BoardFile],
    templates: &[PathBuf],
) -> Result<Vec<Loaded>, Failure> {
    let (mut all, mut lines, mut hint) = (Vec::new(), Vec::<String>::new(), None);
    for board in boards {
        match load_as(job, board, templates) {
            Ok(loaded) => all.push(loaded),
            Err(failure) if failure.kind != Kind::Config => return Err(failure),
            Err(failure) => {
                hint = hint.or(failure.hint);
                for line in failure.message.lines().map(ToOwned::to_owned) {
                    if !lines.contains(&line) {
                        lines.push(line);
                    }
                }
            }
        }
    }
    if !lines.is_empty() {
        return Err(Failure { hint, ..Failure::new(Kind::Config, lines.join("\n")) });
    }
    let is_alone = all.iter().any(|loaded| loaded.seat.is_none());
    match all.len() {
        1 if is_alone => return Ok(all),
        count if is_alone => {
            let what =
                format!("{}: the job is for one board, and {count} are given", job.display());
            return Err(Failure::new(Kind::User, what));
        }
        _ => {}
    }
    let mut names = BTreeMap::new();
    for (loaded, board) in all.iter().zip(boards) {
        let name = &seat(loaded)?.name;
        let file = board.device.display();
        if let Err(error) = name.parse::<Name>() {
            let what =
                format!("{file}: hostname: {name:?}: {error}; the group knows a board by it");
            return Err(Failure::new(Kind::Config, what));
        }
        if let Some(other) = names.insert(name.clone(), board) {
            let other = other.device.display();
            let what = format!("{file} and {other} are both the board {name:?}");
            return Err(Failure::new(Kind::Config, what));
        }
    }
    Ok(all)
}

/// Each role has as many boards as the job says.
fn complete(loaded: &[Loaded]) -> Result<(), Failure> {
    let Some(group) = loaded.first().and_then(|loaded| loaded.job.multinode.as_ref()) else {
        return Ok(());
    };
    let mut wrong = Vec::new();
    for (name, role) in &group.roles {
        let here = loaded
            .iter()
            .filter(|loaded| loaded.seat.as_ref().is_some_and(|seat| seat.role == *name));
        let (here, wanted) = (here.count(), role.count);
        if here != wanted {
            wrong.push(format!("the role {name:?} is for {wanted} boards, and {here} are given"));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Kind::User, wrong.join("\n")).hint(
            "--device ROLE=FILE for each; with --coordinator SOCKET the others may be run elsewhere",
        )),
    }
}

/// The settings of each board: a number and a folder of its own.
fn each(loaded: &[Loaded], settings: &Settings) -> Vec<Settings> {
    let alone = loaded.len() == 1;
    let own = |(i, loaded): (usize, &Loaded)| {
        let name = loaded.seat.as_ref().map(|seat| seat.name.clone()).unwrap_or_default();
        let output = if alone { settings.output.clone() } else { settings.output.join(name) };
        // As LAVA numbers the parts of such a job.
        let job_id = match alone {
            true => settings.job_id.clone(),
            false => format!("{}.{i}", settings.job_id),
        };
        Settings { job_id, output, ..settings.clone() }
    };
    loaded.iter().enumerate().map(own).collect()
}

fn seat(loaded: &Loaded) -> Result<&Seat, Failure> {
    let file = &loaded.job.file;
    let missing = || {
        Failure::new(Kind::User, format!("{file}: the job is for one board, so it has no group"))
    };
    loaded.seat.as_ref().ok_or_else(missing)
}

/// What went wrong with which board. The kind is that of the one that did not fail for another's sake.
fn told(failures: Vec<(String, Failure)>) -> Result<(), Failure> {
    let Some(first) = failures.first() else { return Ok(()) };
    let kind = failures.iter().map(|(_, failure)| failure.kind).find(|kind| *kind != Kind::Failed);
    let kind = kind.unwrap_or(first.1.kind);
    let lines = failures.iter().flat_map(|(name, failure)| {
        failure.message.lines().map(move |line| format!("{name}: {line}"))
    });
    let mut all = Failure::new(kind, lines.collect::<Vec<_>>().join("\n"));
    all.hint = failures.into_iter().find_map(|(_, failure)| failure.hint);
    Err(all)
}
