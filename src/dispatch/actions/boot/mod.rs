//! Booting a board and getting to its shell.

mod auto_login;
mod bootloader_commands;
mod bootloader_interrupt;
mod bootloader_overlay;
mod connect_device;
mod expect_shell;
mod export_env;
mod reset_device;
mod uboot;
mod uboot_commands;

pub use uboot::UbootAction;
