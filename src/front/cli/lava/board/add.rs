//! `lava board add`, `set` and `remove`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Context, ServerArg, tell};
use crate::config::read_text;
use crate::model::{BoardDescription, BoardInfo, Failure, Kind, LongText, Mac, Name};

/// Adds a board to the lab.
///
/// Without --console and --outlet it has those that are announced by its own name. HOST/NAME is what a
/// daemon on that host serves; PDU/PORT an outlet by its place.
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    name: Name,
    /// Its device type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Name,
    #[command(flatten)]
    more: More,
    #[command(flatten)]
    server: ServerArg,
}

/// Changes what is said of a board; what is not named stays.
#[derive(Debug, Args)]
pub(super) struct SetArgs {
    name: Name,
    /// Its device type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Name>,
    #[command(flatten)]
    more: More,
    /// Take a tag or an attribute away.
    #[arg(long, value_name = "WORD")]
    without: Vec<String>,
    #[command(flatten)]
    server: ServerArg,
}

/// Takes boards out of the lab; their history stays.
///
/// Exit code 4: somebody has it.
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    #[arg(required = true)]
    names: Vec<Name>,
    #[command(flatten)]
    server: ServerArg,
}

#[derive(Debug, Args)]
struct More {
    /// HOST/NAME, NAME, or http://HOST:PORT/consoles/NAME
    #[arg(long, value_name = "CONSOLE")]
    console: Option<String>,
    /// HOST/NAME, PDU/PORT, NAME, or http://HOST:PORT/outlets/NAME
    #[arg(long, value_name = "OUTLET")]
    outlet: Option<String>,
    /// A word that requests can ask for with tag=WORD.
    #[arg(long, value_name = "WORD")]
    tag: Vec<String>,
    /// What requests can ask for: arch=armv7, ram=1GB, cpus=2
    #[arg(long = "attribute", value_name = "KEY=VALUE", value_parser = pair)]
    attributes: Vec<(String, String)>,
    /// For jobs: the file of LAVA's device dictionary, YAML or a Jinja2 template [default: the template of
    /// its type].
    #[arg(long, value_name = "FILE")]
    dictionary: Option<PathBuf>,
    /// The one worker that can run jobs on it.
    #[arg(long, value_name = "NAME")]
    worker: Option<Name>,
    /// The file of the job that tells whether it is in order.
    #[arg(long, value_name = "FILE")]
    health_check: Option<PathBuf>,
    /// A hardware address of its own [default: what it tells first].
    #[arg(long, value_name = "ADDRESS")]
    mac: Vec<Mac>,
    /// What its /etc/lava-identity says, or its serial number [default: what it tells first].
    #[arg(long, value_name = "TEXT")]
    identity: Option<String>,
}

impl More {
    fn into(self, description: &mut BoardDescription) -> Result<(), Failure> {
        let read = |file: PathBuf| {
            read_text(&file)
                .map_err(|why| Failure::new(Kind::User, format!("{}: {why}", file.display())))
        };
        let dictionary = self.dictionary.map(read).transpose()?.map(LongText::from);
        description.dictionary = dictionary.or(description.dictionary.take());
        let health_check = self.health_check.map(read).transpose()?.map(LongText::from);
        description.health_check = health_check.or(description.health_check.take());
        description.worker = self.worker.or(description.worker.take());
        description.console = self.console.or(description.console.take());
        description.outlet = self.outlet.or(description.outlet.take());
        if !self.mac.is_empty() {
            description.mac = self.mac.into_iter().collect();
        }
        description.identity = self.identity.or(description.identity.take());
        description.tags.extend(self.tag);
        description.attributes.extend(self.attributes);
        Ok(())
    }
}

pub(super) async fn add(args: AddArgs, ctx: &Context) -> Result<(), Failure> {
    let mut description = BoardDescription {
        kind: args.kind,
        tags: BTreeSet::new(),
        attributes: BTreeMap::new(),
        console: None,
        outlet: None,
        dictionary: None,
        worker: None,
        offered: false,
        health_check: None,
        mac: BTreeSet::new(),
        identity: None,
    };
    args.more.into(&mut description)?;
    let server = args.server.locate()?;
    let board = server.put_board(&args.name, &description, true, ctx.user()).await?;
    tell(ctx, args.server.json, &board, &added(&board)).await?;
    if board.console_url.is_none() && board.outlet_url.is_none() {
        let what = "it has no console and no outlet yet: lava-serial and lava-power announce theirs where their \
                    files say [server] url, and a board has those of its own name, or what --console and --outlet say";
        ctx.note(what).await;
    }
    Ok(())
}

pub(super) async fn set(args: SetArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    let mut description = description(server.board(args.name.as_str()).await?);
    for word in &args.without {
        description.tags.remove(word);
        description.attributes.remove(word);
    }
    description.kind = args.kind.unwrap_or(description.kind);
    args.more.into(&mut description)?;
    let board = server.put_board(&args.name, &description, false, ctx.user()).await?;
    tell(ctx, args.server.json, &board, &added(&board)).await
}

pub(super) async fn remove(args: RemoveArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    for name in &args.names {
        server.remove_board(name.as_str(), ctx.user()).await?;
        let done = json!({"board": name, "done": true});
        let text = format!("{name} is no board of the lab any more\n");
        tell(ctx, args.server.json, &done, &text).await?;
    }
    Ok(())
}

/// What a server says of a board, as it is described to one.
pub(super) fn description(info: BoardInfo) -> BoardDescription {
    let BoardInfo { kind, tags, attributes, console, outlet, .. } = info;
    let BoardInfo { dictionary, worker, health_check, mac, identity, .. } = info;
    BoardDescription {
        kind,
        tags,
        attributes,
        console,
        outlet,
        dictionary,
        worker,
        offered: false,
        health_check,
        mac,
        identity,
    }
}

fn added(board: &BoardInfo) -> String {
    let part = |what: &str, url: &Option<String>| match url {
        Some(url) => format!(", {what} {url}"),
        None => format!(", no {what}"),
    };
    let (console, outlet) =
        (part("console", &board.console_url), part("outlet", &board.outlet_url));
    let away = board.away.as_ref().map(|away| format!(" ({away})")).unwrap_or_default();
    format!("{} is a {}{console}{outlet}{away}\n", board.name, board.kind)
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("write it like arch=armv7".into()),
    }
}
