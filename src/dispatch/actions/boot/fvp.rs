//! `boot-fvp`: an Arm Fixed Virtual Platform, a model that runs in a container.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::expect_shell::ExpectShell;
use super::fvp_words::{named, run_words, version_words};
use super::parts::{Actions, login, unpack};
use super::strategies::of;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::{Group, ReadFeedback};
use crate::dispatch::connection::{Connection, Feedbacks, Program, Telnet};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::{Found, Patterns};
use crate::dispatch::host::{self, Started};
use crate::dispatch::job::{Boot, Container, Fvp};
use crate::dispatch::session::Session;
use crate::dispatch::validate::Checks;

/// So long after its console a model may take to tell where its others are.
const OTHERS: Duration = Duration::from_secs(5);

pub(super) fn fvp_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let fvp = boot.fvp.clone().unwrap_or_default();
    let mut steps = vec![Group::once("boot-fvp-main", main_steps)];
    let login = login(boot);
    if !login.is_empty() {
        steps.push(Box::new(ReadFeedback));
        steps.extend(login);
        if scene.has_tests() {
            steps.push(Box::new(ExpectShell));
            steps.extend(unpack(boot));
        }
    }
    let step = |name, what| Box::new(Step { name, what, boot: boot.clone() }) as Box<dyn Action>;
    steps.extend(fvp.erpc_app.map(|app| step("run-fvp-erpc-app", What::Application(app))));
    if !fvp.commands.is_empty() {
        steps.push(step("run-fvp-shell-commands", What::Commands(fvp.commands)));
    }
    steps
}

fn main_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let step = |name, what| Box::new(Step { name, what, boot: boot.clone() }) as Box<dyn Action>;
    let mut steps = vec![step("check-fvp-version", What::Version), step("run-fvp", What::Run)];
    if boot.fvp.as_ref().is_some_and(|fvp| fvp.use_telnet) {
        steps.push(step("fvp-serial-connect", What::Connect));
        steps.push(Box::new(ReadFeedback));
    }
    steps
}

/// What a step of the model's does.
#[derive(Debug, Clone)]
enum What {
    /// Asks the model for its version.
    Version,
    /// Starts it, and waits until it says where its console is.
    Run,
    /// Goes to its console.
    Connect,
    /// Starts an artefact in the model's container.
    Application(String),
    /// Runs commands in the model's container.
    Commands(Vec<String>),
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    what: What,
    boot: Boot,
}

impl Action for Step {
    fn name(&self) -> &'static str {
        self.name
    }

    fn connects(&self) -> bool {
        matches!(self.what, What::Run)
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("docker");
            if self.boot.container.is_none() {
                checks.fault("the block has no \"docker\": the container with the model");
            }
            let fvp = self.fvp();
            checks.pattern("version_string", &fvp.version);
            checks.pattern("console_string", &fvp.console);
            fvp.feedbacks.iter().for_each(|text| checks.pattern("feedbacks", text));
            if !fvp.feedbacks.is_empty() && !fvp.use_telnet {
                checks.fault("\"feedbacks\" are reached by telnet, and \"use_telnet\" is false");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            match &self.what {
                What::Version => self.version(context).await,
                What::Run => self.start(context).await,
                What::Connect => self.connect(context).await,
                What::Application(app) => {
                    let missing = || Error::Job(format!("{app} was not downloaded"));
                    let file = context.shared().files.get(app).cloned().ok_or_else(missing)?;
                    self.exec(&[file.display().to_string()], context).await
                }
                What::Commands(commands) => self.exec(&[commands.join("\n")], context).await,
            }
        })
    }
}

impl Step {
    fn fvp(&self) -> Fvp {
        self.boot.fvp.clone().unwrap_or_default()
    }

    async fn version(&self, context: &mut Context) -> Result<(), Error> {
        let container = self.boot.container.clone().unwrap_or_default();
        let name = host::helper_name(context);
        let words = version_words(&container, &self.fvp(), &name);
        let said = host::run_named(name, &words, context).await?;
        let wanted = Patterns::new([self.fvp().version]).map_err(Error::Configuration)?;
        match wanted.first_in(&said) {
            Some(version) => {
                context.fact("fvp_version", version);
                Ok(())
            }
            None => {
                let what = format!("the model does not say {}: {said:?}", wanted.describe());
                Err(Error::Job(what))
            }
        }
    }

    async fn start(&self, context: &mut Context) -> Result<(), Error> {
        let files: Vec<(String, String)> = context
            .shared()
            .files
            .iter()
            .map(|(name, file)| (name.clone(), file.display().to_string()))
            .collect();
        let arguments = named(&self.fvp().arguments, &files);
        let container = self.boot.container.clone().unwrap_or_default();
        let folder = context.scratch().display().to_string();
        let name = name(&container, context);
        let options = context.device.fvp.words();
        let words = run_words(&container, &self.fvp(), &arguments, &name, &folder, &options);
        context.log.info(format!("host: {}", words.join(" ")));
        host::add_container(Started::here(name), context).await;
        let mut session = Session::new(Box::new(Program::start(&words)?), context.log.clone());
        let found = self.consoles(&mut session, context).await?;
        context.has_booted(self.boot.prompts.clone());
        if self.fvp().use_telnet {
            let port = found.groups.iter().skip(1).find(|text| text.parse::<u16>().is_ok());
            let missing = || {
                let what = "\"console_string\" has no group that is a port";
                Error::Configuration(what.into())
            };
            let port = port.cloned().ok_or_else(missing)?;
            context.shared().extra.insert("port".into(), port.clone());
            context.shared().model_port = Some(port);
        }
        context.connect(session);
        Ok(())
    }

    /// Waits until the model has told where its console is, and, where the job wants them, its others. Those that
    /// it does not tell soon after are not there.
    async fn consoles(&self, session: &mut Session, context: &mut Context) -> Result<Found, Error> {
        let Fvp { console, feedbacks, .. } = self.fvp();
        let all = std::iter::once(&console).chain(&feedbacks);
        let all = Patterns::new(all).map_err(Error::Configuration)?;
        let mut wait = context.wait();
        let (mut own, mut others) = (None, BTreeMap::new());
        while own.is_none() || others.len() < feedbacks.len() {
            let found = match session.expect(&all, &wait).await {
                Err(Error::Timeout(_)) if own.is_some() => break,
                found => found?,
            };
            if found.index > 0 {
                others.insert(found.index, found);
                continue;
            }
            own = Some(found);
            wait.deadline = wait.deadline.min(Instant::now() + OTHERS);
        }
        let mut told = Vec::new();
        for (index, pattern) in (1..).zip(&feedbacks) {
            let groups = others.get(&index).map(|found| &found.groups[1..]).unwrap_or_default();
            let port = groups.iter().find(|text| text.parse::<u16>().is_ok());
            let name = groups.iter().find(|text| text.parse::<u16>().is_err());
            match name.cloned().zip(port.cloned()) {
                Some(other) => told.push(other),
                None => context.log.warning(format!(
                    "the model tells no console of {pattern:?}, or no NAME and PORT of it"
                )),
            }
        }
        context.shared().model_feedbacks = told;
        own.ok_or_else(|| Error::Bug("the model has told no console".into()))
    }

    async fn exec(&self, script: &[String], context: &mut Context) -> Result<(), Error> {
        // What it says is what tests look at, so its terminal is the console now.
        let mut words = ["docker", "exec", "--tty"].map(ToOwned::to_owned).to_vec();
        let container = self.boot.container.clone().unwrap_or_default();
        words.extend([name(&container, context), "sh".into(), "-c".into(), script.join("\n")]);
        context.log.info(format!("host: {}", words.join(" ")));
        context.connect_beside(Box::new(Program::start(&words)?));
        Ok(())
    }

    /// The model's console is at a port of the container's own network.
    async fn connect(&self, context: &mut Context) -> Result<(), Error> {
        let container = self.boot.container.clone().unwrap_or_default();
        let name = name(&container, context);
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
        let words = ["docker", "inspect", "--format", format, &name].map(ToOwned::to_owned);
        let said = host::run(&words, context).await?;
        let address = said.split_whitespace().next().unwrap_or("127.0.0.1").to_owned();
        let missing = || Error::Bug("the model has told no port".into());
        let port = context.shared().model_port.clone().ok_or_else(missing)?;
        let telnet = Telnet::connect(format!("{address}:{port}")).await?;
        let mut others: Vec<(String, Box<dyn Connection>)> = Vec::new();
        for (name, port) in std::mem::take(&mut context.shared().model_feedbacks) {
            match Telnet::connect(format!("{address}:{port}")).await {
                Ok(other) => others.push((name, Box::new(other))),
                Err(error) => context.log.warning(format!("{name} is not listened to: {error}")),
            }
        }
        let log = context.log.clone();
        context.connect_beside(Box::new(Feedbacks::new(Box::new(telnet), others, log)));
        Ok(())
    }
}

/// The container's name: the same for all steps of a job.
fn name(container: &Container, context: &Context) -> String {
    let id = &context.settings.job_id;
    container.name(id).unwrap_or_else(|| format!("lava-fvp-{id}"))
}
