//! The tree of actions of a job: names, levels, time limits, tries.

use serde::Serialize;

use super::action::{Action, Scene};
use super::actions::Finalize;
use super::device::Device;
use super::job::{Block, Job, Request, none_of};
use super::{strategy, timeout};
use crate::config::{At, Problems};

/// One action at its place in the tree.
pub struct Step {
    /// As `1.3.2`.
    pub level: String,
    pub action: Box<dyn Action>,
    /// How often it is tried.
    pub tries: u32,
    /// Go on after a try that passed, until all tries are done.
    pub repeat: bool,
    /// Seconds for all tries together.
    pub timeout: u64,
    /// Seconds for each wait on the connection, if fewer than the action's.
    pub connection_timeout: Option<u64>,
    pub namespace: String,
    pub connection_namespace: String,
    /// What it asks of the group of its job.
    pub requests: Vec<Request>,
    /// When its time is over, the job goes on with the next block.
    pub skip: bool,
    /// Seconds before each further try.
    pub retry_interval: u64,
    /// What its block asks that cannot be done yet.
    pub undone: Vec<String>,
    pub steps: Vec<Step>,
}

/// A job that is ready to run.
#[derive(Debug)]
pub struct Pipeline {
    /// The blocks' actions; after them comes [`Pipeline::finalize`].
    pub steps: Vec<Step>,
    pub finalize: Step,
}

/// A step as `lava-dispatcher pipeline` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    pub name: String,
    pub level: String,
    pub max_retries: u32,
    pub timeout: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pipeline: Vec<Description>,
}

impl Pipeline {
    /// Chooses a strategy for each block and builds the tree. A block without one is noted with
    /// every strategy's reason.
    pub fn build(job: &Job, device: &Device, problems: &Problems) -> Option<Self> {
        let mut steps = Vec::new();
        for block in &job.blocks {
            let scene = Scene { job, device, block: Some(block) };
            match strategy::choose(block, device) {
                Ok(Some(action)) => {
                    let level = (steps.len() + 1).to_string();
                    let step = Step::build(action, level, &scene, None, None);
                    step.check_requests(block, &At::top(&job.file, problems));
                    steps.push(step);
                }
                Ok(None) => {}
                Err(refusal) => {
                    let at = At { path: block.path.clone(), ..At::top(&job.file, problems) };
                    let at = refusal.key.map_or(at.clone(), |key| at.key(key));
                    at.problem(refusal.place, refusal.message);
                }
            }
        }
        let level = (steps.len() + 1).to_string();
        let scene = Scene { job, device, block: None };
        let finalize = Step::build(Box::new(Finalize), level, &scene, None, None);
        problems.is_empty().then_some(Self { steps, finalize })
    }

    /// All top-level steps, `finalize` too.
    pub fn all(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(std::iter::once(&self.finalize))
    }

    pub fn describe(&self) -> Vec<Description> {
        self.all().map(Step::describe).collect()
    }
}

impl Step {
    fn build(
        action: Box<dyn Action>,
        level: String,
        scene: &Scene<'_>,
        share: Option<u64>,
        connection: Option<u64>,
    ) -> Self {
        let name = action.name();
        let tries = if action.retries() { timeout::tries(scene) } else { 1 };
        let seconds = timeout::action(name, scene, share);
        let connection = timeout::connection(name, scene, connection);
        let share = timeout::share(seconds, tries, share);
        let inner = action.populate(scene).into_iter().enumerate();
        let steps = inner
            .map(|(i, action)| {
                Self::build(action, format!("{level}.{}", i + 1), scene, share, connection)
            })
            .collect();
        let requests = scene.block.map(|block| block.requests.as_slice()).unwrap_or_default();
        let requests = requests.iter().filter(|request| request.action == name);
        let requests = requests.cloned().collect();
        let undone = if level.contains('.') { Vec::new() } else { undone(scene) };
        let repeat = scene.block.is_some_and(|block| {
            block.failure_retry.is_none() && block.repeat.is_some() && action.retries()
        });
        Self {
            level,
            action,
            tries,
            repeat,
            timeout: seconds,
            connection_timeout: connection,
            namespace: scene.namespace().to_owned(),
            connection_namespace: scene
                .block
                .map_or("common", Block::connection_namespace)
                .to_owned(),
            requests,
            skip: scene.block.is_some_and(Block::is_skipped_when_late),
            retry_interval: scene.block.and_then(|b| b.retry_interval).unwrap_or(0).into(),
            undone,
            steps,
        }
    }

    /// Each request of the block names an action that it has.
    fn check_requests(&self, block: &Block, top: &At<'_>) {
        let names: Vec<&str> = self.walk().into_iter().map(|step| step.action.name()).collect();
        for request in block.requests.iter().filter(|r| !names.contains(&r.action.as_str())) {
            let at = At { path: format!("{}.protocols", block.path), ..top.clone() };
            at.problem(block.place, none_of(&request.action, &names));
        }
    }

    /// This step and all that are inside it, outermost first.
    pub fn walk(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.steps.iter().flat_map(Self::walk));
        all
    }

    pub fn describe(&self) -> Description {
        Description {
            name: self.action.name().to_owned(),
            level: self.level.clone(),
            max_retries: self.tries,
            timeout: self.timeout,
            url: self.action.url().map(ToOwned::to_owned),
            pipeline: self.steps.iter().map(Self::describe).collect(),
        }
    }
}

/// The boot methods that lead to the console that their block names.
const CHOOSING: [&str; 9] = [
    "barebox",
    "bootloader",
    "depthcharge",
    "grub",
    "grub-efi",
    "ipxe",
    "minimal",
    "new_connection",
    "u-boot",
];

/// What a block asks that cannot be done yet.
fn undone(scene: &Scene<'_>) -> Vec<String> {
    let mut undone = scene.block.map(|block| block.undone.clone()).unwrap_or_default();
    let console = scene.boot().filter(|boot| !CHOOSING.contains(&boot.method.as_str()));
    let console = console.and_then(|boot| boot.connection.as_ref());
    let command = console.and_then(|name| scene.device.connections.get(name));
    if let Some((name, command)) = console.zip(command)
        && scene.device.connect.as_ref() != Some(command)
    {
        undone.push(format!(
            "\"connection: {name}\" is not the board's primary console, and this method leads to no other: \
             those that do are {}",
            CHOOSING.join(", ")
        ));
    }
    undone
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.level, self.action.name())
    }
}
