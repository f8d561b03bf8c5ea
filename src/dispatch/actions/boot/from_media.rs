//! `uboot-from-media` and `bootloader-from-media`: a system that is on a medium of the board already.

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::job::{Boot, Media};

#[derive(Debug)]
pub(super) struct FromMedia {
    name: &'static str,
    media: Media,
}

impl FromMedia {
    pub(super) fn uboot(boot: &Boot) -> Self {
        Self { name: "uboot-from-media", media: boot.media.clone() }
    }

    pub(super) fn grub(boot: &Boot) -> Self {
        Self { name: "bootloader-from-media", media: boot.media.clone() }
    }
}

impl Action for FromMedia {
    fn name(&self) -> &'static str {
        self.name
    }

    /// What the block says of the medium stands for what a deployment would have put there.
    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Media { kernel, ramdisk, dtb, root_uuid, boot_part } = self.media.clone();
            let files = &mut context.shared().tftp;
            let found = [
                ("kernel", kernel),
                ("ramdisk", ramdisk),
                ("dtb", dtb),
                ("root", root_uuid),
                ("root_part", boot_part),
            ];
            let found =
                found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            files.extend(found);
            Ok(())
        })
    }
}
