//! `nbd-deploy`: a root file system that the board reads over the network.

use super::lava_overlay::LavaOverlay;
use super::parts::{Actions, downloads};
use crate::dispatch::action::Scene;
use crate::dispatch::actions::NotYet;

pub(super) fn nbd_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = downloads(scene);
    steps.push(Box::new(LavaOverlay));
    let because = "there is no NBD server for \"to: nbd\"";
    steps.push(Box::new(NotYet { name: "xnbd-server-deploy", because }));
    steps
}
