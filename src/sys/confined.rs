//! Programs that look at what came from elsewhere: they are told nothing of this host that they need not
//! know, and never get more rights than we have.

use std::ffi::OsStr;
use std::io;

use tokio::process::Command;

use super::fence::{Reach, fence};

/// The variable that all of a job's processes have in their environment.
pub const JOB_MARK: &str = "LAVA_JOB_MARK";

/// What such a program gets of our environment: where it finds programs, its user's files, proxies and
/// certificates. Tokens of the lab's services have other names.
const PASSED: [&str; 32] = [
    JOB_MARK,
    "ALL_PROXY",
    "GIT_SSL_CAINFO",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "SHELL",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// A command that has the short list of variables and nothing else of our environment.
pub fn with_few_variables(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in PASSED {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The same; besides, neither it nor what it starts can get rights by a file's set-user-id bit or the like, nor
/// get at more of this host than it may reach.
pub fn confined(program: impl AsRef<OsStr>, reach: &Reach) -> Command {
    let mut command = with_few_variables(program);
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    // What it may not reach is decided for good, which the kernel allows only to who can get no rights.
    fence(&mut command, reach);
    command
}

/// Has the kernel end a program that makes a file larger than this, in bytes.
pub fn limit_files(command: &mut Command, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: between fork and exec only setrlimit is called, on a value that the closure owns.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(mut command: Command, script: &str) -> String {
        let said = command.args(["-c", script]).output().await.unwrap();
        String::from_utf8(said.stdout).unwrap()
    }

    #[tokio::test]
    async fn a_confined_program_knows_the_way_to_programs_and_no_variables_of_cargo() {
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let script =
            "echo ${PATH:+path}${CARGO_MANIFEST_DIR:+cargo}; grep NoNewPrivs /proc/self/status";
        assert_eq!(
            said(confined("sh", &Reach::of_any_file()), script).await,
            "path\nNoNewPrivs:\t1\n"
        );
    }

    #[tokio::test]
    async fn a_file_does_not_get_larger_than_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        let mut command = confined("sh", &Reach::of_any_file().writing(&[dir.path()]));
        limit_files(&mut command, 4096);
        command.arg("-c").arg("head -c 100000 /dev/zero > \"$0\"").arg(&file);
        assert!(!command.output().await.unwrap().status.success());
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 4096);
    }
}
