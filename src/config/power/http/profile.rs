//! HTTP PDUs as data: which requests switch an outlet, and where the answers tell its state.

use super::Auth;
use crate::config::power::answer::{Check, Finder, Meaning, Quantity};
use crate::config::power::common::one_of;
use crate::config::power::ports::Ports;
use crate::config::power::profile::{self, BuiltIn, built_in};
use crate::config::power::template::{Template, Values};
use crate::config::{At, Problems, Table, toml};
use crate::wire::pattern::Pattern;

/// How a family of PDUs is switched over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProfile {
    /// How it finds out who we are, if it is told who that is.
    pub auth: Auth,
    pub ports: Ports,
    /// Asked first, every time: a request whose answer has a token for the others.
    pub login: Option<Login>,
    pub on: HttpRequest,
    pub off: HttpRequest,
    /// The PDU's own cycle.
    pub cycle: Option<HttpRequest>,
    /// Without it nothing can be verified.
    pub status: Option<(HttpRequest, Meaning)>,
    pub meter: Option<Box<Meter>>,
    /// A request that anybody may make, and where such a PDU says what it is.
    pub probe: Option<(HttpRequest, Finder)>,
    /// What an answer has in it when it is a "no" in spite of its status: a regular expression.
    pub denied: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub request: HttpRequest,
    pub token: Finder,
}

/// One request. Its texts are filled in for an outlet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: Method,
    /// Begins with a slash; may have a query.
    pub path: Template,
    pub headers: Vec<(String, Template)>,
    pub body: Option<Body>,
    /// Which statuses are a success; empty for all of 200 to 299.
    pub statuses: Vec<u16>,
    /// What the answer has to say for it.
    pub check: Option<Check>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Json(Template),
    Form(Template),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
}

/// What flows through an outlet.
#[derive(Debug, Clone, PartialEq)]
pub struct Meter {
    pub request: HttpRequest,
    pub volts: Option<Quantity>,
    pub amperes: Option<Quantity>,
    pub watts: Option<Quantity>,
}

/// Nobody compares what could not be compared: numbers in profiles are finite.
impl Eq for Meter {}

/// The profiles that come with the program: `conf/profiles/http`.
pub(in crate::config::power) const BUILT_IN: &[BuiltIn] = built_in!("http":
    "anel" "aviosys-ip9850" "digipower" "digital-loggers" "esphome" "gude" "home-assistant"
    "intellinet" "lindy-ipower-classic8" "netio" "redfish" "redfish-pdu" "sainsmart"
    "servertech-pro2" "shelly-gen1" "shelly-gen2" "tasmota" "tinycontrol-tcpdu" "ubus" "ubus-open");

/// What may stand in the texts of a profile beside ports.
const WORDS: &[&str] = &["user", "password", "token"];

const METHODS: &[(&str, Method)] =
    &[("GET", Method::Get), ("POST", Method::Post), ("PUT", Method::Put), ("PATCH", Method::Patch)];

impl HttpProfile {
    /// The profile that a PDU's `profile` key names.
    pub(super) fn named_in(table: &Table<'_>) -> Option<Self> {
        profile::named_in(table, BUILT_IN, Self::parse)
    }

    /// Those that come with the program and know such a PDU when they see it, by their names.
    pub fn that_probe() -> impl Iterator<Item = (&'static str, Self)> {
        let read = |(name, text): &BuiltIn| {
            let problems = Problems::default();
            let profile = Self::parse(text, &At::top(name, &problems))?;
            profile.probe.is_some().then_some((*name, profile))
        };
        BUILT_IN.iter().filter_map(read)
    }

    fn parse(text: &str, at: &At<'_>) -> Option<Self> {
        let node = toml::parse(text, at)?;
        let table = Table::new(&node, at.clone())?;
        // For people; asked for so that nobody adds a profile out of thin air.
        table.required::<String>("about");
        table.required::<String>("source");
        let auth = Auth::read(&table).unwrap_or(Auth::None);
        let ports = table.parsed("ports", Ports::parse);
        let denied = table.parsed("denied", |text| {
            Pattern::new(text, false).map(|_| text.to_owned()).map_err(|error| error.to_string())
        });
        let switching = |key: &str| {
            let table = table.table(key)?;
            let request = HttpRequest::read(&table, true);
            table.finish();
            Some(request)
        };
        let (on, off, cycle) = (switching("on"), switching("off"), switching("cycle"));
        let status = table.table("status").map(|table| {
            let read = (HttpRequest::read(&table, false), Meaning::read(&table, WORDS));
            table.finish();
            Some((read.0?, read.1?))
        });
        let login = table.table("login").map(|table| {
            let read = (HttpRequest::read(&table, false), Finder::read(&table, WORDS));
            table.finish();
            Some(Login { request: read.0?, token: read.1? })
        });
        let probe = table.table("probe").map(|table| {
            let read = (HttpRequest::read(&table, false), Finder::read(&table, &[]));
            table.finish();
            Some((read.0?, read.1?))
        });
        let meter = table.table("meter").map(|table| Meter::read(table).map(Box::new));
        for (key, missing) in [("on", on.is_none()), ("off", off.is_none())] {
            if missing && table.node(key).is_none() {
                at.problem(table.place(), format!("the table [{key}] is missing"));
            }
        }
        let ports = ports.unwrap_or(Ports::Numbers { first: 0, last: u32::MAX });
        let cycle = cycle.flatten();
        let (status, login, meter) = (status.flatten(), login.flatten(), meter.flatten());
        let profile = (|| {
            let (on, off) = (on??, off??);
            let probe = probe.flatten();
            Some(Self { auth, ports, login, on, off, cycle, status, meter, probe, denied })
        })();
        if profile
            .as_ref()
            .is_some_and(|p| p.ports == Ports::Names && p.templates().any(Template::wants_number))
        {
            table.problem("ports", "names cannot be counted, as a request here does");
        }
        table.finish();
        profile
    }

    /// Every text of it.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        let status = self.status.as_ref();
        let meter = self.meter.as_deref();
        let login = self.login.as_ref();
        let requests = [Some(&self.on), Some(&self.off), self.cycle.as_ref()].into_iter().flatten();
        let requests = requests
            .chain(status.map(|(request, _)| request))
            .chain(meter.map(|meter| &meter.request))
            .chain(login.map(|login| &login.request));
        let quantities = meter.into_iter().flat_map(|m| [&m.volts, &m.amperes, &m.watts]).flatten();
        requests
            .flat_map(HttpRequest::templates)
            .chain(status.into_iter().flat_map(|(_, meaning)| meaning.finder.templates()))
            .chain(quantities.flat_map(|quantity| quantity.finder.templates()))
            .chain(login.into_iter().flat_map(|login| login.token.templates()))
    }
}

impl HttpRequest {
    fn read(table: &Table<'_>, checked: bool) -> Option<Self> {
        let template = |text: &str| Template::parse(text, WORDS);
        let method = table.parsed("method", |text| one_of(text, METHODS)).unwrap_or(Method::Get);
        table.required::<String>("path");
        let path = table.parsed("path", |text| {
            let sound = |c: char| c.is_ascii_graphic() && !"#\\\"<>".contains(c);
            match text.starts_with('/') && text.chars().all(sound) {
                true => template(text),
                false => {
                    Err(format!("{text:?} is no path; write it like /relay/{{port0}}?turn=on"))
                }
            }
        });
        let mut headers = Vec::new();
        if let Some(given) = table.table("headers") {
            for (key, _) in given.entries() {
                let value = given.parsed(&key.name, |text| {
                    super::header_name(&key.name)?;
                    match text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
                        true => template(text),
                        false => Err(format!("{text:?} cannot be a header's value")),
                    }
                });
                headers.extend(value.map(|value| (key.name.clone(), value)));
            }
        }
        let json = table.parsed("json", |text| {
            let template = template(text)?;
            let words = ["user", "password", "token", "outlet"].map(|word| (word, "1"));
            let sample = template
                .fill(&Values { words: &words, port: "1" }, super::super::template::Escape::Json);
            match serde_json::from_str::<serde::de::IgnoredAny>(&sample.unwrap_or_default()) {
                Ok(_) => Ok(template),
                Err(error) => Err(format!("it is no JSON: {error}")),
            }
        });
        let form = table.parsed("form", template);
        if table.node("json").is_some() && table.node("form").is_some() {
            table.problem("form", "\"json\" is given too; only one of them can be");
        }
        let statuses = table.optional::<Vec<u16>>("answers").unwrap_or_default();
        let check = if checked { Check::read(table, WORDS) } else { None };
        let body = json.map(Body::Json).or(form.map(Body::Form));
        Some(Self { method, path: path?, headers, body, statuses, check })
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        let body = self.body.iter().map(|body| match body {
            Body::Json(template) | Body::Form(template) => template,
        });
        let check = self.check.iter().flat_map(|check| check.finder.templates());
        let headers = self.headers.iter().map(|(_, value)| value);
        std::iter::once(&self.path).chain(headers).chain(body).chain(check)
    }
}

impl Meter {
    fn read(table: Table<'_>) -> Option<Self> {
        let request = HttpRequest::read(&table, false);
        let quantity = |key: &str| table.table(key).and_then(|table| Quantity::read(table, WORDS));
        let (volts, amperes, watts) = (quantity("volts"), quantity("amperes"), quantity("watts"));
        table.finish();
        Some(Self { request: request?, volts, amperes, watts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_that_come_with_the_program_are_sound() {
        for (name, text) in BUILT_IN {
            let problems = Problems::default();
            let profile = HttpProfile::parse(text, &At::top(name, &problems));
            let profile = problems.check(profile).unwrap();
            assert_ne!(profile.on, profile.off, "{name}");
            for request in [&profile.on, &profile.off] {
                assert!(request.templates().any(Template::knows_port), "{name}");
            }
        }
    }

    #[test]
    fn a_profile_says_what_is_wrong_with_it() {
        let problems = Problems::default();
        let text = "about = \"x\"\nports = \"8\"\n\
                    [on]\nmethod = \"DELETE\"\npath = \"relay/{prot}\"\njson = '{\"a\":}'\nat = \"on\"\n\
                    [status]\npath = \"/{port\"\nmatch = \"(\"\non = [true, 1]\noff = 1\nanswer = 2\n";
        assert_eq!(HttpProfile::parse(text, &At::top("pdu.toml", &problems)), None);
        let told = problems.check(None::<HttpProfile>).unwrap_err().to_string();
        for line in [
            "pdu.toml:1:1: \"source\" is missing",
            "pdu.toml:1:1: the table [off] is missing",
            "pdu.toml:2:9: ports: \"8\" is neither \"names\" nor a range like \"1-8\"",
            "pdu.toml:4:10: on.method: \"DELETE\" is none of GET, POST, PUT, PATCH",
            "pdu.toml:5:8: on.path: \"relay/{prot}\" is no path; write it like /relay/{port0}?turn=on",
            "pdu.toml:6:8: on.json: it is no JSON: expected value at line 1 column 6",
            "pdu.toml:7:6: on.at: \"on\" is no JSON pointer; write it like /relays/0/on",
            "pdu.toml:10:9: status.match: an expression to look for is not understood: unclosed group",
            "pdu.toml:12:7: status.off: 1 means on already",
            "pdu.toml:13:1: status: unknown key \"answer\"; did you mean \"answers\"?",
        ] {
            assert!(told.lines().any(|told| told == line), "{line}\nis not in\n{told}");
        }
    }
}
