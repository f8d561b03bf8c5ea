//! Files for boards: download with checksum, unpack, cpio archives, CDs, ext file systems, QEMU's disks, U-Boot's
//! header, and the servers they are had from (TFTP, NBD).

mod cache;
pub mod cpio;
pub mod ext;
mod fetch;
mod files;
pub mod iso;
pub mod nbd;
pub mod qcow2;
pub mod tftp;
pub mod tree;
pub mod uimage;
pub mod unpack;
pub mod volume;

pub use fetch::{Digest, Fetch, FetchError, Got, Told, Wanted};
pub use files::{Files, NotAllowed};
