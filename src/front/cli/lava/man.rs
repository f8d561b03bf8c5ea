//! `lava man DIR`: the manual pages, for packages.

use std::path::PathBuf;

use clap::{Args, Command, ValueEnum as _};

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
        let command = match program {
            Program::Lava => apart(program.command()),
            _ => program.command(),
        };
        clap_mangen::generate_to(command, dir).map_err(wrong)?;
    }
    Ok(())
}

/// A verb's page is called lava-VERB, unless a program is called so: then lava-verb-VERB.
fn apart(command: Command) -> Command {
    command.mut_subcommands(|verb| {
        let name = verb.get_name().to_owned();
        let page = format!("lava-{name}");
        match Program::value_variants().iter().any(|program| program.name() == page) {
            true => verb.display_name(format!("lava-verb-{name}")),
            false => verb,
        }
    })
}
