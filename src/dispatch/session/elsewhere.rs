//! A board that stands at a prompt nobody waits for: another login's, another shell's, or a boot loader's
//! that came back since it could not boot.

use std::time::Duration;

/// A board that stands at a shell's or a boot loader's prompt and says nothing for this time will say nothing
/// more.
const PROMPT: Duration = Duration::from_secs(10);
/// The same at a login, which may be shown before the system has all come up.
const LOGIN: Duration = Duration::from_secs(30);

/// How long a board may be silent behind this beginning of a line, if that looks like a prompt.
pub(super) fn patience(line: &str) -> Option<Duration> {
    let prompt = line.trim_end_matches(' ');
    if prompt.ends_with("login:") || prompt.ends_with("assword:") {
        return Some(LOGIN);
    }
    // Not the bars and rows that tell how far something has come: "####", "===> ".
    let is_shell = prompt.ends_with(['#', '$', '>'])
        && !["##", "$$", ">>", "==>", "->"].iter().any(|bar| prompt.ends_with(bar));
    (is_shell && line.len() == prompt.len() + 1).then_some(PROMPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_known_from_what_tells_how_far_something_has_come() {
        for line in ["board# ", "root@board:~# ", "/ # ", "$ ", "=> ", "u-boot=> ", "grub> "] {
            assert_eq!(patience(line), Some(PROMPT), "{line:?}");
        }
        for line in ["board login: ", "Password: ", "debian login:"] {
            assert_eq!(patience(line), Some(LOGIN), "{line:?}");
        }
        for line in [
            "",
            "Loading: ####",
            "#### ",
            "[=====> ",
            "[=====>      ",
            "board# reboot",
            "Starting kernel ...",
            "[    1.0] eth0: link up",
            "Hit any key to stop autoboot:  0 ",
        ] {
            assert_eq!(patience(line), None, "{line:?}");
        }
    }
}
