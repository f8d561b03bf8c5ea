//! `boot-avh`: a model at Arm's service as the board. LAVA starts a container with `websocat` for its console; here the
//! dispatcher speaks WebSocket itself, so that nobody sees the console's key among a program's words.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::expect_shell::ExpectShell;
use super::export_env::ExportEnv;
use super::parts::{Actions, login};
use super::strategies::of;
use crate::client::avh::{Avh, BootOptions, NewInstance};
use crate::config::Secret;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::avh::{ASKING, AvhPackage, MAKING, Rented, new_name, patiently};
use crate::dispatch::connection::WebSocket;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Boot, Kind};
use crate::dispatch::log::Log;
use crate::dispatch::session::Session;
use crate::dispatch::validate::Checks;

/// The models with several consoles, and the one of each that Linux has.
const CONSOLES: [(&str, &str); 1] = [("kronos", "Primary Compute Non-Secure")];
/// How long it takes until an instance's state is asked for again: at first, and at most.
const LOOKING: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(3)];

pub(super) fn avh_steps(scene: &Scene<'_>) -> Actions {
    let boot = of(scene);
    let deployed = scene.job.blocks.iter().any(|block| {
        let is_avh = matches!(&block.kind, Kind::Deploy(deploy) if deploy.to == "avh");
        is_avh && block.namespace() == scene.namespace()
    });
    let mut steps: Actions = vec![Box::new(CallAvh { boot: boot.clone(), deployed })];
    let login = login(boot);
    if !login.is_empty() {
        steps.extend(login);
        if scene.has_tests() {
            steps.push(Box::new(ExpectShell));
            steps.push(Box::new(ExportEnv));
        }
    }
    steps
}

/// `call-avh`: uploads the package, makes an instance of it, and goes to its console.
#[derive(Debug)]
struct CallAvh {
    boot: Boot,
    /// A block before this one deploys to the service.
    deployed: bool,
}

impl Action for CallAvh {
    fn name(&self) -> &'static str {
        "call-avh"
    }

    fn connects(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !self.deployed {
                checks.fault("no block before this one deploys \"to: avh\"");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Job("no block before this one deploys \"to: avh\"".into());
            let package = context.shared().avh.clone().ok_or_else(missing)?;
            // What a try before this one has left.
            for name in context.shared().avh_rented.clone() {
                context.leavings.give_back(&name, &context.log).await;
            }
            // What is still there is tried again at the job's end.
            context.shared().avh_rented.clear();
            // A package may be booted several times, and all that there is of one of them is found by its name.
            let name = new_name(&package.model, &package.version, &context.settings.job_id)
                .map_err(|error| Error::Infrastructure(format!("/dev/urandom: {error}")))?;
            let rented = Rented::of(&package, name);
            context.shared().avh_rented.push(rented.name.clone());
            let avh = package.place.log_in().await?;
            let url = self.rent(&avh, &package, rented, context).await?;
            let allowed = context.device.avh.allows_console(&package.place, &url);
            allowed.map_err(|why| Error::Job(format!("the console: {why}")))?;
            let console = WebSocket::open(&url).await?;
            context.connect(Session::new(Box::new(console), context.log.clone()));
            context.has_booted(self.boot.prompts.clone());
            Ok(())
        })
    }
}

impl CallAvh {
    /// Makes the instance, and gives the URL of its console.
    async fn rent(
        &self,
        avh: &Avh,
        package: &AvhPackage,
        mut rented: Rented,
        context: &mut Context,
    ) -> Result<Secret, Error> {
        let AvhPackage { model, project, version, file, .. } = package;
        let name = rented.name.clone();
        context.leavings.rent(&rented).await;
        context.log.info(format!("uploading {} as {name}", file.display()));
        let image = patiently(MAKING, || avh.upload(&name, project, file)).await?;
        context.log.info(format!("the image is {image}"));
        rented.image = Some(image.clone());
        context.leavings.rent(&rented).await;
        let arguments = &self.boot.bootargs;
        let options = BootOptions {
            normal: arguments.get("normal").map(String::as_str),
            restore: arguments.get("restore").map(String::as_str),
        };
        let build = context.settings.job_id.clone();
        let wanted = NewInstance {
            name: &name,
            project,
            flavor: model,
            fwpackage: &image,
            os: version,
            osbuild: &build,
            boot_options: (options.normal.is_some() || options.restore.is_some())
                .then_some(options),
        };
        let instance = patiently(MAKING, || avh.create(&wanted)).await?;
        context.log.info(format!("the instance is {instance}"));
        context.fact("instance", &instance);
        rented.instance = Some(instance.clone());
        context.leavings.rent(&rented).await;
        until_on(avh, &instance, &context.log).await?;
        console(avh, model, &instance).await
    }
}

/// Waits until the instance is on, for as long as the action may take.
async fn until_on(avh: &Avh, instance: &str, log: &Log) -> Result<(), Error> {
    let (mut pause, mut before) = (LOOKING[0], String::new());
    loop {
        let state = patiently(ASKING, || avh.state(instance)).await?;
        if state != before {
            log.info(format!("the instance is {state}"));
        }
        match state.as_str() {
            "on" => return Ok(()),
            "error" => {
                let told = patiently(ASKING, || avh.instance(instance)).await?.error;
                let why = told.unwrap_or_else(|| "it does not say why".into());
                return Err(Error::Job(format!("the instance has failed: {why}")));
            }
            _ => {}
        }
        log.waits_for(Some(format!("the instance to be on; it is {state}")));
        before = state;
        sleep(pause).await;
        pause = (pause * 2).min(LOOKING[1]);
    }
}

/// The URL of the console that Linux has.
async fn console(avh: &Avh, model: &str, instance: &str) -> Result<Secret, Error> {
    let Some((_, wanted)) = CONSOLES.iter().find(|(several, _)| *several == model) else {
        return Ok(patiently(MAKING, || avh.console(instance)).await?);
    };
    let there = patiently(ASKING, || avh.instance(instance)).await?.consoles;
    let found = there.iter().find(|console| console.name.as_deref() == Some(wanted));
    match found.and_then(|console| console.info.as_deref()) {
        Some(info) => Ok(avh.console_of(info)),
        None => Err(Error::Job(format!("the instance has no console {wanted:?}"))),
    }
}
