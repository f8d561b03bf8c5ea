//! Steps that many ways of booting begin or end with.

use super::auto_login::AutoLoginAction;
use super::expect_shell::ExpectShell;
use super::export_env::ExportEnv;
use super::overlay_unpack::OverlayUnpack;
use super::wait_ssh::WaitForSsh;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::job::Boot;

pub(super) type Actions = Vec<Box<dyn Action>>;

/// From the kernel's first line to a shell that has the tests' environment, and to an SSH server where the boot
/// block wants one; of that nothing for a boot block without prompts.
pub(super) fn shell(boot: &Boot, scene: &Scene<'_>) -> Actions {
    let mut steps = login(boot);
    // Before anything of the job's is typed there.
    let ssh = boot.wait_ssh.iter().map(|server| WaitForSsh { server: server.clone() });
    steps.extend(ssh.map(|wait| Box::new(wait) as Box<dyn Action>));
    if !boot.prompts.is_empty() && scene.has_tests() {
        steps.push(Box::new(ExpectShell));
        steps.extend(unpack(boot));
        steps.push(Box::new(ExportEnv));
    }
    steps
}

/// `auto-login-action`, for a boot block with prompts.
pub(super) fn login(boot: &Boot) -> Actions {
    match boot.prompts.is_empty() {
        true => Vec::new(),
        false => vec![Box::new(AutoLoginAction { boot: boot.clone() })],
    }
}

/// `overlay-unpack`, for a boot block whose system fetches the overlay.
pub(super) fn unpack(boot: &Boot) -> Actions {
    let transfer = boot.transfer_overlay.iter();
    transfer.map(|transfer| Box::new(OverlayUnpack { transfer: transfer.clone() }) as _).collect()
}
