//! `tftp-deploy`: everything that U-Boot fetches by TFTP.

use futures_util::future::BoxFuture;

use super::device_env::DeployDeviceEnv;
use super::download::DownloadRetry;
use super::lava_overlay::LavaOverlay;
use super::prepare_tftp::PrepareTftpOverlay;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::job::Deploy;
use crate::dispatch::validate::Checks;

#[derive(Debug)]
pub(super) struct TftpDeploy {
    tftp: Deploy,
}

impl TftpDeploy {
    pub(super) fn new(tftp: Deploy) -> Self {
        Self { tftp }
    }
}

impl Action for TftpDeploy {
    fn name(&self) -> &'static str {
        "tftp-deploy"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let has_tests = !scene.test_stages().is_empty();
        let mut steps: Vec<Box<dyn Action>> = Vec::new();
        if has_tests {
            steps.push(Box::new(LavaOverlay));
        }
        for artefact in &self.tftp.artefacts {
            steps.push(Box::new(DownloadRetry::new(artefact.clone())));
        }
        steps.push(Box::new(PrepareTftpOverlay::new(self.tftp.clone())));
        if has_tests {
            steps.push(Box::new(DeployDeviceEnv));
        }
        steps
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.tftp_folder();
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            context.make_scratch().await?;
            context.make_tftp_folder().await?;
            Ok(())
        })
    }
}
