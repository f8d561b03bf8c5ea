//! `lava man DIR`: the manual pages, for packages.

use std::path::PathBuf;

use clap::{Args, ValueEnum as _};

use super::super::programs::Program;
use crate::model::{Failure, Kind};

/// Writes the manual pages of all programs and verbs into a folder.
#[derive(Debug, Args)]
#[command(hide = true)]
pub(super) struct ManArgs {
    /// The folder; it is made when it is not there.
    dir: PathBuf,
}

pub(super) fn run(args: &ManArgs) -> Result<(), Failure> {
    let dir = &args.dir;
    let wrong =
        |error: std::io::Error| Failure::new(Kind::User, format!("{}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(wrong)?;
    for program in Program::value_variants() {
        clap_mangen::generate_to(program.command(), dir).map_err(wrong)?;
    }
    Ok(())
}
