//! `login-ssh` and `schroot-login`: a machine that is reached by ssh.

use super::auto_login::AutoLoginAction;
use super::expect_shell::ExpectShell;
use super::export_env::ExportEnv;
use super::parts::Actions;
use super::strategies::of;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::NotYet;
use crate::dispatch::job::Boot;

fn later(name: &'static str) -> Box<dyn Action> {
    Box::new(NotYet { name, because: "a machine that is reached by ssh" })
}

pub(super) fn ssh_steps(scene: &Scene<'_>) -> Actions {
    let mut steps: Actions = ["scp-deploy", "prepare-ssh", "ssh-connection"].map(later).into();
    steps.push(Box::new(AutoLoginAction { boot: of(scene).clone() }));
    steps.push(Box::new(ExpectShell));
    steps.push(Box::new(ExportEnv));
    steps.push(later("scp-overlay-unpack"));
    steps
}

/// Enters a chroot of the machine.
#[derive(Debug)]
pub(super) struct SchrootLogin {
    pub boot: Boot,
}

impl Action for SchrootLogin {
    fn name(&self) -> &'static str {
        "schroot-login"
    }
}
