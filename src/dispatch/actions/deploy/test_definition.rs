//! `test-definition`: fetches each definition and makes its files.

use super::bzr_repo::BzrRepo;
use super::git_repo::GitRepo;
use super::inline_repo::InlineRepo;
use super::test_overlay::{TestInstallOverlay, TestOverlay, TestRunscriptOverlay};
use super::url_repo::{TarRepo, UrlRepo};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::job::{Definition, Source};
use crate::dispatch::suite;

#[derive(Debug)]
pub(super) struct TestDefinition;

/// One definition of the job, and where its run belongs.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub stage: usize,
    /// As `0_smoke`.
    pub run: String,
    pub definition: Definition,
    /// The distribution on the board, if the job says.
    pub os: Option<String>,
}

impl Action for TestDefinition {
    fn name(&self) -> &'static str {
        "test-definition"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let mut steps: Vec<Box<dyn Action>> = Vec::new();
        for planned in planned(scene) {
            steps.push(match &planned.definition.source {
                Source::Git { .. } => Box::new(GitRepo(planned.clone())),
                Source::Inline(_) => Box::new(InlineRepo(planned.clone())),
                Source::Url { .. } => Box::new(UrlRepo(planned.clone())),
                Source::Tar { .. } => Box::new(TarRepo(planned.clone())),
                Source::Bzr { .. } => Box::new(BzrRepo(planned.clone())),
            });
            steps.push(Box::new(TestOverlay(planned.clone())));
            steps.push(Box::new(TestInstallOverlay(planned.clone())));
            steps.push(Box::new(TestRunscriptOverlay(planned)));
        }
        steps
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            context.shared().tests.clear();
            Ok(())
        })
    }
}

/// The definitions of the namespace, numbered through all of its blocks.
fn planned(scene: &Scene<'_>) -> Vec<Planned> {
    let (mut numbers, os) = (0.., scene.os());
    let stages = scene.test_stages().into_iter();
    let plan = stages.flat_map(|(stage, definitions)| {
        let numbered: Vec<_> = definitions.iter().zip(&mut numbers).collect();
        numbered.into_iter().map(move |(definition, number)| (stage, number, definition))
    });
    let plan = plan.map(|(stage, number, definition)| Planned {
        stage,
        run: suite::run(number, &definition.name),
        definition: definition.clone(),
        os: os.clone(),
    });
    plan.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{At, Problems};
    use crate::dispatch::device::Device;
    use crate::dispatch::job::Job;

    const JOB: &str = "job_name: x
visibility: public
timeouts: {job: {minutes: 5}}
actions:
- test: {namespace: a, definitions: [
    {name: smoke, from: inline, path: s, repository: {run: {steps: []}}},
    {name: ltp, from: inline, path: l, repository: {run: {steps: []}}}]}
- test: {namespace: b, definitions: [
    {name: other, from: inline, path: o, repository: {run: {steps: []}}}]}
- test: {namespace: a, interactive: [{name: dhcp, prompts: ['=> '], script: [{command: dhcp}]}]}
- test: {namespace: a, definitions: [
    {name: smoke, from: inline, path: s, repository: {run: {steps: []}}}]}
";

    #[test]
    fn definitions_are_numbered_through_all_blocks_of_their_namespace_as_in_lava() {
        let problems = Problems::default();
        let at = At::top("job.yaml", &problems);
        let job = crate::yaml::parse(JOB, &at).and_then(|node| Job::read(&node, &at));
        let job = problems.check(job).unwrap();
        let device = Device::default();
        let scene =
            |block: usize| Scene { job: &job, device: &device, block: job.blocks.get(block) };
        let runs = |block| {
            let planned = planned(&scene(block)).into_iter();
            planned.map(|planned| (planned.stage, planned.run)).collect::<Vec<_>>()
        };
        let wanted = [(0, "0_smoke"), (0, "1_ltp"), (1, "2_smoke")];
        assert_eq!(runs(0), wanted.map(|(stage, run)| (stage, run.to_owned())));
        assert_eq!(runs(1), [(0, "0_other".to_owned())]);
        // A block with an interactive test is none of them; its scripts have the number of the next one.
        assert_eq!([0, 1, 2, 3].map(|block| scene(block).stage()), [0, 0, 1, 1]);
    }
}
