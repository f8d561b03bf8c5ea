//! `boot-docker`: a container as the board.

use futures_util::future::BoxFuture;

use super::expect_shell::ExpectShell;
use super::export_env::ExportEnv;
use super::parts::Actions;
use super::strategies::of;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::connection::Program;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::host::{self, Started};
use crate::dispatch::job::{Boot, Container, Kind};
use crate::dispatch::session::Session;
use crate::dispatch::validate::Checks;

pub(super) fn docker_steps(scene: &Scene<'_>) -> Actions {
    let deployed = scene.job.blocks.iter().filter(|block| block.namespace() == scene.namespace());
    let image = deployed.fold(None, |found, block| match &block.kind {
        Kind::Deploy(deploy) if deploy.to == "docker" => deploy.container.clone(),
        _ => found,
    });
    let mut steps: Actions = vec![Box::new(DockerRun { boot: of(scene).clone(), image })];
    if scene.has_tests() {
        steps.push(Box::new(ExpectShell));
        steps.push(Box::new(ExportEnv));
    }
    steps
}

/// `docker-run`: starts the container; its terminal is the console.
#[derive(Debug)]
struct DockerRun {
    boot: Boot,
    /// What the job deploys.
    image: Option<Container>,
}

impl Action for DockerRun {
    fn name(&self) -> &'static str {
        "docker-run"
    }

    fn connects(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("docker");
            if self.image.is_none() {
                checks.fault("no block before this one deploys \"to: docker\"");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Configuration("there is no container image".into());
            let image = self.image.as_ref().ok_or_else(missing)?;
            let folder = super::overlay_files::folder("board", context)?;
            let lava_dir = context.lava_dir();
            let overlay = folder.map(|folder| format!("{}{lava_dir}:{lava_dir}", folder.display()));
            let name = format!("lava-docker-{}-{}", context.settings.job_id, context.now.level);
            let command = self.boot.command.as_deref().unwrap_or("bash");
            let mut options = context.device.docker.words();
            let kept = context.downloads_volume(self.boot.downloads.as_deref());
            options.extend(kept.map(|volume| format!("--volume={volume}")));
            let words = words(options, image, &name, overlay.as_deref(), command);
            context.log.info(format!("host: {}", words.join(" ")));
            host::add_container(Started::here(name), context).await;
            let session = Session::new(Box::new(Program::start(&words)?), context.log.clone());
            context.connect(session);
            context.has_booted(self.boot.prompts.clone());
            Ok(())
        })
    }
}

/// The words that start the container, within the limits of the device.
fn words(
    options: Vec<String>,
    image: &Container,
    name: &str,
    overlay: Option<&str>,
    command: &str,
) -> Vec<String> {
    let mut words: Vec<String> =
        ["docker", "run", "--rm", "--init", "--interactive", "--tty", "--hostname", "lava"]
            .map(ToOwned::to_owned)
            .into();
    words.push(if image.local { "--pull=never" } else { "--pull=missing" }.into());
    words.push(format!("--name={name}"));
    words.extend(options);
    words.extend(overlay.map(|overlay| format!("--volume={overlay}")));
    // What follows is no option, whatever the job calls its image.
    words.extend(["--".to_owned(), image.image.clone()]);
    words.extend(shlex::split(command).unwrap_or_default());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::device::DockerOptions;

    #[test]
    fn the_container_has_the_devices_limits_and_the_tests() {
        let options = DockerOptions {
            cpus: 1.5,
            memory_mib: 512,
            volumes: vec!["/srv:/srv".into()],
            ..DockerOptions::default()
        };
        let image = Container { image: "archlinux".into(), ..Container::default() };
        let words =
            words(options.words(), &image, "lava-docker-7-2.1", Some("/x/lava-7:/lava-7"), "bash");
        assert_eq!(
            words.join(" "),
            "docker run --rm --init --interactive --tty --hostname lava --pull=missing \
             --name=lava-docker-7-2.1 --cpus=1.5 --memory=512m --volume=/srv:/srv \
             --volume=/x/lava-7:/lava-7 -- archlinux bash"
        );
    }
}
