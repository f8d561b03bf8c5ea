//! `configure-preseed-file`: has Debian's installer take the tests, which are in its ramdisk, along into the
//! system that it installs.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::validate::Checks;

/// The name of its artefact.
pub(super) const PRESEED: &str = "preseed";
/// The `os` of jobs that install a Debian, and of those that install a CentOS.
const DEBIAN: &str = "debian_installer";
const CENTOS: &str = "centos_installer";
/// What the installer does last (Debian's installation guide, appendix B.5).
const LATE: &str = "d-i preseed/late_command string";
/// What is to be done then: the system is mounted there.
const COPY: &str = "cp -r /lava-* /target/ || true";
/// So large are answers at most, in bytes.
const MAX_ANSWERS: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct ConfigurePreseed {
    /// The system that the block says it deploys, where it has answers for its installer.
    pub os: Option<String>,
}

impl Action for ConfigurePreseed {
    fn name(&self) -> &'static str {
        "configure-preseed-file"
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.os.as_deref() == Some(CENTOS) {
                checks.fault("cannot be run yet: the tests of a CentOS that is installed");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Some(served) = context.shared().tftp.get(PRESEED).cloned() else { return Ok(()) };
            if self.os.as_deref() != Some(DEBIAN) {
                return Ok(());
            }
            let file = context.settings.tftp_dir.join(served);
            let failed = |error: std::io::Error| {
                Error::Infrastructure(format!("{}: {error}", file.display()))
            };
            if std::fs::metadata(&file).map_err(failed)?.len() > MAX_ANSWERS {
                let what = format!("preseed: more than {MAX_ANSWERS} bytes are no answers");
                return Err(Error::Job(what));
            }
            let answers = std::fs::read_to_string(&file).map_err(failed)?;
            std::fs::write(&file, with_late_command(&answers)).map_err(failed)?;
            context.log.info(format!("preseed: the installer ends with {COPY:?}"));
            Ok(())
        })
    }
}

/// The answers with one more command at the end of the installation, after those that they have.
fn with_late_command(answers: &str) -> String {
    // A backslash goes on with the line.
    let joined = answers.replace("\\\n", "");
    let mut added = false;
    let mut lines: Vec<String> = Vec::new();
    for line in joined.lines() {
        match line.strip_prefix(LATE) {
            Some(own) => {
                added = true;
                let own = own.trim_end_matches([' ', ';']);
                let and = if own.trim().is_empty() { "" } else { ";" };
                lines.push(format!("{LATE}{own}{and} {COPY}"));
            }
            None => lines.push(line.to_owned()),
        }
    }
    if !added {
        lines.push(format!("{LATE} {COPY}"));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_are_copied_after_what_the_answers_have_done_at_the_end() {
        let own = "d-i a string b\nd-i preseed/late_command string in-target \\\n  true ;\n";
        let copied =
            "d-i preseed/late_command string in-target   true; cp -r /lava-* /target/ || true\n";
        assert_eq!(with_late_command(own), format!("d-i a string b\n{copied}"));
        let none =
            "d-i a string b\nd-i preseed/late_command string cp -r /lava-* /target/ || true\n";
        assert_eq!(with_late_command("d-i a string b"), none);
    }
}
