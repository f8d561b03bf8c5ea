//! The command line of `lava-serial`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::print;
use crate::config::discover::Discover;
use crate::config::serial::{ConsoleConfig, SerialConfig};
use crate::config::{CaptureOptions, HttpListen, PortSpec, default_capture_dir};
use crate::front::http::TlsConfig;
use crate::model::{Failure, Kind, Name};

/// Where configuration is on a host that has it installed.
const ETC: &str = "/etc/lava";

/// Serves serial consoles to any number of people and programs, and captures every byte.
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
            let discover = Some(Discover { only: only.clone(), ..discover });
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
