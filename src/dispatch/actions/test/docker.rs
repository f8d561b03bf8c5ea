//! `lava-docker-test`: definitions that run in a container of this host instead of on the board, for tests
//! that reach it over USB, its network or its console.
//!
//! The container has the overlay in a folder, the host's USB devices, and the commands that switch the board
//! and connect to it in its environment. Its terminal is the console of these tests; the board's own stays
//! open, and is the console again when they are done.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::shell::run_tests;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::ReadFeedback;
use crate::dispatch::actions::boot::overlay_folder;
use crate::dispatch::actions::deploy::CreateOverlay;
use crate::dispatch::connection::Program;
use crate::dispatch::context::Context;
use crate::dispatch::device::{Device, TestContainer};
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::host::{self, Started};
use crate::dispatch::job::Container;
use crate::dispatch::session::{Session, Wait};
use crate::dispatch::validate::Checks;
use crate::dispatch::watch::Stage;

/// The prompt of the shell in the container, and the expression that finds it.
const PROMPT: (&str, &str) = ("docker-test-shell:$ ", r"docker-test-shell:\$ ");

/// The tests and their container.
#[derive(Debug)]
pub struct DockerTest {
    pub container: Container,
    /// Whose downloads it has, if not its own.
    pub downloads_namespace: Option<String>,
}

/// `lava-docker-test-set-environment`: what tells the tests of the board.
#[derive(Debug)]
struct SetEnvironment;

/// Starts the container with a shell, runs the tests there, and removes it.
#[derive(Debug)]
struct DockerTestShell {
    container: Container,
    downloads_namespace: Option<String>,
    stage: usize,
    /// In a job for several boards it has another name.
    multinode: bool,
}

impl Action for DockerTest {
    fn name(&self) -> &'static str {
        "lava-docker-test"
    }

    fn populate(&self, scene: &Scene<'_>) -> Vec<Box<dyn Action>> {
        let shell = DockerTestShell {
            container: self.container.clone(),
            downloads_namespace: self.downloads_namespace.clone(),
            stage: scene.stage(),
            multinode: scene.job.multinode.is_some(),
        };
        let shell = Box::new(shell);
        vec![Box::new(SetEnvironment), Box::new(CreateOverlay), shell, Box::new(ReadFeedback)]
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            context.set_aside();
            Ok(())
        })
    }

    fn finish<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            context.back_from_aside();
            Ok(())
        })
    }
}

impl Action for SetEnvironment {
    fn name(&self) -> &'static str {
        "lava-docker-test-set-environment"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            context.shared().environment = environment(&context.device.clone());
            Ok(())
        })
    }
}

impl Action for DockerTestShell {
    fn name(&self) -> &'static str {
        if self.multinode { "lava-multinode-docker-test-shell" } else { "lava-docker-test-shell" }
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.docker(&self.container);
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let (id, lava_dir) = (context.settings.job_id.clone(), context.lava_dir());
            let name = format!("lava-docker-test-shell-{id}-{}", context.now.level);
            let missing = || Error::Bug("there is no overlay".into());
            let folder = overlay_folder("container", context)?.ok_or_else(missing)?;
            let overlay = format!("{}{lava_dir}:{lava_dir}", folder.display());
            let downloads = context.downloads_volume(self.downloads_namespace.as_deref());
            let volumes = [overlay].into_iter().chain(downloads).collect::<Vec<_>>();
            let words = words(&self.container, &context.device.docker_test, &id, &name, &volumes);
            context.log.info(format!("host: {}", words.join(" ")));
            let options = context.device.docker_test.global.clone();
            let container = Started { name, options };
            host::add_container(container.clone(), context).await;
            let program = Program::start(&words)?;
            context.enter_container(Session::new(Box::new(program), context.log.clone()));
            let done = self.tests(context).await;
            context.leave_container();
            if host::run(&container.removal(), context).await.is_ok() {
                context.leavings.containers.retain(|other| *other != container);
            }
            done
        })
    }
}

impl DockerTestShell {
    async fn tests(&self, context: &mut Context) -> Result<(), Error> {
        let prompt = Patterns::new([PROMPT.1]).map_err(Error::Bug)?;
        // The image may have to be fetched first, for which there is all of the action's time.
        let what = Some("the shell of the container".to_owned());
        let wait = Wait { connection: None, what, ..context.wait() };
        context.expect(&prompt, &wait).await?;
        let line = format!(". {}/environment", context.lava_dir());
        context.session()?.send_line(&line, std::time::Duration::ZERO).await?;
        context.expect(&prompt, &wait).await?;
        // What tests print there of the board's boots and panics is theirs to judge.
        run_tests(self.stage, Stage::Unjudged, vec![PROMPT.1.into()], Vec::new(), context).await
    }
}

/// What LAVA exports to such tests.
fn environment(device: &Device) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut export = |name: String, value: String| all.insert(name, value);
    for name in ["ANDROID_SERIAL", "LAVA_BOARD_ID"] {
        export(name.into(), device.board_id.clone().unwrap_or_default());
    }
    if let Some(connect) = &device.connect {
        export("LAVA_CONNECTION_COMMAND".into(), connect.clone());
    }
    for (name, connect) in &device.connections {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.chars().all(is_word) {
            export(format!("LAVA_CONNECTION_COMMAND_{}", name.to_uppercase()), connect.clone());
        }
    }
    let commands = &device.commands;
    for (name, commands) in [
        ("HARD_RESET", &commands.hard_reset),
        ("POWER_ON", &commands.power_on),
        ("POWER_OFF", &commands.power_off),
    ] {
        if !commands.is_empty() {
            export(format!("LAVA_{name}_COMMAND"), commands.join(" && "));
        }
    }
    all.retain(|_, value| !value.is_empty());
    all
}

/// The words that start the container.
fn words(
    container: &Container,
    device: &TestContainer,
    job_id: &str,
    name: &str,
    volumes: &[String],
) -> Vec<String> {
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    [
        texts(&["docker"]),
        device.global.clone(),
        texts(&["run"]),
        device.run.clone(),
        texts(&["--rm", "--init", "--interactive", "--tty"]),
        texts(&[if container.local { "--pull=never" } else { "--pull=missing" }]),
        vec![format!("--name={name}"), format!("--env=PS1={}", PROMPT.0)],
        container.options(job_id),
        texts(&["--volume=/dev/bus/usb:/dev/bus/usb", "--device-cgroup-rule=c 189:* rmw"]),
        volumes.iter().map(|volume| format!("--volume={volume}")).collect(),
        vec!["--".into(), container.image.clone()],
        texts(&["bash", "--norc", "-i"]),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_is_in_the_network_of_another_one_and_has_the_devices_options() {
        let container = Container {
            image: "tools".into(),
            network_from: Some("model".into()),
            devices: vec!["/dev/kvm".into()],
            ..Container::default()
        };
        let device =
            TestContainer { global: vec!["--context=lab".into()], run: vec!["--memory=1g".into()] };
        assert_eq!(
            words(&container, &device, "7", "n", &["/x/lava-7:/lava-7".into()]).join(" "),
            "docker --context=lab run --memory=1g --rm --init --interactive --tty --pull=missing --name=n \
             --env=PS1=docker-test-shell:$  --network=container:model-lava-7 --device=/dev/kvm \
             --volume=/dev/bus/usb:/dev/bus/usb --device-cgroup-rule=c 189:* rmw \
             --volume=/x/lava-7:/lava-7 -- tools bash --norc -i"
        );
    }
}
