//! Feature reports of HID devices, which are not read and written as others are.

use std::ffi::c_void;
use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Direction, Ioctl, IoctlOutput, Opcode, ioctl, opcode};

/// `HIDIOCSFEATURE` and `HIDIOCGFEATURE` of `linux/hidraw.h`, without the length.
const SET: u8 = 0x06;
const GET: u8 = 0x07;

/// Sends a feature report. Its first byte is the report's number, 0 for a device that has no numbers.
///
/// # Errors
/// What the system says: `EPIPE` when the device does not want it, `ENODEV` when it is gone.
pub fn set_feature(device: impl AsFd, report: &mut [u8]) -> io::Result<()> {
    // SAFETY: the report is as long as its ioctl says, and lives until this returns.
    unsafe { ioctl(device, Feature { number: SET, report }) }?;
    Ok(())
}

/// Asks for a feature report, whose number is the first byte; gives its length with that byte.
///
/// # Errors
/// As [`set_feature`].
pub fn get_feature(device: impl AsFd, report: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the report is as long as its ioctl says, and lives until this returns.
    Ok(unsafe { ioctl(device, Feature { number: GET, report }) }?)
}

struct Feature<'a> {
    number: u8,
    report: &'a mut [u8],
}

// SAFETY: the kernel reads and writes as many bytes as the opcode says, which is the report's length.
unsafe impl Ioctl for Feature<'_> {
    type Output = usize;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::from_components(Direction::ReadWrite, b'H', self.number, self.report.len())
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.report.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(length: IoctlOutput, _: *mut c_void) -> rustix::io::Result<usize> {
        Ok(usize::try_from(length).unwrap_or_default())
    }
}
