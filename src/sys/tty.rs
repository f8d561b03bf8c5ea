//! Opening and setting serial lines.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{NoArg, Opcode, ioctl};
use rustix::termios::{
    ControlModes, InputModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr,
    tcsetattr,
};

use crate::model::line::{Flow, Framing, LineSettings, Parity, StopBits};

/// `TIOCSBRK` and `TIOCCBRK` of `asm-generic/ioctls.h`: the break condition begins and ends.
const TIOCSBRK: Opcode = 0x5427;
const TIOCCBRK: Opcode = 0x5428;
/// `TIOCEXCL`: nobody else (but root) opens the line while we have it.
const TIOCEXCL: Opcode = 0x540C;

/// Major numbers of Unix98 pty slaves, `Documentation/admin-guide/devices.txt`.
const PTY_SLAVE_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

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
    termios.input_modes.insert(InputModes::IGNBRK);
    termios.control_modes.remove(ControlModes::HUPCL);
    termios.control_modes.insert(ControlModes::CLOCAL | ControlModes::CREAD);
    put(LineSettings { framing, flow: Flow::None }, &mut termios)?;
    tcsetattr(&fd, OptionalActions::Now, &termios)?;
    // SAFETY: TIOCEXCL takes no argument and only sets a flag of the terminal.
    unsafe { ioctl(&fd, NoArg::<TIOCEXCL>::new()) }?;
    Ok(fd)
}

/// Sets an open line anew.
///
/// # Errors
/// `EINVAL` when the line cannot be set like this; it is then as it was.
pub fn set_tty(fd: impl AsFd, settings: LineSettings) -> io::Result<()> {
    let mut termios = tcgetattr(&fd)?;
    put(settings, &mut termios)?;
    Ok(tcsetattr(&fd, OptionalActions::Now, &termios)?)
}

fn put(settings: LineSettings, termios: &mut Termios) -> io::Result<()> {
    let LineSettings { framing, flow } = settings;
    termios.input_modes.set(InputModes::IXON | InputModes::IXOFF, flow == Flow::Software);
    let modes = &mut termios.control_modes;
    modes.set(ControlModes::CRTSCTS, flow == Flow::Hardware);
    modes.remove(ControlModes::CSIZE);
    modes.insert(match framing.data_bits {
        5 => ControlModes::CS5,
        6 => ControlModes::CS6,
        7 => ControlModes::CS7,
        _ => ControlModes::CS8,
    });
    modes.set(ControlModes::PARENB, framing.parity != Parity::None);
    modes.set(ControlModes::PARODD, matches!(framing.parity, Parity::Odd | Parity::Mark));
    modes.set(ControlModes::CMSPAR, matches!(framing.parity, Parity::Mark | Parity::Space));
    modes.set(ControlModes::CSTOPB, framing.stop_bits != StopBits::One);
    Ok(termios.set_speed(framing.baud)?)
}

/// Forgets what was written and is not sent yet.
///
/// # Errors
/// What the system says.
pub fn flush_output(fd: impl AsFd) -> io::Result<()> {
    Ok(tcflush(fd, QueueSelector::OFlush)?)
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
