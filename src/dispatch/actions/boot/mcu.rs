//! Microcontroller boards: a program on this host writes the image, and the board starts it.

use super::connect_device::Connect;
use super::parts::Actions;
use super::strategies::reset;
use crate::dispatch::action::{Action, Scene};
use crate::dispatch::actions::NotYet;

fn later(name: &'static str) -> Box<dyn Action> {
    Box::new(NotYet { name, because: "a program on this host that writes a board's flash" })
}

/// `reset-device`, where there is an outlet, and what then has to be waited for.
fn reset_and_wait(scene: &Scene<'_>, wait: &'static str) -> Actions {
    match scene.device.commands.hard_reset.is_empty() {
        true => Vec::new(),
        false => vec![reset(scene), later(wait)],
    }
}

pub(super) fn cmsis_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = reset_and_wait(scene, "wait-device-path");
    steps.push(later("flash-cmsis"));
    steps.push(later("wait-usb-serial"));
    steps.push(Box::new(Connect::device()));
    steps
}

pub(super) fn jlink_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = reset_and_wait(scene, "wait-device-boardid");
    steps.push(Box::new(Connect::device()));
    steps.push(later("flash-jlink"));
    steps
}

pub(super) fn pyocd_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = reset_and_wait(scene, "wait-device-boardid");
    steps.push(Box::new(Connect::device()));
    steps.push(later("flash-pyocd"));
    steps
}

pub(super) fn openocd_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = reset_and_wait(scene, "wait-device-boardid");
    steps.push(Box::new(Connect::device()));
    steps.push(later("flash-openocd"));
    steps
}

pub(super) fn dfu_steps(scene: &Scene<'_>) -> Actions {
    let mut steps: Actions = vec![Box::new(Connect::device())];
    steps.extend(reset_and_wait(scene, "wait-device-boardid"));
    steps.push(later("flash-dfu"));
    steps
}

pub(super) fn musca_steps(scene: &Scene<'_>) -> Actions {
    vec![reset(scene), later("wait-usb-serial"), Box::new(Connect::device())]
}
