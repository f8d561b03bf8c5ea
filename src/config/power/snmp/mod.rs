//! The keys of `driver = "snmp"`: where the agent is, who we are to it, and what its objects are.

mod oid;
mod profile;

pub use oid::{Numbering, OidTemplate, Port};
pub(super) use profile::BUILT_IN;
pub use profile::{Gauge, Get, List, Meter, Profile, Set};

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::common::{Word, one_of};
use crate::config::{Secret, Table};

/// An SNMP agent that switches outlets.
#[derive(Debug, Clone)]
pub struct Snmp {
    /// `HOST:PORT`, the host as a name or an address.
    pub address: String,
    pub access: Access,
    pub family: Family,
    /// Whether a cycle is the PDU's own, which cannot be verified, instead of off and on.
    pub native_cycle: bool,
}

/// What the agent's objects are.
#[derive(Debug, Clone)]
pub enum Family {
    /// The agent is asked when it is first talked to, and again when its objects have vanished.
    Auto,
    Known(Arc<Profile>),
}

/// The version of SNMP, and what it wants to know of us.
#[derive(Debug, Clone)]
pub enum Access {
    V1(Secret),
    V2c(Secret),
    V3(User),
}

/// A user of the user-based security model (RFC 3414).
#[derive(Debug, Clone)]
pub struct User {
    pub name: String,
    pub context: String,
    /// `None` is noAuthNoPriv.
    pub auth: Option<Auth>,
}

#[derive(Debug, Clone)]
pub struct Auth {
    pub protocol: AuthProtocol,
    /// At least 8 bytes, as the one of [`Privacy`].
    pub passphrase: Secret,
    /// `None` is authNoPriv.
    pub privacy: Option<Privacy>,
}

#[derive(Debug, Clone)]
pub struct Privacy {
    pub cipher: Cipher,
    pub passphrase: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthProtocol {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    Des,
    Aes128,
    Aes192,
    Aes256,
}

/// RFC 3414 wants passphrases of this many characters at least, and agents refuse shorter ones.
const MIN_PASSPHRASE: usize = 8;
const DEFAULT_PORT: u16 = 161;

const AUTH_PROTOCOLS: &[(&str, AuthProtocol)] = &[
    ("md5", AuthProtocol::Md5),
    ("sha", AuthProtocol::Sha1),
    ("sha224", AuthProtocol::Sha224),
    ("sha256", AuthProtocol::Sha256),
    ("sha384", AuthProtocol::Sha384),
    ("sha512", AuthProtocol::Sha512),
];

const CIPHERS: &[(&str, Cipher)] = &[
    ("des", Cipher::Des),
    ("aes", Cipher::Aes128),
    ("aes192", Cipher::Aes192),
    ("aes256", Cipher::Aes256),
];

impl Snmp {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let address = table
            .required::<String>("address")
            .and_then(|text| address(&text).map_err(|error| table.problem("address", error)).ok());
        let access = Access::read(table);
        let family = Family::read(table);
        let native_cycle = table.optional("native_cycle").unwrap_or(false);
        if let Some(Family::Known(profile)) = &family
            && native_cycle
            && profile.cycle.is_none()
        {
            table.problem("native_cycle", "the profile of this PDU has no cycle of its own");
        }
        Some(Self { address: address?, access: access?, family: family?, native_cycle })
    }

    /// Whether an outlet can have this port, as far as that is known without asking.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check_port(&self, port: &str) -> Result<(), String> {
        let any = Numbering::new(None, 1);
        let numbering = match &self.family {
            Family::Known(profile) => &profile.numbering,
            Family::Auto => &any,
        };
        numbering.port(port).map(drop)
    }
}

impl Family {
    fn read(table: &Table<'_>) -> Option<Self> {
        match table.node("profile").map(|node| node.as_text()) {
            None | Some(Some("auto")) => Some(Self::Auto),
            Some(_) => Profile::named_in(table).map(Arc::new).map(Self::Known),
        }
    }
}

impl Access {
    fn read(table: &Table<'_>) -> Option<Self> {
        let version = table.optional::<Word>("version").map_or("2c".to_owned(), |word| word.0);
        match version.as_str() {
            "1" => Secret::required(table, "community").map(Self::V1),
            "2c" => Secret::required(table, "community").map(Self::V2c),
            "3" => User::read(table).map(Self::V3),
            other => {
                table.problem("version", format!("{other:?} is none of 1, 2c and 3"));
                None
            }
        }
    }
}

impl User {
    fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.required::<String>("user");
        let context = table.optional::<String>("context").unwrap_or_default();
        let protocol = table.parsed("auth", |text| one_of(text, AUTH_PROTOCOLS));
        let auth = passphrase(table, "auth");
        let cipher = table.parsed("priv", |text| one_of(text, CIPHERS));
        let privacy = passphrase(table, "priv");
        let wants_privacy = table.node("priv").is_some();
        if wants_privacy && table.node("auth").is_none() {
            table.problem("priv", "SNMP cannot encrypt without \"auth\"");
        }
        let privacy = match (cipher, privacy) {
            (Some(cipher), Some(passphrase)) => Some(Privacy { cipher, passphrase }),
            _ => None,
        };
        let auth = match (protocol, auth) {
            (Some(protocol), Some(passphrase)) => Some(Auth { protocol, passphrase, privacy }),
            _ => None,
        };
        Some(Self { name: name?, context, auth })
    }
}

/// The passphrase that goes with the protocol of the key `of`: both are there, or none.
fn passphrase(table: &Table<'_>, of: &str) -> Option<Secret> {
    let key = format!("{of}_passphrase");
    let named = table.node(of).is_some();
    let secret = if named { Secret::required(table, &key) } else { Secret::of(table, &key) }?;
    if !named {
        table
            .at()
            .problem(table.place(), format!("{key:?} is there, but {of:?} (the protocol) is not"));
    }
    if secret.expose().len() < MIN_PASSPHRASE {
        let file = format!("{key}_file");
        let at = if table.node(&key).is_some() { &key } else { &file };
        table.problem(at, format!("SNMP wants at least {MIN_PASSPHRASE} characters"));
    }
    Some(secret)
}

/// `HOST` or `HOST:PORT` with its port.
fn address(text: &str) -> Result<String, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, DEFAULT_PORT).to_string());
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (text, Some(DEFAULT_PORT)),
    };
    match port {
        Some(port) if !host.is_empty() && !host.contains(char::is_whitespace) => {
            Ok(format!("{host}:{port}"))
        }
        _ => Err(format!("{text:?} is no address; write it like pdu1.lab or 10.0.0.7:161")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_the_port_of_snmp() {
        assert_eq!(address("pdu1.lab"), Ok("pdu1.lab:161".into()));
        assert_eq!(address("10.0.0.7:1161"), Ok("10.0.0.7:1161".into()));
        assert_eq!(address("fd00::7"), Ok("[fd00::7]:161".into()));
        assert_eq!(address("[fd00::7]:1161"), Ok("[fd00::7]:1161".into()));
        assert!(address("pdu1:snmp").is_err());
        assert!(address("").is_err());
    }
}
