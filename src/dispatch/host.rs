//! Programs of this host that actions run: their words, and what they say, in the job's log.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::context::Context;
use super::error::Error;
use super::job::Container;
use super::log::Log;
use super::power::user;
use crate::sys::die_with_parent;

/// The longest line that is logged in one piece, in bytes.
const MAX_LINE: usize = 4096;
/// The most that is kept of what a program says, in bytes; all of it is in the log.
const MAX_SAID: usize = 64 * 1024;
/// So much of it is in the message when the program fails, in bytes.
const MAX_TOLD: usize = 300;

/// Runs a program to its end and gives what it said. Cancel safe: the program is killed.
///
/// # Errors
/// [`Error::Infrastructure`] when it cannot be started or fails, with what it said last.
pub(super) async fn run(words: &[String], context: &mut Context) -> Result<String, Error> {
    let shown = words.join(" ");
    let failed = |what: &dyn std::fmt::Display| Error::Infrastructure(format!("{shown:?}: {what}"));
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed(&"there is no program"));
    };
    context.log.info(format!("host: {shown}"));
    let mut command = Command::new(program);
    command.args(arguments).env("LAVA_USER", user(&context.settings.job_id));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A Ctrl-C at our terminal is ours alone; nor does the program outlive us.
    command.process_group(0).kill_on_drop(true);
    die_with_parent(&mut command);
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (out, err, status) =
        tokio::join!(hear(stdout, &context.log), hear(stderr, &context.log), child.wait());
    match status.map_err(|error| failed(&error))? {
        status if status.success() => Ok(out + &err),
        status => {
            let said = if err.trim().is_empty() { &out } else { &err };
            let from = said.trim().len().saturating_sub(MAX_TOLD);
            let told = String::from_utf8_lossy(&said.trim().as_bytes()[from..]).into_owned();
            Err(failed(&format!("{status}; it said {told:?}")))
        }
    }
}

/// Logs what a program says, line by line, and gives its end.
async fn hear(stream: Option<impl AsyncRead + Unpin>, log: &Log) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut said, mut line, mut buffer) = (String::new(), Vec::new(), [0; MAX_LINE]);
    let mut flush = |line: &mut Vec<u8>| {
        if !line.is_empty() {
            let text = String::from_utf8_lossy(line).into_owned();
            log.debug(format!("host: {text}"));
            if said.len() + text.len() < MAX_SAID {
                said.push_str(&text);
                said.push('\n');
            }
            line.clear();
        }
    };
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        for &byte in &buffer[..read] {
            match byte {
                b'\n' | b'\r' => flush(&mut line),
                _ => line.push(byte),
            }
            if line.len() >= MAX_LINE {
                flush(&mut line);
            }
        }
    }
    flush(&mut line);
    said
}

/// The words that run a program in a container, which sees a folder of this host by the same name,
/// and the host's USB devices.
pub(super) fn contained(
    container: Option<&Container>,
    folder: &Path,
    words: Vec<String>,
) -> Vec<String> {
    let Some(Container { image, local, .. }) = container else { return words };
    let folder = folder.display();
    let volume = format!("--volume={folder}:{folder}");
    let usb = ["--volume=/dev/bus/usb:/dev/bus/usb", "--device-cgroup-rule=c 189:* rmw"];
    let pull = if *local { "--pull=never" } else { "--pull=missing" };
    let run = ["docker", "run", "--rm", "--init", pull, &volume];
    let run = run.into_iter().chain(usb).chain(["--", image.as_str()]);
    run.map(ToOwned::to_owned).chain(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_in_a_container_has_the_jobs_folder_and_the_usb_devices() {
        let words = || vec!["fastboot".to_owned(), "devices".to_owned()];
        let folder = Path::new("/srv/job");
        assert_eq!(contained(None, folder, words()), words());
        let container = Container {
            image: "lavalabteam/adb-fastboot".into(),
            local: true,
            ..Container::default()
        };
        assert_eq!(
            contained(Some(&container), folder, words()).join(" "),
            "docker run --rm --init --pull=never --volume=/srv/job:/srv/job \
             --volume=/dev/bus/usb:/dev/bus/usb --device-cgroup-rule=c 189:* rmw -- \
             lavalabteam/adb-fastboot fastboot devices"
        );
    }
}
