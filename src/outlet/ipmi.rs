//! `driver = "ipmi"`: the chassis of a BMC, by ipmitool (IPMI 2.0 over the network).

use std::ffi::OsStr;

use futures_util::FutureExt as _;

use super::program::{Ended, run};
use super::way::Way;
use super::{Answer, Outlet, OutletError, Switch, answer};
use crate::config::power as config;
use crate::model::State;

/// Where ipmitool looks for the password with `-E`: arguments are everybody's to read, a process's
/// environment is not.
const PASSWORD: &str = "IPMI_PASSWORD";
/// How ipmitool says, in small letters, what the BMC answered when it did not do it.
const ANSWERED: &str = "set chassis power control to ";
/// The answers (IPMI 2.0, table 5-2, in ipmitool's words) after which nothing was done, even if it is the
/// answer to a packet that ipmitool sent again: that of the first one may have been lost.
const REFUSALS: &[&str] = &[
    "invalid command",
    "parameter out of range",
    "invalid data field in request",
    "cannot execute command, command disabled",
];

#[derive(Debug)]
pub(super) struct IpmiOutlet {
    bmc: config::Ipmi,
}

impl IpmiOutlet {
    pub(super) fn new(bmc: &config::Ipmi) -> Self {
        Self { bmc: bmc.clone() }
    }

    /// `on`, `off`, `cycle` or `status` of the chassis. With `-v` ipmitool tells why there is no session.
    async fn power(&self, verb: &str, mut way: Way) -> Result<String, OutletError> {
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
        let variables = [(PASSWORD, password), ("LC_ALL", OsStr::new("C"))];
        let ended = run(&words, &variables, &mut way).await?;
        if ended.status.success() { Ok(ended.output) } else { Err(self.failed(&ended, way)) }
    }

    async fn state(&self) -> Result<State, OutletError> {
        let way = Way::reads();
        let said = self.power("status", Way::reads()).await?;
        match said.trim().to_ascii_lowercase().strip_prefix("chassis power is ") {
            Some("on") => Ok(State::On),
            Some("off") => Ok(State::Off),
            _ => Err(way
                .refused(format!("ipmitool says {}, neither on nor off", self.shown(said.trim())))),
        }
    }

    /// What ipmitool's words mean. When no session comes about, nothing was switched; when there was one
    /// and the BMC has not said in so many words that it refuses, it may have been.
    fn failed(&self, ended: &Ended, mut way: Way) -> OutletError {
        let said = ended.errors.to_ascii_lowercase();
        let why = ended.last_words().map(|line| self.shown(line));
        let why = format!("ipmitool failed: {}", why.unwrap_or_else(|| ended.status.to_string()));
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let answered = said.lines().find_map(|line| line.trim().strip_prefix(ANSWERED));
        if has(&["unable to establish", "could not open socket", "address lookup"]) {
            way.turned_back();
            return match has(&["hmac is invalid", "unauthorized name", "unauthorized role"]) {
                true => way.denied("the BMC denies us: wrong user, password or privilege"),
                false => way.unreachable(format!("no session with the BMC: {why}")),
            };
        }
        match answered {
            Some(answer) if answer.contains("insufficient privilege") => {
                OutletError::said_nobody("the BMC denies us: the privilege does not suffice")
            }
            Some(answer) if REFUSALS.iter().any(|refusal| answer.ends_with(refusal)) => {
                OutletError::said_no(why)
            }
            _ => way.refused(why),
        }
    }

    fn shown(&self, text: &str) -> String {
        answer::shown(text, [self.bmc.password.expose()])
    }
}

impl Outlet for IpmiOutlet {
    fn switch(&self, to: Switch) -> Answer<'_, ()> {
        let verb = if to == Switch::On { "on" } else { "off" };
        async move { self.power(verb, Way::switches()).await.map(drop) }.boxed()
    }

    fn status(&self) -> Option<Answer<'_, State>> {
        Some(self.state().boxed())
    }

    fn cycle(&self) -> Option<Answer<'_, ()>> {
        let cycle = async move { self.power("cycle", Way::switches()).await.map(drop) };
        self.bmc.native_cycle.then(|| cycle.boxed())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;
    use crate::config::power::{Driver, PowerConfig};

    /// What is made of ipmitool's words, said after it was told to switch off.
    fn failed(said: &str) -> OutletError {
        let text = "[[pdu]]\nname = 'b'\ndriver = 'ipmi'\naddress = 'bmc'\npassword = 'x'\n\
                    [[outlet]]\nname = 'a'\npdu = 'b'\nport = 1\n";
        let config = PowerConfig::parse("power.toml", text).unwrap();
        let Driver::Ipmi(bmc) = &config.pdus[0].driver else { panic!() };
        let status = ExitStatus::from_raw(0x100);
        let ended = Ended { status, output: String::new(), errors: said.to_owned() };
        let mut way = Way::switches();
        way.sending();
        IpmiOutlet::new(bmc).failed(&ended, way)
    }

    #[test]
    fn only_what_the_bmc_refuses_is_refused() {
        let answer = "Set Chassis Power Control to Down/Off failed: ";
        let no_session = "Error: Unable to establish IPMI v2 / RMCP+ session\n";
        for said in [
            "Unable to set Chassis Power Control to Down/Off\nClose Session command failed\n",
            "Close Session command failed\n",
            "",
            &format!("{answer}Timeout\n"),
            &format!("{answer}Unspecified error\n"),
            // The answer to the second packet, where the first one was carried out.
            &format!("{answer}Command not supported in present state\n"),
        ] {
            assert!(failed(said).is_unclear(), "{said}");
        }
        let of = |said: String| failed(&said);
        assert!(matches!(of(no_session.into()), OutletError::Unreachable(_)));
        let wrong = of(format!("> RAKP 2 HMAC is invalid\n{no_session}"));
        assert!(matches!(wrong, OutletError::Denied(_)), "{wrong}");
        let low =
            of(format!("{answer}Insufficient privilege level\nClose Session command failed\n"));
        assert!(matches!(low, OutletError::Denied(_)), "{low}");
        assert!(matches!(of(format!("{answer}Invalid command\n")), OutletError::Refused(_)));
    }
}
