//! `boot-qdl-retry`: flashes a Qualcomm board in its download mode.

use super::connect_device::Connect;
use super::parts::Actions;
use super::strategies::reset;
use crate::dispatch::action::Scene;
use crate::dispatch::actions::NotYet;

pub(super) fn qdl_steps(scene: &Scene<'_>) -> Actions {
    let because = "the board's download mode";
    let mut steps: Actions = vec![Box::new(Connect::device()), reset(scene)];
    let rest = ["enter-qdl", "wait-qdl-device", "flash-qdl"];
    steps.extend(rest.map(|name| Box::new(NotYet { name, because }) as _));
    steps
}
