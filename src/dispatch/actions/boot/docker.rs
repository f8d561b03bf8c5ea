//! `boot-docker`: a container as the board.

use super::expect_shell::ExpectShell;
use super::export_env::ExportEnv;
use super::parts::Actions;
use crate::dispatch::action::Scene;
use crate::dispatch::actions::NotYet;

pub(super) fn docker_steps(scene: &Scene<'_>) -> Actions {
    let because = "a container as the board";
    let mut steps: Actions = vec![Box::new(NotYet { name: "docker-run", because })];
    if scene.has_tests() {
        steps.push(Box::new(ExpectShell));
        steps.push(Box::new(ExportEnv));
    }
    steps
}
