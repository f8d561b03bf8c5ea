//! Deploying: getting files to where the board can fetch them.

mod append_overlays;
mod apply_overlay;
mod compress_overlay;
mod compress_ramdisk;
mod device_env;
mod download;
mod extract_ramdisk;
mod git_repo;
mod inline_repo;
mod lava_overlay;
mod overlay_guest;
mod parts;
pub(super) mod prepare_kernel;
mod prepare_tftp;
mod test_definition;
mod test_overlay;
mod tftp;
mod tmpfs;

pub use tftp::TftpDeploy;
pub use tmpfs::DeployImages;
