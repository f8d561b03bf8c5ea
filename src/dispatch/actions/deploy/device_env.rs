//! `deploy-device-env`: the environment is in the overlay already; this is LAVA's place for it.

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;

#[derive(Debug)]
pub(super) struct DeployDeviceEnv;

impl Action for DeployDeviceEnv {
    fn name(&self) -> &'static str {
        "deploy-device-env"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let names: Vec<String> = context.job.environment.keys().cloned().collect();
            if !names.is_empty() {
                context.log.debug(format!("the test shell gets {}", names.join(", ")));
            }
            Ok(())
        })
    }
}
