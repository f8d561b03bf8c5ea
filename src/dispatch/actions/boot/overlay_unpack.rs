//! `overlay-unpack`: the booted system fetches the overlay and unpacks it.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::overlay_files::Packing;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;
use crate::dispatch::job::Transfer;
use crate::dispatch::serve::Served;
use crate::dispatch::validate::Checks;

/// Where a board has no room for the tests, none of them will be there to run.
const FULL: &str = "No space left on device";

#[derive(Debug)]
pub(super) struct OverlayUnpack {
    pub transfer: Transfer,
}

impl OverlayUnpack {
    fn packing(&self) -> Packing {
        Packing::of(&self.transfer.unpack_command)
    }
}

impl Action for OverlayUnpack {
    fn name(&self) -> &'static str {
        "overlay-unpack"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.program("tar");
            if self.packing() == Packing::Zstd {
                checks.program("zstd");
            }
            if self.transfer.method.as_deref().is_some_and(|method| method != "http") {
                checks.fault("cannot be run yet: \"transfer_method\" of \"transfer_overlay\"");
            }
            for (key, command) in [
                ("download_command", &self.transfer.download_command),
                ("unpack_command", &self.transfer.unpack_command),
            ] {
                if command.is_empty() {
                    checks.fault(format!("\"transfer_overlay\" has no \"{key}\""));
                }
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Bug("there is no overlay".into());
            let archive = super::overlay_files::archive(self.packing(), context)
                .await?
                .ok_or_else(missing)?;
            let host = context.settings.dispatcher_ip.clone();
            let served = Served::new(&archive, &host).await.map_err(|error| {
                Error::Infrastructure(format!("the overlay cannot be served: {error}"))
            })?;
            let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let lines = [
                format!("{} {}", self.transfer.download_command, served.url(&host)),
                format!("{} {name}", self.transfer.unpack_command),
            ];
            let prompts = context.shared().prompts.clone();
            let prompts = Patterns::new(&prompts).map_err(Error::Configuration)?;
            let delay = Duration::from_millis(context.device.boot_character_delay);
            let wait = context.wait();
            let session = context.session()?;
            session.forget();
            let dialogue = async {
                for line in &lines {
                    session.send_line(line, delay).await?;
                    let found = session.expect(&prompts, &wait).await?;
                    if found.before.contains(FULL) {
                        let what = format!("the board said {FULL:?} to {line:?}");
                        return Err(Error::Job(session.told(&what, &prompts, &wait)));
                    }
                }
                Ok(())
            };
            tokio::select! {
                done = dialogue => done,
                () = served.serve() => Err(Error::Bug("the overlay is not served any more".into())),
            }
        })
    }
}
