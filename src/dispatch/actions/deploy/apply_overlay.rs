//! `apply-overlay-tftp`: appends the overlay's archive to the ramdisk.

use std::fs::{File, OpenOptions};
use std::io;

use futures_util::future::BoxFuture;

use super::extract_ramdisk::RAMDISK;
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;

#[derive(Debug)]
pub(super) struct ApplyOverlay {
    pub ramdisk: Option<Artefact>,
}

impl Action for ApplyOverlay {
    fn name(&self) -> &'static str {
        "apply-overlay-tftp"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match &self.ramdisk {
                Some(ramdisk) if ramdisk.install_overlay => {}
                Some(_) => checks.fault("\"install_overlay: false\" leaves no place for the tests"),
                None => checks.fault("there is no ramdisk that the tests could be put into"),
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            if !self.ramdisk.as_ref().is_some_and(|ramdisk| ramdisk.install_overlay) {
                return Ok(());
            }
            let Some(archive) = context.shared().archive.clone() else {
                return Err(Error::Bug("there is no overlay".into()));
            };
            let target = context.tftp_folder().join(RAMDISK);
            let append = || -> io::Result<u64> {
                let mut to = OpenOptions::new().append(true).open(&target)?;
                io::copy(&mut File::open(&archive)?, &mut to)
            };
            let size = append()
                .map_err(|error| Error::Infrastructure(format!("{}: {error}", target.display())))?;
            context.log.info(format!("the overlay adds {size} bytes to the ramdisk"));
            context.fact("size", size.to_string());
            Ok(())
        })
    }
}
