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
