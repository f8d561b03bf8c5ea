//! What a job may say to the programs that write a board's flash. They can be told to read and write other files
//! of this host than the job's, and to run programs; a device whose jobs may do that says `trust_jobs: true`
//! among the parameters of its method.

/// The options that a job may give in `image_arg`, by the method.
const OPTIONS: [(&str, &[&str]); 2] = [
    (
        "dfu",
        &[
            "--alt",
            "--cfg",
            "--dfuse-address",
            "--download",
            "--intf",
            "--reset",
            "--transfer-size",
            "-D",
            "-R",
            "-a",
            "-c",
            "-i",
            "-s",
            "-t",
        ],
    ),
    (
        "pyocd",
        &[
            "--base-address",
            "--erase",
            "--format",
            "--frequency",
            "--no-reset",
            "--skip",
            "--target",
            "--trust-crc",
            "-a",
            "-e",
            "-f",
            "-t",
        ],
    ),
];

/// The commands of J-Link Commander that a job may give.
const COMMANDS: &[&str] = &[
    "connect",
    "erase",
    "g",
    "go",
    "h",
    "halt",
    "loadbin",
    "loadfile",
    "mem",
    "mem16",
    "mem32",
    "mem8",
    "r",
    "r0",
    "r1",
    "regs",
    "rnh",
    "rsettype",
    "rx",
    "setpc",
    "si",
    "sleep",
    "speed",
    "unlock",
    "verifybin",
    "verifyfile",
    "w1",
    "w2",
    "w4",
    "wreg",
];

/// Why an `image_arg` is refused, if it is.
pub(super) fn image_arg(method: &str, text: &str) -> Option<String> {
    let known = OPTIONS.iter().find(|(name, _)| *name == method).map_or(&[][..], |(_, all)| all);
    let Some(words) = shlex::split(text) else {
        return Some(format!("{text:?} has a quotation mark that is not closed"));
    };
    words.iter().find_map(|word| {
        let option = word.split('=').next().unwrap_or_default();
        match word.starts_with('-') {
            true if !known.contains(&option) => {
                Some(format!("{option:?} is none of {}", known.join(", ")))
            }
            true => value(word.split_once('=').map_or("", |(_, value)| value)),
            false => value(word),
        }
    })
}

/// Why a command for J-Link Commander is refused, if it is.
pub(super) fn jlink(line: &str) -> Option<String> {
    let mut words = line.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    let command = words.next()?;
    if line.contains(['\n', '\r']) {
        return Some("a command is one line".into());
    }
    if !COMMANDS.contains(&command.to_ascii_lowercase().as_str()) {
        return Some(format!("{command:?} is none of {}", COMMANDS.join(", ")));
    }
    words.find_map(value)
}

/// A file of this host is named by its placeholder only.
fn value(word: &str) -> Option<String> {
    let outside = word.replace(['{', '}'], "");
    let is_path = outside.contains('/') || outside.contains("..") || outside.contains('~');
    is_path.then(|| format!("{word:?} is no file of the job's; these are named as {{NAME}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_names_its_own_files_and_nothing_else_of_this_host() {
        assert_eq!(image_arg("dfu", "--alt x86_rom -D {bios}"), None);
        assert_eq!(image_arg("pyocd", "-a 0x1000 --format=hex {zephyr}"), None);
        for (method, text) in [
            ("dfu", "--alt 0 --upload stolen"),
            ("dfu", "-D /etc/shadow"),
            ("dfu", "--download=../x"),
            ("pyocd", "--script run.py {zephyr}"),
            ("pyocd", "-Ouser_script=run.py {zephyr}"),
        ] {
            assert!(image_arg(method, text).is_some(), "{text}");
        }
        for line in ["loadfile {test}", "sleep 1000", "r0", "w4 0x40, 0x1", "LoadFile {test} 0x0"] {
            assert_eq!(jlink(line), None, "{line}");
        }
        for line in ["savebin /tmp/x 0 10", "loadfile /etc/shadow", "exec ProjectFile=x", "r\nq"] {
            assert!(jlink(line).is_some(), "{line}");
        }
    }
}
