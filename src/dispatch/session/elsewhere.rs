//! A board that stands at a prompt nobody waits for: another login's, another shell's, or a boot loader's
//! that came back since it could not boot.

use std::time::Duration;

use crate::dispatch::device::Silences;

/// How long a board may be silent behind this beginning of a line, if that looks like a prompt.
pub(super) fn patience(line: &str, silences: &Silences) -> Option<Duration> {
    let prompt = line.trim_end_matches(' ');
    if prompt.ends_with("login:") || prompt.ends_with("assword:") {
        return silences.login;
    }
    // Not the bars and rows that tell how far something has come: "####", "===> ".
    let is_shell = prompt.ends_with(['#', '$', '>'])
        && !["##", "$$", ">>", "==>", "->"].iter().any(|bar| prompt.ends_with(bar));
    (is_shell && line.len() == prompt.len() + 1).then_some(silences.prompt).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_known_from_what_tells_how_far_something_has_come() {
        let silences = Silences::default();
        let never = Silences { prompt: None, login: None, ..silences };
        let waits = |line: &str| patience(line, &silences);
        assert_eq!((patience("=> ", &never), patience("login: ", &never)), (None, None));
        for line in ["board# ", "root@board:~# ", "/ # ", "$ ", "=> ", "u-boot=> ", "grub> "] {
            assert_eq!(waits(line), silences.prompt, "{line:?}");
        }
        for line in ["board login: ", "Password: ", "debian login:"] {
            assert_eq!(waits(line), silences.login, "{line:?}");
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
            assert_eq!(waits(line), None, "{line:?}");
        }
    }
}
