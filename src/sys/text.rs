//! The program's own code in memory.

use std::fs;
use std::io;

use rustix::mm::{Advice, madvise};

/// Lets go of the pages of code that were needed until now: most of them only at the start. What is
/// needed again comes back from the page cache, at a fault each.
///
/// # Errors
/// When the system does not tell what is mapped, or does not take the advice; nothing is lost then.
pub fn forget_code() -> io::Result<()> {
    for line in fs::read_to_string("/proc/self/maps")?.lines() {
        let Some((begin, end)) = code(line) else { continue };
        // SAFETY: the mapping is of a file, executable, and never writable, so that nothing in it is
        // other than in the file: dropped pages are read again, and nobody sees a difference.
        unsafe { madvise(begin as *mut _, end - begin, Advice::LinuxDontNeed)? };
    }
    Ok(())
}

/// The addresses of a mapping, if it is code of a file (proc_pid_maps(5)).
fn code(line: &str) -> Option<(usize, usize)> {
    let mut columns = line.split_ascii_whitespace();
    let (addresses, permissions) = (columns.next()?, columns.next()?);
    let inode = columns.nth(2)?;
    if permissions != "r-xp" || inode == "0" {
        return None;
    }
    let (begin, end) = addresses.split_once('-')?;
    Some((usize::from_str_radix(begin, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_meant() {
        let exe = "55d5-55d9 r-xp 0000 fe:00 77 /usr/bin/lava-serial";
        assert_eq!(code(exe), Some((0x55d5, 0x55d9)));
        for other in ["rw-p 0000 fe:00 77 /x", "r--p 0000 fe:00 77 /x", "r-xp 0000 00:00 0 [vdso]"]
        {
            assert_eq!(code(&format!("55d5-55d9 {other}")), None);
        }
        assert_eq!(code(""), None);
    }

    #[test]
    fn the_program_goes_on_afterwards() {
        forget_code().unwrap();
        assert_eq!("12 ".trim().parse(), Ok(12));
    }
}
