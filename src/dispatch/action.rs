//! What an action is: one step of a pipeline.

use futures_util::future::BoxFuture;

use super::context::Context;
use super::device::Device;
use super::error::Error;
use super::job::{Block, Boot, Definition, Deploy, Job, Kind};
use super::validate::Checks;

/// What a run of an action gives; borrows the action and the context.
pub type Running<'a> = BoxFuture<'a, Result<(), Error>>;

/// One action. Its name addresses it in job files, so the names are LAVA's.
///
/// Running an action means [`Action::run`], then its inner steps in order, then [`Action::finish`]. Dropping a run half-way is
/// how time limits end it: an action leaves nothing behind that its cleanup or the end of the job
/// would not remove.
pub trait Action: Send + Sync {
    fn name(&self) -> &'static str;

    /// The URL that the action fetches, for the description of the pipeline.
    fn url(&self) -> Option<&str> {
        None
    }

    /// Whether the action tries its inner steps as often as `failure_retry` says.
    fn retries(&self) -> bool {
        false
    }

    /// Whether it opens a connection to the board where there is none.
    fn connects(&self) -> bool {
        false
    }

    /// Whether it is the lab that is too slow when this takes too long, as LAVA counts it.
    fn is_of_lab(&self) -> bool {
        false
    }

    /// Whether another try can help after this error.
    fn retries_on(&self, error: &Error) -> bool {
        error.is_worth_a_retry()
    }

    /// The steps inside this action.
    fn populate(&self, _scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        Vec::new()
    }

    /// Checks what can be checked before anything is run.
    fn validate<'a>(&'a self, _checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn run<'a>(&'a self, _context: &'a mut Context) -> Running<'a> {
        Box::pin(async { Ok(()) })
    }

    /// Begins what can be done before the action's turn, when its block begins.
    fn ahead(&self, _context: &mut Context) {}

    /// Whether the inner steps are not needed, which is known when the action has run; nor is
    /// [`Action::finish`] then.
    fn skips_steps(&self, _context: &mut Context) -> bool {
        false
    }

    /// What is left to do when the inner steps are done.
    fn finish<'a>(&'a self, _context: &'a mut Context) -> Running<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// What a pipeline is built from: the job, the device, and the block whose actions are made.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub job: &'a Job,
    pub device: &'a Device,
    /// `None` for what is outside of all blocks: `finalize`.
    pub block: Option<&'a Block>,
}

impl<'a> Scene<'a> {
    /// The namespace of the block.
    pub fn namespace(&self) -> &str {
        self.block.map_or("common", Block::namespace)
    }

    /// The deploy block, where it is one; else one without anything.
    pub fn deploy(&self) -> Deploy {
        match self.block.map(|block| &block.kind) {
            Some(Kind::Deploy(deploy)) => (**deploy).clone(),
            _ => Deploy::default(),
        }
    }

    /// The boot block, where it is one.
    pub fn boot(&self) -> Option<&'a Boot> {
        match self.block.map(|block| &block.kind) {
            Some(Kind::Boot(boot)) => Some(boot),
            _ => None,
        }
    }

    /// Whether there are tests for the shell of what this namespace boots, or for a container beside it.
    pub fn has_tests(&self) -> bool {
        !self.test_stages().is_empty()
    }

    /// Whether tests run on what this namespace boots.
    pub fn has_tests_on_board(&self) -> bool {
        let mut blocks = self.job.blocks.iter().filter(|b| b.namespace() == self.namespace());
        blocks.any(|block| matches!(&block.kind, Kind::Test(tests) if !tests.is_empty()))
    }

    /// The type of the kernel that this namespace has deployed up to the block, if the job says. A deployment without
    /// a kernel, as to a medium, changes nothing about it.
    pub fn kernel_type(&self) -> Option<String> {
        let blocks = &self.job.blocks;
        let is_own = |block: &Block| self.block.is_some_and(|own| std::ptr::eq(own, block));
        let end = blocks.iter().position(is_own).map_or(blocks.len(), |own| own + 1);
        let blocks = blocks[..end].iter().filter(|block| block.namespace() == self.namespace());
        blocks.fold(None, |found, block| match &block.kind {
            Kind::Deploy(deploy) => match deploy.artefact("kernel") {
                Some(kernel) => kernel.image_type.clone(),
                None => found,
            },
            _ => found,
        })
    }

    /// Whether what this namespace boots fetches the tests itself.
    pub fn fetches_tests(&self) -> bool {
        let mut blocks = self.job.blocks.iter().filter(|b| b.namespace() == self.namespace());
        blocks.any(|block| match &block.kind {
            Kind::Boot(boot) => boot.transfer_overlay.is_some(),
            _ => false,
        })
    }

    /// The distribution that this namespace deploys, if the job says.
    pub fn os(&self) -> Option<String> {
        use super::job::Kind;
        let blocks = self.job.blocks.iter().filter(|block| block.namespace() == self.namespace());
        blocks.fold(None, |found, block| match &block.kind {
            Kind::Deploy(tftp) => tftp.os.clone().or(found),
            _ => found,
        })
    }

    /// The test blocks with definitions that run on what this namespace deploys and boots, each with
    /// its stage: the how-manieth of them it is. Those that run in a container are among them: LAVA gives each
    /// system all of them.
    pub fn test_stages(&self) -> Vec<(usize, &'a [Definition])> {
        let stages = self.shells().map(|(_, definitions)| definitions).enumerate();
        stages.filter(|(_, definitions)| !definitions.is_empty()).collect()
    }

    /// The stage of the block: how many with definitions there are before it in its namespace. LAVA names
    /// other tests by it, too.
    pub fn stage(&self) -> usize {
        let Some(own) = self.block else { return 0 };
        let before = self.job.blocks.iter().take_while(|block| !std::ptr::eq(*block, own));
        let here = before.filter(|block| block.namespace() == own.namespace());
        let has_definitions =
            |block: &&Block| matches!(block.kind, Kind::Test(_) | Kind::DockerTest { .. });
        here.filter(has_definitions).count()
    }

    /// The blocks of the namespace with definitions.
    fn shells(&self) -> impl Iterator<Item = (&'a Block, &'a [Definition])> {
        let namespace = self.namespace().to_owned();
        let blocks = self.job.blocks.iter().filter(move |block| block.namespace() == namespace);
        blocks.filter_map(|block| match &block.kind {
            Kind::Test(definitions) | Kind::DockerTest { definitions, .. } => {
                Some((block, definitions.as_slice()))
            }
            _ => None,
        })
    }
}
