//! The boot loader's network, which is a folder: `dhcp` and `tftpboot`.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use super::commands::{interrupt, usage};
use super::{Loader, Next, memory};
use crate::sim::line::Uart;

/// The largest file that is loaded, in bytes.
const MAX_FILE: u64 = memory::SIZE as u64;
/// What one `#` of a transfer stands for, in bytes, and how long that takes: 5 MiB/s.
const HASH: usize = 14_680;
const HASH_TIME: Duration = Duration::from_micros(2_800);
/// The network the board believes to be in.
const ADDRESS: &str = "10.0.2.15";
const SERVER: &str = "10.0.2.2";

impl Loader {
    pub(super) async fn dhcp(&mut self, uart: &mut Uart) -> Next {
        uart.print("BOOTP broadcast 1\n").await;
        if uart.pause(Duration::from_millis(250)).await {
            return interrupt(uart).await;
        }
        self.env.set("ipaddr", ADDRESS);
        self.env.set("netmask", "255.255.255.0");
        if self.env.get("serverip").is_none() {
            self.env.set("serverip", SERVER);
        }
        uart.print(&format!("DHCP client bound to address {ADDRESS} (250 ms)\n")).await;
        Next::Command(true)
    }

    pub(super) async fn tftpboot(&mut self, uart: &mut Uart, arguments: &[&str]) -> Next {
        let default = self.env.get("loadaddr").or(self.env.get("kernel_addr_r"));
        let (address, file) = match *arguments {
            [address, file] => (address, file),
            [file] => (default.unwrap_or("40400000"), file),
            _ => {
                uart.print(&usage("tftpboot [ADDR] [[HOST:]FILE]")).await;
                return Next::Command(false);
            }
        };
        let address = address.to_owned();
        let file = file.rsplit_once(':').map_or(file, |(_, file)| file);
        for name in ["ipaddr", "serverip"] {
            if self.env.get(name).is_none() {
                uart.print(&format!("*** ERROR: `{name}' not set\n")).await;
                return Next::Command(false);
            }
        }
        let server = self.env.get("serverip").unwrap_or(SERVER);
        let head = format!(
            "Using virtual-net#32 device\nTFTP from server {server}; our IP address is {ADDRESS}\n\
             Filename '{file}'.\nLoad address: 0x{address}\nLoading: "
        );
        uart.print(&head).await;
        let loaded = match self.fetch(file).await {
            Ok(content) => {
                for hash in 0..content.len().div_ceil(HASH) {
                    if hash > 0 && hash % 65 == 0 {
                        uart.print("\n\t ").await;
                    }
                    uart.print("#").await;
                    if uart.pause(HASH_TIME).await {
                        return interrupt(uart).await;
                    }
                }
                let size = content.len();
                self.place(&address, content).map(|()| {
                    format!("\n\t 5 MiB/s\ndone\nBytes transferred = {size} ({size:x} hex)\n")
                })
            }
            Err(error) => Err(error),
        };
        let (Ok(text) | Err(text)) = &loaded;
        uart.print(text).await;
        Next::Command(loaded.is_ok())
    }

    /// Reads a file of the folder, and of nowhere else.
    async fn fetch(&self, file: &str) -> Result<Bytes, String> {
        let not_found = || "\nTFTP error: 'File not found' (1)\nNot retrying...\n".to_owned();
        let path = self.path(file).ok_or_else(not_found)?;
        match tokio::fs::metadata(&path).await {
            Ok(found) if found.is_file() && found.len() <= MAX_FILE => {}
            _ => return Err(not_found()),
        }
        tokio::fs::read(&path).await.map(Bytes::from).map_err(|_| not_found())
    }

    fn path(&self, file: &str) -> Option<PathBuf> {
        let inside = Path::new(file.trim_start_matches('/'));
        let stays = inside.components().all(|part| matches!(part, Component::Normal(_)));
        self.files.as_ref().filter(|_| stays).map(|folder| folder.join(inside))
    }
}
