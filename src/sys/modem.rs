//! The wires beside the data wires of a serial line, and what its driver has counted.

use std::ffi::c_int;
use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, Setter, ioctl};

use crate::model::line::{Inputs, LineErrors, Outputs};

/// Of `asm-generic/ioctls.h`.
const TIOCMGET: Opcode = 0x5415;
const TIOCMBIS: Opcode = 0x5416;
const TIOCMBIC: Opcode = 0x5417;
const TIOCGICOUNT: Opcode = 0x545D;

/// The bits of `asm-generic/termios.h`.
const TIOCM_DTR: c_int = 0x002;
const TIOCM_RTS: c_int = 0x004;
const TIOCM_CTS: c_int = 0x020;
const TIOCM_CD: c_int = 0x040;
const TIOCM_RI: c_int = 0x080;
const TIOCM_DSR: c_int = 0x100;

/// `struct serial_icounter_struct` of `linux/serial.h`.
#[repr(C)]
struct Counters {
    wires: [c_int; 4],
    received: c_int,
    sent: c_int,
    framing: c_int,
    overrun: c_int,
    parity: c_int,
    breaks: c_int,
    buffer_overrun: c_int,
    reserved: [c_int; 9],
}

/// What the other end's wires say.
///
/// # Errors
/// `ENOTTY` or `EINVAL` where there are no such wires.
pub fn modem_inputs(fd: impl AsFd) -> io::Result<Inputs> {
    // SAFETY: TIOCMGET writes one int, and has no other effect.
    let bits: c_int = unsafe { ioctl(fd, Getter::<TIOCMGET, c_int>::new()) }?;
    let on = |bit| bits & bit != 0;
    Ok(Inputs { cts: on(TIOCM_CTS), dsr: on(TIOCM_DSR), ri: on(TIOCM_RI), cd: on(TIOCM_CD) })
}

/// Drives our wires.
///
/// # Errors
/// `ENOTTY` or `EINVAL` where there are no such wires.
pub fn set_modem_outputs(fd: impl AsFd, outputs: Outputs) -> io::Result<()> {
    let bits = |state| {
        let bit = |wire, bit| if wire == state { bit } else { 0 };
        bit(outputs.dtr, TIOCM_DTR) | bit(outputs.rts, TIOCM_RTS)
    };
    // SAFETY: both requests read one int, and only change the state of the line.
    unsafe {
        ioctl(&fd, Setter::<TIOCMBIS, c_int>::new(bits(true)))?;
        ioctl(&fd, Setter::<TIOCMBIC, c_int>::new(bits(false)))?;
    }
    Ok(())
}

/// What the driver has counted.
///
/// # Errors
/// `ENOTTY` or `EINVAL` where it does not count.
pub fn line_errors(fd: impl AsFd) -> io::Result<LineErrors> {
    // SAFETY: TIOCGICOUNT writes one `serial_icounter_struct`, and has no other effect.
    let now: Counters = unsafe { ioctl(fd, Getter::<TIOCGICOUNT, Counters>::new()) }?;
    Ok(LineErrors {
        overruns: now.overrun.wrapping_add(now.buffer_overrun).cast_unsigned(),
        parity: now.parity.cast_unsigned(),
        framing: now.framing.cast_unsigned(),
        breaks: now.breaks.cast_unsigned(),
    })
}
