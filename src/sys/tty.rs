//! Opening and setting serial lines.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{NoArg, Opcode, ioctl};
use rustix::termios::{ControlModes, InputModes, OptionalActions, tcgetattr, tcsetattr};

/// `TIOCSBRK` and `TIOCCBRK` of `asm-generic/ioctls.h`: the break condition begins and ends.
const TIOCSBRK: Opcode = 0x5427;
const TIOCCBRK: Opcode = 0x5428;
/// `TIOCEXCL`: nobody else (but root) opens the line while we have it.
const TIOCEXCL: Opcode = 0x540C;

/// Major numbers of Unix98 pty slaves, `Documentation/admin-guide/devices.txt`.
const PTY_SLAVE_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

/// How characters go over a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// Bits per second; any value that the adapter can do.
    pub baud: u32,
    pub parity: Parity,
    /// 5 to 8.
    pub data_bits: u8,
    /// 1 or 2.
    pub stop_bits: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    None,
    Odd,
    Even,
}

/// Opens a serial line in raw mode, without making it our controlling terminal, and takes it for
/// ourselves.
///
/// # Errors
/// What the system says: not found, permission denied, busy; `EINVAL` when the line cannot do this
/// framing.
pub fn open_tty(path: &Path, framing: Framing) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    let mut termios = tcgetattr(&fd)?;
    termios.make_raw();
    termios.input_modes.remove(InputModes::IXON | InputModes::IXOFF);
    termios.input_modes.insert(InputModes::IGNBRK);
    let modes = &mut termios.control_modes;
    modes.remove(ControlModes::CSIZE | ControlModes::CRTSCTS | ControlModes::HUPCL);
    modes.remove(ControlModes::PARENB | ControlModes::PARODD | ControlModes::CSTOPB);
    modes.insert(ControlModes::CLOCAL | ControlModes::CREAD);
    modes.insert(match framing.data_bits {
        5 => ControlModes::CS5,
        6 => ControlModes::CS6,
        7 => ControlModes::CS7,
        _ => ControlModes::CS8,
    });
    modes.set(ControlModes::PARENB, framing.parity != Parity::None);
    modes.set(ControlModes::PARODD, framing.parity == Parity::Odd);
    modes.set(ControlModes::CSTOPB, framing.stop_bits == 2);
    termios.set_speed(framing.baud)?;
    tcsetattr(&fd, OptionalActions::Now, &termios)?;
    // SAFETY: TIOCEXCL takes no argument and only sets a flag of the terminal.
    unsafe { ioctl(&fd, NoArg::<TIOCEXCL>::new()) }?;
    Ok(fd)
}

/// Begins or ends the break condition on a line.
///
/// # Errors
/// What the system says.
pub fn set_break(fd: impl AsFd, on: bool) -> io::Result<()> {
    // SAFETY: both requests take no argument and only change the state of the line.
    let done = unsafe {
        if on { ioctl(fd, NoArg::<TIOCSBRK>::new()) } else { ioctl(fd, NoArg::<TIOCCBRK>::new()) }
    };
    Ok(done?)
}

/// Whether a descriptor is the slave end of a pty, which accepts a break and then forgets it.
pub fn is_pty(fd: impl AsFd) -> bool {
    rustix::fs::fstat(fd)
        .is_ok_and(|stat| PTY_SLAVE_MAJORS.contains(&rustix::fs::major(stat.st_rdev)))
}
