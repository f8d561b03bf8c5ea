//! `extract-overlay-ramdisk`: the ramdisk without U-Boot's header, ready for the overlay.
//!
//! Nothing is unpacked: the kernel reads several archives one after another, so the overlay is
//! appended to the ramdisk as it came.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use crate::dispatch::action::{Action, Running};
use crate::dispatch::aside::aside;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Artefact;
use crate::image::{cpio, uimage};

/// The ramdisk's place under the job's TFTP folder.
pub(super) const RAMDISK: &str = "ramdisk/ramdisk.cpio";

#[derive(Debug)]
pub(super) struct ExtractRamdisk {
    pub ramdisk: Option<Artefact>,
}

impl Action for ExtractRamdisk {
    fn name(&self) -> &'static str {
        "extract-overlay-ramdisk"
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Some(ramdisk) = &self.ramdisk else { return Ok(()) };
            let Some(source) = context.shared().files.get("ramdisk").cloned() else {
                return Err(Error::Bug("the ramdisk was not downloaded".into()));
            };
            let target = context.tftp_folder().join(RAMDISK);
            let sealed = context.device.add_header.as_deref() == Some("u-boot");
            let (has_header, to) = (ramdisk.header.is_some(), target.clone());
            let copied = aside(move || copy(&source, &to, has_header, sealed));
            copied.await.map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => Error::Job(error.to_string()),
                _ => Error::Infrastructure(format!("{}: {error}", target.display())),
            })?;
            let relative = format!("{}/{RAMDISK}", context.settings.job_id);
            context.shared().tftp.insert("ramdisk".into(), relative);
            Ok(())
        })
    }
}

fn copy(
    source: &std::path::Path,
    target: &std::path::Path,
    has_header: bool,
    sealed: bool,
) -> io::Result<()> {
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut from = File::open(source)?;
    let mut to = File::create(target)?;
    if has_header {
        let mut start = [0; uimage::HEADER];
        let read = from.read(&mut start)?;
        if !uimage::has_header(&start[..read]) {
            let what = "the ramdisk does not begin with U-Boot's header, though the job says so";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        from.seek(SeekFrom::Start(uimage::HEADER as u64))?;
    }
    if sealed {
        // Room for the header, which can only be written when the rest is known.
        to.write_all(&[0; uimage::HEADER])?;
    }
    let length = io::copy(&mut from, &mut to)?;
    let over = (length % cpio::ALIGNMENT) as usize;
    let missing = if over == 0 { 0 } else { cpio::ALIGNMENT as usize - over };
    to.write_all(&[0; cpio::ALIGNMENT as usize][..missing])
}
