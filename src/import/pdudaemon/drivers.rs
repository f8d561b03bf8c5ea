//! pdudaemon's drivers, and what each is here.

use super::{Keys, snmp};
use crate::import::command;
use crate::import::rack::{Setting, Settings};

/// What a driver is here.
pub(super) struct Found {
    pub(super) settings: Settings,
    /// What is different, and to be looked at.
    pub(super) note: Option<&'static str>,
    /// What stands before a port of it.
    pub(super) before: String,
}

/// Drivers of PDUs with a command line or a simple protocol: the profile, the way to them, whether they
/// ask for a user and a password, and what pdudaemon says to them without.
const DIALOGUES: &[(&[&str], &str, Way, Login)] = &[
    (
        &[
            "apc7900", "apc7920", "apc7921", "apc7932", "apc7952", "apc9218", "ap9218", "apc9606",
            "ap9606",
        ],
        "apc-menu",
        Way::Telnet,
        Login::User("apc"),
    ),
    (&["apc9210"], "apc-9210", Way::Telnet, Login::User("apc")),
    (&["apc8959"], "apc-cli", Way::Telnet, Login::User("apc")),
    (&["synnetbooter"], "synaccess-netbooter", Way::Telnet, Login::User("admin")),
    (&["gude1202"], "gude", Way::Telnet, Login::None),
    (&["netio4"], "netio-kshell", Way::Tcp(1234), Login::User("admin")),
    (
        &["devantech_eth002", "devantech_eth0621", "devantech_eth484", "devantech_eth008"],
        "devantech-eth",
        Way::Tcp(17_494),
        Login::Password,
    ),
    (&["devantech_eth8020"], "devantech-eth8020", Way::Tcp(17_494), Login::Password),
    (&["devantech_ds378", "devantech_ds2824"], "devantech-ds", Way::Tcp(17_123), Login::None),
    // It refuses a plug without children; those are strips.
    (&["tplink"], "tplink-strip", Way::Tcp(9999), Login::None),
    (&["modbustcp"], "modbus-tcp", Way::Tcp(502), Login::None),
    (
        &[
            "devantech_USB-RLY02",
            "devantech_USB-RLY82",
            "devantech_USB-RLY04",
            "devantech_USB-RLY06",
            "devantech_USB-RLY08B",
            "devantech_USB-RLY16",
            "devantech_USB-RLY16L",
            "devantech_USB-OPTO-RLY88",
            "devantech_USB-OPTO-RLY816",
        ],
        "devantech-usb",
        Way::Tty("9600n8"),
        Login::None,
    ),
    (
        &["NumatoUSB1", "NumatoUSB2", "NumatoUSB4", "NumatoUSB8", "NumatoUSB16"],
        "numato-usb",
        Way::Tty("9600n8"),
        Login::None,
    ),
    (&["NumatoUSB32"], "numato-usb32", Way::Tty("9600n8"), Login::None),
    (&["NumatoUSB64"], "numato-usb64", Way::Tty("9600n8"), Login::None),
    (&["conrad197720"], "conrad-197720", Way::Tty("19200n8"), Login::None),
    (
        &["ubntmfi3port", "ubntmfi6port", "ubntmfi8port"],
        "ubnt-mfi-ssh",
        Way::Ssh("ubnt"),
        Login::None,
    ),
    (&["acme"], "acme-ssh", Way::Ssh("root"), Login::None),
];

/// Drivers of PDUs with HTTP: the profile, and whether they ask for a user and a password.
const HTTP: &[(&[&str], &str, Asks)] = &[
    (
        &["anel_netpwrctrlhome", "anel_netpwrctrladv", "anel_netpwrctrlio", "anel_netpwrctrlpro"],
        "anel",
        Asks::Else("admin", "anel"),
    ),
    (&["esphome-http"], "esphome", Asks::Perhaps),
    (&["home-assistant-http"], "home-assistant", Asks::Nothing),
    (&["intellinet"], "intellinet", Asks::Else("admin", "admin")),
    (&["ip9850"], "aviosys-ip9850", Asks::Perhaps),
    (&["LindyIPowerClassic8"], "lindy-ipower-classic8", Asks::Perhaps),
    (&["netiojson"], "netio", Asks::Else("admin", "admin")),
    (&["sainsmart"], "sainsmart", Asks::Nothing),
    (&["servertechpro2"], "servertech-pro2", Asks::Else("admin", "admin")),
    (&["shelly_gen2"], "shelly-gen2", Asks::Perhaps),
    (&["tasmota", "sonoff_s20_tasmota", "brennenstuhl_wspl01_tasmota"], "tasmota", Asks::Perhaps),
    // It calls as nobody.
    (&["ubus"], "ubus-open", Asks::Nothing),
];

/// Whether a PDU wants a user and a password.
#[derive(Clone, Copy)]
enum Asks {
    Nothing,
    Perhaps,
    /// With what pdudaemon says when it is told neither.
    Else(&'static str, &'static str),
}

/// Keys that say which outlet is meant, or which way it is switched: without them another board could be
/// switched, or the wrong way, so a PDU that has one of them and cannot have it here is left out.
const DECISIVE: [&str; 5] = ["unit", "slave", "invert", "logic", "child"];

/// Devices on USB.
const HID: &[(&str, &str)] = &[
    ("ClewareUsbSwitch4", "cleware-switch4"),
    ("ClewareUsbSwitch8", "cleware-switch8"),
    ("YKUSH", "ykush"),
    ("YKUSH3", "ykush3"),
    ("YKUSHXS", "ykush-xs"),
    ("vusbhid", "vusbhid"),
    ("EG-PMS", "egpms"),
    ("EG-PM2", "egpms"),
];

/// How a PDU is reached.
#[derive(Clone, Copy)]
enum Way {
    Telnet,
    /// With the port that it has when none is told.
    Tcp(u16),
    /// With the line's settings.
    Tty(&'static str),
    /// With the user when none is told.
    Ssh(&'static str),
}

/// What a PDU wants to know.
#[derive(Clone, Copy)]
enum Login {
    None,
    Password,
    /// With what pdudaemon says when it is told neither.
    User(&'static str),
}

/// What a driver is here. The keys that it has are taken out of `keys`.
///
/// # Errors
/// Why there is nothing like it.
pub(super) fn settings(driver: &str, hostname: &str, keys: &mut Keys) -> Result<Found, String> {
    let found = known(driver, hostname, keys)?;
    let is_set = |key: &&&str| keys.get(**key).is_some_and(|(_, value)| value != "false");
    match DECISIVE.iter().find(is_set) {
        Some(key) => {
            Err(format!("without its {key:?}, which cannot be had here, it would switch wrongly"))
        }
        None => Ok(found),
    }
}

fn known(driver: &str, hostname: &str, keys: &mut Keys) -> Result<Found, String> {
    let mut take = |key: &str| keys.remove(key).map(|(_, value)| value);
    let host = take("ip").unwrap_or_else(|| hostname.to_owned());
    let plain = |settings| Found { settings, note: None, before: String::new() };
    match driver {
        "localcmdline" => return programs(take("cmd_on"), take("cmd_off")).map(plain),
        "snmpv1" | "snmpv3" => return snmp::settings(driver, &host, keys),
        "cyberpower81001" | "cyberpower41001" => {
            return Ok(plain(snmp::v1("cyberpower", &host, "private")));
        }
        // Whatever it is told.
        "ip9258" => return Ok(plain(snmp::v1("ip9258", &host, "public"))),
        "egpms" => {
            let settings = Settings::new("egpms-lan").text("address", host);
            return Ok(plain(match take("password") {
                Some(password) => settings.text("password", password),
                None => settings,
            }));
        }
        "SERVO" => return servo(&host, take("port"), take("ctrls")).map(plain),
        "bcu" => return Ok(Found { note: bcu_note(&mut take), ..plain(bcu(&mut take)) }),
        "uhubctl" => {
            let hub = take("location").ok_or("it has no location")?;
            let settings = Settings::new("usb-hub").list("hubs", vec![hub]).text("by", "uhubctl");
            return Ok(plain(settings));
        }
        _ => {}
    }
    if let Some((_, device)) = HID.iter().find(|(name, _)| *name == driver) {
        let settings = Settings::new("hid").text("device", *device);
        let settings = match take("serial").or_else(|| take("device")) {
            Some(serial) => settings.text("serial", serial),
            None => settings,
        };
        let note = "outlets are numbered from 1 here; look whether its ports are the right ones";
        return Ok(Found { note: Some(note), ..plain(settings) });
    }
    if let Some((_, profile, asks)) = HTTP.iter().find(|(names, ..)| names.contains(&driver)) {
        let scheme = take("protocol").unwrap_or_else(|| "http".to_owned());
        let port = take("port").map(|port| format!(":{port}")).unwrap_or_default();
        let mut settings =
            Settings::profile("http", profile).text("url", format!("{scheme}://{host}{port}"));
        let or = |word: Option<String>, other: &str| Some(word.unwrap_or_else(|| other.to_owned()));
        settings = match *asks {
            Asks::Nothing => settings,
            Asks::Perhaps => login(settings, take("username"), take("password")),
            Asks::Else(user, password) => {
                login(settings, or(take("username"), user), or(take("password"), password))
            }
        };
        if scheme == "https" && take("insecure").is_some_and(|word| word != "false" && word != "0")
        {
            settings = settings.flag("insecure_tls");
        }
        if let Some(key) = take("api_key") {
            settings = settings.text("token", key);
        }
        return Ok(plain(settings));
    }
    if let Some((_, profile, way, asks)) =
        DIALOGUES.iter().find(|(names, ..)| names.contains(&driver))
    {
        let mut settings = Settings::profile("dialogue", profile);
        let port = take("telnetport").or_else(|| take("port")).or_else(|| take("sshport"));
        settings = settings.text("connect", connect(*way, &host, port, &mut take)?);
        settings = match *asks {
            Login::User(default) => {
                let or = |word: Option<String>| Some(word.unwrap_or_else(|| default.to_owned()));
                login(settings, or(take("username")), or(take("password")))
            }
            Login::Password => match take("password") {
                Some(password) => settings.text("password", password),
                None => settings,
            },
            Login::None => settings,
        };
        if take("logic").is_some_and(|logic| logic.eq_ignore_ascii_case("nc")) {
            settings = settings.flag("inverted");
        }
        let ssh = matches!(way, Way::Ssh(_)).then_some(
            "ssh asks nobody for a password here: give the user lava a key that the PDU knows",
        );
        let before = match *profile {
            "modbus-tcp" => take("unit").or_else(|| take("slave")).map(|unit| format!("{unit}.")),
            _ => None,
        };
        let found = Found { note: ssh, before: before.unwrap_or_default(), settings };
        return Ok(found);
    }
    Err(format!(
        "there is nothing like driver {driver:?}; driver = \"exec\" runs programs of your own"
    ))
}

/// A port of pdudaemon's, in the words of our driver.
///
/// # Errors
/// Why it is none.
pub(super) fn port(settings: &Settings, port: &str) -> Result<String, String> {
    let profile = settings.keys.iter().find_map(|(key, value)| match value {
        Setting::Text(text) if *key == "profile" => Some(text.as_str()),
        _ => None,
    });
    match profile {
        // pdudaemon counts them as the device does, from 0.
        Some("intellinet") => match port.parse::<u32>().ok().and_then(|port| port.checked_add(1)) {
            Some(port) => Ok(port.to_string()),
            None => Err(format!("port {port:?} is no number")),
        },
        Some("ubus-open") => Ok(format!("lan{}", number(port))),
        // It calls switch.turn_on with switch.PORT.
        Some("home-assistant") => Ok(format!("switch.{port}")),
        Some("modbus-tcp") => {
            let (unit, coil) = port.rsplit_once('.').unwrap_or(("1", port));
            Ok(format!("{}.{}", number(unit), number(coil)))
        }
        _ if settings.driver == "snmp" => snmp::port(number(port), profile.unwrap_or_default()),
        _ => Ok(number(port).to_owned()),
    }
}

/// A number without the zeros before it, which pdudaemon does not mind; anything else as it is.
fn number(port: &str) -> &str {
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.trim_start_matches('0') {
        _ if !is_number => port,
        "" => "0",
        number => number,
    }
}

fn connect(
    way: Way,
    host: &str,
    port: Option<String>,
    take: &mut impl FnMut(&str) -> Option<String>,
) -> Result<String, String> {
    Ok(match (way, port) {
        (Way::Telnet, None) => format!("telnet:{host}"),
        (Way::Telnet, Some(port)) => command::address("telnet", host, &port),
        (Way::Tcp(default), port) => {
            command::address("tcp", host, &port.unwrap_or_else(|| default.to_string()))
        }
        (Way::Tty(line), _) => {
            let device = take("device").or_else(|| take("serial")).or_else(|| take("path"));
            let device = device.filter(|device| device.starts_with('/'));
            format!("tty:{},{line}", device.ok_or("its device is not told as a path, /dev/…")?)
        }
        (Way::Ssh(default), port) => {
            let user = take("username").unwrap_or_else(|| default.to_owned());
            // A password cannot be given to ssh.
            drop(take("password"));
            let at = format!("{user}@{host}");
            let port = port.unwrap_or_else(|| "22".to_owned());
            let words =
                shlex::try_join(["ssh", "-T", "-o", "BatchMode=yes", "-p", &port, "--", &at]);
            format!("exec:{}", words.map_err(|_| "it has a zero byte")?)
        }
    })
}

fn login(settings: Settings, user: Option<String>, password: Option<String>) -> Settings {
    let settings = match user {
        Some(user) => settings.text("user", user),
        None => settings,
    };
    match password {
        Some(password) => settings.text("password", password),
        None => settings,
    }
}

/// Two command lines, which pdudaemon gives to a shell: here they are a program and its arguments.
fn programs(on: Option<String>, off: Option<String>) -> Result<Settings, String> {
    let words = |key: &str, line: Option<String>| {
        let line = line.ok_or_else(|| format!("it has no {key}"))?;
        let words = program(&line).map_err(|why| format!("its {key}, {why}"))?;
        Ok::<_, String>(words)
    };
    Ok(Settings::new("exec").list("on", words("cmd_on", on)?).list("off", words("cmd_off", off)?))
}

/// What sets controls of servod (XML-RPC), and tells its failure by its end.
const SERVO: &str = "import sys, xmlrpc.client as x; p = x.ServerProxy(sys.argv[1]); \
                     [p.set(*word.split('=')) for word in sys.argv[2:]]";
/// The controls, and what switches a board on.
const SERVO_CONTROLS: &[(&str, [&str; 2])] =
    &[("power_state", ["on", "off"]), ("warm_reset", ["off", "on"]), ("cold_reset", ["off", "on"])];

/// servod of ChromeOS's debug boards. pdudaemon's own default is `cold_reset`.
fn servo(host: &str, port: Option<String>, control: Option<String>) -> Result<Settings, String> {
    let control = control.unwrap_or_else(|| "cold_reset".to_owned());
    let known = SERVO_CONTROLS.iter().find(|(name, _)| *name == control);
    let (name, words) = known.ok_or_else(|| format!("{control:?} is no control of it"))?;
    // Where the program runs, not where its clients are.
    let host = if host == "0.0.0.0" { "127.0.0.1" } else { host };
    let url = format!("http://{host}:{}", port.unwrap_or_else(|| "9999".to_owned()));
    let line = |word: &str| {
        let words = ["python3", "-c", SERVO, &url, &format!("{name}={word}")];
        words.map(str::to_owned).to_vec()
    };
    let [on, off] = words;
    Ok(Settings::new("exec").list("on", line(on)).list("off", line(off)))
}

/// NXP's tool: a board is on while it is not held in reset.
fn bcu(take: &mut impl FnMut(&str) -> Option<String>) -> Settings {
    let program = take("bcu_exe").unwrap_or_else(|| "bcu".to_owned());
    let gpio = take("reset_gpio").unwrap_or_else(|| "reset".to_owned());
    let active_low = take("reset_gpio_active_low").is_none_or(|word| word != "0");
    let which = [("id", take("id")), ("board", take("board"))];
    let which: Vec<String> =
        which.into_iter().filter_map(|(key, value)| Some(format!("-{key}={}", value?))).collect();
    let line = |on: bool| {
        let level = if on == active_low { "1" } else { "0" };
        let words = [program.as_str(), "set_gpio", &gpio, level].map(str::to_owned);
        words.into_iter().chain(which.iter().cloned()).collect()
    };
    Settings::new("exec").list("on", line(true)).list("off", line(false))
}

fn bcu_note(take: &mut impl FnMut(&str) -> Option<String>) -> Option<&'static str> {
    take("bootmode").map(|_| {
        "its bootmode is not set before; a script that runs bcu init and bcu set_gpio can be the program"
    })
}

/// The words of a command line; `%s` is the port.
fn program(line: &str) -> Result<Vec<String>, &'static str> {
    if line.contains(command::SHELL) {
        return Err("needs a shell, and none runs here; put it into a script and name that");
    }
    let words = shlex::split(line).ok_or("a quote is open in it")?;
    if words.first().is_none_or(String::is_empty) || line.contains('\0') {
        return Err("is no program");
    }
    let mut replaced = Vec::new();
    for word in words {
        let mut parts =
            word.split("%%").map(|part| part.replace("%s", "{port}").replace("%d", "{port}"));
        if parts.any(|part| part.contains('%')) {
            return Err("has something else than %s in it");
        }
        let parts: Vec<String> = word
            .split("%%")
            .map(|part| part.replace("%s", "{port}").replace("%d", "{port}"))
            .collect();
        replaced.push(parts.join("%"));
    }
    Ok(replaced)
}
