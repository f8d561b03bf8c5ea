//! PDUs that one talks to as data: what is said to them, and what they say to it.

use std::time::Duration;

use super::expression::Expression;
use super::template::{Pattern, Template};
use crate::config::power::profile::{self, BuiltIn, built_in};
use crate::config::{At, Table, toml};
use crate::wire::expect::Expected;

/// How one talks to a family of PDUs.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    /// The ports that there are; its named groups are values.
    pub(super) port: Expected,
    /// The same in words.
    pub(super) ports: String,
    /// Where its TCP server listens.
    pub(super) tcp_port: Option<u16>,
    pub(super) coding: Coding,
    pub(super) login: Vec<StepText>,
    pub(super) logout: Vec<StepText>,
    pub(super) on: Vec<StepText>,
    pub(super) off: Vec<StepText>,
    /// Empty when there is none, as the next one.
    pub(super) cycle: Vec<StepText>,
    pub(super) status: Vec<StepText>,
}

/// How texts are written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coding {
    /// As they are.
    #[default]
    Plain,
    /// TP-Link's: a length of four bytes, then each byte exclusive or the one before it.
    TpLink,
}

/// One step of a conversation, with places for values.
#[derive(Debug, Clone)]
pub(super) struct StepText {
    pub needs: Option<String>,
    pub send: Option<Template>,
    pub expect: Option<Pattern>,
    pub fail: Option<Pattern>,
    pub busy: Option<Pattern>,
    pub names: Option<Pattern>,
    pub replies: Vec<(Pattern, Template)>,
    pub timeout: Duration,
    pub pause: Duration,
    pub harmless: bool,
    pub reading: Option<ReadingText>,
}

/// How a step's answer tells an outlet's state.
#[derive(Debug, Clone)]
pub(super) enum ReadingText {
    Words { on: Pattern, off: Pattern },
    Bit(Expression),
}

/// The profiles that come with the program: `conf/profiles/dialogue`.
pub(in crate::config::power) const BUILT_IN: &[BuiltIn] = built_in!("dialogue":
    "acme-ssh" "apc-9210" "apc-cli" "apc-menu" "appro-swpdu" "baytech" "baytech-nc"
    "conrad-197720" "cyclades-pm" "devantech-ds" "devantech-eth" "devantech-eth8020"
    "devantech-usb" "gude" "hp-ilo" "hp-mp" "ibm-bladecenter" "icebox" "modbus-tcp"
    "netio-kshell" "numato-usb" "numato-usb32" "numato-usb64" "powerman-vpc"
    "rackable-phantom" "sentry-cli" "sun-ilom" "sun-lom" "synaccess-netbooter" "tplink"
    "tplink-strip" "ubnt-mfi-ssh" "wti-nps" "wti-rps10"
);

const TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(120);
/// How many steps a conversation may have.
const MAX_STEPS: usize = 64;
/// The group of a pattern whose bytes a `bit` is of.
pub(super) const BITS: &str = "bits";
/// The group of `names` that is the number of an outlet.
pub(super) const OUTLET: &str = "outlet";

/// What the steps of a conversation may have.
#[derive(Clone, Copy)]
struct Rules<'a> {
    known: &'a [String],
    timeout: Duration,
    /// They tell the state.
    reads: bool,
}

impl Profile {
    /// The profile that a PDU's `profile` key names.
    pub(super) fn named_in(table: &Table<'_>) -> Option<Self> {
        profile::named_in(table, BUILT_IN, Self::parse)
    }

    pub(super) fn parse(text: &str, at: &At<'_>) -> Option<Self> {
        let node = toml::parse(text, at)?;
        let table = Table::new(&node, at.clone())?;
        // For people; asked for so that nobody adds a profile out of thin air.
        table.required::<String>("about");
        table.required::<String>("source");
        if table.node("port").is_none() {
            table.problem(
                "port",
                "\"port\" is missing: a regular expression of the ports there are",
            );
        }
        let port = table.parsed("port", Expected::whole);
        let ports = table.optional::<String>("port");
        let tcp_port = table.optional::<u16>("tcp_port");
        let coding = table.parsed("coding", |word| match word {
            "tplink" => Ok(Coding::TpLink),
            _ => Err(format!("{word:?} is not \"tplink\", the only coding there is")),
        });
        let timeout = table.optional("timeout").unwrap_or(TIMEOUT);

        let ours = ["user", "password"].map(str::to_owned);
        let parts = port.iter().flat_map(Expected::groups).map(str::to_owned);
        let known: Vec<String> =
            ours.iter().cloned().chain(["port".to_owned()]).chain(parts).collect();
        let of_pdu = Rules { known: &ours, timeout, reads: false };
        let of_outlet = Rules { known: &known, ..of_pdu };
        let login = steps(&table, "login", of_pdu);
        let logout = steps(&table, "logout", of_pdu);
        let on = steps(&table, "on", of_outlet);
        let off = steps(&table, "off", of_outlet);
        let cycle = steps(&table, "cycle", of_outlet);
        let status = steps(&table, "status", Rules { reads: true, ..of_outlet });
        for (key, steps) in [("on", &on), ("off", &off)] {
            if table.node(key).is_none() {
                table.problem(key, format!("the steps [[{key}]] are missing"));
            } else if steps.as_ref().is_some_and(|steps| steps.iter().all(|s| s.send.is_none())) {
                table.problem(key, "nothing is sent");
            }
        }
        if let Some(steps) = &status
            && !steps.is_empty()
            && steps.iter().filter(|step| step.reading.is_some()).count() != 1
        {
            table.problem(
                "status",
                "one step has to tell the state, by \"on\" and \"off\" or by \"bit\"",
            );
        }
        table.finish();
        Some(Self {
            port: port?,
            ports: ports?,
            tcp_port,
            coding: coding.unwrap_or_default(),
            login: login?,
            logout: logout?,
            on: on?,
            off: off?,
            cycle: cycle?,
            status: status?,
        })
    }

    /// Whether nobody can log in without this value, a user or a password.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.steps().any(|step| step.needs.as_deref() != Some(name) && step.uses(name))
    }

    /// Whether there is a use for this value.
    pub(super) fn can_use(&self, name: &str) -> bool {
        self.steps().any(|step| step.uses(name))
    }

    fn steps(&self) -> impl Iterator<Item = &StepText> {
        let all = [&self.login, &self.logout, &self.on, &self.off, &self.cycle, &self.status];
        all.into_iter().flatten()
    }
}

impl StepText {
    fn read(table: &Table<'_>, rules: Rules<'_>) -> Option<Self> {
        let pattern = |key: &str| table.parsed(key, |text| Pattern::parse(text, rules.known));
        let needs = table.parsed("if", |word| match word {
            "user" | "password" => Ok(word.to_owned()),
            _ => Err(format!("{word:?} is neither \"user\" nor \"password\"")),
        });
        let send = table.parsed("send", |text| Template::parse(text, rules.known));
        let (expect, fail, busy) = (pattern("expect"), pattern("fail"), pattern("busy"));
        let names = pattern("names");
        if names.as_ref().is_some_and(|names| !names.finds().iter().any(|name| name == OUTLET)) {
            table.problem("names", "it has to say where the outlet's number is: (?<outlet>...)");
        }
        let replies = table.tables("replies").into_iter().map(|reply| {
            let see = reply.parsed("see", |text| Pattern::parse(text, rules.known));
            let send = reply.parsed("send", |text| Template::parse(text, rules.known));
            for key in ["see", "send"] {
                if reply.node(key).is_none() {
                    reply.problem(key, format!("{key:?} is missing"));
                }
            }
            reply.finish();
            see.zip(send)
        });
        let replies: Option<Vec<_>> = replies.collect();
        let timeout = table.optional("timeout").unwrap_or(rules.timeout);
        let pause = table.optional("pause").unwrap_or_default();
        for (key, time) in [("timeout", timeout), ("pause", pause)] {
            if time > LONGEST {
                table.problem(key, format!("{time:?} is too long; {LONGEST:?} is the most"));
            }
        }
        let harmless = table.optional("harmless").unwrap_or(false);
        let reading = if rules.reads { ReadingText::read(table, rules) } else { None };

        let given = |key| table.node(key).is_some();
        if !given("send") && !given("expect") && !given("pause") && reading.is_none() {
            table.at().problem(table.place(), "nothing is sent, expected or waited for");
        }
        for key in ["fail", "busy", "names", "replies"] {
            if given(key) && !given("expect") && reading.is_none() {
                table.problem(key, "without \"expect\" nothing is listened for");
            }
        }
        let step = Self {
            needs,
            send,
            expect,
            fail,
            busy,
            names,
            replies: replies?,
            timeout,
            pause,
            harmless,
            reading,
        };
        Some(step)
    }

    /// Adds what its patterns find to what those before it have `found`, which is all that it can say.
    fn note_found(&self, table: &Table<'_>, found: &mut Vec<String>) {
        let check = |template: &Template, found: &[String]| {
            for name in template.hears().filter(|name| !found.iter().any(|known| known == name)) {
                let what =
                    format!("{{heard:{name}}}: no pattern before it has a group (?<{name}>...)");
                table.at().problem(table.place(), what);
            }
        };
        self.send.iter().for_each(|send| check(send, found));
        for (see, send) in &self.replies {
            found.extend(see.finds());
            check(send, found);
        }
        found.extend(self.expect.iter().flat_map(Pattern::finds));
    }

    fn uses(&self, name: &str) -> bool {
        let replies = self.replies.iter().map(|(_, send)| send);
        self.send.iter().chain(replies).any(|template| template.names(name))
    }
}

impl ReadingText {
    fn read(table: &Table<'_>, rules: Rules<'_>) -> Option<Self> {
        let pattern = |key: &str| table.parsed(key, |text| Pattern::parse(text, rules.known));
        let (on, off) = (pattern("on"), pattern("off"));
        let bit = table.parsed("bit", |text| Expression::parse(text, rules.known));
        let given = |key| table.node(key).is_some();
        if given("on") != given("off") || (given("bit") && given("on")) {
            let place = table.place();
            table.at().problem(place, "the state is told by \"on\" and \"off\", or by \"bit\"");
            return None;
        }
        if given("bit")
            && table.optional::<String>("expect").is_none_or(|it| !it.contains("(?<bits>"))
        {
            table.problem("bit", "\"expect\" has to say which bytes it is of: (?<bits>...)");
        }
        match (on, off, bit) {
            (Some(on), Some(off), _) => Some(Self::Words { on, off }),
            (_, _, Some(bit)) => Some(Self::Bit(bit)),
            _ => None,
        }
    }
}

/// The steps of a list; `None` after a note.
fn steps(table: &Table<'_>, key: &str, rules: Rules<'_>) -> Option<Vec<StepText>> {
    let tables = table.tables(key);
    if tables.len() > MAX_STEPS {
        table.problem(key, format!("there are more than {MAX_STEPS} steps"));
    }
    let mut found: Vec<String> = Vec::new();
    let read = tables.into_iter().map(|table| {
        let step = StepText::read(&table, rules);
        if let Some(step) = &step {
            step.note_found(&table, &mut found);
        }
        table.finish();
        step
    });
    let read: Vec<Option<StepText>> = read.collect();
    read.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::script::Script;
    use super::*;
    use crate::config::Problems;

    #[test]
    fn the_profiles_that_come_with_the_program_are_sound() {
        for (name, text) in BUILT_IN {
            let problems = Problems::default();
            let profile = Profile::parse(text, &At::top(name, &problems));
            let profile = problems.check(profile).unwrap();
            let given = ["user", "password"].map(|key| (key.to_owned(), "x".to_owned()));
            let values = given.into_iter().collect();
            let ports = (0..=4096).map(|port| port.to_string()).chain([".AA1".to_owned()]);
            let ports: Vec<String> =
                ports.filter(|port| profile.port.is_in(port.as_bytes())).collect();
            assert!(!ports.is_empty(), "{name}");
            for port in ports {
                let script = Script::new(&profile, &port, &values).unwrap();
                assert_ne!(format!("{:?}", script.on), format!("{:?}", script.off), "{name}");
            }
            for port in ["", " ", "1\r", "1;reboot", "$(reboot)", "1 2", "`1`", "-1", "1\n2", "*"] {
                assert!(Script::new(&profile, port, &values).is_err(), "{name}: {port:?}");
            }
        }
    }

    #[test]
    fn nothing_is_confirmed_without_a_look_at_whose_outlet_it_is() {
        let mut confirmed = 0;
        for (name, text) in BUILT_IN {
            let problems = Problems::default();
            let profile = Profile::parse(text, &At::top(name, &problems)).unwrap();
            for steps in [&profile.on, &profile.off, &profile.cycle] {
                let yes = Template::parse("YES\\r", &[]).unwrap();
                let yes = |step: &StepText| step.send.as_ref() == Some(&yes);
                for at in (0..steps.len()).filter(|at| yes(&steps[*at])) {
                    confirmed += 1;
                    assert!(
                        steps[..at].iter().filter(|step| step.names.is_some()).count() > 1,
                        "{name}"
                    );
                }
            }
        }
        assert!(confirmed >= 4, "{confirmed}");
    }

    #[test]
    fn a_profile_says_what_is_wrong_with_it() {
        let problems = Problems::default();
        let text = r#"
about = "x"
port = '[1-8'
[[login]]
send = '{port}\r'
[[on]]
expect = 'OK'
[[status]]
send = '\q'
on = 'ON'
[[status]]
replies = [{ see = 'More', sned = 'y' }]
"#;
        assert!(Profile::parse(text, &At::top("pdu.toml", &problems)).is_none());
        let told = problems.check(None::<Profile>).unwrap_err().to_string();
        for line in [
            "pdu.toml:1:1: \"source\" is missing",
            "pdu.toml:5:8: login[0].send: {port} has no value; there is user, password",
            "pdu.toml:1:1: off: the steps [[off]] are missing",
            "on: nothing is sent",
            "pdu.toml:9:8: status[0].send: \\q is none of",
            "status[0]: the state is told by \"on\" and \"off\", or by \"bit\"",
            "status[1].replies[0].send: \"send\" is missing",
            "status[1].replies[0]: unknown key \"sned\"; did you mean \"send\"?",
            "status[1]: nothing is sent, expected or waited for",
            "status[1].replies: without \"expect\" nothing is listened for",
            "pdu.toml:3:8: port: no regular expression: unclosed character class",
        ] {
            assert!(told.contains(line), "{line}\nis not in\n{told}");
        }
    }
}
