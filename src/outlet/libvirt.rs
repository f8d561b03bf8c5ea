//! `driver = "libvirt"`: virtual boards that libvirt runs, by virsh.

use std::ffi::OsStr;

use futures_util::FutureExt as _;

use super::program::{Ended, run};
use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch, answer};
use crate::config::power as config;
use crate::model::State;

/// virsh's words are looked at: they have to be English.
const LANGUAGE: (&str, &str) = ("LC_ALL", "C");

/// One domain.
#[derive(Debug)]
pub(super) struct LibvirtOutlet {
    libvirt: config::Libvirt,
    domain: String,
}

impl LibvirtOutlet {
    pub(super) fn new(libvirt: &config::Libvirt, port: &str) -> Self {
        Self { libvirt: libvirt.clone(), domain: port.to_owned() }
    }

    async fn virsh(&self, command: &str, way: &mut Way) -> Result<Ended, OutletError> {
        let config::Libvirt { uri, virsh } = &self.libvirt;
        let words = [virsh, "-c", uri, command, "--domain", &self.domain];
        let (name, value) = LANGUAGE;
        run(&words.map(str::to_owned), &[(name, OsStr::new(value))], way).await
    }

    async fn tell(&self, to: Switch) -> Result<(), OutletError> {
        let command = if to == Switch::On { "start" } else { "destroy" };
        let mut way = Way::switches();
        let ended = self.virsh(command, &mut way).await?;
        if ended.status.success() {
            return Ok(());
        }
        let Failure { why, what } = failure(&ended);
        match what {
            What::Never(of) => {
                way.turned_back();
                Err(of(&way, why))
            }
            // Not to be what it is already is an error to libvirt.
            What::No => match self.state().await {
                Ok(state) if state == State::from(to) => Ok(()),
                Ok(State::On | State::Off) => Err(OutletError::said_no(why)),
                _ => Err(way.refused(why)),
            },
            What::Lost => Err(way.unreachable(why)),
        }
    }

    async fn state(&self) -> Result<State, OutletError> {
        let mut way = Way::reads();
        let ended = self.virsh("domstate", &mut way).await?;
        if !ended.status.success() {
            let Failure { why, what } = failure(&ended);
            return Err(match what {
                What::Never(of) => of(&way, why),
                What::No => way.refused(why),
                What::Lost => way.unreachable(why),
            });
        }
        Ok(match ended.output.trim() {
            "running" | "idle" | "no state" => State::On,
            "shut off" | "crashed" => State::Off,
            state => {
                let state = answer::shown(state, []);
                tracing::debug!(self.domain, state, "the domain is neither on nor off");
                State::Unknown
            }
        })
    }
}

/// Why virsh has failed.
struct Failure {
    why: String,
    what: What,
}

enum What {
    /// libvirt was never asked to switch.
    Never(fn(&Way, String) -> OutletError),
    /// It says no.
    No,
    /// Its answer is lost, or late.
    Lost,
}

/// What ends a connection that there was (libvirt's virnetsocket.c, virnetclient.c, virsh.c).
const LOST: &[&str] = &[
    "cannot recv",
    "cannot write",
    "end of file while",
    "disconnected from",
    "connection reset",
    "broken pipe",
    "client socket is closed",
    "keepalive",
    "timed out",
    "timeout",
];

fn failure(ended: &Ended) -> Failure {
    let said = ended.errors.to_ascii_lowercase();
    let last = ended.last_words().map(|line| answer::shown(line, []));
    let why = format!("virsh failed: {}", last.unwrap_or_else(|| ended.status.to_string()));
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let what = if has(&["failed to connect to", "failed to get domain"]) {
        let denied = has(&["authentication", "access denied", "permission"]);
        What::Never(match (denied, said.contains("failed to connect to")) {
            (true, _) => Way::denied,
            (false, true) => Way::unreachable,
            (false, false) => Way::refused,
        })
    } else if ended.status.code().is_none() || has(LOST) {
        What::Lost
    } else if has(&["access denied", "permission denied by policy"]) {
        What::Never(Way::denied)
    } else {
        What::No
    };
    Failure { why, what }
}

impl Outlet for LibvirtOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.tell(to).boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.state().boxed())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn a_connection_that_was_lost_is_no_refusal() {
        let what = |said: &str| {
            let status = ExitStatus::from_raw(0x100);
            failure(&Ended { status, output: String::new(), errors: said.to_owned() }).what
        };
        for lost in [
            "error: Failed to destroy domain 'a'\nerror: Cannot recv data: Connection reset by peer",
            "error: Disconnected from qemu:///system due to end of file",
            "error: Timed out during operation: cannot acquire state change lock",
            "error: End of file while reading data: Input/output error",
        ] {
            assert!(matches!(what(lost), What::Lost), "{lost}");
        }
        let no_way =
            "error: failed to connect to the hypervisor\nerror: Cannot recv data: Broken pipe";
        assert!(matches!(what(no_way), What::Never(_)));
        assert!(matches!(what("error: failed to get domain 'a'"), What::Never(_)));
        let twice = "error: Failed to start domain 'a'\nerror: Domain is already active";
        assert!(matches!(what(twice), What::No));
    }
}
