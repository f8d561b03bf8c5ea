//! The lines of the old `ser2net.conf`: `[HOST,]PORT:STATE:TIMEOUT:DEVICE:OPTIONS`, and
//! `NAME:…` for texts and trace files that the options use.

use super::gensio::{self, Accepter, Serial};
use super::option;
use crate::config::Manners;
use crate::import::found::{Imported, Listens, Origin};

/// Words at the beginning of a line that is no connection, and that only options make use of.
const TEXTS: &[&str] =
    &["BANNER", "SIGNATURE", "OPENSTR", "CLOSESTR", "CLOSEON", "TRACEFILE", "LED", "RS485CONF"];

/// Reads all lines.
pub(super) fn read(file: &str, text: &str, into: &mut Imported) {
    let mut conf = Conf::default();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let mut whole = line.trim_end().to_owned();
        while whole.ends_with('\\') && !whole.starts_with('#') {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(next.trim_end());
        }
        let whole = whole.trim();
        if !whole.is_empty() && !whole.starts_with('#') {
            conf.line(&Origin::new(file, number), whole, into);
        }
    }
}

#[derive(Default)]
struct Conf {
    /// How a line is set that does not tell.
    serial: Serial,
    /// The kinds and names of texts, and the texts.
    texts: Vec<(String, String, String)>,
}

impl Conf {
    fn line(&mut self, origin: &Origin, line: &str, into: &mut Imported) {
        let fields: Vec<&str> = line.splitn(4, ':').collect();
        match fields.as_slice() {
            [kind, name, ..] if TEXTS.contains(kind) => {
                let text = line.splitn(3, ':').nth(2).unwrap_or_default().to_owned();
                self.texts.push((kind.to_ascii_lowercase(), (*name).to_owned(), text));
            }
            ["DEFAULT", name, value, ..] => self.set_default(origin, name, value, into),
            ["CONTROLPORT", ..] => {
                into.lost(origin, line, "the HTTP interface controls the consoles: [http] listen");
            }
            ["ROTATOR", ..] => into.lost(origin, line, "a client asks for a console by its name"),
            [port, state, timeout, rest] => {
                self.connection(origin, port, state, timeout, rest, into);
            }
            _ => into.lost(origin, line, "it is not of the form PORT:STATE:TIMEOUT:DEVICE:OPTIONS"),
        }
    }

    fn set_default(&mut self, origin: &Origin, name: &str, value: &str, into: &mut Imported) {
        let setting = match name {
            "speed" | "parity" => value.to_owned(),
            "stopbits" if value == "1" => "1stopbit".to_owned(),
            "stopbits" => format!("{value}stopbits"),
            "databits" => format!("{value}databits"),
            "local" | "nobreak" | "remctl" => return,
            name => return option::tell(origin, &name.replace('_', "-"), value, into),
        };
        if let Some(why) = self.serial.set(&setting) {
            into.lost(origin, &format!("DEFAULT {name} {value}"), why);
        }
    }

    fn connection(
        &self,
        origin: &Origin,
        port: &str,
        state: &str,
        timeout: &str,
        rest: &str,
        into: &mut Imported,
    ) {
        // A device's path may have colons; options have none.
        let (device, options) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let what = format!("{port}:{state}");
        let listen = match gensio::accepter(&format!("tcp,{port}")) {
            Ok(Accepter::Raw(listen)) => Some(listen),
            Ok(_) => None,
            Err(why) => {
                into.lost(origin, &what, why);
                None
            }
        };
        let listens = match state {
            "raw" => Listens { raw: listen, ..Listens::default() },
            "telnet" => Listens { telnet: listen, ..Listens::default() },
            "rawlp" => {
                into.lost(origin, &what, "a line is always set as its options say");
                Listens { raw: listen, ..Listens::default() }
            }
            "off" => return into.lost(origin, &what, "it is off, and so it is left out"),
            _ => {
                return into.lost(origin, &what, "its state is none of raw, rawlp, telnet and off");
            }
        };
        let mut manners = Manners::default();
        option::timeout(origin, timeout, &mut manners, into);
        let connector = if device.starts_with('/') {
            let mut serial = self.serial.clone();
            self.options(origin, options, &mut serial, &mut manners, into);
            gensio::connector(&format!("serialdev,{device}"), &serial, device)
        } else {
            gensio::connector(device, &self.serial, device)
        };
        match connector {
            Ok(connector) => {
                for (option, why) in connector.lost {
                    into.lost(origin, &option, why);
                }
                let name = device.rsplit('/').next().unwrap_or(device);
                into.add(origin, name, connector.port, listens, manners);
            }
            Err(why) => into.lost(origin, &what, format!("it is left out: {why}")),
        }
    }

    fn options(
        &self,
        origin: &Origin,
        options: &str,
        serial: &mut Serial,
        manners: &mut Manners,
        into: &mut Imported,
    ) {
        for word in options.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, "true"));
            let named = self.texts.iter().find(|(_, name, _)| name == word);
            match (key, named) {
                (_, Some((kind, _, text))) => option::take(origin, kind, text, manners, into),
                ("tr" | "tw" | "tb", _) => option::tell(origin, "trace-file", value, into),
                ("timestamp" | "hexdump" | "tr-timestamp" | "tr-hexdump", _) => {
                    option::tell(origin, &format!("trace-{key}"), value, into);
                }
                ("telnet_brk_on_sync", _) => {
                    option::tell(origin, "telnet-brk-on-sync", value, into);
                }
                (
                    "kickolduser" | "max-connections" | "chardelay" | "-chardelay" | "-kickolduser",
                    _,
                ) => {}
                ("remaddr" | "connback" | "led-rx" | "led-tx", _) => {
                    option::tell(origin, key, value, into);
                }
                _ if key.ends_with("-bufsize") || key.starts_with("chardelay-") => {}
                _ => {
                    if let Some(why) = serial.set(word) {
                        into.lost(origin, word, why);
                    }
                }
            }
        }
    }
}
