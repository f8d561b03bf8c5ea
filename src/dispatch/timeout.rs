//! LAVA's arithmetic of time limits and tries.
//!
//! The later of these wins: the job's `action` (30 s without it), the device's `actions.NAME`, the
//! block's `timeout`, the share of an enclosing retry action, the job's `actions.NAME`, the block's
//! `timeouts.NAME`.

use super::action::Scene;

/// The limit in seconds of an action for which nobody says anything.
pub const DEFAULT_ACTION: u64 = 30;

/// The limit in seconds of the action `name`. `share` is what an enclosing retry action leaves for
/// each try.
pub fn action(name: &str, scene: &Scene<'_>, share: Option<u64>) -> u64 {
    let (job, block) = (&scene.job.timeouts, scene.block);
    let block_named = block.and_then(|block| block.timeouts.get(name).copied());
    let block_limit = block.and_then(|block| block.timeout).map(|limit| limit.seconds);
    block_named
        .or_else(|| job.actions.get(name).copied())
        .or(share)
        .or(block_limit.filter(|seconds| *seconds > 0))
        .or_else(|| scene.device.action_timeouts.get(name).copied())
        .or(job.action)
        .unwrap_or(DEFAULT_ACTION)
}

/// The limit in seconds of each wait on the connection, if there is one but the action's own.
pub fn connection(name: &str, scene: &Scene<'_>, parent: Option<u64>) -> Option<u64> {
    let job = &scene.job.timeouts;
    job.connections
        .get(name)
        .or_else(|| scene.device.connection_timeouts.get(name))
        .copied()
        .or(parent)
        .or(job.connection)
}

/// How often a retry action tries.
pub fn tries(scene: &Scene<'_>) -> u32 {
    let Some(block) = scene.block else { return 1 };
    let device = match block.kind {
        super::job::Kind::Boot(_) => scene.device.boot_retry.or(scene.device.failure_retry),
        _ => scene.device.failure_retry,
    };
    block.failure_retry.or(block.repeat).or(device).unwrap_or(1).max(1)
}

/// What is left for each try of the steps inside an action; passed on from level to level.
pub fn share(seconds: u64, tries: u32, inherited: Option<u64>) -> Option<u64> {
    match tries {
        0 | 1 => inherited.map(|_| seconds),
        tries => Some((seconds / u64::from(tries)).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{At, FromNode as _, Problems};
    use crate::dispatch::device::Device;
    use crate::dispatch::job::{Block, Job, Timeouts};

    use super::*;

    fn read<T>(yaml: &str, read: impl FnOnce(&crate::config::Node, &At<'_>) -> Option<T>) -> T {
        let problems = Problems::default();
        let at = At::top("x.yaml", &problems);
        let value = crate::yaml::parse(yaml, &at).and_then(|node| read(&node, &at));
        problems.check(value).unwrap()
    }

    #[test]
    fn the_limit_that_says_more_wins() {
        let timeouts = "{job: {minutes: 9}, action: {seconds: 1}, actions: {named: {seconds: 5}}}";
        let job = Job {
            file: String::new(),
            name: String::new(),
            device_type: None,
            timeouts: read(timeouts, Timeouts::from_node),
            environment: Default::default(),
            secrets: Default::default(),
            passes: Default::default(),
            multinode: None,
            nbd_port: None,
            debug: Default::default(),
            context: Vec::new(),
            blocks: Vec::new(),
        };
        let device = "timeouts: {actions: {known: {seconds: 2}, named: {seconds: 2}}}";
        let device = read(device, Device::read);
        let scene = Scene { job: &job, device: &device, block: None };
        assert_eq!(action("other", &scene, None), 1);
        assert_eq!(action("known", &scene, None), 2);
        assert_eq!(action("known", &scene, Some(4)), 4);
        assert_eq!(action("named", &scene, Some(4)), 5);

        let block = "test: {definitions: [], failure_retry: 3, timeout: {seconds: 3},
            timeouts: {named: {seconds: 6}}}";
        let block = read(block, Block::from_node);
        let scene = Scene { block: Some(&block), ..scene };
        assert_eq!(action("other", &scene, None), 3);
        assert_eq!(action("known", &scene, None), 3);
        assert_eq!(action("known", &scene, Some(4)), 4);
        assert_eq!(action("named", &scene, Some(4)), 6);
        assert_eq!(tries(&scene), 3);
    }

    #[test]
    fn each_try_gets_its_share_and_passes_it_on() {
        assert_eq!(share(300, 3, None), Some(100));
        assert_eq!(share(100, 1, Some(100)), Some(100));
        assert_eq!(share(100, 2, Some(100)), Some(50));
        assert_eq!(share(300, 1, None), None);
    }
}
