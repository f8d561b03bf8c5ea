//! Booting a board and getting to its shell.

mod auto_login;
mod bootloader_commands;
mod bootloader_interrupt;
mod bootloader_overlay;
mod connect_device;
mod depthcharge_overlay;
mod depthcharge_start;
mod disconnect_device;
mod docker;
mod expect_shell;
mod export_env;
mod fastboot;
mod from_media;
mod fvp;
mod fvp_words;
mod kexec;
mod mcu;
mod menu;
mod overlay_files;
mod overlay_unpack;
mod parts;
mod qdl;
mod recovery;
mod reset_device;
mod ssh;
mod strategies;
mod uboot;
mod uboot_commands;
mod uefi;

pub use bootloader_overlay::Values;
pub use connect_device::ConnectDevice;
pub use disconnect_device::DisconnectDevice;
pub use fastboot::enter_fastboot;
pub use reset_device::ResetDevice;
pub use strategies::boot;
