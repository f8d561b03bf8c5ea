//! `lava power probe HOST`: what kind of PDU is there, and the configuration that it wants.
//!
//! Each protocol that PDUs speak has a probe in [`run`]; whoever is known first is told.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use futures_util::future::{Either, select};
use serde_json::json;

use super::Context;
use crate::config::power::{Access, PowerConfig, Snmp};
use crate::model::{Failure, Kind, Name, Reading, units};
use crate::outlet::OutletError;
use crate::outlet::probe::{self, Finding, Found};

/// How long a PDU may take for all of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Finds out what kind of PDU is at an address, lists its outlets, and prints the configuration to
/// paste. Nothing is switched.
///
/// Exit codes: 1 somebody answers who is no PDU that is known; 3 nobody answers, or lets us ask.
#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    /// HOST or HOST:PORT, for SNMP and for those who tell it by HTTP (Shelly, Tasmota, NETIO, Redfish); or
    /// a URL.
    host: String,
    /// SNMP version: 1, 2c or 3.
    #[arg(long, value_name = "VERSION", default_value = "2c")]
    snmp: String,
    /// A file with the community for versions 1 and 2c; "public" without it.
    #[arg(long, value_name = "FILE")]
    community_file: Option<PathBuf>,
    /// The user of version 3.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The context of version 3.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// md5, sha, sha224, sha256, sha384 or sha512.
    #[arg(long, value_name = "PROTOCOL", requires = "auth_passphrase_file")]
    auth: Option<String>,
    #[arg(long, value_name = "FILE", requires = "auth")]
    auth_passphrase_file: Option<PathBuf>,
    /// des, aes, aes192 or aes256.
    #[arg(long = "priv", value_name = "CIPHER", requires = "priv_passphrase_file")]
    privacy: Option<String>,
    #[arg(long, value_name = "FILE", requires = "privacy")]
    priv_passphrase_file: Option<PathBuf>,
    /// How long the PDU may take for all of it, as 30s.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    timeout: Duration,
    /// The PDU's name in the configuration that is printed.
    #[arg(long, default_value = "pdu1")]
    name: Name,
    /// One line of JSON: what was found.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ProbeArgs, ctx: &Context) -> Result<(), Failure> {
    let Known { address, table, found } = Box::pin(find(&args)).await?;
    match args.json {
        true => ctx.print_json(&listed(&address, &found)).await,
        false => ctx.print(text(&address, &args.name, &table, &found).as_bytes()).await,
    }
}

/// The configuration of a PDU that can be asked by SNMP version 2c or by HTTP, with its outlets.
///
/// # Errors
/// As `lava power probe` has them.
pub(in super::super) async fn configuration(
    host: String,
    name: Name,
    community_file: Option<PathBuf>,
) -> Result<String, Failure> {
    let args = ProbeArgs {
        host,
        snmp: "2c".into(),
        community_file,
        user: None,
        context: None,
        auth: None,
        auth_passphrase_file: None,
        privacy: None,
        priv_passphrase_file: None,
        timeout: PATIENCE,
        name,
        json: false,
    };
    let Known { address, table, found } = Box::pin(find(&args)).await?;
    Ok(text(&address, &args.name, &table, &found))
}

async fn find(args: &ProbeArgs) -> Result<Known, Failure> {
    let web = async { tokio::time::timeout(args.timeout, web(args)).await.ok().flatten() };
    if is_url(&args.host) {
        return web.await.ok_or_else(|| {
            let message = format!("{}: there is no PDU that tells anybody what it is", args.host);
            Failure::new(Kind::Failed, message)
        });
    }
    let table = args.pdu_table();
    let Snmp { address, access, .. } = snmp_of(&table)?;
    let snmp = tokio::time::timeout(args.timeout, probe::snmp(&address, &access));
    let (web, snmp) = (std::pin::pin!(web), std::pin::pin!(snmp));
    // Whoever is known first, in either protocol.
    let asked = match select(snmp, web).await {
        Either::Left((Ok(Ok(Finding::Pdu(found))), _)) => Ok(Ok(Finding::Pdu(found))),
        Either::Left((other, web)) => match web.await {
            Some(found) => return Ok(found),
            None => other,
        },
        Either::Right((Some(found), _)) => return Ok(found),
        Either::Right((None, snmp)) => snmp.await,
    };
    let found = asked.unwrap_or(Err(OutletError::Silent(args.timeout)));
    match found.map_err(|error| unanswered(&address, &access, &error))? {
        Finding::Pdu(found) => Ok(Known { address: address.clone(), table, found }),
        Finding::Stranger(who) => {
            let message = format!("{address} speaks SNMP and is no PDU of a known family: {who}");
            Err(Failure::new(Kind::Failed, message).hint(
                "`lava power drivers` lists the families; a file like those of conf/profiles/snmp \
                 makes another one",
            ))
        }
    }
}

/// A PDU that is known now, and its `[[pdu]]` table without its profile.
struct Known {
    address: String,
    table: String,
    found: Found,
}

/// The web server of a host that is a PDU, with and without TLS.
async fn web(args: &ProbeArgs) -> Option<Known> {
    let host = args.host.as_str();
    let urls = match is_url(host) {
        true => vec![host.trim_end_matches('/').to_owned()],
        false => ["http", "https"].map(|scheme| format!("{scheme}://{host}")).to_vec(),
    };
    for url in urls {
        let Ok(Some(found)) = probe::web(&url).await else { continue };
        let (name, address) = (&args.name, quoted(&url));
        let mut table = format!("[[pdu]]\nname = \"{name}\"\ndriver = \"http\"\nurl = {address}\n");
        if url.starts_with("https:") {
            table += "insecure_tls = true # until its CA is known: ca = \"FILE\"\n";
        }
        return Some(Known { address: url, table, found });
    }
    None
}

fn is_url(host: &str) -> bool {
    host.starts_with("http://") || host.starts_with("https://")
}

impl ProbeArgs {
    /// The `[[pdu]]` table without its profile, as it would stand in a configuration.
    fn pdu_table(&self) -> String {
        let mut table = format!("[[pdu]]\nname = \"{}\"\ndriver = \"snmp\"\n", self.name);
        let mut key = |key: &str, value: &str| {
            let _ = writeln!(table, "{key} = {}", quoted(value));
        };
        key("address", &self.host);
        key("version", &self.snmp);
        let path = |path: &Path| {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            absolute.display().to_string()
        };
        let three = self.snmp == "3";
        for (word, value) in [
            ("user", &self.user),
            ("context", &self.context),
            ("auth", &self.auth),
            ("priv", &self.privacy),
        ] {
            if let Some(value) = value {
                key(word, value);
            }
        }
        for (word, file) in [
            ("auth_passphrase_file", &self.auth_passphrase_file),
            ("priv_passphrase_file", &self.priv_passphrase_file),
            ("community_file", &self.community_file),
        ] {
            if let Some(file) = file {
                key(word, &path(file));
            }
        }
        if !three && self.community_file.is_none() {
            key("community", "public");
        }
        table
    }
}

/// What the keys mean: read as a configuration is, with the same messages.
fn snmp_of(table: &str) -> Result<Snmp, Failure> {
    let outlet = "[[outlet]]\nname = \"a\"\npdu = \"-\"\nport = 1\n";
    let pdu = table.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or_default();
    let text = table.to_owned() + &outlet.replace("\"-\"", pdu);
    let config = PowerConfig::parse("the options", &text).map_err(|failure| {
        // The lines of a table that nobody sees.
        let told = failure.message.lines().map(|line| {
            line.split_once("pdu[0]")
                .map_or(line, |(_, rest)| rest.trim_start_matches([':', '.', ' ']))
        });
        Failure::new(Kind::User, told.collect::<Vec<_>>().join("\n"))
    })?;
    let driver = config.pdus.into_iter().next().map(|pdu| pdu.driver);
    match driver {
        Some(crate::config::power::Driver::Snmp(snmp)) => Ok(*snmp),
        _ => Err(Failure::new(Kind::Bug, "the options are no SNMP agent's")),
    }
}

fn unanswered(address: &str, access: &Access, error: &OutletError) -> Failure {
    let failure = Failure::new(Kind::Lab, format!("{address}: {error}"));
    match (error, access) {
        (OutletError::Silent(_), Access::V1(_) | Access::V2c(_)) => {
            failure.hint("is it on the network? An SNMP agent is silent to a wrong community, too")
        }
        (OutletError::Silent(_), Access::V3(_)) => {
            failure.hint("is it on the network, and does it speak SNMP version 3?")
        }
        _ => failure,
    }
}

fn listed(address: &str, found: &Found) -> serde_json::Value {
    let outlets = found.outlets.iter().map(|outlet| {
        json!({
            "port": outlet.port, "name": outlet.name, "state": outlet.state,
            "reading": outlet.reading,
        })
    });
    json!({
        "address": address, "driver": found.driver, "profile": found.profile, "about": found.about,
        "by": found.by, "description": found.description, "outlets": outlets.collect::<Vec<_>>(),
    })
}

/// A configuration, with what else was found as its comments.
fn text(address: &str, pdu: &Name, table: &str, found: &Found) -> String {
    let Found { profile, about, by, description, .. } = found;
    let mut text = format!("# {address}: {description}\n# {profile}: {about}\n# known by {by}\n");
    let _ = writeln!(text, "# {} outlets", found.outlets.len());
    let _ = writeln!(text, "{table}profile = {}", quoted(profile));
    let mut taken: Vec<Name> = Vec::new();
    for outlet in &found.outlets {
        let called = outlet.name.as_deref().unwrap_or_default();
        let own = called.replace(' ', "-").to_lowercase().parse::<Name>().ok();
        let plain = || format!("{pdu}-{}", outlet.port).parse::<Name>().ok();
        let Some(name) = own.filter(|name| !taken.contains(name)).or_else(plain) else { continue };
        let port = match outlet.port.parse::<u32>() {
            Ok(number) => number.to_string(),
            Err(_) => quoted(&outlet.port),
        };
        let state = outlet.state;
        let _ = write!(text, "\n# {state}{}", flowing(outlet.reading));
        if !called.is_empty() {
            let _ = write!(text, ", called {called:?}");
        }
        let _ = write!(text, "\n[[outlet]]\nname = \"{name}\"\npdu = \"{pdu}\"\nport = {port}\n");
        taken.push(name);
    }
    text
}

/// `, 230 V, 0.9 A, 163 W`
fn flowing(Reading { volts, amperes, watts }: Reading) -> String {
    let units = [(volts, "V"), (amperes, "A"), (watts, "W")];
    let texts = units.iter().filter_map(|(value, unit)| Some(format!(", {} {unit}", (*value)?)));
    texts.collect()
}

/// As a TOML string; JSON's has the same escapes.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::State;
    use crate::outlet::probe::FoundOutlet;

    #[test]
    fn what_is_printed_is_a_configuration() {
        let outlet = |port: &str, name: Option<&str>| FoundOutlet {
            port: port.into(),
            name: name.map(str::to_owned),
            state: State::On,
            reading: Reading { amperes: Some(0.9), ..Reading::default() },
        };
        let found = Found {
            driver: "snmp",
            profile: "sentry3".into(),
            about: "a PDU".into(),
            by: "its objects".into(),
            description: "Sentry\u{fffd}".into(),
            outlets: vec![
                outlet("1", Some("ESX Server 1")),
                outlet("2", Some("esx server 1")),
                outlet("1.2.3", Some("\"]\\ no name")),
            ],
        };
        let table =
            "[[pdu]]\nname = \"rack\"\ndriver = \"snmp\"\naddress = \"a\"\ncommunity = \"x\"\n";
        let name: Name = "rack".parse().unwrap();
        let text = text("a:161", &name, table, &found);
        let config = PowerConfig::parse("probe", &text).unwrap();
        let names: Vec<_> =
            config.pdus[0].outlets.iter().map(|o| (o.name.as_str(), &*o.port)).collect();
        assert_eq!(names, [("esx-server-1", "1"), ("rack-2", "2"), ("rack-1.2.3", "1.2.3")]);
        assert!(text.contains("# on, 0.9 A, called \"ESX Server 1\"\n"), "{text}");
    }

    #[test]
    fn options_that_do_not_go_together_are_told_without_a_file() {
        let told = snmp_of(
            "[[pdu]]\nname = \"rack\"\ndriver = \"snmp\"\naddress = \"a b\"\nversion = \"4\"\n",
        );
        let told = told.unwrap_err().message;
        assert!(told.contains("address: \"a b\" is no address"), "{told}");
        assert!(
            told.contains("version: \"4\" is none of 1, 2c and 3") && !told.contains("pdu[0]"),
            "{told}"
        );
    }
}
