//! `apply-overlay-image` and `apply-overlay-sparse-image`: the tests into the root file system of an image that
//! is flashed or written to a medium. The file system is an ext one, the whole image or a partition of it
//! (`root_partition`); Android's sparse form is undone and made again. Needs no root and mounts nothing.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use futures_util::future::BoxFuture;

use super::append_overlays::{ext_error, run};
use crate::dispatch::action::{Action, Running};
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::Artefact;
use crate::dispatch::validate::Checks;
use crate::image::{ext, tree, unpack};

/// What a sparse image begins with (AOSP, system/core/libsparse/sparse_format.h: 0xed26ff3a, little-endian).
const SPARSE: [u8; 4] = [0x3a, 0xff, 0x26, 0xed];
/// Undoes the sparse form, and makes it.
const PROGRAMS: [&str; 2] = ["simg2img", "img2simg"];

#[derive(Debug)]
pub(super) struct ApplyOverlayImage {
    /// The one that takes the tests; none where the block has none.
    pub image: Option<Artefact>,
    /// It may come in the sparse form.
    pub sparse: bool,
}

impl Action for ApplyOverlayImage {
    fn name(&self) -> &'static str {
        if self.sparse { "apply-overlay-sparse-image" } else { "apply-overlay-image" }
    }

    fn validate<'a>(&'a self, checks: &'a mut Checks) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.image.is_none() {
                checks.fault("the block has no \"image\" that the tests could be put into");
            }
            let sparse: &[&str] = if self.sparse { &PROGRAMS } else { &[] };
            ext::PROGRAMS.iter().chain(sparse).for_each(|program| checks.program(program));
        })
    }

    fn run<'a>(&'a self, context: &'a mut Context) -> Running<'a> {
        Box::pin(async move {
            let missing = || Error::Bug("there is no image for the tests".into());
            let Artefact { name, partition, .. } = self.image.as_ref().ok_or_else(missing)?;
            let file = context.shared().files.get(name).cloned();
            let file = file.ok_or_else(|| Error::Bug(format!("{name} was not downloaded")))?;
            into_image(name, &file, *partition, self.sparse, context).await
        })
    }
}

/// Puts the tests into an image, or one of its partitions; `sparse` says that it may come in that form.
///
/// # Errors
/// What the image's programs say.
pub(super) async fn into_image(
    name: &str,
    file: &Path,
    partition: Option<u32>,
    sparse: bool,
    context: &mut Context,
) -> Result<(), Error> {
    let failed = |error: io::Error| {
        Error::Infrastructure(format!("the tests for {}: {error}", file.display()))
    };
    let plain = name.replace('/', "-");
    let root = context.scratch().join(format!("{}-{plain}-tests", context.now.namespace));
    // A try before this one may have left something.
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).map_err(failed)?;
    context.shared().overlay.spill(&root).map_err(failed)?;
    let entries = tree::entries(&root).map_err(failed)?;
    let is_sparse = sparse && begins_sparse(file).map_err(failed)?;
    let whole = file.with_extension("whole");
    if is_sparse {
        converted(PROGRAMS[0], file, &whole).await?;
    }
    let image = if is_sparse { &whole } else { file };
    let added = ext::add(image, partition, &entries).await;
    added.map_err(|error| ext_error(&error))?;
    if is_sparse {
        converted(PROGRAMS[1], &whole, file).await?;
        std::fs::remove_file(&whole).map_err(failed)?;
    }
    context.shared().overlay_is_in = true;
    context.log.info(format!("{name}: {} overlay entries put into it", entries.len()));
    std::fs::remove_dir_all(&root).map_err(failed)
}

/// Whether an image is in the sparse form. One that is not, though it may be, is taken as it is.
fn begins_sparse(file: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(file)?.take(SPARSE.len() as u64).read_to_end(&mut begin)?;
    Ok(begin == SPARSE)
}

/// Makes one form of an image of the other.
async fn converted(program: &str, from: &Path, to: &Path) -> Result<(), Error> {
    File::create(to).map_err(|e| Error::Infrastructure(format!("{}: {e}", to.display())))?;
    let mut command = unpack::unpacker(program, &[from], to);
    command.arg(from).arg(to);
    run(command, from).await
}
