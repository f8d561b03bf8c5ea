//! `nbd-deploy`: a root file system that the board reads over the network, and `xnbd-server-deploy`, which
//! serves it. The server is our own; it only reads, so that several boards may have the same.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use futures_util::future::BoxFuture;

use super::compress_ramdisk::CompressRamdisk;
use super::extract_ramdisk::ExtractRamdisk;
use super::lava_overlay::LavaOverlay;
use super::parts::{Actions, downloads};
use super::prepare_tftp::place_for_tftp;
use crate::dispatch::action::{Action, Running, Scene};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Deploy, Overlay};
use crate::dispatch::validate::Checks;
use crate::image::nbd;

/// The artefact that is served.
const ROOT: &str = "nbdroot";
/// The artefact that is the board's first root, which mounts the other one.
const INITRD: &str = "initrd";

pub(super) fn nbd_steps(scene: &Scene<'_>) -> Actions {
    let mut steps = downloads(scene);
    steps.push(Box::new(LavaOverlay));
    steps.push(Box::new(NbdServer {
        deploy: scene.deploy(),
        port: scene.job.nbd_port,
        tests_get_lost: scene.has_tests_on_board() && !scene.fetches_tests(),
    }));
    steps
}

#[derive(Debug)]
struct NbdServer {
    deploy: Deploy,
    /// What the job says; a free one without it.
    port: Option<u16>,
    /// There are tests, and the board is not told to fetch them.
    tests_get_lost: bool,
}

impl Action for NbdServer {
    fn name(&self) -> &'static str {
        "xnbd-server-deploy"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            checks.tftp_folder();
            if self.tests_get_lost {
                checks.fault(
                    "the root file system is only read, so the tests cannot be put into it: the boot \
                     block needs \"transfer_overlay\", with which the board fetches them",
                );
            }
            let root = self.deploy.artefact(ROOT);
            if root.is_some_and(|root| root.overlays.iter().any(|o| matches!(o, Overlay::Lava))) {
                checks.fault(format!(
                    "{ROOT}: \"overlays: lava\": LAVA makes the tests after it has fetched the root file \
                     system; say \"transfer_overlay\" in the boot block instead"
                ));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            place_for_tftp(&self.deploy.artefacts, context)?;
            self.ramdisk(context).await?;
            let missing = || Error::Bug(format!("{ROOT} was not downloaded"));
            let root = context.shared().files.get(ROOT).cloned().ok_or_else(missing)?;
            let (server, port) = (context.settings.dispatcher_ip.clone(), self.port.unwrap_or(0));
            let own = server.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            // A board behind QEMU's own network knows this host by an address that it has not, and comes
            // from here.
            let started = match nbd::Server::start(SocketAddr::new(own, port), &root).await {
                Ok(started) => Ok(started),
                Err(_) => nbd::Server::start((Ipv4Addr::LOCALHOST, port).into(), &root).await,
            };
            let started = started.map_err(|error| {
                Error::Infrastructure(format!("no NBD server at {server}, port {port}: {error}"))
            })?;
            let address = started.address();
            context.log.info(format!("{ROOT} is served by NBD at {address}, to be read only"));
            context.shared().tftp.insert("nbd_port".into(), address.port().to_string());
            context.nbd_servers.push(started);
            Ok(())
        })
    }
}

impl NbdServer {
    /// The first root becomes what the boot commands call the ramdisk.
    async fn ramdisk(&self, context: &mut Context) -> Result<(), Error> {
        let Some(initrd) = self.deploy.artefact(INITRD) else { return Ok(()) };
        let Some(file) = context.shared().files.get(INITRD).cloned() else { return Ok(()) };
        context.shared().files.insert("ramdisk".into(), file);
        let ramdisk = Artefact { name: "ramdisk".into(), ..initrd.clone() };
        ExtractRamdisk { ramdisk: Some(ramdisk) }.run(context).await?;
        CompressRamdisk.run(context).await
    }
}
