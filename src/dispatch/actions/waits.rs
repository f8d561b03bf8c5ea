//! `wait-device-boardid` and its like: until this host has the board, its serial port or its disk on USB.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::device::Device;
use crate::dispatch::disk::Disk;
use crate::dispatch::usb::UsbDevice;
use crate::dispatch::validate::Checks;

/// One that waits.
#[derive(Debug, Clone, Copy)]
pub struct WaitUsb {
    name: &'static str,
    what: What,
}

/// For what.
#[derive(Debug, Clone, Copy)]
enum What {
    /// Anything that has the board's name.
    BoardId,
    /// The board in a mode in which it takes images.
    Board,
    /// Its serial port.
    Serial,
    /// Its disk, by what the dictionary says of that.
    Labelled,
    Probe,
    Musca,
}

impl WaitUsb {
    pub const BOARD_ID: Self = Self { name: "wait-device-boardid", what: What::BoardId };
    pub const DFU: Self = Self { name: "wait-dfu-device", what: What::Board };
    pub const SERIAL: Self = Self { name: "wait-usb-serial", what: What::Serial };
    pub const LABELLED: Self = Self { name: "wait-usb-mass-storage-device", what: What::Labelled };
    pub const PROBE: Self = Self { name: "wait-device-path", what: What::Probe };
    pub const MUSCA: Self = Self { name: "wait-musca-path", what: What::Musca };

    /// What is missing in the dictionary, if anything is.
    fn missing(self, device: &Device) -> Option<&'static str> {
        let flash = &device.flash;
        let has = match self.what {
            What::BoardId => flash.board.id.is_some() || !flash.waits_for_board,
            What::Board => flash.board.id.is_some() && flash.board.vendor.is_some(),
            What::Serial => flash.board.is_known(),
            What::Labelled => flash.label.is_some(),
            What::Probe => flash.cmsis.disk.is_some(),
            What::Musca => flash.musca_disk.is_some(),
        };
        (!has).then_some(match self.what {
            What::BoardId => "board_id",
            What::Board => "board_id, usb_vendor_id and usb_product_id",
            What::Serial => "board_id, usb_vendor_id or usb_product_id",
            What::Labelled => "usb_filesystem_label",
            What::Probe => "actions: boot: methods: cmsis-dap: parameters: usb_mass_device",
            What::Musca => "actions: deploy: methods: musca: id_serial",
        })
    }

    async fn wait(self, context: &mut Context) {
        let flash = context.device.flash.clone();
        let sysfs = context.settings.sysfs.clone();
        let sysfs = sysfs.as_deref();
        let by_id = UsbDevice { id: flash.board.id.clone(), ..UsbDevice::default() };
        let disk = match self.what {
            What::Labelled => flash.label.as_deref().map(Disk::labelled),
            What::Probe => flash.cmsis.disk.as_deref().map(Disk::of),
            What::Musca => flash.musca_disk.as_deref().map(Disk::of),
            What::BoardId | What::Board | What::Serial => None,
        };
        let board = if matches!(self.what, What::BoardId) { by_id } else { flash.board };
        let told = disk.as_ref().map_or_else(|| board.to_string(), ToString::to_string);
        let told = match self.what {
            What::Serial => format!("the serial port ({}) of {told}", flash.serial_driver),
            _ => told,
        };
        if matches!(self.what, What::BoardId) && !flash.waits_for_board {
            context.log.info("the device says that it is not to be waited for the board");
            return;
        }
        context.log.info(format!("waiting for {told}"));
        context.log.waits_for(Some(told));
        match (self.what, disk) {
            (_, Some(disk)) => disk.there().await,
            (What::Serial, None) => {
                board.driven_by(&flash.serial_driver, sysfs).await;
                tokio::time::sleep(flash.serial_pause).await;
            }
            (_, None) => board.there(sysfs).await,
        }
        context.log.waits_for(None);
    }
}

impl Action for WaitUsb {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_of_lab(&self) -> bool {
        true
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(key) = self.missing(&checks.device) {
                checks.lacks(key);
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            self.wait(context).await;
            Ok(())
        })
    }
}
