//! `lava token new`: lets somebody in by name.

use std::fmt::Write as _;
use std::io::Read as _;

use clap::{Args, Subcommand};

use super::Context;
use crate::model::{Failure, Kind, Name, Pattern, Right, TOKEN_BYTES, TokenHash, token_of};

/// Tokens, with which people and programs log in to daemons.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    verb: TokenVerb,
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    New(NewArgs),
}

/// Print a new token, and what the daemon's configuration needs to know of it.
///
/// The token is shown only now. Its owner puts it into ~/.config/lava/token (which nobody else may
/// read) or $LAVA_TOKEN. Each right holds those before it; without any it is --write '*'.
#[derive(Debug, Args)]
struct NewArgs {
    /// Whose it is: the name that others see and the record has.
    name: Name,
    /// Consoles and outlets to know of: names, or patterns such as 'panda*'.
    #[arg(long, value_name = "PATTERN")]
    see: Vec<String>,
    /// Consoles to read.
    #[arg(long, value_name = "PATTERN")]
    spy: Vec<String>,
    /// Consoles to type at; outlets to switch.
    #[arg(long, value_name = "PATTERN")]
    write: Vec<String>,
    /// Consoles to do everything with.
    #[arg(long, value_name = "PATTERN")]
    control: Vec<String>,
    /// One line of JSON: name, token, hash.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: TokenArgs, ctx: &Context) -> Result<(), Failure> {
    let TokenVerb::New(NewArgs { name, see, spy, mut write, control, json }) = args.verb;
    if [&see, &spy, &write, &control].iter().all(|patterns| patterns.is_empty()) {
        write.push("*".into());
    }
    let mut bytes = [0; TOKEN_BYTES];
    let random = std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    random.map_err(|error| Failure::new(Kind::Infra, format!("/dev/urandom: {error}")))?;
    let token = token_of(&bytes);
    let hash = TokenHash::of(&token).ok_or_else(|| Failure::new(Kind::Bug, "a long token"))?;
    if json {
        let row = serde_json::json!({"name": name, "token": token, "hash": hash.to_string()});
        return ctx.print_json(&row).await;
    }
    let mut text = format!(
        "{token}\n\n# For the daemon's configuration:\n[[token]]\nname = \"{name}\"\nhash = \"{hash}\"\n"
    );
    for (right, patterns) in Right::ALL.into_iter().zip([see, spy, write, control]) {
        if patterns.is_empty() {
            continue;
        }
        for pattern in &patterns {
            let wrong = |error| format!("--{right} {pattern}: {error}");
            let checked: Result<Pattern, String> = pattern.parse().map_err(wrong);
            checked.map_err(|what| Failure::new(Kind::User, what))?;
        }
        let list: Vec<String> = patterns.iter().map(|pattern| format!("\"{pattern}\"")).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{right} = [{}]", list.join(", "));
    }
    ctx.print(text.as_bytes()).await
}
