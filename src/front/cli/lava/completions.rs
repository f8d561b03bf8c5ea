//! `lava completions SHELL`: what a shell needs to complete our command lines.

use clap::{Args, ValueEnum};
use clap_complete::env::{EnvCompleter, Shells};

use super::super::programs::Program;
use super::Context;
use crate::model::{Failure, Kind};

/// Prints what a shell needs to complete our command lines, boards' names included.
///
/// The packages install it for all users. For oneself: `source <(lava completions bash)` in ~/.bashrc,
/// `source <(lava completions zsh)` behind compinit in ~/.zshrc, `lava completions fish | source` in
/// ~/.config/fish/config.fish.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    shell: Shell,
    /// Only for this program. All of ours when it is left out.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<Program>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) async fn run(args: &CompletionsArgs, ctx: &Context) -> Result<(), Failure> {
    let shell = match args.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    };
    let shells = Shells::builtins();
    let missing = || Failure::new(Kind::Bug, format!("nothing is known of {shell}"));
    let shell: &dyn EnvCompleter = shells.completer(shell).ok_or_else(missing)?;
    let mut script = Vec::new();
    for program in Program::value_variants() {
        if args.program.is_none_or(|only| only == *program) {
            let name = program.name();
            let written = shell.write_registration("COMPLETE", name, name, name, &mut script);
            written.map_err(|error| Failure::from_error(Kind::Bug, &error))?;
        }
    }
    ctx.print(&script).await
}
