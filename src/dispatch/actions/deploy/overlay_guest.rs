//! `apply-overlay-guest`: the overlay as one more drive of a QEMU, where no image of the job takes it.

use std::path::Path;

use futures_util::future::BoxFuture;

use super::append_overlays::ext_error;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::{Context, OverlayDrive};
use crate::dispatch::error::Error;
use crate::dispatch::validate::Checks;
use crate::image::{ext, tree};

const MIB: u64 = 1024 * 1024;
/// Where the kernel gives a new UUID to everybody who asks.
const NEW_UUID: &str = "/proc/sys/kernel/random/uuid";

#[derive(Debug)]
pub(super) struct ApplyOverlayGuest {
    /// An image of the job takes the overlay.
    pub elsewhere: bool,
}

impl Action for ApplyOverlayGuest {
    fn name(&self) -> &'static str {
        "apply-overlay-guest"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !self.elsewhere {
                ext::PROGRAMS.iter().for_each(|program| checks.program(program));
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if context.shared().overlay_is_in {
                return Ok(());
            }
            let (scratch, lava_dir) = (context.scratch(), context.lava_dir());
            let root = scratch.join(format!("{}-guest", context.now.namespace));
            let image = scratch.join(format!("{}-guest.ext2", context.now.namespace));
            let failed = |error: std::io::Error| {
                Error::Infrastructure(format!("the drive with the overlay: {error}"))
            };
            let _ = std::fs::remove_dir_all(&root);
            std::fs::create_dir_all(&root).map_err(failed)?;
            context.shared().overlay.spill(&root).map_err(failed)?;
            // The drive is mounted at the overlay's folder.
            let inside = tree::inside(&root, &lava_dir);
            let entries = tree::entries(inside.as_deref().unwrap_or(Path::new("/")));
            let entries = entries.map_err(failed)?;
            let uuid = std::fs::read_to_string(NEW_UUID).map_err(failed)?.trim().to_owned();
            let size = context.device.guest.size.saturating_mul(MIB);
            ext::make(&image, size, &uuid).await.map_err(|error| ext_error(&error))?;
            ext::add(&image, None, &entries).await.map_err(|error| ext_error(&error))?;
            std::fs::remove_dir_all(&root).map_err(failed)?;
            context.shared().overlay_drive = Some(OverlayDrive { image, uuid });
            Ok(())
        })
    }
}
