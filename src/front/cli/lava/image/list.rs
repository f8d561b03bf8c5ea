//! `lava image list` and `lava image remove`.

use bytesize::ByteSize;
use clap::Args;
use serde_json::json;

use super::{Context, ServerArg, tell};
use crate::model::units::{now_us, time_span};
use crate::model::{Failure, ImageInfo};

/// Lists the images.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    server: ServerArg,
}

/// Takes images away.
///
/// Exit code 4: it is somebody else's.
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn list(args: ListArgs, ctx: &Context) -> Result<(), Failure> {
    let images = args.server.locate()?.images().await?;
    if args.server.json {
        for image in &images {
            ctx.print_json(image).await?;
        }
        return Ok(());
    }
    let width = images.iter().map(|image| image.name.as_str().len()).max().unwrap_or(0).max(4);
    let mut text =
        format!("{:width$}  {:>10}  {:12}  {:10}  NOTE\n", "NAME", "SIZE", "USER", "KEPT");
    for image in &images {
        let ImageInfo { name, size, user, note, .. } = image;
        let size = ByteSize(*size).to_string();
        let line = format!("{name:width$}  {size:>10}  {user:12}  {:10}  {note}", kept(image));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    ctx.print(text.as_bytes()).await
}

/// For how long it is kept from now on.
pub(super) fn kept(image: &ImageInfo) -> String {
    let left = image.until_us.map(|until| until.saturating_sub(now_us()) / 1_000_000);
    left.map_or_else(|| "for ever".into(), time_span)
}

pub(super) async fn remove(args: RemoveArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    for name in &args.names {
        server.remove_image(name, ctx.user()).await?;
        let done = json!({"image": name, "done": true});
        tell(ctx, args.server.json, &done, &format!("{name} is removed\n")).await?;
    }
    Ok(())
}
