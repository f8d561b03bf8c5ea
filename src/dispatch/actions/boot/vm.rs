//! `boot-vm`: a virtual machine that is made of an image and begins to run, up to its shell or its SSH server.

mod provider;
mod qemu;
mod seed;

use futures_util::future::BoxFuture;

use self::provider::{Wanted, provider};
use super::parts::{Actions, shell};
use super::strategies::of;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Boot, SshServer};
use crate::dispatch::validate::Checks;
use crate::dispatch::vm::Vm;

/// The artefact that is the machine's disk.
const DISK: &str = "disk";

/// The steps of `boot-vm`.
pub(super) fn vm_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let deployed = super::qemu::images(scene).iter().any(|image| image.name == DISK);
    let context = scene.job.context.clone();
    let mut steps: Actions = vec![Box::new(StartVm { boot: boot.clone(), context, deployed })];
    steps.extend(shell(boot, scene));
    steps
}

/// Has the machine made, and started.
#[derive(Debug)]
struct StartVm {
    boot: Boot,
    /// What the job may have put into the device's template.
    context: Vec<(String, String)>,
    /// The job deploys its disk.
    deployed: bool,
}

impl StartVm {
    /// The worker listens for the machine's SSH server where the dictionary says, and the job may wait for it there.
    fn check_ssh(&self, vm: &Vm, checks: &mut Checks) {
        let Some(asked) = &self.boot.wait_ssh else { return };
        let file = checks.device.file.clone();
        match &vm.ssh {
            Some(own) if own == asked => {}
            Some(SshServer { host, port }) => checks.fault(format!(
                "wait_ssh: the SSH server of this machine is at {host}:{port}, as the device ({file}) says"
            )),
            None => checks.fault(format!(
                "wait_ssh: the device ({file}) has no \"actions: boot: methods: vm: parameters: ssh\", \
                 HOST:PORT, where its SSH server is to be found"
            )),
        }
    }
}

impl Action for StartVm {
    fn name(&self) -> &'static str {
        "start-vm"
    }

    fn connects(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !self.deployed {
                checks.fault(format!("the job deploys no {DISK:?} (\"to: tmpfs\", \"images\")"));
            }
            match checks.device.vm.clone() {
                Some(vm) => {
                    self.check_ssh(&vm, checks);
                    provider(&vm).check(&vm, &self.context, checks).await;
                }
                None => checks.lacks("actions: boot: methods: vm: parameters"),
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Configuration("the device has no virtual machine".into());
            let vm = context.device.vm.clone().ok_or_else(missing)?;
            let missing = || Error::Bug("the disk was not deployed".into());
            let image = context.shared().files.get(DISK).cloned().ok_or_else(missing)?;
            let name = match context.device.hostname.is_empty() {
                true => format!("vm-{}", context.settings.job_id),
                false => context.device.hostname.clone(),
            };
            let keys = self.boot.ssh_keys.clone();
            let wanted = Wanted { vm, image, name, keys, ssh: self.boot.wait_ssh.is_some() };
            context.has_booted(self.boot.prompts.clone());
            provider(&wanted.vm).start(&wanted, context).await
        })
    }
}
