//! The keys of `driver = "http"`: where the PDU is, who we are to it, and what it understands.

mod profile;

pub(super) use profile::BUILT_IN;
pub use profile::{Body, HttpProfile, HttpRequest, Login, Meter, Method};

use super::common::one_of;
use super::tls::TlsKeys;
use crate::config::{Secret, Table};

/// A PDU that is switched over HTTP.
#[derive(Debug, Clone)]
pub struct Http {
    /// `http://` or `https://`, a host, perhaps a port and a path. Does not end in a slash.
    pub url: String,
    pub auth: Auth,
    pub user: String,
    pub password: Option<Secret>,
    pub token: Option<Secret>,
    pub tls: TlsKeys,
    pub profile: HttpProfile,
    /// Whether a cycle is the PDU's own, which cannot be verified, instead of off and on.
    pub native_cycle: bool,
}

/// How a PDU finds out who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Not at all, or by what the profile puts into its requests.
    None,
    /// RFC 7617.
    Basic,
    /// RFC 7616, with MD5 or SHA-256.
    Digest,
    /// RFC 6750, with the token.
    Bearer,
    /// A header of this name has the token.
    Header(String),
}

const AUTHS: &[(&str, Kind)] = &[
    ("none", Kind::None),
    ("basic", Kind::Basic),
    ("digest", Kind::Digest),
    ("bearer", Kind::Bearer),
    ("header", Kind::Header),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Basic,
    Digest,
    Bearer,
    Header,
}

impl Http {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        table.required::<String>("url");
        let url = table.parsed("url", base);
        let profile = HttpProfile::named_in(table);
        let given = Auth::read(table);
        let user = table.optional::<String>("user").unwrap_or_default();
        let password = Secret::of(table, "password");
        let token = Secret::of(table, "token");
        let tls = TlsKeys::read(table, url.as_ref().is_none_or(|url| url.starts_with("https:")));
        let native_cycle = table.optional("native_cycle").unwrap_or(false);
        if native_cycle && profile.as_ref().is_some_and(|profile| profile.cycle.is_none()) {
            table.problem("native_cycle", "the profile of this PDU has no cycle of its own");
        }
        let profile = profile?;
        let auth = given.unwrap_or_else(|| {
            let wanted = profile.auth.clone();
            // Many a PDU asks nobody who it is until a password is set.
            let known = match wanted {
                Auth::Basic | Auth::Digest => !user.is_empty(),
                Auth::Bearer | Auth::Header(_) => token.is_some(),
                Auth::None => true,
            };
            if known { wanted } else { Auth::None }
        });
        let uses = |word: &str| profile.templates().any(|template| template.has(word));
        let named = matches!(auth, Auth::Basic | Auth::Digest) || uses("user");
        let shown = matches!(auth, Auth::Bearer | Auth::Header(_))
            || (profile.login.is_none() && uses("token"));
        for (wanted, missing, key) in
            [(named, user.is_empty(), "user"), (shown, token.is_none(), "token")]
        {
            // One that is there and could not be read has its own note.
            let file = format!("{key}_file");
            if wanted && missing && table.node(key).is_none() && table.node(&file).is_none() {
                table.at().problem(table.place(), format!("{key:?} is missing; this PDU wants it"));
            }
        }
        if user.contains(':') && auth == Auth::Basic {
            table.problem(
                "user",
                "a name with a colon in it cannot be told by basic authentication",
            );
        }
        Some(Self { url: url?, auth, user, password, token, tls, profile, native_cycle })
    }
}

impl Auth {
    /// The keys `auth` and `auth_header`.
    fn read(table: &Table<'_>) -> Option<Self> {
        let header = table.parsed("auth_header", header_name);
        let kind = table.parsed("auth", |text| one_of(text, AUTHS))?;
        if kind != Kind::Header && header.is_some() {
            table.problem("auth_header", "it goes with auth = \"header\"");
        }
        Some(match kind {
            Kind::None => Self::None,
            Kind::Basic => Self::Basic,
            Kind::Digest => Self::Digest,
            Kind::Bearer => Self::Bearer,
            Kind::Header => match header {
                Some(header) => Self::Header(header),
                None => {
                    if table.node("auth_header").is_none() {
                        table.problem("auth", "\"auth_header\", the header's name, is missing");
                    }
                    return None;
                }
            },
        })
    }
}

/// The name of a header: a token of RFC 9110, section 5.6.2.
fn header_name(text: &str) -> Result<String, String> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.is_empty() || !text.chars().all(sound) {
        return Err(format!("{text:?} is no header's name"));
    }
    Ok(text.to_owned())
}

/// Where a PDU is: as much as all of its URLs have in common.
fn base(text: &str) -> Result<String, String> {
    let wrong = || {
        format!("{text:?} is no PDU's URL; write it like http://10.0.0.7 or https://pdu1.lab:8443")
    };
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let rest = rest.ok_or_else(wrong)?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err(
            "a URL is shown to people: give \"user\" and \"password\" as keys of their own".into(),
        );
    }
    let port = host.rsplit_once(':').filter(|_| !host.ends_with(']')).map(|(_, port)| port);
    let sound = |c: char| c.is_ascii_graphic() && !"?#\\\"<>{}".contains(c);
    if host.is_empty()
        || host.starts_with(':')
        || !rest.chars().all(sound)
        || port.is_some_and(|port| port.parse::<u16>().is_err())
    {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::power::PowerConfig;

    #[test]
    fn a_url_is_that_of_the_pdu_alone() {
        assert_eq!(base("http://10.0.0.7/"), Ok("http://10.0.0.7".into()));
        assert_eq!(base("https://[fd00::7]:8443/api"), Ok("https://[fd00::7]:8443/api".into()));
        assert_eq!(base("http://[fd00::7]"), Ok("http://[fd00::7]".into()));
        for wrong in [
            "pdu1",
            "ftp://pdu1",
            "http://",
            "http://:80",
            "http://p:x",
            "http://a/?x",
            "http://a b",
        ] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
        assert!(base("http://admin:secret@pdu1").unwrap_err().contains("keys of their own"));
    }

    #[test]
    fn a_pdu_says_what_it_wants_to_know() {
        let told = |keys: &str| {
            let text = format!(
                "[[pdu]]\nname = \"p\"\ndriver = \"http\"\nurl = \"http://10.0.0.7\"\n{keys}\n\
                 [[outlet]]\nname = \"a\"\npdu = \"p\"\nport = 1\n"
            );
            match PowerConfig::parse("power.toml", &text) {
                Ok(config) => {
                    let super::super::Driver::Http(http) = &config.pdus[0].driver else { panic!() };
                    Ok(http.auth.clone())
                }
                Err(error) => Err(error.to_string()),
            }
        };
        assert_eq!(told("profile = \"tasmota\""), Ok(Auth::None));
        assert_eq!(told("profile = \"netio\""), Ok(Auth::None));
        let named = "profile = \"netio\"\nuser = \"lava\"\npassword = \"x\"";
        assert_eq!(told(named), Ok(Auth::Basic));
        assert_eq!(told(&format!("{named}\nauth = \"digest\"")), Ok(Auth::Digest));
        assert_eq!(told("profile = \"home-assistant\"\ntoken = \"x\""), Ok(Auth::Bearer));
        assert_eq!(
            told("profile = \"shelly-gen1\"\nuser = \"a:b\"").unwrap_err(),
            "power.toml:6:8: pdu[0].user: a name with a colon in it cannot be told by basic authentication"
        );
        assert_eq!(
            told("profile = \"netio\"\nauth = \"header\"").unwrap_err(),
            "power.toml:6:8: pdu[0].auth: \"auth_header\", the header's name, is missing"
        );
        assert_eq!(
            told("profile = \"netio\"\nauth = \"basic\"").unwrap_err(),
            "power.toml:1:1: pdu[0]: \"user\" is missing; this PDU wants it"
        );
        assert_eq!(
            told("profile = \"netio\"\nca = \"ca.pem\"").unwrap_err(),
            "power.toml:6:6: pdu[0].ca: there is no TLS here to begin with"
        );
    }
}
