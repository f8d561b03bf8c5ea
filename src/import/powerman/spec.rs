//! powerman's specifications of devices, and the profile that each is here.

use crate::import::command;
use crate::import::rack::Settings;

/// What a device is here, and what is still to be done.
type Found = (Settings, Option<String>);

/// Specifications whose devices have a command line: the profile, and whether it asks for a user and a
/// password. powerman has them in its specification, as it came from its authors.
const DIALOGUES: &[(&[&str], &str, Login)] = &[
    (&["apc", "apcold", "apcpdu", "apc7900", "apc7920", "apcpdu2"], "apc-menu", Login::User("apc")),
    (&["apcnew", "apcpdu3", "apc7900v3", "apc8941"], "apc-cli", Login::User("apc")),
    (&["baytech", "baytech-rpc18d-nc", "baytech-rpc22"], "baytech", Login::Password),
    (&["baytech-rpc3-nc", "baytech-rpc28-nc"], "baytech-nc", Login::None),
    (
        &["cyclades-pm8", "cyclades-pm10", "cyclades-pm20", "cyclades-pm42"],
        "cyclades-pm",
        Login::User("admin"),
    ),
    (&["hpilo"], "hp-ilo", Login::User("Administrator")),
    (&["hpmp", "hpmpcell", "hpmpblade", "hpmpdome"], "hp-mp", Login::User("Admin")),
    (&["ibmbladecenter"], "ibm-bladecenter", Login::User("USERID")),
    (&["icebox", "icebox3"], "icebox", Login::Password),
    (&["ilom"], "sun-ilom", Login::User("root")),
    (&["lom"], "sun-lom", Login::User("admin")),
    (&["phantom"], "rackable-phantom", Login::None),
    (&["sentry_cdu"], "sentry-cli", Login::User("admn")),
    (&["swpdu"], "appro-swpdu", Login::User("admin")),
    (&["vpc"], "powerman-vpc", Login::None),
    (&["wti"], "wti-nps", Login::Password),
    (&["wti-rps10"], "wti-rps10", Login::None),
];

#[derive(Clone, Copy)]
enum Login {
    None,
    Password,
    /// With the user that such devices have when nobody has changed it.
    User(&'static str),
}

/// What a device of a specification is here.
///
/// # Errors
/// Why there is nothing like it, and what to do.
pub(super) fn settings(kind: &str, way: &[&str]) -> Result<Found, String> {
    if let [command] | [command, _] = way
        && let Some(command) = command.trim_end().strip_suffix("|&")
    {
        return program(kind, command);
    }
    let Some((_, profile, login)) = DIALOGUES.iter().find(|(kinds, ..)| kinds.contains(&kind))
    else {
        return Err(format!(
            "there is nothing like specification {kind:?}; lava power drivers lists what there is"
        ));
    };
    let connect = match way {
        [device, flags @ ..] if device.starts_with('/') => {
            let line = flags.first().map_or(Some("9600n8".to_owned()), |flags| line(flags));
            format!("tty:{device},{}", line.ok_or("its line settings are not understood")?)
        }
        [address, ..] => match address.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                command::address("telnet", host, port)
            }
            _ => return Err(format!("{address:?} is no HOST:PORT")),
        },
        [] => return Err("it does not tell where the device is".to_owned()),
    };
    let settings = Settings::profile("dialogue", profile).text("connect", connect);
    // The specification has them, and not this file.
    let (settings, asks) = match login {
        Login::None => (settings, None),
        Login::Password => (settings.text("password", ""), Some("its password")),
        Login::User(user) => {
            let settings = settings.text("user", *user).text("password", "");
            (settings, Some("its user and its password"))
        }
    };
    let note = asks.map(|what| {
        format!("powerman has {what} in the .dev file; put them in here, or in a password_file")
    });
    Ok((settings, note))
}

/// A device behind a program that powerman runs.
fn program(kind: &str, command: &str) -> Result<Found, String> {
    let words = shlex::split(command).ok_or("a quote is open in its program")?;
    let name = words.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    let host = words.iter().skip_while(|word| *word != "-u" && *word != "-h").nth(1);
    let instead = match (name, host) {
        ("httppower", Some(url)) if matches!(kind, "dli" | "dli4") => {
            let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
            let settings = Settings::profile("http", "digital-loggers").text("url", url);
            let settings = settings.text("user", "admin").text("password", "");
            let told = "powerman has its user and its password in the .dev file; put them in here, or \
                        in a password_file";
            return Ok((settings, Some(told.to_owned())));
        }
        ("vpcd", _) => {
            let words = shlex::try_join(words.iter().map(String::as_str));
            let connect = format!("exec:{}", words.map_err(|_| "it has a zero byte")?);
            return Ok((
                Settings::profile("dialogue", "powerman-vpc").text("connect", connect),
                None,
            ));
        }
        ("ipmipower", _) => "make a [[pdu]] with driver = \"ipmi\" for each of its hosts",
        ("redfishpower", _) => {
            "make a [[pdu]] with driver = \"http\" and profile = \"redfish\" for each of its hosts"
        }
        ("snmppower", _) => {
            "make a [[pdu]] with driver = \"snmp\"; lava power probe finds its profile"
        }
        ("conman", _) => {
            "serve its line with lava-serial, and use driver = \"dialogue\" with connect = \"console:URL\""
        }
        _ => "driver = \"exec\" runs programs of your own",
    };
    Err(format!("it is behind a program, {name:?}; {instead}"))
}

/// `9600,8n1` as `9600n8`.
fn line(flags: &str) -> Option<String> {
    let (speed, rest) = flags.split_once(',').unwrap_or((flags, "8n1"));
    let speed: u32 = speed.parse().ok().filter(|speed| *speed != 0)?;
    let mut rest = rest.chars();
    let (bits, parity, stop) = (rest.next()?, rest.next()?.to_ascii_lowercase(), rest.next()?);
    let known = matches!(bits, '5'..='8') && "noe".contains(parity) && "12".contains(stop);
    let stop = if stop == '2' { "2" } else { "" };
    (known && rest.next().is_none()).then(|| format!("{speed}{parity}{bits}{stop}"))
}
