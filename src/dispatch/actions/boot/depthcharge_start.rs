//! `depthcharge-start`: waits for the line with which depthcharge begins.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::validate::Checks;

#[derive(Debug)]
pub(super) struct DepthchargeStart;

impl Action for DepthchargeStart {
    fn name(&self) -> &'static str {
        "depthcharge-start"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let loader = checks.device.loader("depthcharge");
            checks.pattern("the device's depthcharge", &loader.start_message);
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let loader = context.device.loader("depthcharge");
            let wait = context.wait();
            let start = Patterns::new([loader.start_message]).map_err(Error::Configuration)?;
            let prompts = Patterns::new(&loader.prompts).map_err(Error::Configuration)?;
            let session = context.session()?;
            session.expect(&start, &wait).await?;
            session.expect(&prompts, &wait).await.map(drop)
        })
    }
}
