//! `lava image get`: what is in an image.

use std::path::PathBuf;

use clap::Args;
use sha2::Digest as _;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::{Context, ServerArg, tell};
use crate::model::{Failure, Kind, Sha256};

/// Gets an image. The file is there when all of it has come and was right.
#[derive(Debug, Args)]
pub(super) struct GetArgs {
    name: String,
    /// Where to; else a file of its name here.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) async fn get(args: GetArgs, ctx: &Context) -> Result<(), Failure> {
    let server = args.server.locate()?;
    let image = server.image(&args.name).await?;
    let path = args.output.unwrap_or_else(|| image.name.as_str().into());
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let failed =
        |error: std::io::Error| Failure::new(Kind::User, format!("{}: {error}", part.display()));
    let mut body = server.image_content(image.sha256.as_str()).await?;
    let mut file = File::create(&part).await.map_err(failed)?;
    let mut hash = sha2::Sha256::new();
    let broken = |failure: Failure| {
        failure.hint(format!(
            "try again; when it breaks each time, what is stored is damaged, as the server's log says then, and \
             lava image put FILE --name {} replaces it",
            image.name
        ))
    };
    while let Some(piece) = body.next().await.map_err(broken)? {
        hash.update(&piece);
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    let got = Sha256::of(&hash.finalize().into());
    if got != image.sha256 {
        let what = format!("{} did not come as it is stored: its SHA-256 is {got}", image.name);
        return Err(Failure::new(Kind::Lab, what).hint("try again"));
    }
    tokio::fs::rename(&part, &path).await.map_err(failed)?;
    let text = format!("{} is in {}\n", image.name, path.display());
    tell(ctx, args.server.json, &image, &text).await
}
