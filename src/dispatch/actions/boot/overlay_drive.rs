//! Mounting the drive with the overlay on a board that got it so.

use std::time::Duration;

use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::expect::Patterns;

/// What the board's shell says when it is done. It is typed in two halves, so that the echo of what was
/// typed is no answer.
const ANSWER: &str = "LAVA_OVERLAY_DRIVE (there|missing)";

/// Mounts the drive, if the job made one.
///
/// # Errors
/// When the board does not find it.
pub(super) async fn mount(context: &mut Context) -> Result<(), Error> {
    let Some(drive) = context.shared().overlay_drive.clone() else { return Ok(()) };
    let (wait, lava_dir) = (context.wait(), context.lava_dir());
    let delay = Duration::from_millis(context.device.test_character_delay);
    let interface = context.device.guest.interface.clone();
    let prompts = context.shared().prompts.clone();
    let session = context.session()?;
    for line in lines(&lava_dir, &drive.uuid) {
        session.send_line(&line, delay).await?;
    }
    let answer = Patterns::new([ANSWER]).map_err(Error::Configuration)?;
    let found = session.expect(&answer, &wait).await?;
    let prompts = Patterns::new(&prompts).map_err(Error::Configuration)?;
    session.expect(&prompts, &wait).await?;
    match found.groups.get(1).map(String::as_str) {
        Some("there") => Ok(()),
        _ => Err(Error::Job(format!(
            "the board finds no drive with the overlay: it was given one on the interface \
             {interface:?} with an ext2 file system, and needs drivers for both"
        ))),
    }
}

/// What is typed. A board with udev knows the drive by its UUID; elsewhere every drive is looked at.
fn lines(lava_dir: &str, uuid: &str) -> [String; 3] {
    let drives = "/dev/vd? /dev/sd? /dev/hd? /dev/xvd? /dev/nvme?n?";
    let runner = format!("{lava_dir}/bin/lava-test-runner");
    [
        format!(
            "mkdir -p {lava_dir}; D=\"/dev/disk/by-uuid/{uuid} $(blkid -U {uuid} 2>/dev/null)\""
        ),
        format!(
            "for d in $D {drives}; do mount -t ext2 $d {lava_dir} 2>/dev/null || continue; \
             [ -e {runner} ] && break; umount {lava_dir}; done"
        ),
        format!(
            "[ -e {runner} ] && echo LAVA_OVERLAY_DRI''VE there || echo LAVA_OVERLAY_DRI''VE missing"
        ),
    ]
}
