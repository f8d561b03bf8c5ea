//! Deploying: getting files to where the board can fetch them.

mod apply_overlay;
mod compress_overlay;
mod compress_ramdisk;
mod dd_image;
mod device_env;
mod docker;
mod download;
mod extract_ramdisk;
mod fastboot;
mod flasher;
mod git_repo;
mod inline_repo;
mod lava_overlay;
mod mcu;
mod nbd;
mod nfs;
mod parts;
mod persistent_nfs;
mod postprocess;
mod prepare_fit;
pub(super) mod prepare_kernel;
mod prepare_tftp;
mod qdl;
mod scp_overlay;
mod storage;
mod strategies;
mod test_definition;
mod test_overlay;
mod tftp;
mod url_repo;
mod vexpress;

pub(super) use compress_overlay::complete;
pub use strategies::deploy;
