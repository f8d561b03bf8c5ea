//! What a device dictionary says of Qualcomm's download mode.

use super::values::{filled, present, texts};
use crate::config::Table;
use crate::dispatch::job::Text;
use crate::dispatch::usb::UsbDevice;

/// A serial number of this many zeros alone stands for none in LAVA's templates.
const NONE: char = '0';

#[derive(Debug, Clone)]
pub struct Qdl {
    /// The program.
    pub command: String,
    /// Commands of this host that get the board into the mode.
    pub enter: Vec<String>,
    /// By which the program tells one board from the others.
    pub serial: Option<String>,
    /// By which this host knows a board that is in the mode.
    pub usb: UsbDevice,
}

impl Default for Qdl {
    fn default() -> Self {
        let (enter, serial, usb) = (Vec::new(), None, UsbDevice::default());
        Self { command: "qdl".into(), enter, serial, usb }
    }
}

impl Qdl {
    /// Reads the top of a dictionary, and its `actions: boot: methods`.
    pub(super) fn read(top: &Table<'_>, methods: &Table<'_>) -> Self {
        let Some(method) = present(methods, "qdl") else { return Self::default() };
        let parameters = present(&method, "parameters");
        let text = |key: &str| filled::<Text>(top, key).map(|text| text.0);
        let command = parameters.as_ref().and_then(|table| filled::<Text>(table, "command"));
        let serial = text("board_qdl_id").filter(|id| !id.trim_matches(NONE).is_empty());
        Self {
            command: command.map_or_else(|| Self::default().command, |text| text.0),
            enter: parameters.map(|table| texts(&table, "enter-commands")).unwrap_or_default(),
            usb: UsbDevice {
                vendor: text("usb_vendor_id"),
                product: text("usb_product_id"),
                id: serial.as_ref().and_then(|_| text("board_id")),
            },
            serial,
        }
    }
}
