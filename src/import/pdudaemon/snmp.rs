//! pdudaemon's SNMP: an object per outlet, and its values for on and off; here a profile has them.

use super::Keys;
use super::drivers::Found;
use crate::import::rack::Settings;

/// The objects that a profile sets: below which OID, by which name of its MIB (where it is known), and
/// its values for on and off.
const PROFILES: &[(&str, &str, &str, &str, &str)] = &[
    ("apc-masterswitch", "1.3.6.1.4.1.318.1.1.4.4.2.1.3", "sPDUOutletCtl", "1", "2"),
    ("apc-rpdu", "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4", "rPDUOutletControlOutletCommand", "1", "2"),
    (
        "apc-rpdu2",
        "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5",
        "rPDU2OutletSwitchedControlCommand",
        "1",
        "2",
    ),
    ("cyberpower", "1.3.6.1.4.1.3808.1.1.3.3.3.1.1.4", "ePDUOutletControlOutletCommand", "1", "2"),
    ("raritan-px2", "1.3.6.1.4.1.13742.6.4.1.2.1.2.1", "switchingOperation", "1", "0"),
    ("raritan-px", "1.3.6.1.4.1.13742.4.1.2.2.1.3", "", "1", "0"),
    ("eaton-managed", "1.3.6.1.4.1.534.6.6.6.1.2.2.1.3", "", "1", "0"),
    ("sentry3", "1.3.6.1.4.1.1718.3.2.3.1.11", "outletControlAction", "1", "2"),
    ("sentry4", "1.3.6.1.4.1.1718.4.1.8.5.1.2", "st4OutletControlAction", "1", "2"),
    ("emerson-mph", "1.3.6.1.4.1.476.1.42.3.8.50.20.1.100", "", "1", "0"),
    ("tripplite", "1.3.6.1.4.1.850.10.2.3.5.1.4.1", "", "2", "1"),
    ("tripplite-lx", "1.3.6.1.4.1.850.1.1.3.2.3.3.1.1.6.1", "", "2", "1"),
    ("baytech", "1.3.6.1.4.1.4779.1.3.5.3.1.3.1", "", "1", "0"),
    ("ibm-ipdu", "1.3.6.1.4.1.2.6.223.8.2.2.1.11", "", "1", "0"),
    ("netio", "1.3.6.1.4.1.47952.1.1.1.5", "", "1", "0"),
    ("poe", "1.3.6.1.2.1.105.1.1.1.3", "pethPsePortAdminEnable", "1", "2"),
];

/// What is shown of an OID that is not known.
const SHOWN: usize = 80;

/// A PDU with SNMP version 1.
pub(super) fn v1(profile: &str, host: &str, community: &str) -> Settings {
    base(profile, host).text("version", "1").text("community", community)
}

fn base(profile: &str, host: &str) -> Settings {
    Settings::profile("snmp", profile).text("address", host)
}

/// What `snmpv1` and `snmpv3` are here.
///
/// # Errors
/// Why there is nothing like it.
pub(super) fn settings(driver: &str, host: &str, keys: &mut Keys) -> Result<Found, String> {
    let (settings, before) = version(driver, host, keys)?;
    Ok(Found { settings, note: None, before })
}

/// The settings, and what stands before a port.
fn version(driver: &str, host: &str, keys: &mut Keys) -> Result<(Settings, String), String> {
    let mut take = |key: &str| keys.remove(key).map(|(_, value)| value);
    let (oid, point) = (take("oid"), take("controlpoint"));
    let (on, off) = (take("onsetting"), take("offsetting"));
    take("mib");
    let named = oid.as_deref().or(point.as_deref()).unwrap_or_default();
    let plain = oid.as_deref().map(|oid| oid.trim_start_matches('.'));
    // What stands between the object and the port belongs to the port here: the group of a PoE switch, the
    // tower of a Sentry.
    let before = |base: &str| {
        let rest = plain?.strip_prefix(base)?.strip_prefix('.')?.strip_suffix('*')?;
        let numbers = rest.split('.').all(|part| part.is_empty() || part.parse::<u32>().is_ok());
        (rest.is_empty() || (numbers && rest.ends_with('.'))).then(|| rest.to_owned())
    };
    let found = PROFILES.iter().find_map(|profile| {
        let (_, base, name, ..) = profile;
        let named = plain.is_none() && !name.is_empty() && point.as_deref() == Some(name);
        Some((profile, before(base).or_else(|| named.then(String::new))?))
    });
    let Some(((profile, _, _, its_on, its_off), before)) = found else {
        let named: String = named.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        return Err(format!(
            "no profile switches by {named:?}; write one like conf/profiles/snmp/apc-rpdu.toml, and name \
             its file"
        ));
    };
    if on.as_deref() != Some(its_on) || off.as_deref() != Some(its_off) {
        return Err(format!(
            "profile {profile:?} has {its_on} for on and {its_off} for off, which is not as it is set \
             here; write a profile of your own, and name its file"
        ));
    }
    for key in ["inside_number", "static_ending"] {
        if take(key).is_some() {
            return Err(format!(
                "{key} has no equivalent; the port is the whole end of the OID here"
            ));
        }
    }
    if driver == "snmpv1" {
        let community = take("community").ok_or("it has no community")?;
        return Ok((v1(profile, host, &community), before));
    }
    let user = take("username").ok_or("it has no username")?;
    let mut settings = base(profile, host).text("version", "3").text("user", user);
    let auth = take("authpassphrase").map(|secret| (secret, take("auth_protocol")));
    let privacy = take("privpassphrase").map(|secret| (secret, take("priv_protocol")));
    if auth.is_none() && privacy.is_some() {
        return Err(
            "privacy goes with authentication only, and its authpassphrase is missing".into()
        );
    }
    // pysnmp's own, when none is told.
    for (key, passphrase, pair, default) in
        [("auth", "auth_passphrase", auth, "md5"), ("priv", "priv_passphrase", privacy, "des")]
    {
        let Some((secret, named)) = pair else { continue };
        let protocol = match named {
            None => default,
            Some(named) => protocol(&named).ok_or("one of its protocols is not known")?,
        };
        if secret.len() < 8 {
            return Err("SNMP wants at least 8 characters in a passphrase".into());
        }
        settings = settings.text(key, protocol).text(passphrase, secret);
    }
    Ok((settings, before))
}

/// A protocol by the name of pysnmp's object.
fn protocol(named: &str) -> Option<&'static str> {
    Some(match named {
        "usmHMACMD5AuthProtocol" | "USM_AUTH_HMAC96_MD5" => "md5",
        "usmHMACSHAAuthProtocol" | "USM_AUTH_HMAC96_SHA" => "sha",
        "usmHMAC128SHA224AuthProtocol" | "USM_AUTH_HMAC128_SHA224" => "sha224",
        "usmHMAC192SHA256AuthProtocol" | "USM_AUTH_HMAC192_SHA256" => "sha256",
        "usmHMAC256SHA384AuthProtocol" | "USM_AUTH_HMAC256_SHA384" => "sha384",
        "usmHMAC384SHA512AuthProtocol" | "USM_AUTH_HMAC384_SHA512" => "sha512",
        "usmDESPrivProtocol" | "USM_PRIV_CBC56_DES" => "des",
        "usmAesCfb128Protocol" | "USM_PRIV_CFB128_AES" => "aes",
        "usmAesCfb192Protocol" | "USM_PRIV_CFB192_AES" => "aes192",
        "usmAesCfb256Protocol" | "USM_PRIV_CFB256_AES" => "aes256",
        _ => return None,
    })
}

/// A port is the end of an OID.
pub(super) fn port(port: &str, profile: &str) -> Result<String, String> {
    if port.split('.').all(|part| part.parse::<u32>().is_ok() && !part.starts_with('+')) {
        return Ok(port.to_owned());
    }
    Err(format!("port {port:?} is no end of an OID of profile {profile:?}"))
}
