//! `lava image list` and `lava image remove`.

use bytesize::ByteSize;
use clap::Args;
use serde_json::json;

use super::{Context, ServerArg, tell};
use crate::model::units::{now_us, time_span};
use crate::model::{Failure, ImageInfo, VmImage};

/// Lists the images.
#[derive(Debug, Args)]
pub(in crate::front::cli::lava) struct ListArgs {
    /// Only the disks of virtual machines, and what they need.
    #[arg(long)]
    vm: bool,
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

pub(in crate::front::cli::lava) async fn list(
    args: ListArgs,
    ctx: &Context,
) -> Result<(), Failure> {
    let mut images = args.server.locate()?.images().await?;
    images.retain(|image| !args.vm || image.vm.is_some());
    if args.server.json {
        for image in &images {
            ctx.print_json(image).await?;
        }
        return Ok(());
    }
    let width = images.iter().map(|image| image.name.as_str().len()).max().unwrap_or(0).max(4);
    let heads = if args.vm {
        format!("{:8}  {:>10}  {:>10}  ", "ARCH", "MEMORY", "DISK")
    } else {
        String::new()
    };
    let mut text =
        format!("{:width$}  {:>10}  {heads}{:12}  {:10}  NOTE\n", "NAME", "SIZE", "USER", "KEPT");
    for image in &images {
        let ImageInfo { name, size, user, note, vm, .. } = image;
        let size = ByteSize(*size).to_string();
        let needs = vm.as_ref().filter(|_| args.vm).map(needs).unwrap_or_default();
        let line =
            format!("{name:width$}  {size:>10}  {needs}{user:12}  {:10}  {note}", kept(image));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    ctx.print(text.as_bytes()).await
}

/// What a virtual machine needs, as columns.
fn needs(VmImage { arch, memory_mib, disk }: &VmImage) -> String {
    let memory = memory_mib.map_or_else(|| "-".into(), |mib| ByteSize::mib(mib.into()).to_string());
    format!("{arch:8}  {memory:>10}  {:>10}  ", ByteSize(*disk).to_string())
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
