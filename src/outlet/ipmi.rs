//! `driver = "ipmi"`: the chassis of a BMC, by ipmitool (IPMI 2.0 over the network).

use std::ffi::OsStr;

use futures_util::FutureExt as _;

use super::program::{Ended, run};
use super::{Answer, Outlet, OutletError, Switch, answer};
use crate::config::power as config;
use crate::model::State;

/// Where ipmitool looks for the password with `-E`: arguments are everybody's to read, a process's
/// environment is not.
const PASSWORD: &str = "IPMI_PASSWORD";

#[derive(Debug)]
pub(super) struct IpmiOutlet {
    bmc: config::Ipmi,
}

impl IpmiOutlet {
    pub(super) fn new(bmc: &config::Ipmi) -> Self {
        Self { bmc: bmc.clone() }
    }

    /// `on`, `off`, `cycle` or `status` of the chassis. With `-v` ipmitool tells why there is no session.
    async fn power(&self, verb: &str) -> Result<String, OutletError> {
        let config::Ipmi { host, user, ipmitool, privilege, .. } = &self.bmc;
        let port = self.bmc.port.to_string();
        let cipher = self.bmc.cipher.map(|cipher| cipher.to_string());
        let mut words =
            vec![ipmitool, "-v", "-I", "lanplus", "-H", host, "-p", &port, "-L", privilege, "-E"];
        if !user.is_empty() {
            words.extend(["-U", user]);
        }
        if let Some(cipher) = &cipher {
            words.extend(["-C", cipher]);
        }
        words.extend(["chassis", "power", verb]);
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let password = OsStr::new(self.bmc.password.expose());
        let ended = run(&words, &[(PASSWORD, password), ("LC_ALL", OsStr::new("C"))]).await?;
        if ended.status.success() { Ok(ended.output) } else { Err(self.failed(&ended)) }
    }

    async fn state(&self) -> Result<State, OutletError> {
        let said = self.power("status").await?;
        match said.trim().to_ascii_lowercase().strip_prefix("chassis power is ") {
            Some("on") => Ok(State::On),
            Some("off") => Ok(State::Off),
            _ => Err(OutletError::Refused(format!(
                "ipmitool says {}, neither on nor off",
                self.shown(said.trim())
            ))),
        }
    }

    /// What ipmitool's words mean. When no session comes about, nothing was switched; after that a
    /// request without an answer may have been carried out.
    fn failed(&self, ended: &Ended) -> OutletError {
        let said = ended.errors.to_ascii_lowercase();
        let last = ended.last_words().unwrap_or_default().to_ascii_lowercase();
        let why = ended.last_words().map(|line| self.shown(line));
        let why = format!("ipmitool failed: {}", why.unwrap_or_else(|| ended.status.to_string()));
        let has = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&said, &["hmac is invalid", "unauthorized name", "unauthorized role"]) {
            OutletError::Denied("the BMC denies us: wrong user, password or privilege".into())
        } else if has(&last, &["insufficient privilege"]) {
            OutletError::Denied("the BMC denies us: the privilege does not suffice".into())
        } else if has(&last, &["unable to establish", "could not open socket", "address lookup"]) {
            OutletError::Unreachable(format!("no session with the BMC: {why}"))
        } else if has(&last, &["timeout", "no response"]) {
            OutletError::Unclear(why)
        } else {
            OutletError::Refused(why)
        }
    }

    fn shown(&self, text: &str) -> String {
        answer::shown(text, [self.bmc.password.expose()])
    }
}

impl Outlet for IpmiOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        let verb = if to == Switch::On { "on" } else { "off" };
        async move { self.power(verb).await.map(drop) }.boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.state().boxed())
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        self.bmc.native_cycle.then(|| async move { self.power("cycle").await.map(drop) }.boxed())
    }
}
