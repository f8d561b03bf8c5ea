//! `lava image put`: stores a file.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::Digest as _;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::list::kept;
use super::{Context, ServerArg, tell};
use crate::client::server::LabServer;
use crate::model::{Failure, Kind, Name, NewImage, NewVm, Sha256, UploadRequest, VmArch, units};

/// So many bytes are sent at once.
const PIECE: usize = 8 * 1024 * 1024;
/// For how long an upload that gets no further, as its connection breaks or somebody else still sends, is tried to
/// go on with: who sent before us is given up by the server after a minute.
const PATIENCE: Duration = Duration::from_secs(120);
/// … and how much later each time; no more than this.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Stores a file. What was sent before the connection broke, or Ctrl-C, need not be sent again.
#[derive(Debug, Args)]
pub(super) struct PutArgs {
    file: PathBuf,
    /// How it is to be called; else as the file. The name may be that of an older image of yours, which it
    /// takes the place of.
    #[arg(long)]
    name: Option<Name>,
    /// For how long it is kept, as 30d, or "ever"; else for as long as the server keeps images.
    #[arg(long, value_name = "TIME", value_parser = keep)]
    keep: Option<u64>,
    /// What others should know of it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// It is the disk of a virtual machine with this processor: x86_64 (or aarch64); a qcow2 without a backing file.
    #[arg(long, value_name = "ARCH")]
    vm: Option<VmArch>,
    /// With --vm: how much memory it needs at least, as 512MiB.
    #[arg(long, value_name = "SIZE", requires = "vm", value_parser = memory)]
    memory: Option<u32>,
    #[command(flatten)]
    server: ServerArg,
}

/// How far an upload was, and since when.
struct Way {
    reached: u64,
    since: Instant,
}

impl Way {
    fn is_at(&mut self, offset: u64) {
        if offset != self.reached {
            *self = Self { reached: offset, since: Instant::now() };
        }
    }
}

fn keep(text: &str) -> Result<u64, String> {
    match text {
        "ever" => Ok(0),
        text => units::duration(text).map(|time| time.as_secs().max(1)),
    }
}

fn memory(text: &str) -> Result<u32, String> {
    let bytes = text.parse::<ByteSize>().map_err(|_| format!("{text:?} is no size, as 512MiB"))?;
    let mib = u32::try_from(bytes.as_u64().div_ceil(bytesize::MIB)).unwrap_or(u32::MAX);
    Ok(mib.max(1))
}

pub(super) async fn put(args: PutArgs, ctx: &Context) -> Result<(), Failure> {
    let name = match args.name {
        Some(name) => name,
        None => name_of(&args.file)?,
    };
    let server = args.server.locate()?;
    let (size, sha256) = hash(&args.file).await?;
    let user = Some(ctx.user().to_owned());
    let new = UploadRequest { size, sha256: sha256.clone(), user: user.clone() };
    let mut way = Way { reached: 0, since: Instant::now() };
    let mut pause = PAUSE;
    while let Err(failure) = send(&server, &args.file, &new, &mut way, ctx).await {
        // A connection that breaks is the lab's fault; what the server has said itself is not asked again.
        if failure.kind != Kind::Lab || way.since.elapsed() > PATIENCE {
            return Err(failure);
        }
        ctx.note(&format!("{failure}; going on\n")).await;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    let vm = args.vm.map(|arch| NewVm { arch, memory_mib: args.memory });
    let image = NewImage { sha256, keep_s: args.keep, note: args.note, vm, user };
    let image = server.put_image(&name, &image).await?;
    let text = format!(
        "{name} is stored, and kept {}{}\n",
        if image.until_us.is_some() { "for " } else { "" },
        kept(&image)
    );
    tell(ctx, args.server.json, &image, &text).await
}

fn name_of(file: &Path) -> Result<Name, Failure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.parse().map_err(|error| {
        let what = format!("an image cannot be called {name:?}: {error}");
        Failure::new(Kind::User, what).hint("choose another name: --name NAME")
    })
}

async fn hash(path: &Path) -> Result<(u64, Sha256), Failure> {
    let failed = |error: std::io::Error| unreadable(path, &error);
    let mut file = File::open(path).await.map_err(failed)?;
    let (mut size, mut hash, mut piece) = (0, sha2::Sha256::new(), vec![0; PIECE]);
    loop {
        match file.read(&mut piece).await.map_err(failed)? {
            0 => return Ok((size, Sha256::of(&hash.finalize().into()))),
            read => {
                hash.update(&piece[..read]);
                size += read as u64;
            }
        }
    }
}

async fn send(
    server: &LabServer,
    path: &Path,
    new: &UploadRequest,
    way: &mut Way,
    ctx: &Context,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| unreadable(path, &error);
    let mut upload = server.upload(new).await?;
    let mut file = File::open(path).await.map_err(failed)?;
    file.seek(std::io::SeekFrom::Start(upload.offset)).await.map_err(failed)?;
    let bar = ProgressBar::new(new.size);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    while !upload.done {
        bar.set_position(upload.offset);
        way.is_at(upload.offset);
        let mut piece = Vec::with_capacity(PIECE);
        (&mut file).take(PIECE as u64).read_to_end(&mut piece).await.map_err(failed)?;
        // All may be there and only not stored yet: then nothing is sent, which has it stored.
        if piece.is_empty() && upload.offset < upload.size {
            return Err(Failure::new(Kind::User, format!("{} has changed", path.display())));
        }
        upload = server.upload_piece(&upload, piece, ctx.user()).await?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::User, format!("{}: {error}", path.display()))
}
