//! `connect-device`: attaches to the board's console.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::connection;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::session::Session;
use crate::dispatch::validate::Checks;
use crate::model::event::Phase;

#[derive(Debug)]
pub struct ConnectDevice;

/// `menu-connect`: the same, for boards whose firmware has menus.
#[derive(Debug)]
pub(super) struct ConnectMenu;

impl Action for ConnectMenu {
    fn name(&self) -> &'static str {
        "menu-connect"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        ConnectDevice.validate(checks)
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        ConnectDevice.run(context)
    }
}

impl Action for ConnectDevice {
    fn name(&self) -> &'static str {
        "connect-device"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match checks.device.connect.clone() {
                None => checks.fault("the device has no \"commands: connect\""),
                Some(connect) => {
                    let settings = checks.settings.clone();
                    match connection::Target::parse(&connect) {
                        Ok(target) => {
                            if let Err(error) = target.find(&settings).await {
                                checks.error(error);
                            }
                        }
                        Err(why) => checks.fault(why),
                    }
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if context.is_connected() {
                return Ok(());
            }
            let missing = || Error::Configuration("the device has no \"connect\"".into());
            let connect = context.device.connect.clone().ok_or_else(missing)?;
            let target = connection::Target::parse(&connect).map_err(Error::Configuration)?;
            let settings = context.settings.clone();
            let (connection, timeline) = target.open(&settings).await?;
            context.log.info(format!("connected: {connect}"));
            context.connect(Session::new(connection, context.log.clone()));
            if let Some(timeline) = &timeline {
                timeline.job(Phase::Begin).await;
            }
            context.timeline = timeline;
            Ok(())
        })
    }
}
