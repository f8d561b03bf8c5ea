//! `boot-fvp`: an Arm Fixed Virtual Platform, a model that runs in a container.

use super::expect_shell::ExpectShell;
use super::parts::{Actions, login, unpack};
use super::strategies::of;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::{Group, NotYet, ReadFeedback};

fn later(name: &'static str) -> Box<dyn Action> {
    Box::new(NotYet { name, because: "a model in a container" })
}

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
    if fvp.erpc_app.is_some() {
        steps.push(later("run-fvp-erpc-app"));
    }
    if !fvp.commands.is_empty() {
        steps.push(later("run-fvp-shell-commands"));
    }
    steps
}

fn main_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = vec![later("check-fvp-version"), later("run-fvp")];
    if of(scene).fvp.as_ref().is_some_and(|fvp| fvp.use_telnet) {
        steps.push(later("fvp-serial-connect"));
        steps.push(Box::new(ReadFeedback));
    }
    steps
}
