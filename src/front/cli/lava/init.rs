//! `lava init`: a configuration to start with, for what is plugged in.

use std::collections::BTreeMap;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::doctor::quoted as quoted_path;
use super::serial::{match_of, rows};
use super::{Context, power};
use crate::config::default_capture_dir;
use crate::config::power::PowerConfig;
use crate::config::toml::quoted;
use crate::model::{Failure, Kind, Name};
use crate::sys::group_id;

/// Where the daemons listen.
const SERIAL: &str = "127.0.0.1:7100";
const POWER: &str = "127.0.0.1:7200";
/// Where packages and administrators put units.
const UNITS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// The group that the daemons run as.
const DAEMONS: &str = "lava";

/// Writes a configuration to start with: the serial adapters that are plugged in, the PDUs that are
/// named, and the inventory for clients.
///
/// For root the files are those that the packages' units serve: /etc/lava/serial.d/init.toml, beside what is
/// there, and /etc/lava/power/init.toml, for lava-power@init. Only --pdu asks anything of the network. What is written passes --check of the daemons. Files that
/// are there stay as they are, and nothing is written then, without --force.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder of the files, instead: serial.toml, power.toml, lab.toml. It is made when it is not there.
    /// [default: ~/.config/lava, but for root]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A PDU to be asked by SNMP, HOST or HOST:PORT. May be given several times.
    #[arg(long, value_name = "HOST")]
    pdu: Vec<String>,
    /// A file with the PDUs' community; "public" without it.
    #[arg(long, value_name = "FILE", requires = "pdu")]
    community_file: Option<PathBuf>,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
    /// One line of JSON: what was written, and what to do next.
    #[arg(long)]
    json: bool,
}

/// A file to write.
struct File {
    path: PathBuf,
    text: String,
    mode: u32,
    /// The daemons' group may read it, if there is one.
    shared: bool,
}

/// Where the files are.
struct Places {
    dir: PathBuf,
    /// As the units have it.
    units: bool,
}

impl Places {
    fn of(dir: Option<PathBuf>) -> Self {
        let units = dir.is_none() && rustix::process::getuid().is_root();
        let dir = dir.unwrap_or_else(usual_dir);
        Self { dir: std::path::absolute(&dir).unwrap_or(dir), units }
    }

    fn serial(&self) -> PathBuf {
        self.dir.join(if self.units { "serial.d/init.toml" } else { "serial.toml" })
    }

    fn power(&self) -> PathBuf {
        self.dir.join(if self.units { "power/init.toml" } else { "power.toml" })
    }

    /// Whether systemd knows a unit.
    fn has_unit(&self, unit: &str) -> bool {
        self.units && UNITS.iter().any(|dir| Path::new(dir).join(unit).exists())
    }

    /// The commands that have a file served.
    fn serve(&self, serial: &Path, power: Option<&Path>) -> Vec<String> {
        let mut next = match self.has_unit("lava-serial.service") {
            true => vec![
                "systemctl enable lava-serial".into(),
                "systemctl reload-or-restart lava-serial".into(),
            ],
            false if self.units => {
                vec![format!("lava-serial --config {}/serial.d", self.dir.display())]
            }
            false => vec![format!("lava-serial --config {}", quoted_path(serial))],
        };
        next.extend(power.map(|power| match self.has_unit("lava-power@.service") {
            true => "systemctl enable --now lava-power@init".into(),
            false => format!("lava-power --config {}", quoted_path(power)),
        }));
        next
    }
}

#[derive(Debug, Serialize)]
struct Written {
    files: Vec<PathBuf>,
    boards: Vec<Name>,
    /// Commands, in order.
    next: Vec<String>,
}

/// Where a board's console and outlet are.
#[derive(Default)]
struct Place {
    console: Option<String>,
    outlet: Option<String>,
}

pub(super) async fn run(args: InitArgs, ctx: &Context) -> Result<(), Failure> {
    let places = Places::of(args.dir);
    let mut boards: BTreeMap<Name, Place> = BTreeMap::new();
    let serial = serial(&places, &mut boards).await?;
    let power = match args.pdu.is_empty() {
        true => None,
        false => Some(rack(places.power(), args.pdu, args.community_file, &mut boards).await?),
    };
    let mut next =
        vec![format!("${{EDITOR:-vi}} {}   # the boards' names", quoted_path(&serial.path))];
    next.extend(places.serve(&serial.path, power.as_ref().map(|power| power.path.as_path())));
    let has_place = |place: &Place| place.console.is_some() || place.outlet.is_some();
    let lab = boards.values().any(has_place).then(|| lab(&places.dir, &boards));
    match &lab {
        Some(lab) => next.push(format!("lava boards --lab {}", quoted_path(&lab.path))),
        None => next.push("lava boards".into()),
    }
    next.push("lava doctor".into());
    let files: Vec<File> = [Some(serial), power, lab].into_iter().flatten().collect();
    write(&files, args.force)?;
    let files = files.into_iter().map(|file| file.path).collect();
    let written = Written { files, boards: boards.into_keys().collect(), next };
    if args.json {
        return ctx.print_json(&written).await;
    }
    let lines = written.files.iter().map(|file| format!("wrote {}\n", file.display()));
    let mut text: String = lines.collect();
    text.push_str(&match written.boards.len() {
        0 => "No serial adapter is plugged in; one that comes later becomes a console by itself.\n"
            .into(),
        count => format!("{count} boards\n"),
    });
    text.push_str("Next:\n");
    written.next.iter().for_each(|next| text.push_str(&format!("  {next}\n")));
    ctx.print(text.as_bytes()).await
}

/// Where configurations are that nobody has named.
pub(super) fn usual_dir() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if rustix::process::getuid().is_root() {
        return "/etc/lava".into();
    }
    let home = || set("HOME").map(|home| home.join(".config"));
    set("XDG_CONFIG_HOME").or_else(home).unwrap_or_default().join("lava")
}

/// What other files of the same configuration say already: each table can be there once.
struct Said {
    text: String,
}

impl Said {
    /// Of the files beside one.
    fn beside(path: &Path) -> Self {
        let files =
            path.parent().and_then(|dir| dir.read_dir().ok()).into_iter().flatten().flatten();
        let others = files.map(|file| file.path()).filter(|file| {
            file != path && file.extension().is_some_and(|extension| extension == "toml")
        });
        Self { text: others.filter_map(|file| std::fs::read_to_string(file).ok()).collect() }
    }

    fn has(&self, table: &str) -> bool {
        self.text.lines().any(|line| line.trim_start().starts_with(table))
    }
}

/// The consoles: every adapter, and a name for each that is there.
async fn serial(places: &Places, boards: &mut BTreeMap<Name, Place>) -> Result<File, Failure> {
    let path = places.serial();
    let said = match places.units {
        true => Said::beside(&path),
        false => Said { text: String::new() },
    };
    let served = if places.units { path.parent().unwrap_or(&path) } else { &path };
    let mut text = format!(
        "# Made by lava init. lava-serial --config {}\n\
         # conf/serial.toml of the sources has every key.\n",
        served.display(),
    );
    let dir = match places.units {
        // That of the unit.
        true => String::new(),
        false => format!("dir = {}\n", quoted(&default_capture_dir().display().to_string())),
    };
    for (table, section) in [
        (
            "[http]",
            format!(
                "\n# For lava-console, browsers and programs; programs of this host also find a Unix socket.\n\
                 [http]\nlisten = \"{SERIAL}\"\n"
            ),
        ),
        (
            "[capture]",
            format!(
                "\n# Everything that the boards print is kept here, so much of each.\n\
                 [capture]\n{dir}keep = \"4GiB\"\n"
            ),
        ),
        (
            "[discover]",
            "\n# Every USB serial adapter becomes a console, now and whenever one is plugged in.\n\
             [discover]\n"
                .to_owned(),
        ),
    ] {
        if !said.has(table) {
            text.push_str(&section);
        }
    }
    let http = said.has("[http]");
    let rows = rows().await?;
    let rows = rows.iter().filter(|row| !row.adapter.kernel_console && row.adapter.usb.is_some());
    let mut first = true;
    for row in rows {
        if std::mem::take(&mut first) {
            text.push_str("\n# The adapters that are plugged in: give them their boards' names.\n");
        }
        text.push_str(&match_of(row));
        // Where somebody else has said where to listen, the daemon of this host is found by its socket.
        boards.entry(row.name.clone()).or_default().console =
            (!http).then(|| format!("http://{SERIAL}/consoles/{}", row.name));
    }
    Ok(File { path, text, mode: 0o644, shared: false })
}

/// The outlets of PDUs.
async fn rack(
    path: PathBuf,
    hosts: Vec<String>,
    community_file: Option<PathBuf>,
    boards: &mut BTreeMap<Name, Place>,
) -> Result<File, Failure> {
    let mut text = format!(
        "# Made by lava init. lava-power --config {}\n\
         # conf/power.toml of the sources has every key.\n\n\
         [http]\nlisten = \"{POWER}\"\n",
        path.display()
    );
    for (at, host) in hosts.into_iter().enumerate() {
        let name = format!("pdu{}", at + 1).parse::<Name>();
        let name = name.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
        let found = power::configuration(host, name, community_file.clone()).await?;
        text.push_str(&format!("\n{found}"));
    }
    for board in PowerConfig::parse("what was found", &text)?.boards {
        boards.entry(board.name.clone()).or_default().outlet =
            Some(format!("http://{POWER}/outlets/{}", board.name));
    }
    // It may have a community in it.
    Ok(File { path, text, mode: 0o600, shared: true })
}

/// The inventory.
fn lab(dir: &Path, boards: &BTreeMap<Name, Place>) -> File {
    let path = dir.join("lab.toml");
    let mut text = format!(
        "# Made by lava init: the boards for lava-console, lava and the other clients, who find it as\n\
         # ~/.config/lava/lab.toml, /etc/lava/lab.toml, or with --lab {}\n\
         # One board has its console and its outlet in one [[board]]: put together what belongs together.\n",
        path.display()
    );
    for (name, Place { console, outlet }) in boards {
        if console.is_none() && outlet.is_none() {
            continue;
        }
        text.push_str(&format!("\n[[board]]\nname = \"{name}\"\n"));
        for (key, url) in [("console", console), ("outlet", outlet)] {
            if let Some(url) = url {
                text.push_str(&format!("{key} = {}\n", quoted(url)));
            }
        }
    }
    File { path, text, mode: 0o644, shared: false }
}

/// Writes all of them, or none if one is there already.
fn write(files: &[File], force: bool) -> Result<(), Failure> {
    let there: Vec<String> = files
        .iter()
        .filter(|file| file.path.symlink_metadata().is_ok())
        .map(|file| file.path.display().to_string())
        .collect();
    if !there.is_empty() && !force {
        let what = format!("there already: {}; nothing was written", there.join(", "));
        return Err(Failure::new(Kind::User, what)
            .hint("--force replaces them; --dir DIR writes elsewhere"));
    }
    let group = group_id(DAEMONS).filter(|_| rustix::process::getuid().is_root());
    for File { path, text, mode, shared } in files {
        let new = path.with_extension("toml.new");
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(*mode);
            let mut file = options.open(&new)?;
            if let Some(group) = group.filter(|_| *shared) {
                fchown(&file, None, Some(group))?;
                file.set_permissions(Permissions::from_mode(mode | 0o040))?;
            }
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            std::fs::rename(&new, path)
        };
        write().map_err(|error: std::io::Error| {
            Failure::new(Kind::Infra, format!("{}: {error}", path.display()))
        })?;
    }
    Ok(())
}
