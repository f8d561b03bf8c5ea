//! Files for boards: download with checksum, unpack, cpio archives, U-Boot's header.

pub mod cpio;
mod fetch;
pub mod uimage;
pub mod unpack;

pub use fetch::{Digest, Fetch, FetchError};
