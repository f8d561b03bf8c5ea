//! `boot-gdb`: a debugger on this host, or in a container of it, loads the image and lets the board go on.
//!
//! The debugger stays until the job or the next try ends, and is listened to: the board stops with it.

use futures_util::future::BoxFuture;

use super::connect_device::Connect;
use super::flash_parts::{files, filled, filled_words};
use super::parts::Actions;
use super::qemu::images;
use super::strategies::{of, reset};
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::actions::WaitUsb;
use crate::dispatch::connection::Program;
use crate::dispatch::context::Context;
use crate::dispatch::device::{Device, GdbWay};
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::host::{self, Started};
use crate::dispatch::job::{Artefact, Boot, Commands};
use crate::dispatch::session::Session;
use crate::dispatch::validate::Checks;

const PROMPT: &str = r"\(gdb\) ";

pub(super) fn gdb_steps(scene: &Scene<'_>) -> Actions {
    vec![Box::new(BootGdb { boot: of(scene).clone(), files: images(scene) })]
}

#[derive(Debug)]
struct BootGdb {
    boot: Boot,
    files: Vec<Artefact>,
}

impl BootGdb {
    /// What the device dictionary has by the job's name for it.
    fn way(&self, device: &Device) -> Result<GdbWay, String> {
        let file = &device.file;
        let Commands::Named(name) = &self.boot.commands else {
            return Err("\"commands\" is the name of a list in the device dictionary".into());
        };
        let ways = &device.flash.gdb.ways;
        let known: Vec<&str> = ways.keys().map(String::as_str).collect();
        let way = ways.get(name).cloned().ok_or_else(|| {
            format!("the device ({file}) has no gdb commands {name:?}; it has {}", known.join(", "))
        })?;
        if way.in_container && self.image(&way).is_none() {
            return Err(format!("the device ({file}) names no container for gdb ({name:?})"));
        }
        if !way.in_container && self.boot.gdb_container.is_some() {
            return Err(format!(
                "\"container\": the device ({file}) uses gdb without one ({name:?})"
            ));
        }
        Ok(way)
    }

    /// The container that gdb runs in: the job's, or the device's own.
    fn image(&self, way: &GdbWay) -> Option<String> {
        let image = self.boot.gdb_container.clone().or_else(|| way.container.clone());
        image.filter(|_| way.in_container)
    }

    /// The words that start gdb, and the container's name.
    fn line(
        &self,
        way: &GdbWay,
        program: &str,
        files: &[(String, std::path::PathBuf)],
        context: &Context,
    ) -> (Vec<String>, Option<String>) {
        let arguments = way.arguments.iter();
        let mut line = vec![program.to_owned()];
        line.extend(arguments.flat_map(|text| filled_words(text, files, str::to_uppercase)));
        let Some(image) = self.image(way) else { return (line, None) };
        let name = format!("lava-{}-{}", context.settings.job_id, context.now.level);
        let folder = context.scratch().display().to_string();
        let mut docker: Vec<String> =
            ["docker", "run", "--rm", "--init", "--interactive", "--tty", "--pull=missing"]
                .map(ToOwned::to_owned)
                .into();
        docker.extend([format!("--name={name}"), format!("--volume={folder}:{folder}")]);
        docker.extend(way.devices.iter().map(|device| format!("--device={device}:{device}:rw")));
        docker.extend(["--".to_owned(), image]);
        docker.extend(line);
        (docker, Some(name))
    }
}

impl Action for BootGdb {
    fn name(&self) -> &'static str {
        "boot-gdb-retry"
    }

    fn retries(&self) -> bool {
        true
    }

    fn populate(&self, scene: &Scene<'_>) -> Actions {
        let mut steps: Actions = match scene.device.commands.hard_reset.is_empty() {
            true => Vec::new(),
            false => vec![reset(scene)],
        };
        steps.push(Box::new(WaitUsb::SERIAL));
        steps.push(Box::new(Connect::device()));
        steps
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let file = checks.device.file.clone();
            let key = "actions: boot: methods: gdb: parameters: command";
            match (self.way(&checks.device), checks.device.flash.gdb.command.clone()) {
                (Err(why), _) => checks.fault(why),
                (_, None) => checks.fault(format!("the device ({file}) has no \"{key}\"")),
                (Ok(way), _) if way.in_container => checks.program("docker"),
                (Ok(_), Some(program)) => checks.program(&program),
            }
        })
    }

    /// One that a try before this has left holds the board's probe.
    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            context.end_beside();
            Ok(())
        })
    }

    fn finish<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let way = self.way(&context.device).map_err(Error::Configuration)?;
            let gdb = context.device.flash.gdb.clone();
            let missing = || Error::Configuration("the device names no gdb".into());
            let program = gdb.command.clone().ok_or_else(missing)?;
            let files = files(&self.files, context)?;
            let (line, container) = self.line(&way, &program, &files, context);
            context.log.info(format!("host: {}", line.join(" ")));
            if let Some(name) = container {
                host::add_container(Started::here(name), context).await;
            }
            let prompt = Patterns::new([PROMPT]).map_err(Error::Bug)?;
            let wait = context.wait();
            let mut session = Session::new(Box::new(Program::start(&line)?), context.log.clone());
            session.expect(&prompt, &wait).await?;
            for command in &way.commands {
                let command = filled(command, &files, str::to_uppercase);
                session.send_line(&command, std::time::Duration::ZERO).await?;
                session.expect(&prompt, &wait).await?;
            }
            tokio::time::sleep(gdb.pause).await;
            session.send_line("continue", std::time::Duration::ZERO).await?;
            context.has_booted(self.boot.prompts.clone());
            context.keep_beside(session.into_connection());
            Ok(())
        })
    }
}
