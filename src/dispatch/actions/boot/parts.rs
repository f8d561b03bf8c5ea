//! Steps that many ways of booting begin or end with.

use super::auto_login::AutoLoginAction;
use super::expect_shell::ExpectShell;
use super::export_env::ExportEnv;
use super::overlay_unpack::OverlayUnpack;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::job::Boot;

pub(super) type Actions = Vec<Box<dyn Action>>;

/// From the kernel's first line to a shell that has the tests' environment; nothing for a boot block
/// without prompts.
pub(super) fn shell(boot: &Boot, scene: &Scene<'_>) -> Actions {
    let mut steps = login(boot);
    if !steps.is_empty() && scene.has_tests() {
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
