//! `lava serial`: the serial adapters of this host.

mod list;
mod suggest;

pub(super) use self::suggest::match_of;

use std::path::Path;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::Context;
use crate::adapter::{self, Adapter, Devices, Identity, Owner, Roots};
use crate::client::lab::host_consoles;
use crate::config::{PortSpec, runtime_dir};
use crate::model::{Failure, Kind, Name};
use crate::wire::attach::{PortState, Session};

/// The serial adapters of this host.
#[derive(Debug, Args)]
pub(super) struct SerialArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::ListArgs),
    Suggest(suggest::SuggestArgs),
    /// Prints what the console of a device is called, as usb-A50285BI for ttyUSB0.
    Name {
        /// A device, as ttyUSB0 or /dev/ttyUSB0.
        device: String,
        /// One line of JSON.
        #[arg(long)]
        json: bool,
    },
}

/// An adapter, and what it is to the daemons of this host.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub(super) adapter: Adapter,
    /// What its console is called, unless the configuration says otherwise.
    pub(super) name: Name,
    /// The path that always means it.
    pub(super) path: String,
    /// The console that it is.
    pub(super) console: Option<Name>,
    /// How that console is.
    pub(super) state: Option<PortState>,
    /// Who is attached to it.
    pub(super) attached: Vec<String>,
    /// The processes that have the device open, as far as the caller may see.
    pub(super) owners: Vec<Owner>,
}

/// A console, as its daemon lists it.
#[derive(Debug, Deserialize)]
struct Console {
    name: Name,
    port: String,
    #[serde(flatten)]
    state: PortState,
    sessions: Vec<Session>,
}

pub(super) async fn run(args: SerialArgs, ctx: &Context) -> Result<(), Failure> {
    match args.verb {
        Verb::List(args) => list::run(&args, &rows().await?, ctx).await,
        Verb::Suggest(args) => suggest::run(&args, &rows().await?, ctx).await,
        Verb::Name { device, json } => {
            let roots = Roots::of_host();
            let tty = device.rsplit('/').next().unwrap_or(&device);
            let adapters = adapters(&roots)?;
            let adapter = adapters.iter().find(|adapter| adapter.tty.as_str() == tty);
            let adapter = adapter.ok_or_else(|| {
                Failure::new(Kind::User, format!("{tty} is no serial adapter of this host"))
                    .hint("`lava serial list` shows which there are")
            })?;
            let name = Identity::of(adapter, &adapters).name;
            if json {
                return ctx.print_json(&serde_json::json!({"tty": tty, "name": name})).await;
            }
            ctx.print(format!("{name}\n").as_bytes()).await
        }
    }
}

fn adapters(roots: &Roots) -> Result<Vec<Adapter>, Failure> {
    adapter::list(roots).map_err(|error| Failure::from_error(Kind::Infra, &error))
}

/// Every adapter, with its console if a daemon of this host serves it.
pub(super) async fn rows() -> Result<Vec<Row>, Failure> {
    let roots = Roots::of_host();
    let adapters = adapters(&roots)?;
    let mut owners = adapter::owners(&roots, adapters.iter().map(|adapter| &adapter.tty));
    let consoles: Vec<Console> = host_consoles(&runtime_dir()).await;
    let devices: Vec<(Devices, &Console)> = consoles
        .iter()
        .filter_map(|console| match console.port.parse().ok()? {
            PortSpec::Tty { path, .. } => {
                Some((Devices::new([Path::new(&path)].into_iter()), console))
            }
            _ => None,
        })
        .collect();
    let row = |adapter: &Adapter| {
        let Identity { name, path } = Identity::of(adapter, &adapters);
        let console = devices.iter().find(|(device, _)| device.have(&roots, adapter));
        let console = console.map(|(_, console)| *console);
        let sessions = console.map(|console| console.sessions.as_slice()).unwrap_or_default();
        Row {
            adapter: adapter.clone(),
            name,
            path: roots.dev.join(path).display().to_string(),
            console: console.map(|console| console.name.clone()),
            state: console.map(|console| console.state.clone()),
            attached: sessions.iter().map(|session| session.user.clone()).collect(),
            owners: owners.remove(adapter.tty.as_str()).unwrap_or_default(),
        }
    };
    Ok(adapters.iter().map(row).collect())
}
