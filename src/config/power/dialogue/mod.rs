//! The keys of `driver = "dialogue"`: PDUs that one talks to over a stream of bytes.
//!
//! A profile has `about` and `source` for people; `port`, a regular expression of the ports there are,
//! whose named groups are values beside `{port}`; `tcp_port`; `timeout` of a step (5 s); `coding`; and
//! conversations: `[[login]]`, `[[logout]]`, `[[on]]`, `[[off]]`, `[[cycle]]` and `[[status]]`, each a list of
//! steps. A step has, all of them optional:
//!
//! - `send`: what is said first, a [`Template`](template): `on {port}\r`, `\x20{byte:port}\0`;
//! - `expect`: what ends the step, a regular expression over what was heard since then;
//! - `fail`: by which the PDU says that it will not (in a login: that it does not know us); `busy`: that
//!   it has no time for us;
//! - `replies = [{ see, send }]`: what is answered to what meanwhile, for menus and pages: with
//!   `(?<key>[0-9]+)- Outlet Management` and `{heard:key}\r` an entry is found by its name;
//! - `names`: where the PDU says which outlet it speaks of, `(?<outlet>...)`: it must not be another;
//! - `harmless = true`: nothing is switched by it, so a PDU that is lost there has not switched;
//! - `timeout`, and a `pause` after the step; `if = "password"` (or `"user"`): only where there is one;
//! - in `[[status]]`, for one of them: `on` and `off`, patterns of which one is in what was heard in the step,
//!   or `bit`, the number of a bit of what the group `bits` of `expect` has found, the lowest first.
//!
//! Of texts that come at the same time, the first one counts. What was heard before something is sent is
//! forgotten then.

mod connect;
mod expression;
mod profile;
mod script;
mod template;

pub use connect::Connect;
pub(super) use profile::BUILT_IN;
pub use profile::Coding;
use profile::Profile;
pub use script::{Reading, Script, Step};
pub use template::{Heard, Words};

use super::common::Word;
use crate::config::lab::LoginFiles;
use crate::config::{Secret, Table};
use expression::Values;

/// A PDU that one talks to.
#[derive(Debug, Clone)]
pub struct Dialogue {
    pub connect: Connect,
    user: Option<String>,
    password: Option<Secret>,
    profile: Profile,
    /// What is off for the PDU is on for the board: a relay whose normally closed contact is used.
    inverted: bool,
    /// Whether a cycle is the PDU's own, which cannot be verified, instead of off and on.
    native_cycle: bool,
}

impl Dialogue {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let profile = Profile::named_in(table);
        let tcp_port = profile.as_ref().and_then(|profile| profile.tcp_port);
        if table.node("connect").is_none() {
            table.problem("connect", "\"connect\" is missing; write it like telnet:pdu1.lab");
        }
        let connect = table.parsed("connect", |text| Connect::parse(text, tcp_port));
        let user = table.optional::<Word>("user").map(|word| word.0);
        let password = Secret::of(table, "password");
        let inverted = table.optional("inverted").unwrap_or(false);
        let native_cycle = table.optional("native_cycle").unwrap_or(false);
        let profile = profile?;
        let has_password =
            table.node("password").is_some() || table.node("password_file").is_some();
        for (key, there) in [("user", table.node("user").is_some()), ("password", has_password)] {
            let other = if key == "password" { " (or \"password_file\", a path)" } else { "" };
            if profile.wants(key) && !there {
                let what = format!("{key:?}{other} is missing: this PDU asks for it");
                table.at().problem(table.place(), what);
            } else if there && !profile.can_use(key) {
                table.problem(key, "the profile of this PDU has no use for it");
            }
        }
        for (key, text) in
            [("user", user.as_deref()), ("password", password.as_ref().map(Secret::expose))]
        {
            if text.is_some_and(|text| text.chars().any(char::is_control)) {
                table.problem(key, "a control character in it would be a command");
            }
        }
        if native_cycle && profile.cycle.is_empty() {
            table.problem("native_cycle", "the profile of this PDU has no cycle of its own");
        }
        Some(Self { connect: connect?, user, password, profile, inverted, native_cycle })
    }

    /// How the daemon of the console that it is on lets us in.
    pub(super) fn log_in_with(&mut self, files: &LoginFiles) {
        if let Connect::Console { login, .. } = &mut self.connect {
            *login = files.clone();
        }
    }

    /// What is said about one outlet.
    ///
    /// # Errors
    /// Why the PDU has no such port.
    pub fn script(&self, port: &str) -> Result<Script, String> {
        let mut script = Script::new(&self.profile, port, &self.values())?;
        script.cycle = script.cycle.filter(|_| self.native_cycle);
        if self.inverted {
            script.invert();
        }
        Ok(script)
    }

    /// All that is said to switch an outlet on: the same for all spellings of its port.
    ///
    /// # Errors
    /// Why the PDU has no such port.
    pub(super) fn said(&self, port: &str) -> Result<String, String> {
        Script::said(&self.profile, port, &self.values())
    }

    /// What is said first and last in a session.
    ///
    /// # Errors
    /// When a value has no place in it.
    pub fn login_and_logout(&self) -> Result<(Vec<Step>, Vec<Step>), String> {
        let values = self.values();
        let Profile { login, logout, .. } = &self.profile;
        Ok((script::steps(login, &values)?, script::steps(logout, &values)?))
    }

    pub fn coding(&self) -> Coding {
        self.profile.coding
    }

    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    fn values(&self) -> Values {
        let password = self.password.as_ref().map(|secret| secret.expose().to_owned());
        let both = [("user", self.user.clone()), ("password", password)];
        both.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
