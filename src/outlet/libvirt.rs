//! `driver = "libvirt"`: virtual boards that libvirt runs, by virsh.

use std::ffi::OsStr;

use futures_util::FutureExt as _;

use super::program::{Ended, run};
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

    async fn virsh(&self, command: &str) -> Result<Ended, OutletError> {
        let config::Libvirt { uri, virsh } = &self.libvirt;
        let words = [virsh, "-c", uri, command, "--domain", &self.domain];
        let (name, value) = LANGUAGE;
        run(&words.map(str::to_owned), &[(name, OsStr::new(value))]).await
    }

    async fn tell(&self, to: Switch) -> Result<(), OutletError> {
        let command = if to == Switch::On { "start" } else { "destroy" };
        let ended = self.virsh(command).await?;
        if ended.status.success() {
            return Ok(());
        }
        let refusal = self.failed(&ended);
        // Not to be what it is already is an error to libvirt.
        match self.state().await {
            Ok(state) if state == State::from(to) => Ok(()),
            _ => Err(refusal),
        }
    }

    async fn state(&self) -> Result<State, OutletError> {
        let ended = self.virsh("domstate").await?;
        if !ended.status.success() {
            return Err(self.failed(&ended));
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

    fn failed(&self, ended: &Ended) -> OutletError {
        let said = ended.errors.to_ascii_lowercase();
        let last = ended.last_words().map(|line| answer::shown(line, []));
        let why = format!("virsh failed: {}", last.unwrap_or_else(|| ended.status.to_string()));
        if said.contains("authentication")
            || said.contains("access denied")
            || said.contains("permission")
        {
            OutletError::Denied(why)
        } else if said.contains("failed to connect") || said.contains("cannot recv") {
            OutletError::Unreachable(why)
        } else {
            OutletError::Refused(why)
        }
    }
}

impl Outlet for LibvirtOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        self.tell(to).boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.state().boxed())
    }
}
