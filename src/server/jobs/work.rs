//! What a worker needs for a job, in one document; and whether a job can be made of its definition at all.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::read::Wanted;
use super::submit::no_board;
use super::{JobError, Record};
use crate::config::{At, Node, Problem, Problems};
use crate::dispatch::device::Device;
use crate::dispatch::load::{BoardFile, context, load_as};
use crate::dispatch::render;
use crate::model::{
    BoardDescription, CutOff, Failure, JobKey, JobPass, Kind, Name, SshPlace, Work, WorkBoard,
    units,
};
use crate::sched::Spec;
use crate::server::state::HAS_DICTIONARY;
use crate::server::{Asker, Server, ServerError};

/// A pass of a job counts so much longer than the job can last, in seconds: clocks differ.
const CLOCKS_S: u64 = 300;
/// A boot lasts as long as its lease, which may be extended: 14 days at most, in seconds.
const LONGEST_BOOT_S: u64 = 14 * 24 * 3600;

/// A board with where its parts are.
#[derive(Debug, Clone)]
pub(super) struct Part {
    name: Name,
    role: Option<String>,
    description: BoardDescription,
    console: Option<String>,
    outlet: Option<String>,
}

impl Server {
    /// Looks whether the lab has boards for a job, and whether a pipeline comes of it on the first of them.
    ///
    /// # Errors
    /// Everything that is wrong with the job on that board.
    pub(super) async fn try_out(
        &self,
        definition: &str,
        file: &str,
        wanted: &Wanted,
        asker: &Asker,
    ) -> Result<(), ServerError> {
        self.find_types().await;
        let mut parts: Vec<Part> = Vec::new();
        {
            let state = self.looked().await;
            for (text, role) in wanted.specs.iter().zip(&wanted.roles) {
                let spec: Spec = text.parse()?;
                if !state.answers(&spec) {
                    return Err(no_board(text).into());
                }
                if parts.iter().any(|part| part.role == *role) {
                    continue;
                }
                let fitting = state.boards.iter().filter(|(name, board)| {
                    let theirs = asker.may(crate::model::Right::Write, name.as_str());
                    theirs && spec.answers(&state.lab.board(board.ix).traits)
                });
                // Of one that no job is given to it is told why, if there is no other.
                let first = fitting.min_by_key(|(_, board)| {
                    let traits = &state.lab.board(board.ix).traits;
                    !traits.attributes.contains_key(HAS_DICTIONARY.0)
                });
                parts.extend(first.map(|(name, board)| {
                    let (name, role) = (name.clone(), role.clone());
                    let description = board.description.clone();
                    Part { name, role, description, console: None, outlet: None }
                }));
            }
        }
        let (folder, templates) = (self.0.logs.scratch(), self.0.config.templates.clone());
        let (definition, file) = (definition.to_owned(), file.to_owned());
        let tried = tokio::task::spawn_blocking(move || {
            let tried = try_all(&folder, &definition, &file, &parts, &templates);
            let _ = std::fs::remove_dir_all(&folder);
            tried
        });
        let tried = tried.await.unwrap_or_else(|error| Err(Failure::from_error(Kind::Bug, &error)));
        Ok(tried.map_err(JobError::Definition)?)
    }

    /// Looks of which device types of boards there is a template now.
    pub(in crate::server) async fn find_types(&self) {
        let kinds = {
            let state = self.0.state.lock().await;
            state.boards.values().map(|board| board.description.kind.clone()).collect()
        };
        let types = self.with_template(kinds).await;
        self.0.state.lock().await.set_types(types);
    }

    /// Those device types of which there is a template.
    pub(in crate::server) async fn with_template(
        &self,
        mut kinds: BTreeSet<Name>,
    ) -> BTreeSet<Name> {
        let (folder, templates) = (self.0.logs.scratch(), self.0.config.templates.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let has =
                |kind: &Name| render::has_template(&format!("{kind}.jinja2"), &folder, &templates);
            // Boards' files are in such a folder when they are rendered.
            if std::fs::create_dir_all(&folder).is_ok() {
                kinds.retain(has);
                let _ = std::fs::remove_dir(&folder);
            }
            kinds
        });
        looked.await.unwrap_or_default()
    }

    /// A board's dictionary, as it is for no job in particular.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) async fn device(
        &self,
        name: &Name,
        description: &BoardDescription,
    ) -> Result<Device, ServerError> {
        let (name, description) = (name.clone(), description.clone());
        let part = Part { name, role: None, description, console: None, outlet: None };
        let (folder, templates) = (self.0.logs.scratch(), self.0.config.templates.clone());
        let read = tokio::task::spawn_blocking(move || {
            let boards = dictionaries(&folder, "context: {}\n", &[part], &templates);
            let _ = std::fs::remove_dir_all(&folder);
            let problems = Problems::default();
            let at = At::top("the dictionary", &problems);
            let text = boards?.pop().map(|board| board.dictionary).unwrap_or_default();
            let node = crate::yaml::parse(&text, &at);
            problems.check(node.and_then(|node| Device::read(&node, &at)))
        });
        let read = read.await.unwrap_or_else(|error| Err(Failure::from_error(Kind::Bug, &error)));
        Ok(read.map_err(JobError::Definition)?)
    }

    /// Everything that a job's dispatcher needs.
    ///
    /// # Errors
    /// What is wrong with a board's dictionary.
    pub(super) async fn work(&self, job: &Record) -> Result<Work, ServerError> {
        if job.script.is_some() {
            return self.script_work(job).await;
        }
        let id = job.info.id;
        let mut parts = Vec::new();
        {
            let state = self.0.state.lock().await;
            for board in &job.info.boards {
                let (name, found) = state.find(board.name.as_str())?;
                parts.push(Part {
                    name: name.clone(),
                    role: board.role.clone(),
                    description: found.description.clone(),
                    console: found.console.as_ref().map(|place| place.url.clone()),
                    outlet: found.outlet.as_ref().map(|place| place.url.clone()),
                });
            }
        }
        let definition = self.0.store.job_definition(id).await?.ok_or(JobError::NoJob(id))?;
        let definition = self.with_images(job, definition).await?;
        let token = self.token(job, &parts).await?;
        let (folder, templates) = (self.0.logs.scratch(), self.0.config.templates.clone());
        let boards = tokio::task::spawn_blocking({
            let definition = definition.clone();
            move || {
                let boards = dictionaries(&folder, &definition, &parts, &templates);
                let _ = std::fs::remove_dir_all(&folder);
                boards
            }
        });
        let boards =
            boards.await.unwrap_or_else(|error| Err(Failure::from_error(Kind::Bug, &error)));
        let boards = boards.map_err(JobError::Definition)?;
        Ok(Work { id, definition, boards, token, script: None, leave_on: job.boot.is_some() })
    }
}

impl Server {
    /// What lets a job in at the daemons of its boards: a pass for them alone, or where there is no key to make one with
    /// our own token.
    async fn token(&self, job: &Record, parts: &[Part]) -> Result<Option<String>, JobError> {
        let failed = |error| JobError::Token { id: job.info.id, error };
        let Some(file) = &self.0.config.key_file else {
            let Some(file) = &self.0.login.token_file else { return Ok(None) };
            let text = tokio::fs::read_to_string(file).await.map_err(failed)?;
            return Ok(Some(text.trim().to_owned()));
        };
        let text = tokio::fs::read_to_string(file).await.map_err(failed)?;
        let key = JobKey::of(&text).map_err(|why| failed(io::Error::other(why)))?;
        let urls = parts.iter().flat_map(|part| [&part.console, &part.outlet]).flatten();
        let mut things: Vec<String> = urls.cloned().collect();
        things.sort();
        things.dedup();
        // Daemons end it sooner, with the job's lease; this is for those that have forgotten that.
        let frees = CutOff::of(self.0.config.worker_gone).frees();
        let length_s = if job.boot.is_some() { LONGEST_BOOT_S } else { job.length_s };
        let until_s = units::now_us() / 1_000_000 + length_s + frees.as_secs() + CLOCKS_S;
        let pass = key.issue(&JobPass { job: job.info.id, until_s, things });
        // The next try would come to the same.
        pass.map(Some).map_err(|why| JobError::Definition(Failure::new(Kind::User, why)))
    }
}

fn try_all(
    folder: &Path,
    definition: &str,
    file: &str,
    parts: &[Part],
    templates: &[PathBuf],
) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let job = folder.join("job.yaml");
    write(&job, definition)?;
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let device = part.file(folder)?;
        let board = BoardFile { role: part.role.clone(), device: device.clone() };
        let Err(failure) = load_as(&job, &board, templates) else { continue };
        if failure.kind != Kind::Config {
            return Err(failure);
        }
        let named = failure.message.replace(&job.display().to_string(), file);
        let dictionary = format!("the dictionary of {}", part.name);
        let named = named.replace(&device.display().to_string(), &dictionary);
        for line in named.lines().map(str::to_owned) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    match lines.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Kind::Config, lines.join("\n"))),
    }
}

/// The boards with their dictionaries, rendered for this job.
fn dictionaries(
    folder: &Path,
    definition: &str,
    parts: &[Part],
    templates: &[PathBuf],
) -> Result<Vec<WorkBoard>, Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::from_error(Kind::Infra, &error))?;
    let problems = Problems::default();
    let job = crate::yaml::parse(definition, &At::top("job", &problems));
    let job = problems.check(job)?;
    parts.iter().map(|part| part.rendered(folder, &job, templates)).collect()
}

impl Part {
    /// Writes the board's own dictionary into a file, whose ending tells whether it is a template.
    fn file(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let own = self.description.dictionary.as_deref();
        let (ending, text) = match own {
            Some(text) if text.contains("{%") || text.contains("{{") => {
                ("jinja2", self.ssh() + text)
            }
            Some(text) => ("yaml", text.to_owned()),
            None => ("jinja2", self.ssh() + &self.plain()),
        };
        let file = folder.join(format!("{}.{ending}", self.name));
        write(&file, &text)?;
        Ok(file)
    }

    /// What tells a template where the board's SSH server is to be found, as its attributes have it: a virtual machine's
    /// worker listens there, and a job's context could say something else.
    fn ssh(&self) -> String {
        let place = SshPlace::of(&self.description.attributes);
        let place = place.map(|SshPlace { host, port, .. }| json!(format!("{host}:{port}")));
        place.map(|place| format!("{{% set vm_ssh = {place} %}}")).unwrap_or_default()
    }

    /// The dictionary of a board that has none: what its type says, and its name.
    fn plain(&self) -> String {
        let BoardDescription { kind, console, outlet, .. } = &self.description;
        let name = &self.name;
        let reached = console.is_some() || outlet.is_some();
        let board = match reached {
            true => format!("{{% set board = '{name}' %}}\n"),
            false => String::new(),
        };
        format!("{{% extends '{kind}.jinja2' %}}\n{board}{{% set hostname = '{name}' %}}\n")
    }

    fn rendered(
        &self,
        folder: &Path,
        job: &Node,
        templates: &[PathBuf],
    ) -> Result<WorkBoard, Failure> {
        let file = self.file(folder)?;
        let dictionary = match render::is_template(&file) {
            true => {
                let context = context(job, self.role.as_deref());
                render::render(&file, templates, context.as_ref())
                    .map_err(|problem| wrong(&problem))?
            }
            false => self.description.dictionary.as_deref().unwrap_or_default().to_owned(),
        };
        let problems = Problems::default();
        let called = format!("the dictionary of {}", self.name);
        let at = At::top(&called, &problems);
        let node = crate::yaml::parse(&dictionary, &at);
        let device = problems.check(node.and_then(|node| Device::read(&node, &at)))?;
        Ok(WorkBoard {
            name: self.name.clone(),
            hostname: device.hostname,
            role: self.role.clone(),
            dictionary,
            console: self.console.clone(),
            outlet: self.outlet.clone(),
        })
    }
}

fn wrong(problem: &Problem) -> Failure {
    Failure::new(Kind::Config, problem.to_string())
}

/// For this user alone: there may be secrets in it.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let opened =
        std::fs::File::options().write(true).create(true).mode(0o600).truncate(true).open(file);
    opened.and_then(|mut opened| opened.write_all(text.as_bytes())).map_err(|error| {
        Failure::new(Kind::Infra, format!("cannot write {}: {error}", file.display()))
    })
}
