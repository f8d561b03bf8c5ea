//! `lava-serial` as `ser2net`: what labgrid's exporter starts for each serial line that it exports.
//!
//! It understands the options by which ser2net is told its connections on the command line, and
//! those that make no difference here. Everything else of `lava-serial` is there too: the line is
//! recorded, and `lava-console ttyUSB0` attaches beside labgrid.

use std::path::PathBuf;

use clap::Parser;

use super::print;
use crate::config::serial::SerialConfig;
use crate::config::{PortSpec, read_text};
use crate::import::{self, Format, ImportError, Imported, Severity};
use crate::model::{Failure, Kind, Name};

/// The version whose options and files are understood. labgrid's exporter reads it, to choose
/// between -Y and -C.
const VERSION: &str = "4.6.2";

/// Serves serial lines as ser2net does, when called by its name or as `lava-serial ser2net`.
///
/// Listeners are on the addresses that ser2net has them on, which is every address where none is
/// given, although nobody logs in there.
#[derive(Debug, Parser)]
#[command(name = "ser2net", disable_version_flag = true)]
pub struct Ser2netArgs {
    /// Read this ser2net.yaml or ser2net.conf.
    #[arg(short = 'c', value_name = "FILE")]
    file: Option<PathBuf>,
    /// A line as in the old ser2net.conf.
    #[arg(short = 'C', value_name = "LINE", allow_hyphen_values = true)]
    lines: Vec<String>,
    /// A piece of ser2net.yaml. A # outside of quotes stands for a new line.
    #[arg(short = 'Y', value_name = "YAML", allow_hyphen_values = true)]
    yaml: Vec<String>,
    /// Stay in the foreground, as always here.
    #[arg(short = 'n')]
    foreground: bool,
    /// The same.
    #[arg(short = 'd')]
    debug: bool,
    /// Make no UUCP locks, as always here.
    #[arg(short = 'u')]
    no_locks: bool,
    /// Accept the baud rates of Cisco's IOS, which ser2net ignores too.
    #[arg(short = 'b')]
    cisco: bool,
    /// Print the version of ser2net that this stands for.
    #[arg(short = 'v')]
    version: bool,
    /// Only say what is wrong with it, and serve nothing: what a process asks the next program.
    #[arg(long, hide = true)]
    check: bool,
}

impl Ser2netArgs {
    /// What is to be served; `None` when only the version was asked for, or whether it can be.
    ///
    /// # Errors
    /// When a text is none that ser2net understands, or tells no line that can be served.
    pub fn into_config(self) -> Result<Option<SerialConfig>, Failure> {
        if self.version {
            print(format!("ser2net version {VERSION}\n").as_bytes())?;
            return Ok(None);
        }
        let mut found = Imported::default();
        self.read(&mut found)?;
        for note in found.notes().iter().filter(|note| note.severity == Severity::Lost) {
            tracing::warn!("{note}");
        }
        if found.consoles().is_empty() {
            return Err(Failure::new(Kind::User, "no line is told that could be served")
                .hint("give it as labgrid does, by -Y or -C, or a file by -c; ser2net -h tells all options"));
        }
        let mut config = SerialConfig::parse("ser2net", &import::serial_toml(&found, true))?;
        for console in &mut config.consoles {
            console.name = device(&console.port).unwrap_or_else(|| console.name.clone());
        }
        Ok((!self.check).then_some(config))
    }

    fn read(&self, found: &mut Imported) -> Result<(), Failure> {
        let wrong = |error: ImportError| Failure::from_error(Kind::User, &error);
        let none = &mut |path: &str| Err(format!("{path} is not included on a command line"));
        if let Some(path) = &self.file {
            let file = path.display().to_string();
            let text = read_text(path);
            let text = text.map_err(|why| Failure::new(Kind::Config, format!("{file}: {why}")))?;
            import::read(Format::Ser2net, &file, &text, none, found).map_err(wrong)?;
        }
        for line in &self.lines {
            import::ser2net::read_conf("-C", line, found);
        }
        if !self.yaml.is_empty() {
            let yaml: String = self.yaml.iter().map(|piece| lines(piece) + "\n").collect();
            import::ser2net::read_yaml("-Y", &yaml, none, found).map_err(wrong)?;
        }
        Ok(())
    }
}

/// A line's name by its device: every process that labgrid starts calls its line con01.
fn device(port: &PortSpec) -> Option<Name> {
    let PortSpec::Tty { path, .. } = port else { return None };
    let path = path.to_str()?.strip_prefix("/dev/")?;
    let short = path.rsplit('/').next()?;
    let named = if path.starts_with("serial/by-") { short } else { path };
    named.replace('/', "-").parse().ok()
}

/// Each # outside of quotes becomes the end of a line.
fn lines(text: &str) -> String {
    let mut quote = None;
    let mut lines = String::with_capacity(text.len());
    for c in text.chars() {
        match (c, quote) {
            ('#', None) => lines.push('\n'),
            _ => lines.push(c),
        }
        quote = match (c, quote) {
            ('"' | '\'', None) => Some(c),
            (c, Some(open)) if c == open => None,
            (_, quote) => quote,
        };
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::serial::ConsoleConfig;

    fn config(args: &[&str]) -> Vec<ConsoleConfig> {
        let args = Ser2netArgs::try_parse_from([&["ser2net"], args].concat()).unwrap();
        args.into_config().unwrap().unwrap().consoles
    }

    #[test]
    fn labgrids_two_forms_are_one_console() {
        let yaml = config(&[
            "-d",
            "-n",
            "-Y",
            "connection: &con01#  accepter: telnet(rfc2217,mode=server),tcp,7001",
            "-Y",
            "  connector: serialdev(nouucplock=true),/dev/ttyUSB0,115200n81,local",
            "-Y",
            "  options:",
            "-Y",
            "    max-connections: 10",
        ]);
        let line = "7001:telnet:0:/dev/ttyUSB0:115200 NONE 8DATABITS 1STOPBIT LOCAL";
        assert_eq!(yaml, config(&["-d", "-n", "-u", "-C", line]));
        assert_eq!(yaml[0].name.as_str(), "ttyUSB0");
        assert_eq!(yaml[0].port.to_string(), "tty:/dev/ttyUSB0,115200n8");
        assert_eq!(yaml[0].telnet, Some("0.0.0.0:7001".parse().unwrap()));
        assert!(yaml[0].insecure);
    }

    #[test]
    fn a_line_is_called_by_its_device() {
        let name = |path: &str| {
            config(&["-C", &format!("localhost,7001:raw:0:{path}:9600")])[0].name.to_string()
        };
        assert_eq!(name("/dev/ttyS1"), "ttyS1");
        assert_eq!(name("/dev/pts/7"), "pts-7");
        assert_eq!(
            name("/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0"),
            "usb-FTDI_A50285BI-if00-port0"
        );
    }

    #[test]
    fn a_number_sign_ends_a_line_but_in_quotes() {
        assert_eq!(lines("a: &b#  c: '# x'#\"#\""), "a: &b\n  c: '# x'\n\"#\"");
    }
}
