//! `connect-device`: attaches to the board's console, or to another one of its consoles.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::connection;
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::error::Error;
use crate::dispatch::session::Session;
use crate::dispatch::validate::Checks;
use crate::model::event::Phase;

/// Attaches, unless that is done.
#[derive(Debug)]
pub struct Connect {
    name: &'static str,
    /// To the console of this name, not to the board's own.
    console: Option<String>,
}

impl Connect {
    /// `connect-device`.
    pub fn device() -> Self {
        Self { name: "connect-device", console: None }
    }

    /// `connect-device` of a boot method: to the console that the block names, where it is one of the device's. LAVA
    /// has words there that name none, such as `serial`.
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let named = scene.boot().and_then(|boot| boot.connection.clone());
        let console = named.filter(|name| scene.device.connections.contains_key(name));
        Self { console, ..Self::device() }
    }

    /// `connect-device` of `new_connection`: to the console of this name, if it has one.
    pub(super) fn named(console: Option<String>) -> Self {
        Self { console, ..Self::device() }
    }

    /// `menu-connect`: the same, for boards whose firmware has menus.
    pub(super) fn menu() -> Self {
        Self { name: "menu-connect", console: None }
    }
}

impl Action for Connect {
    fn name(&self) -> &'static str {
        self.name
    }

    fn connects(&self) -> bool {
        true
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(check(self.console.as_deref(), checks))
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(connect(self.console.as_deref(), context))
    }
}

/// The command that leads to a console.
fn command(console: Option<&str>, device: &Device) -> Result<String, String> {
    let missing = || "the device has no \"commands: connect\"".to_owned();
    let Some(name) = console else { return device.connect.clone().ok_or_else(missing) };
    let known: Vec<&str> = device.connections.keys().map(String::as_str).collect();
    device.connections.get(name).cloned().ok_or_else(|| {
        let (file, known) = (&device.file, known.join(", "));
        format!("the device ({file}) has no \"commands: connections: {name}\"; it has {known:?}")
    })
}

/// Notes what is wrong with the way to a console.
pub(super) async fn check(console: Option<&str>, checks: &mut Checks) {
    let target = command(console, &checks.device);
    match target.and_then(|command| connection::Target::parse(&command)) {
        Ok(target) => {
            if let Err(error) = target.find(&checks.settings.clone()).await {
                checks.error(error);
            }
        }
        Err(why) => checks.fault(why),
    }
}

async fn connect(console: Option<&str>, context: &mut Context) -> Result<(), Error> {
    if context.is_connected() {
        return Ok(());
    }
    context.forget_lost_console();
    let command = command(console, &context.device).map_err(Error::Configuration)?;
    if context.join(&command) {
        return Ok(());
    }
    let target = connection::Target::parse(&command).map_err(Error::Configuration)?;
    let settings = context.settings.clone();
    let (connection, timeline) = target.open(&settings).await?;
    context.log.info(format!("connected: {command}"));
    context.connect_to(&command, Session::new(connection, context.log.clone()));
    if context.timeline.is_none() {
        if let Some(timeline) = &timeline {
            timeline.job(Phase::Begin).await;
        }
        context.timeline = timeline;
    }
    Ok(())
}
