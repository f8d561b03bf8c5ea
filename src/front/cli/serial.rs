//! The command line of `lava-serial`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::print;
use super::ser2net::Ser2netArgs;
use crate::config::discover::Discover;
use crate::config::serial::{ConsoleConfig, SerialConfig};
use crate::config::{CaptureOptions, HttpListen, PortSpec, default_capture_dir, permit_all};
use crate::front::http::TlsConfig;
use crate::model::{Failure, Kind, Name};

/// Where configuration is on a host that has it installed.
const ETC: &str = "/etc/lava";

/// The name that it can be called by instead, or its first argument.
const SER2NET: &str = "ser2net";

/// Serves serial consoles to any number of people and programs, and captures every byte.
///
/// Called as `ser2net`, or with that as its first argument, it takes ser2net's options, as labgrid
/// gives them: `lava-serial ser2net -h` tells which.
///
/// Exit codes: 0 ended when told to; 2 wrong usage or configuration; 3 a listener, a capture or a
/// folder cannot be used.
#[derive(Debug, Parser)]
#[command(name = "lava-serial", version)]
pub struct SerialArgs {
    /// Files or folders of TOML that describe the consoles.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "name",
          required_unless_present_any = ["name", "discover", "adapter", "instance"])]
    config: Vec<PathBuf>,
    /// Only say what is wrong with the files or options, and serve nothing.
    #[arg(long)]
    check: bool,
    /// Serve every USB serial adapter that is plugged in, now or later, without any file.
    #[arg(long, conflicts_with_all = ["config", "name"])]
    discover: bool,
    /// Serve one adapter: named as `lava serial list` does, or as in /dev/serial or /dev. With
    /// --config, as its [[match]] says.
    #[arg(long, value_name = "ADAPTER", conflicts_with_all = ["name", "discover"])]
    adapter: Option<String>,
    /// What systemd's instances are: the consoles of /etc/lava/serial/NAME.toml; where there is no
    /// such file, the adapter NAME, as /etc/lava/serial.d says.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "name", "discover", "adapter"])]
    instance: Option<String>,
    /// One console of this name, without any file.
    #[arg(long)]
    name: Option<Name>,
    /// Its port: tty:/dev/ttyUSB0,115200n8, exec:PROGRAM ARGS, tcp:HOST:PORT, telnet:HOST:PORT,
    /// rfc2217:HOST:PORT,115200n8, unix:PATH or sim:uart.
    #[arg(long, requires = "name", conflicts_with = "device")]
    port: Option<PortSpec>,
    /// Short for --port tty:DEVICE.
    #[arg(long, requires = "name")]
    device: Option<PathBuf>,
    /// With --device: bits per second, or line settings such as 9600e7.
    #[arg(long, requires = "device", default_value = "115200")]
    baud: String,
    /// Serve HTTP here, beside the Unix socket. Port 0 picks one and prints it.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["config", "instance"])]
    http: Option<SocketAddr>,
    /// Serve the console by telnet here.
    #[arg(long, value_name = "ADDR", requires = "name")]
    telnet: Option<SocketAddr>,
    /// Serve the console as a plain TCP stream here.
    #[arg(long, value_name = "ADDR", requires = "name")]
    raw: Option<SocketAddr>,
    /// The folder of the captures.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "instance"])]
    capture: Option<PathBuf>,
}

/// What the command line wants to be served; `None` when it wanted something else, which is done.
///
/// # Errors
/// Everything that is wrong with it.
pub fn config() -> Result<Option<SerialConfig>, Failure> {
    let args: Vec<OsString> = std::env::args_os().collect();
    let called = args.first().map(Path::new).and_then(Path::file_name);
    if called.is_some_and(|name| name == SER2NET) {
        return Ser2netArgs::parse_from(args).into_config();
    }
    if args.get(1).is_some_and(|word| word == SER2NET) {
        return Ser2netArgs::parse_from(&args[1..]).into_config();
    }
    SerialArgs::parse_from(args).into_config()
}

impl SerialArgs {
    /// What is to be served: read from the files, or made from the options; `None` when the files
    /// were only to be checked.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn into_config(self) -> Result<Option<SerialConfig>, Failure> {
        let check = self.check;
        let config = self.read()?;
        if check {
            TlsConfig::of(config.http.as_ref())?;
            permit_all(&config)?;
            print(format!("good: {} consoles\n", config.consoles.len()).as_bytes())?;
        }
        Ok((!check).then_some(config))
    }

    fn read(self) -> Result<SerialConfig, Failure> {
        let http = self.http.map(HttpListen::plain);
        let Some(name) = self.name else {
            let (paths, only) = match self.instance {
                Some(instance) => instance_files(instance),
                None => (self.config, self.adapter),
            };
            if !paths.is_empty() {
                return SerialConfig::read_for(&paths, only);
            }
            let capture = self.capture.unwrap_or_else(default_capture_dir);
            let discover = Discover::new(CaptureOptions::new(capture));
            let discover = Some(discover.for_adapter(only.clone()));
            return Ok(SerialConfig { only, http, discover, ..SerialConfig::default() });
        };
        let port = match (self.port, self.device) {
            (Some(port), _) => port,
            (None, Some(device)) => {
                let text = format!("tty:{},{}", device.display(), self.baud);
                text.parse().map_err(|error| Failure::from_error(Kind::User, &error))?
            }
            (None, None) => {
                return Err(Failure::new(Kind::User, format!("{name} has no port"))
                    .hint("add --device /dev/ttyUSB0 --baud 115200, or --port KIND:WHERE"));
            }
        };
        let (raw, telnet) = (self.raw, self.telnet);
        let capture = CaptureOptions::new(self.capture.unwrap_or_else(default_capture_dir));
        let console = ConsoleConfig::new(name, port, capture);
        let consoles = vec![ConsoleConfig { raw, telnet, ..console }];
        Ok(SerialConfig { http, consoles, ..SerialConfig::default() })
    }
}

/// What an instance of the systemd unit serves: the files to read, and for which adapter.
fn instance_files(name: String) -> (Vec<PathBuf>, Option<String>) {
    let own = Path::new(ETC).join("serial").join(format!("{name}.toml"));
    if own.exists() {
        return (vec![own], None);
    }
    let common = Path::new(ETC).join("serial.d");
    tracing::info!("there is no {}: this serves the adapter {name}", own.display());
    (if common.is_dir() { vec![common] } else { Vec::new() }, Some(name))
}
