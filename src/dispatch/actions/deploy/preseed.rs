//! `configure-preseed-file`: has a distribution's installer take the tests along into the system that it installs:
//! Debian's has them in its ramdisk, CentOS's fetches them by TFTP when it is done.

use futures_util::future::BoxFuture;

use crate::dispatch::action::{Action, Running};
use crate::dispatch::actions::boot::{Packing, overlay_archive as archive};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::validate::Checks;

/// The name of its artefact.
pub(in crate::dispatch::actions) const PRESEED: &str = "preseed";
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
                checks.program("tar");
            }
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let Some(served) = context.shared().tftp.get(PRESEED).cloned() else { return Ok(()) };
            let post = match self.os.as_deref() {
                Some(DEBIAN) => None,
                Some(CENTOS) => match serve_overlay(context).await? {
                    Some(url) => Some(url),
                    None => return Ok(()),
                },
                _ => return Ok(()),
            };
            let file = context.settings.tftp_dir.join(served);
            let failed = |error: std::io::Error| {
                Error::Infrastructure(format!("{}: {error}", file.display()))
            };
            if std::fs::metadata(&file).map_err(failed)?.len() > MAX_ANSWERS {
                let what = format!("preseed: more than {MAX_ANSWERS} bytes are no answers");
                return Err(Error::Job(what));
            }
            let answers = std::fs::read_to_string(&file).map_err(failed)?;
            let (answers, ends) = match post {
                None => (with_late_command(&answers), COPY.to_owned()),
                Some(url) => (with_post_script(&answers, &url), fetch(&url)),
            };
            std::fs::write(&file, answers).map_err(failed)?;
            context.log.info(format!("preseed: the installer ends with {ends:?}"));
            Ok(())
        })
    }
}

/// Puts the overlay where the installer can fetch it, and gives its URL; `None` where there is none.
async fn serve_overlay(context: &mut Context) -> Result<Option<String>, Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(archive) = archive(Packing::Gzip, context).await? else { return Ok(None) };
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let to = context.make_tftp_folder().await?.join(&name);
    let readable = std::fs::Permissions::from_mode(0o644);
    let placed = std::fs::copy(&archive, &to).and_then(|_| std::fs::set_permissions(&to, readable));
    placed.map_err(|error| Error::Infrastructure(format!("{}: {error}", to.display())))?;
    let (host, job) = (&context.settings.dispatcher_ip, &context.settings.job_id);
    Ok(Some(format!("tftp://{host}/{job}/{name}")))
}

/// What CentOS's installer runs in the system that it has installed.
fn fetch(url: &str) -> String {
    format!("curl {url} > /lava-overlay.tar.gz && tar -zxf /lava-overlay.tar.gz -C /")
}

/// The answers with one more script for the end (Kickstart's documentation, "%post").
fn with_post_script(answers: &str, url: &str) -> String {
    let answers = answers.trim_end();
    format!("{answers}\n\n%post\nexec < /dev/console > /dev/console\n{}\n%end\n", fetch(url))
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
    fn the_tests_are_fetched_by_a_script_behind_those_that_the_answers_have() {
        let own = "lang en_US\n%packages\n@core\n%end\n";
        let answers = with_post_script(own, "tftp://10.0.0.1/7/overlay-7.tar.gz");
        let script = "%post\nexec < /dev/console > /dev/console\ncurl tftp://10.0.0.1/7/overlay-7.tar.gz > \
                      /lava-overlay.tar.gz && tar -zxf /lava-overlay.tar.gz -C /\n%end\n";
        assert_eq!(answers, format!("{own}\n{script}"));
    }

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
