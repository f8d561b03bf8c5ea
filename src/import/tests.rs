//! Whatever is in the files: what comes out is read by lava-serial and lava-power, and nothing panics.

use proptest::prelude::*;

use super::*;
use crate::config::power::PowerConfig;
use crate::config::serial::SerialConfig;

fn import(format: Format, text: &str) -> Result<Imported, ImportError> {
    let mut found = Imported::default();
    // A file that includes anything gets itself.
    let include: &mut Include<'_> = &mut |path| match path {
        "missing" => Err("cannot be read: No such file or directory".to_owned()),
        _ => Ok(vec![(path.to_owned(), text.to_owned())]),
    };
    read(format, "a file", text, include, &mut found)?;
    Ok(found)
}

/// What is found is printed as files that the daemons take, every part of it.
#[track_caller]
fn is_served(found: &mut Imported) {
    found.exposed();
    for insecure in [false, true] {
        let text = whole(found, "From a test.", insecure);
        if found.consoles().is_empty() {
            continue;
        }
        let config = SerialConfig::parse("serial.toml", &text).map_err(|failure| failure.message);
        let config = config.unwrap_or_else(|message| panic!("{message}\nin:\n{text}"));
        assert_eq!(config.consoles.len(), found.consoles().len());
        for (console, read) in found.consoles().iter().zip(&config.consoles) {
            assert_eq!(
                (&console.name, console.port.parse().as_ref()),
                (&read.name, Ok(&read.port))
            );
        }
        assert!(insecure || config.consoles.iter().all(|console| !console.insecure));
    }
    if !found.outlets().is_empty() {
        let whole = whole(found, "From a test.", false);
        let power: Vec<&str> =
            whole.lines().skip_while(|line| !line.contains("for lava-power")).skip(1).collect();
        let power: Vec<&str> = power.iter().map(|line| line[1..].trim_start_matches(' ')).collect();
        let config =
            PowerConfig::parse("power.toml", &power.join("\n")).map_err(|failure| failure.message);
        let config = config.unwrap_or_else(|message| panic!("{message}\nin:\n{whole}"));
        assert_eq!(config.pdus.len(), found.outlets().len());
    }
}

/// What is found is printed as a file that lava-power takes, as far as it knows the drivers.
#[track_caller]
fn is_switched(found: &mut Imported) {
    found.exposed();
    for insecure in [false, true] {
        let text = rack_toml(found.rack(), "From a test.", insecure);
        let problems = crate::config::Problems::default();
        let at = crate::config::At::top("power.toml", &problems);
        assert!(crate::config::toml::parse(&text, &at).is_some(), "no TOML:\n{text}");
    }
    let rack = found.rack_mut();
    if rack.pdus.iter().all(|pdu| pdu.outlets.is_empty()) {
        return;
    }
    let text = rack_toml(rack, "From a test.", false);
    let config = PowerConfig::parse("power.toml", &text).map_err(|failure| failure.message);
    let config = config.unwrap_or_else(|message| panic!("{message}\nin:\n{text}"));
    let names = |pdu: &Pdu| pdu.outlets.iter().map(|socket| socket.board.clone()).collect();
    let expected: Vec<Vec<_>> = rack.pdus.iter().map(names).collect();
    let read = config.pdus.iter().map(|pdu| pdu.outlets.iter().map(|o| o.name.clone()).collect());
    assert_eq!(read.collect::<Vec<Vec<_>>>(), expected);
}

/// Texts of the pieces of a format, in any order, with anything between them.
fn pieces(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(pieces).prop_map(str::to_owned),
        1 => "[ -~]{0,8}",
        1 => "\\PC{0,4}",
        1 => prop::sample::select(&["\0", "\n", "\t", "\\\n", "\u{1b}[2J"][..]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

const CONMUX: &[&str] = &[
    "listener ",
    "panda01",
    "7001",
    "localhost/",
    "\n",
    "\n",
    " ",
    "application console 'x' 'cu -l /dev/",
    "socket console 'x y' ts1:70",
    "'",
    "\"",
    "\\",
    "command on 'on' 'a b'\n",
    "command off \"\" 'c'\n",
    "command hardreset x 'd'\n",
    "# FLAGS: a b",
    "help",
    "sg dialout",
];
const CONSERVER: &[&str] = &[
    "default * { master localhost; }",
    "console a {",
    "console b{",
    "default * {",
    "default x {",
    "include x;",
    "}",
    ";",
    "\"",
    "\\",
    "#include f\n",
    "#include missing\n",
    "# c\n",
    "\n",
    " ",
    "type device;",
    "type exec;",
    "type host;",
    "type uds;",
    "type ipmi;",
    "device /dev/tty",
    "baud 9600;",
    "parity even;",
    "options cstopb,!ixon;",
    "host h;",
    "port 3;",
    "portbase 2000;",
    "portinc 18446744073709551615;",
    "exec cat;",
    "exec \"\";",
    "devicesubst 1=P09d,2=cs,3=h5s;",
    "uds /u;",
    "master m;",
    "rw u;",
    "break 1 {",
    "string \"\\z^C\\d\\q\";",
    "delay 5;",
    "break 1;",
    "idletimeout 5m;",
    "idlestring \"^\\d\";",
    "access * {",
    "config * {",
    "trusted",
    "logfile &;",
    "aliases a;",
];
const SER2NET: &[&str] = &[
    "%YAML 1.1\n",
    "---\n",
    "define: &d ",
    "connection: &c",
    "connection: &d\n",
    "connections:\n",
    "  c1:\n",
    "\n",
    "  accepter: tcp,2000\n",
    "  accepter: telnet(rfc2217),tcp,localhost,",
    "    accepter: 'tcp,::1,1'\n",
    "2001\n",
    "  connector: serialdev,/dev/ttyS0,115200n81,local\n",
    "  connector: serialdev, ",
    "    connector: telnet,tcp,h,1\n",
    "*(d)",
    "=(d)",
    "*d",
    "  options:\n",
    "    banner: ",
    "    openstr: \\r^\\n\n",
    "  timeout: 30\n",
    "  enable: off\n",
    "default:\n  name: speed\n  value: 300e72\n",
    "include: f\n",
    "include: missing\n",
    "2003:raw:0:/dev/ttyS3:9600 EVEN 7DATABITS\n",
    "2004:telnet:0:/dev/ttyS3:",
    "BANNER:b:x\n",
    "b tr=x\n",
    "rotator: &r\n",
    ":",
    "(",
    ")",
    ",",
    "- ",
    "{",
    "}",
    "\\\n",
];
const CONMAN: &[&str] = &[
    "server ",
    "global ",
    "console ",
    "CONSOLE ",
    "name=",
    "dev=",
    "\"",
    "'",
    "a",
    "b",
    " ",
    "\n",
    "\\\n",
    "#",
    "=",
    "\"/dev/ttyS0\"",
    "\"h:70\"",
    "\"unix:/x\"",
    "\"ipmi:h\"",
    "\"/bin/cat %N\"",
    "\"prog x\"",
    "seropts=",
    "\"9600,7e2\"",
    "log=\"\"",
    "ipmiopts=\"U:u,P:p,K:k\"",
    "resetcmd=\"x\"",
    "port=",
    "1",
];

const PDUDAEMON: &[&str] = &[
    r#"{"pdus": {"#,
    r#"}, "aliases": {"#,
    r#""daemon": {"hostname": "0.0.0.0", "port": 16421, "listener": "http"}, "#,
    r#""rack1": {"driver": "localcmdline", "cmd_on": "relay %s on", "cmd_off": "relay %s 100%%"}"#,
    r#""rack2": {"driver": "snmpv1", "community": "c", "oid": ".1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.*", "onsetting": 1, "offsetting": "2"}"#,
    r#""rack3": {"driver": "snmpv3", "username": "u", "authpassphrase": "12345678", "mib": "PowerNet-MIB", "controlpoint": "sPDUOutletCtl", "onsetting": 1, "offsetting": 2}"#,
    r#""rack4": {"driver": "apc7952", "telnetport": 5023}"#,
    r#""ra ck": {"driver": "localcmdline", "cmd_on": "a 'b c' {port}", "cmd_off": "\"b"}"#,
    r#""x": {"driver": "nothing"}"#,
    r#""m": {"driver": "modbustcp", "ip": "10.0.0.9", "unit": 3}"#,
    r#""n": {"driver": "anel_netpwrctrlpro"}"#,
    r#""t": {"driver": "tplink"}"#,
    r#""v": {"driver": "vusbhid", "serial": "A1", "invert": true}"#,
    r#""u": {"driver": "ubus"}"#,
    r#""w": {"driver": "servertechpro2", "protocol": "https", "insecure": true}"#,
    r#""a": {"hostname": "rack1", "port": 1}"#,
    r#""b": {"hostname": "rack1", "port": "1;x"}"#,
    r#""c": {"hostname": "rack2", "port": 3}"#,
    r#""d": {"hostname": "rack3", "port": "x"}"#,
    r#""é": {"hostname": "rack4", "port": 3}"#,
    r#""e": {"hostname": "rack9", "port": 3}"#,
    r#""f": {"hostname": "m", "port": "04"}"#,
    r#""g": {"hostname": "t", "port": 2}"#,
    r#""h": {"hostname": "u", "port": 8}"#,
    r#""i": {"hostname": "w", "port": "AA1"}"#,
    r#""j": {"hostname": "n", "port": 99}"#,
    ",",
    ",",
    ",",
    "\n",
    "\t",
    "}}",
    "}",
    "null",
    "[1, 2.5, true]",
];
const POWERMAN: &[&str] = &[
    "include \"/etc/powerman/apc.dev\"\n",
    "include f\n",
    "include missing\n",
    "tcpwrappers yes\n",
    "listen \"0.0.0.0:10101\"\n",
    "device \"d\" \"apc7900\" \"h:23\"\n",
    "device d2 wti-rps10 /dev/ttyS0 \"9600,8n1\"\n",
    "device d3 vpc \"/usr/sbin/vpcd |&\"\n",
    "device d4 ipmipower \"/usr/sbin/ipmipower -h x |&\"\n",
    "node \"t[0-7]\" \"d\" \"[1-8]\"\n",
    "node t[5-20] d2\n",
    "node t[1-2] d3 5\n",
    "node x d9 5\n",
    "alias a \"t[0-1]\"\n",
    "specification \"s\" {\n",
    "script login {\n",
    "}\n",
    "\"",
    "#",
    "[",
    "]",
    " ",
    "\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_conmux_file(text in pieces(CONMUX)) {
        is_served(&mut import(Format::Conmux, &text).unwrap());
    }

    #[test]
    fn any_conserver_file(text in pieces(CONSERVER)) {
        import(Format::Conserver, &text).into_iter().for_each(|mut found| is_served(&mut found));
    }

    #[test]
    fn any_ser2net_file(text in pieces(SER2NET)) {
        import(Format::Ser2net, &text).into_iter().for_each(|mut found| is_served(&mut found));
    }

    #[test]
    fn any_conman_file(text in pieces(CONMAN)) {
        is_served(&mut import(Format::Conman, &text).unwrap());
    }

    #[test]
    fn any_pdudaemon_file(text in pieces(PDUDAEMON)) {
        import(Format::Pdudaemon, &text).into_iter().for_each(|mut found| is_switched(&mut found));
    }

    #[test]
    fn any_pdus_and_aliases_of_pdudaemon(
        pdus in prop::collection::vec(prop::sample::select(&PDUDAEMON[3..15]), 0..6),
        aliases in prop::collection::vec(prop::sample::select(&PDUDAEMON[15..26]), 0..6),
    ) {
        let (pdus, aliases) = (pdus.join(",\n"), aliases.join(",\n"));
        let text = format!("{{\"pdus\": {{{pdus}}}, \"aliases\": {{{aliases}}}}}");
        is_switched(&mut import(Format::Pdudaemon, &text).unwrap());
    }

    #[test]
    fn any_powerman_file(text in pieces(POWERMAN)) {
        import(Format::Powerman, &text).into_iter().for_each(|mut found| is_switched(&mut found));
    }

    #[test]
    fn a_note_is_one_line_fit_for_a_terminal(text in pieces(CONMUX), other in pieces(CONMAN)) {
        for (format, text) in [(Format::Conmux, text), (Format::Conman, other)] {
            for note in import(format, &text).unwrap().notes() {
                let told = note.to_string();
                prop_assert!(!told.contains(char::is_control), "{told:?}");
            }
        }
    }
}
