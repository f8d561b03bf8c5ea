//! Booting a board and getting to its shell.

mod auto_login;
mod bootloader_commands;
mod bootloader_interrupt;
mod bootloader_overlay;
mod connect_device;
mod expect_shell;
mod export_env;
mod overlay_drive;
mod qemu;
mod reset_device;
mod uboot;
mod uboot_commands;

pub use qemu::BootImageRetry;
pub use uboot::UbootAction;
