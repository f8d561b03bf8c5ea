//! `lava board export` and `apply`: the boards as a folder of files, one each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::add::description;
use super::{Context, ServerArg, tell};
use crate::config::board;
use crate::model::{BoardDescription, Failure, Kind, Name};

/// Writes what is said of each board into a folder: NAME.toml, to be kept in git and applied again. Not of the machines
/// that workers offer.
///
/// Files of boards that the lab does not have stay, and lava board apply would add those boards; they are told, and
/// --remove takes them away.
///
/// How healthy a board is, and when it is in maintenance, is no description: it stays with the lab, and
/// lava-server backup has it.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Take away the files of boards that the lab does not have.
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    server: ServerArg,
}

/// Makes the lab's boards be as a folder says: adds, changes, and, with --remove, takes out.
///
/// The files are those that lava board export writes. What is wrong in any of them is told with its place,
/// and nothing is changed then.
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Only say what would be changed.
    #[arg(long)]
    dry_run: bool,
    /// Take out the boards that have no file.
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn export(args: ExportArgs, ctx: &Context) -> Result<(), Failure> {
    let mut boards = args.server.locate()?.boards().await?;
    // What workers offer they describe.
    boards.retain(|board| !board.offered);
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::new(Kind::Infra, format!("{}: {error}", path.display()))
    };
    std::fs::create_dir_all(&args.folder).map_err(|error| failed(&args.folder, &error))?;
    let mut others = others(&args.folder).map_err(|error| failed(&args.folder, &error))?;
    let count = boards.len();
    for info in boards {
        others.remove(&info.name);
        let path = args.folder.join(format!("{}.toml", info.name));
        let text = board::text(&description(info));
        std::fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    let names: Vec<&Name> = others.keys().collect();
    let words = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    if args.remove {
        for path in others.values() {
            std::fs::remove_file(path).map_err(|error| failed(path, &error))?;
        }
    } else if !others.is_empty() {
        let what = "the lab does not have them; lava board apply would add them";
        ctx.note(&format!("files of others stay there: {words}: {what}. --remove takes them away"))
            .await;
    }
    let removed = if args.remove { names } else { Vec::new() };
    let done = json!({"folder": args.folder, "boards": count, "removed": removed});
    let mut text = format!("{count} boards are in {}\n", args.folder.display());
    if !removed.is_empty() {
        text.push_str(&format!("taken away: {words}\n"));
    }
    tell(ctx, args.server.json, &done, &text).await
}

/// The boards that have a file in a folder.
fn others(folder: &Path) -> std::io::Result<BTreeMap<Name, PathBuf>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()?.parse::<Name>().ok());
        if path.extension().is_some_and(|extension| extension == "toml") {
            all.extend(name.map(|name| (name, path)));
        }
    }
    Ok(all)
}

pub(super) async fn apply(args: ApplyArgs, ctx: &Context) -> Result<(), Failure> {
    let wanted = board::read(&args.folder)?;
    let server = args.server.locate()?;
    let present = server.boards().await?.into_iter().filter(|info| !info.offered);
    let present: BTreeMap<Name, BoardDescription> =
        present.map(|info| (info.name.clone(), description(info))).collect();
    let would = if args.dry_run { "would be " } else { "" };
    let mut changes = 0;
    for (name, description) in &wanted {
        let how = match present.get(name) {
            Some(before) if *before == description.clone().knowing(name, before) => continue,
            Some(_) => "changed",
            None => "added",
        };
        if !args.dry_run {
            server.put_board(name, description, false, ctx.user()).await?;
        }
        changes += 1;
        let done = json!({"board": name, "what": how, "done": !args.dry_run});
        tell(ctx, args.server.json, &done, &format!("{name}: {would}{how}\n")).await?;
    }
    for name in present.keys().filter(|name| args.remove && !wanted.contains_key(*name)) {
        if !args.dry_run {
            server.remove_board(name.as_str(), ctx.user()).await?;
        }
        changes += 1;
        let done = json!({"board": name, "what": "removed", "done": !args.dry_run});
        tell(ctx, args.server.json, &done, &format!("{name}: {would}removed\n")).await?;
    }
    if changes == 0 && !args.server.json {
        ctx.print(b"all is as it is said there\n").await?;
    }
    Ok(())
}
